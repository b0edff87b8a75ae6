"""Bounds of a forest's score over boxes of inputs.

In a box each tree reaches some of its leaves; the least of them, summed over the trees, bounds the score from below
(Chen et al., Robustness Verification of Tree-based Models, 2019, with one tree per group). Over a box in which no
feature is split any more the bound is the score itself.
"""

import numpy as np
from numpy.typing import NDArray

from explainer.recourse.forest_cells import Positions
from explainer.recourse.score_profile import ForestProfile

Numbers = NDArray[np.float64]


class ForestBounds:
    """Bounds the score where some features of one row vary and all others stay.

    Args:
        profile: The row.
        positions: The features that vary.
    """

    def __init__(self, profile: ForestProfile, positions: Positions) -> None:
        cells = profile.cells
        varies = np.zeros(len(cells.splits), dtype=np.bool_)
        varies[positions] = True
        own = profile.own_cells[cells.feature]
        stays_unmet = ((own < cells.low) | (own > cells.high)) & ~varies[cells.feature]
        alive = np.ones(len(cells.value), dtype=np.bool_)
        alive[cells.leaf[stays_unmet]] = False
        number = np.cumsum(alive) - 1
        self._cells, self._positions = cells, positions
        self._value = cells.value[alive]
        self._tree_starts = np.flatnonzero(np.diff(cells.tree[alive], prepend=-1))
        self._demands = []
        for position in positions:
            start, end = cells.first_demand[position], cells.first_demand[position + 1]
            kept = np.flatnonzero(alive[cells.leaf[start:end]]) + start
            self._demands.append((number[cells.leaf[kept]], cells.low[kept], cells.high[kept]))

    def score(self, lowest: Positions, highest: Positions, *, least: bool) -> Numbers:
        """Bound the score in boxes of cells.

        Args:
            lowest: First cell of each varying feature, shape (n_boxes, n_positions).
            highest: Last cell, same shape.
            least: Whether the lower bound is wanted, else the upper one.

        Returns:
            Shape (n_boxes,), additive scores.
        """
        out = np.zeros((len(lowest), len(self._value)), dtype=np.bool_)
        for place, (leaf, low, high) in enumerate(self._demands):
            missed = (low > highest[:, place, np.newaxis]) | (high < lowest[:, place, np.newaxis])
            out[:, leaf] |= missed
        if least:
            of_trees = np.minimum.reduceat(np.where(out, np.inf, self._value), self._tree_starts, axis=1)
        else:
            of_trees = np.maximum.reduceat(np.where(out, -np.inf, self._value), self._tree_starts, axis=1)
        sums: Numbers = self._cells.base_value + of_trees.sum(axis=1)
        return sums
