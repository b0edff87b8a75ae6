"""Shapley values of any model with many features, estimated from random orders, with a standard error that is reported.

A Shapley value is the mean, over all orders of the features, of what a feature changes when it joins those before it
(Castro, Gomez and Tejada, "Polynomial calculation of the Shapley value based on sampling", Computers & Operations
Research 36, 2009). One sweep draws an order for *every* background row and walks it from the background row to the
explained row and again in reverse order (antithetic pairs: Mitchell, Cooper, Frank and Holmes, "Sampling permutations
for Shapley value estimation", JMLR 23, 2022). Two things follow:

- Every walk begins at a background row and ends at the explained row, so what it gives to the features telescopes. The
  contributions add up to score minus expected value whatever orders were drawn.
- Each background row is a stratum of its own with its own orders. The error is that of the orders alone, shrinks with
  the size of the background, and is known from the differences between sweeps of the same background row.

What single features and pairs of features do is exact after one sweep; only what three and more do together is
estimated.
"""

from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.black_boxes.coalition_game import CoalitionGame, ScoreUnit, score_function
from explainer.attribution_methods.blocks.asked_blocks import LastCase
from explainer.attribution_methods.blocks.background_blocks import BlockDivision
from explainer.explanations.attribution import AttributionMethod, StoppedBecause
from models.errors import UnsupportedModelError
from models.scoring_model import Rows, Scores, ScoringModel, refuse_row_width

NAME: Literal["interventional_shapley_values"] = "interventional_shapley_values"
ENGINE_VERSION = "sampled-permutation/1"

FREE_DIFFERENCES = 30
"""A standard error is believed from this many independent differences on."""

Ranks = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class StoppingRule:
    """When sampling one case ends.

    Attributes:
        target_share: The largest standard error that is small enough, as a share of the spread of the score over the
            background. The default leaves a standard error an eighth as large as the smallest influence called slight
            (``docs/reference/strength-words.md``).
        max_evaluations: Scores the model may be asked for per case.

    Raises:
        ValueError: If one of them is not above zero.
    """

    target_share: float = 0.01
    max_evaluations: int = 2_000_000

    def __post_init__(self) -> None:
        if not self.target_share > 0 or self.max_evaluations < 1:
            raise ValueError("The target share and the number of evaluations must be above zero.")


@dataclass(frozen=True, kw_only=True)
class SampledContributions:
    """The estimate for one case.

    Attributes:
        contributions: Shape (n_features,), in the explained unit.
        standard_errors: Shape (n_features,), in the explained unit.
        evaluations: Scores the model was asked for.
        stopped_because: Which part of the stopping rule ended the sampling.
    """

    contributions: Scores
    standard_errors: Scores
    evaluations: int
    stopped_because: StoppedBecause

    @property
    def method(self) -> AttributionMethod:
        """How these contributions were computed; the standard error is the largest of any feature."""
        return AttributionMethod(
            name=NAME,
            exact=False,
            engine_version=ENGINE_VERSION,
            standard_error=float(self.standard_errors.max()),
            stopped_because=self.stopped_because,
        )


