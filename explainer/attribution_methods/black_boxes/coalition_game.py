"""The game whose Shapley values are contributions, played through a model that is only ever asked for scores.

The players are the raw features. What a coalition is worth is the weighted mean score of the background rows after the
coalition's features have been set to the explained row's values (the interventional game: Janzing, Minorics and
Blöbaum, "Feature relevance quantification in explainable AI: a causal problem", AISTATS 2020). Nothing is known about
the model, so this works for every graph and every remote program; it costs one score per coalition and background row.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.blocks.background_blocks import BlockDivision
from models.errors import UnsupportedModelError
from models.scoring_model import Rows, Scores, ScoringModel

BATCH_NUMBERS = 2**20
"""Values of features handed to the model at once, or one whole background if that is more; results do not depend on
it."""

ScoreUnit = Literal["additive", "score"]
"""What is explained: the additive score, or for a model without an additive unit the score itself."""

Coalitions = NDArray[np.bool_]
"""Shape (n_coalitions, n_features): which features come from the explained row."""


def score_function(model: ScoringModel, unit: ScoreUnit) -> Callable[[Rows], Scores]:
    """Give the function of a model that is explained.

    Args:
        model: The model.
        unit: Which of its two numbers.

    Returns:
        From raw rows to one number each.
    """
    return model.additive_score if unit == "additive" else model.score


class CoalitionGame:
    """The interventional game of one model and one background; nothing changes after it is built.

    Args:
        score: From raw rows, shape (n, n_features), to one number each; equal rows must get equal numbers.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,), not negative, sum above zero; only their proportions count.

    Attributes:
        background_rows: As given.
        shares: The weights divided by their sum, shape (m,).
        background_scores: The scores of the background rows, shape (m,).
        expected_value: Their weighted mean: what the empty coalition is worth.
        spread: Their weighted standard deviation.
        largest_score: Their largest absolute value.
        memory_bytes: Memory held.

    Raises:
        UnsupportedModelError: If the model does not give one finite number for each row; so do all methods.
    """

    def __init__(self, score: Callable[[Rows], Scores], background_rows: Rows, background_weights: Scores) -> None:
        self._score = score
        self.background_rows = background_rows
        self.shares = background_weights / background_weights.sum()
        self.background_scores = self.scores_of(background_rows[np.newaxis])[0]
        self.expected_value = float((self.background_scores * self.shares).sum())
        variance = (self.shares * (self.background_scores - self.expected_value) ** 2).sum()
        self.spread = float(np.sqrt(variance))
        self.largest_score = float(np.abs(self.background_scores).max())
        self.memory_bytes = background_rows.nbytes + self.shares.nbytes + self.background_scores.nbytes

    @property
    def n_features(self) -> int:
        """Number of players."""
        return int(self.background_rows.shape[1])

    @property
    def n_rows(self) -> int:
        """Rows of the background: how many scores it takes to know what one coalition is worth."""
        return len(self.background_rows)

    @property
    def coalitions_per_batch(self) -> int:
        """How many coalitions fit into one batch."""
        return max(1, BATCH_NUMBERS // self.background_rows.size)

    def mixed_rows(self, row: Scores, coalitions: NDArray[np.bool_]) -> Rows:
        """Put a row's values into the background.

        Args:
            row: Raw row, shape (n_features,).
            coalitions: Shape (n_coalitions, n_features), or (n_coalitions, m, n_features) for one of its own in each
                background row.

        Returns:
            Shape (n_coalitions, m, n_features).
        """
        whole = coalitions if coalitions.ndim == 3 else coalitions[:, np.newaxis]  # noqa: PLR2004 - see Args
        return np.where(whole, row, self.background_rows)

    def scores_of(self, mixed: Rows) -> Scores:
        """Score mixed rows, shape (n_coalitions, m, n_features), as one table.

        Returns:
            Shape (n_coalitions, m).

        Raises:
            UnsupportedModelError: If the model does not give one finite number for each row.
        """
        rows = mixed.reshape(-1, mixed.shape[2])
        scores = np.asarray(self._score(rows), dtype=np.float64)
        if scores.shape != (len(rows),):
            raise UnsupportedModelError(
                f"For {len(rows)} rows the model gives numbers of shape {scores.shape}; one number for each row can be "
                "explained. Of a model with several outputs one must be chosen."
            )
        if not np.isfinite(scores).all():
            raise UnsupportedModelError(
                f"For {np.count_nonzero(~np.isfinite(scores))} of {len(rows)} mixtures of the case and the background "
                "the model gives no finite number, so what a feature contributes is not defined."
            )
        return scores.reshape(mixed.shape[:2])

    def worth(self, row: Scores, coalitions: Coalitions) -> Scores:
        """Say what coalitions are worth.

        Args:
            row: Raw row, shape (n_features,).
            coalitions: Shape (n_coalitions, n_features).

        Returns:
            Shape (n_coalitions,).
        """
        found = np.empty(len(coalitions))
        for batch, scores in self._in_batches(row, coalitions):
            found[batch] = self._mean_of(scores)
        return found

    def worth_by_block(self, row: Scores, coalitions: Coalitions, division: BlockDivision) -> tuple[Scores, Rows]:
        """Say what coalitions are worth, against the whole background and against each of its blocks alone.

        Args:
            row: Raw row, shape (n_features,).
            coalitions: Shape (n_coalitions, n_features).
            division: How the background is divided.

        Returns:
            Shape (n_coalitions,), the same bits as :meth:`worth`; and shape (n_blocks, n_coalitions).
        """
        whole = np.empty(len(coalitions))
        by_block = np.empty((len(division.shares), len(coalitions)))
        for batch, scores in self._in_batches(row, coalitions):
            whole[batch], by_block[:, batch] = self._mean_of(scores), division.means(scores)
        return whole, by_block

    def _in_batches(self, row: Scores, coalitions: Coalitions) -> Iterator[tuple[slice, Scores]]:
        size = self.coalitions_per_batch
        for begin in range(0, len(coalitions), size):
            batch = slice(begin, begin + size)
            yield batch, self.scores_of(self.mixed_rows(row, coalitions[batch]))

    def _mean_of(self, scores: Scores) -> Scores:
        # A matrix product would add in an order that depends on the batch, and equal scores would differ in bits.
        return np.asarray((scores * self.shares).sum(axis=1), dtype=np.float64)
