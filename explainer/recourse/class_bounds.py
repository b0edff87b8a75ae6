"""Bounds of how far the best wanted class can lead over the others, for forests that score several classes.

The lead of one class over another is a forest as well: the same trees, with the difference of two scores in each leaf.
So a lead is bounded as a score is, and no wanted class can win in a box where each stays behind some other one.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from explainer.recourse.forest_bounds import ForestBounds
from explainer.recourse.forest_cells import ForestCells, Positions
from explainer.recourse.score_profile import ForestProfile
from explainer.recourse.target import Target

MAX_RIVALS = 3
"""So many of the other classes are held against each wanted one, the highest ones for the person; more need longer."""

Numbers = NDArray[np.float64]


class LeadBounds:
    """Bounds the lead of the wanted classes from above where some features of one row vary and all others stay.

    Args:
        cells: The forest; its leaves hold one value for each class.
        row: The row.
        positions: The features that vary.
        target: Which classes are wanted.
        base_values: Shape (n_classes,), what is added to each score of every row.
    """

    def __init__(
        self, cells: ForestCells, row: Numbers, positions: Positions, *, target: Target, base_values: Numbers
    ) -> None:
        wanted = np.array([outcome in target.outcomes for outcome in target.card.outcome_of_class])
        # Which leaves a row reaches is the same for every class.
        profile = ForestProfile.of(replace(cells, value=cells.value[:, 0]), row)
        scores = cells.value[profile.unmet == 0].sum(axis=0) + base_values

        def lead(one: int, rival: int) -> ForestProfile:
            value = cells.value[:, one] - cells.value[:, rival]
            base_value = float(base_values[one] - base_values[rival])
            return replace(profile, cells=replace(cells, value=value, base_value=base_value))

        others = np.flatnonzero(~wanted)
        rivals = others[np.argsort(-scores[others], kind="stable")][:MAX_RIVALS]
        self._leads = [
            [ForestBounds(lead(int(one), int(rival)), positions, least=False) for rival in rivals]
            for one in np.flatnonzero(wanted)
        ]

    def score(self, lowest: Positions, highest: Positions) -> Numbers:
        """Bound the lead in boxes of cells; arguments and shape as :meth:`ForestBounds.score`."""
        of_each = [np.min([rival.score(lowest, highest) for rival in leads], axis=0) for leads in self._leads]
        best: Numbers = np.max(of_each, axis=0)
        return best