class SampledPermutation:
    """Estimates contributions of any model; nothing changes after it is built, so threads may share it.

    The orders are drawn anew for each case from the seed and the case's own values, so that equal cases get equal
    numbers, in whatever order and on whatever thread they are explained.

    Args:
        model: Any model; equal rows must get equal scores wherever they stand in a table.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,), not negative, sum above zero; only their proportions count.
        unit: What is explained.
        seed: Not negative; another one draws other orders.
        stopping: When sampling ends.
        division: How the background is divided into blocks, where contributions against them are wanted, too.

    Attributes:
        method: How contributions are computed; standard error and reason to stop stand with each case.
        expected_value: Weighted mean score over the background, exact.
        leaf_scale: Largest |score| over the background.
        memory_bytes: Memory held: the background and its scores.

    Raises:
        UnsupportedModelError: If the allowed evaluations are too few for a standard error.
    """

    method = AttributionMethod(name=NAME, exact=False, engine_version=ENGINE_VERSION)

    def __init__(
        self,
        model: ScoringModel,
        background_rows: Rows,
        background_weights: Scores,
        *,
        unit: ScoreUnit = "additive",
        seed: int = 0,
        stopping: StoppingRule | None = None,
        division: BlockDivision | None = None,
    ) -> None:
        self._game = CoalitionGame(score_function(model, unit), background_rows, background_weights)
        self._seed = seed
        self.division = division
        self._last_case = LastCase()
        self._stopping = stopping or StoppingRule()
        self.expected_value = self._game.expected_value
        self.leaf_scale = self._game.largest_score
        self.memory_bytes = self._game.memory_bytes
        # Rows of little weight tell little: this many rows of equal weight would tell as much (Kish 1965).
        equal_rows = 1 / float((self._game.shares**2).sum())
        self._fewest_sweeps = 1 + ceil(FREE_DIFFERENCES / equal_rows)
        needed = 1 + self._fewest_sweeps * self.evaluations_per_sweep
        if needed > self._stopping.max_evaluations:
            raise UnsupportedModelError(
                f"A standard error for {self._game.n_features} features and {self._game.n_rows} background rows takes "
                f"{needed} evaluations of the model per case; {self._stopping.max_evaluations} are allowed. Allow "
                "more, or use a background with fewer rows."
            )

    @property
    def evaluations_per_sweep(self) -> int:
        """Scores the model is asked for in one sweep: two walks per background row, whose ends are known."""
        return 2 * (self._game.n_features - 1) * self._game.n_rows

    def contributions_of(self, rows: Rows) -> Rows:
        """Estimate the contributions of every feature to every row's score.

        Args:
            rows: Raw rows, shape (n_rows, n_features); missing values as NaN.

        Returns:
            Shape (n_rows, n_features), in the explained unit. A row's numbers do not depend on the other rows.
        """
        refuse_row_width(rows, self._game.n_features)
        contributions = np.zeros(rows.shape)
        for number, row in enumerate(rows):
            contributions[number] = self.sample(row).contributions
        return contributions

    def sample(self, row: Scores) -> SampledContributions:
        """Estimate the contributions of one case and say how sure they are.

        Args:
            row: Raw row, shape (n_features,).

        Returns:
            The estimate.
        """
        generator = self._generator_for(row)
        row_score = float(self._game.scores_of(row[np.newaxis, np.newaxis])[0, 0])
        evaluations = 1
        running = _RunningMean(self._game.shares, self._game.n_features)
        target = self._stopping.target_share * self._game.spread
        while True:
            ranks = self._draw_ranks(generator)
            running.add((self._gains(row, row_score, ranks) + self._gains(row, row_score, _reversed(ranks))) / 2)
            evaluations += self.evaluations_per_sweep
            if running.count < self._fewest_sweeps:
                continue
            if running.standard_errors.max() <= target:
                stopped_because: StoppedBecause = "precise_enough"
                break
            if evaluations + self.evaluations_per_sweep > self._stopping.max_evaluations:
                stopped_because = "budget_used"
                break
        if self.division is not None:
            self._last_case.keep(row, self.division.means(running.means.T))
        return SampledContributions(
            contributions=running.mean,
            standard_errors=running.standard_errors,
            evaluations=evaluations,
            stopped_because=stopped_because,
        )

    def by_block(self, row: Scores) -> Rows:
        """Estimate the contributions to one row's score against each block of the background.

        Args:
            row: Raw row, shape (n_features,).

        Returns:
            Shape (n_blocks, n_features): the same walks, divided by the background rows they began at.

        Raises:
            TypeError: If the background is not divided.
        """
        known = self._last_case.recall(row)
        if known is not None:
            return known
        if self.division is None:
            raise TypeError("the background is not divided into blocks")
        self.sample(row)
        return self.by_block(row)

    def _generator_for(self, row: Scores) -> np.random.Generator:
        # Minus zero and the many ways to write "missing" are the same case.
        plain = np.where(np.isnan(row), np.nan, row) + 0.0
        digest = np.frombuffer(sha256(plain.astype("<f8").tobytes()).digest(), dtype="<u4")
        return np.random.default_rng([self._seed, *digest.tolist()])

    def _draw_ranks(self, generator: np.random.Generator) -> Ranks:
        """Draw an order of the features for every background row: shape (m, n_features), the place of each feature."""
        in_order = np.broadcast_to(np.arange(self._game.n_features), self._game.background_rows.shape)
        return np.asarray(generator.permuted(in_order, axis=1), dtype=np.int64)

    def _gains(self, row: Scores, row_score: float, ranks: Ranks) -> Rows:
        """Walk from every background row to the explained row, one feature after the other.

        Args:
            row: Raw row, shape (n_features,).
            row_score: Its score.
            ranks: When each feature joins, shape (m, n_features).

        Returns:
            What each feature changed when it joined, shape (m, n_features).
        """
        game = self._game
        along = np.empty((game.n_features + 1, game.n_rows))
        along[0], along[-1] = game.background_scores, row_score
        for first in range(1, game.n_features, game.coalitions_per_batch):
            last = min(first + game.coalitions_per_batch, game.n_features)
            joined = ranks < np.arange(first, last)[:, np.newaxis, np.newaxis]
            along[first:last] = game.scores_of(game.mixed_rows(row, joined))
        return np.take_along_axis(np.diff(along, axis=0).T, ranks, axis=1)


def _reversed(ranks: Ranks) -> Ranks:
    return np.asarray(ranks.shape[1] - 1 - ranks, dtype=np.int64)


class _RunningMean:
    """Mean and standard error over sweeps, background row by background row (Welford, Technometrics 4, 1962)."""

    def __init__(self, shares: Scores, n_features: int) -> None:
        self.count = 0
        self._shares = shares[:, np.newaxis]
        self.means = np.zeros((len(shares), n_features))
        self._squares = np.zeros((len(shares), n_features))

    def add(self, gains: Rows) -> None:
        self.count += 1
        away = gains - self.means
        self.means += away / self.count
        self._squares += away * (gains - self.means)

    @property
    def mean(self) -> Scores:
        return np.asarray((self._shares * self.means).sum(axis=0), dtype=np.float64)

    @property
    def standard_errors(self) -> Scores:
        """Of a weighted mean over strata: the root of the sum of share^2 * variance / number of sweeps."""
        variances = self._squares / (self.count - 1)
        return np.asarray(np.sqrt((self._shares**2 * variances).sum(axis=0) / self.count), dtype=np.float64)
