"""Exact Shapley values of any model with few features, by asking the model about every coalition.

For n features and a background of m rows a case costs 2^n * m scores. That is 1 million for 10 features and 4 million
for 12 with a background of 1,000 rows: seconds to minutes, so a case is explained when its decision is recorded and not
while somebody waits. Memory stays below a few batches whatever n and m are.
"""

from math import factorial

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.black_boxes.coalition_game import CoalitionGame, ScoreUnit, score_function
from explainer.attribution_methods.blocks.asked_blocks import LastCase
from explainer.attribution_methods.blocks.background_blocks import BlockDivision
from explainer.explanations.attribution import AttributionMethod
from models.errors import UnsupportedModelError
from models.scoring_model import Rows, Scores, ScoringModel, refuse_row_width

METHOD = AttributionMethod(name="interventional_shapley_values", exact=True, engine_version="exact-enumeration/1")

MAX_FEATURES = 12
"""Beyond, 2^n coalitions take too long, and permutations are sampled instead."""


class ExactEnumeration:
    """Computes exact contributions of any model; nothing changes after it is built, so threads may share it.

    Args:
        model: Any model; equal rows must get equal scores wherever they stand in a table.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,), not negative, sum above zero; only their proportions count.
        unit: What is explained.
        division: How the background is divided into blocks, where contributions against them are wanted, too.

    Attributes:
        method: How the contributions are computed.
        expected_value: Weighted mean score over the background.
        leaf_scale: Largest |score| over the background.
        memory_bytes: Memory held: the background and its scores.

    Raises:
        UnsupportedModelError: If the model has more than 12 features.
    """

    method = METHOD

    def __init__(
        self,
        model: ScoringModel,
        background_rows: Rows,
        background_weights: Scores,
        *,
        unit: ScoreUnit = "additive",
        division: BlockDivision | None = None,
    ) -> None:
        if model.n_features > MAX_FEATURES:
            raise UnsupportedModelError(
                f"The model has {model.n_features} features; every coalition is asked about for at most "
                f"{MAX_FEATURES}. Contributions of this model can only be sampled."
            )
        self._game = CoalitionGame(score_function(model, unit), background_rows, background_weights)
        self._coalitions = all_coalitions(model.n_features)
        self.division = division
        self._last_case = LastCase()
        self.expected_value = self._game.expected_value
        self.leaf_scale = self._game.largest_score
        self.memory_bytes = self._game.memory_bytes

    @property
    def evaluations_per_row(self) -> int:
        """Scores the model is asked for to explain one row."""
        return len(self._coalitions) * self._game.n_rows

    def contributions_of(self, rows: Rows) -> Rows:
        """Compute the contributions of every feature to every row's score.

        Args:
            rows: Raw rows, shape (n_rows, n_features); missing values as NaN.

        Returns:
            Shape (n_rows, n_features), in the explained unit. A row's numbers do not depend on the other rows.
        """
        refuse_row_width(rows, self._game.n_features)
        contributions = np.zeros(rows.shape)
        for number, row in enumerate(rows):
            contributions[number] = self._contributions_of(row)
        return contributions

    def by_block(self, row: Scores) -> Rows:
        """Compute the contributions to one row's score against each block of the background.

        Args:
            row: Raw row, shape (n_features,).

        Returns:
            Shape (n_blocks, n_features). Where the same thread has just computed the contributions of this row, no
            score is asked for again.

        Raises:
            TypeError: If the background is not divided.
        """
        known = self._last_case.recall(row)
        if known is not None:
            return known
        if self.division is None:
            raise TypeError("the background is not divided into blocks")
        self._contributions_of(row)
        return self.by_block(row)

    def _contributions_of(self, row: Scores) -> Scores:
        if self.division is None:
            return shapley_values(self._game.worth(row, self._coalitions))
        whole, by_block = self._game.worth_by_block(row, self._coalitions, self.division)
        self._last_case.keep(row, np.stack([shapley_values(worth) for worth in by_block]))
        return shapley_values(whole)


def all_coalitions(n_features: int) -> NDArray[np.bool_]:
    """All coalitions in the order of their numbers: bit i of the number says whether feature i is in."""
    numbers = np.arange(1 << n_features)[:, np.newaxis]
    return np.asarray((numbers >> np.arange(n_features)) & 1, dtype=np.bool_)


def shapley_values(worth: Scores) -> Scores:
    """Shapley values of a game by their definition.

    The mean over all orders of what a player adds to those before it: the sum over the coalitions S without player i of
    |S|! (n - |S| - 1)! / n! * (v(S and i) - v(S)) (Shapley, "A value for n-person games", 1953).

    Args:
        worth: What each coalition is worth, shape (2^n,); bit i of a position says whether player i is in.

    Returns:
        Shape (n,).
    """
    n_players = len(worth).bit_length() - 1
    share_of_size = np.array(
        [factorial(size) * factorial(n_players - size - 1) / factorial(n_players) for size in range(n_players)]
    )
    sizes = np.bitwise_count(np.arange(len(worth)))
    values = np.empty(n_players)
    for player in range(n_players):
        without, joined = np.moveaxis(worth.reshape(-1, 2, 1 << player), 1, 0)
        size_without = sizes.reshape(-1, 2, 1 << player)[:, 0]
        values[player] = (share_of_size[size_without] * (joined - without)).sum()
    return values
