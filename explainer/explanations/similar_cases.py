"""The cases of the background that are most like one case, told in sums only, and whether there are any.

How unlike two cases are is measured in typical spreads: a number counts by how many typical spreads of the background
it differs, and another category or another answer to yes or no counts like one. Where a value is missing, it counts as
the usual one, and that it is missing like another category. Only features that the model reads
count. How far one has to go for enough similar cases says how rare a combination of values is, also where every single
value is usual (the distance to the k-th nearest neighbour: Ramaswamy, Rastogi and Shim, "Efficient algorithms for
mining outliers from large data sets", SIGMOD 2000).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from models.features import Feature

SHARE_OF_WEIGHT = 0.02
"""Similar are the nearest rows that hold this share of the background's weight."""

MIN_ROWS = 10
"""Similar cases are never fewer rows than this,"""

MIN_WEIGHT = 10.0
"""nor do they stand for fewer cases than this."""

MAX_SHARE_OF_WEIGHT = 0.2
"""If that many rows hold more than this share of the weight, they are not the nearest of many, and nothing is said."""

RARE_QUANTILE = 0.99
"""A case is rare if it lies further from its similar cases than this share of the background does from theirs."""

ROUNDING = 1e-9
"""Distances that differ by less than this share are equal."""

_MAX_PAIRS = 2_000_000
"""Distances that are computed to know what is rare; of large backgrounds only some rows are measured."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SimilarCases:
    """What is known about the cases of the background that are most like one case.

    Attributes:
        rows: Rows of the background that were looked at, at least 10.
        weight: Cases they stand for, at least 10.
        same_outcome_per_100: Of 100 of these cases, how many scores lead to the same outcome.
        distance: How far the furthest of them is, in typical spreads.
        usual_distance: How far it is for 99 of 100 cases of the background.

    Raises:
        ValueError: If they are too few to be told, or the numbers are out of their range.
    """

    rows: int
    weight: float
    same_outcome_per_100: float
    distance: float
    usual_distance: float

    def __post_init__(self) -> None:
        if self.rows < MIN_ROWS or not self.weight >= MIN_WEIGHT:
            raise ValueError("Fewer similar cases than ten are not told.")
        if not 0 <= self.same_outcome_per_100 <= 100 or not (self.distance >= 0 and self.usual_distance >= 0):  # noqa: PLR2004 - of 100
            raise ValueError("Similar cases are counts out of 100 and distances from 0.")

    @property
    def rare(self) -> bool:
        """Whether hardly any case of the background is as far from its similar cases as this one."""
        return self.distance > self.usual_distance * (1 + ROUNDING)


class ComparisonGroup:
    """A background as a place to look for similar cases; nothing changes after it is built, so threads may share it.

    Args:
        rows: Raw rows of the background, shape (m, n_features).
        weights: How many cases each stands for, shape (m,), positive.
        outcomes: The outcome each row's score leads to, shape (m,), any values that can be compared.
        features: The card's features.
        spreads: How much each feature typically differs, in its own unit.
        read: Positions of the features that the model reads.
    """

    def __init__(
        self,
        rows: Numbers,
        weights: Numbers,
        outcomes: Sequence[str],
        *,
        features: Sequence[Feature],
        spreads: Sequence[float],
        read: Collection[int],
    ) -> None:
        self._axes = [_Axis.of(features[position], position, spreads[position], rows) for position in sorted(read)]
        # Together and not axis by axis, where that gives the same numbers.
        self._only_numbers = not any(axis.corners or axis.usual is not None for axis in self._axes)
        self._positions = [axis.position for axis in self._axes]
        self._spreads = np.array([axis.spread for axis in self._axes])
        self._places = self._places_of(rows)
        self._squares = (self._places**2).sum(axis=1)
        self._weights = weights
        self._outcomes = np.array(outcomes)
        self._wanted = max(MIN_WEIGHT, SHARE_OF_WEIGHT * float(weights.sum()))
        self._usual_distance = self._measure_usual_distance() if len(rows) > MIN_ROWS else 0.0

    def similar_to(self, row: Numbers, outcome: str) -> SimilarCases | None:
        """Look at the similar cases of one case.

        Args:
            row: Raw row, shape (n_features,).
            outcome: The outcome its score leads to.

        Returns:
            What they have in common with it, or None if the background is too small to have similar cases.
        """
        if len(self._weights) <= MIN_ROWS:
            return None
        squares = self._squares_to(self._places_of(row[np.newaxis]))[0]
        reach = self._squared_reach(squares, self._weights)
        # Rows that are equally far have distances that differ in their last bits.
        near = squares <= reach * (1 + ROUNDING)
        weight = float(self._weights[near].sum())
        if int(near.sum()) <= MIN_ROWS and weight > MAX_SHARE_OF_WEIGHT * float(self._weights.sum()):
            return None
        same = float(self._weights[near & (self._outcomes == outcome)].sum())
        return SimilarCases(
            rows=int(near.sum()),
            weight=weight,
            same_outcome_per_100=min(100.0, 100 * same / weight),
            distance=float(np.sqrt(reach)),
            usual_distance=self._usual_distance,
        )

    def _places_of(self, rows: Numbers) -> Numbers:
        if self._only_numbers:
            return np.asarray(rows[:, self._positions] / self._spreads, dtype=np.float64)
        columns = [axis.places_of(rows) for axis in self._axes]
        return np.concatenate([np.zeros((len(rows), 0)), *columns], axis=1)

    def _squares_to(self, places: Numbers) -> Numbers:
        """Squared distances of places to all rows, shape (n, m); equal places are 0 apart in spite of rounding."""
        squares = (places**2).sum(axis=1)[:, np.newaxis] + self._squares - 2 * (places @ self._places.T)
        scale = self._squares + 1.0
        return np.asarray(np.where(squares < 1e-12 * scale, 0.0, squares), dtype=np.float64)

    def _squared_reach(self, squares: Numbers, weights: Numbers) -> float:
        """How far one has to go for enough rows that hold enough weight."""
        # Where weights do not differ much, twice the rows of that share are enough, and only these must be sorted.
        some = min(len(squares), max(MIN_ROWS, 2 * ceil(SHARE_OF_WEIGHT * len(squares))))
        nearest = np.argpartition(squares, some - 1)[:some]
        if weights[nearest].sum() < self._wanted:
            nearest = np.arange(len(squares))
        order = nearest[np.argsort(squares[nearest], kind="stable")]
        enough = int(np.searchsorted(np.cumsum(weights[order]), self._wanted))
        last = min(max(enough, MIN_ROWS - 1), len(order) - 1)
        return float(squares[order[last]])

    def _measure_usual_distance(self) -> float:
        n_rows = len(self._weights)
        step = max(1, n_rows * n_rows // _MAX_PAIRS)
        measured = np.arange(0, n_rows, step)
        reaches = np.empty(len(measured))
        for number, row in enumerate(measured):
            # A case is not its own neighbour, as the person's is none either.
            others = np.delete(self._squares_to(self._places[row : row + 1])[0], row)
            reaches[number] = self._squared_reach(others, np.delete(self._weights, row))
        order = np.argsort(reaches)
        held = np.cumsum(self._weights[measured][order])
        return float(np.sqrt(reaches[order][np.searchsorted(held, RARE_QUANTILE * held[-1])]))


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """How the values of one feature become coordinates.

    Attributes:
        position: Of the feature.
        corners: Number of categories, with that of missing values; 0 for numbers.
        spread: What counts as a distance of 1.
        usual: What a missing number is taken as; None where no value may be missing.
    """

    position: int
    corners: int
    spread: float
    usual: float | None = None

    @classmethod
    def of(cls, feature: Feature, position: int, spread: float, rows: Numbers) -> "_Axis":
        if feature.kind == "category":
            corners = len(feature.categories) + (feature.may_be_missing is not None)
            return cls(position=position, corners=corners, spread=1.0)
        if feature.may_be_missing is None:
            return cls(position=position, corners=0, spread=1.0 if feature.kind == "boolean" else spread)
        if feature.kind == "boolean":
            return cls(position=position, corners=3, spread=1.0)
        present = rows[~np.isnan(rows[:, position]), position]
        usual = float(np.median(present)) if len(present) else 0.0
        return cls(position=position, corners=0, spread=spread, usual=usual)

    def places_of(self, rows: Numbers) -> Numbers:
        values = rows[:, self.position]
        if self.corners:
            # Two different corners are exactly 1 apart; missing values have the last one.
            corner = np.where(np.isnan(values), self.corners - 1, values)
            return np.asarray((corner[:, np.newaxis] == np.arange(self.corners)) * np.sqrt(0.5), dtype=np.float64)
        if self.usual is None:
            return np.asarray(values / self.spread, dtype=np.float64)[:, np.newaxis]
        missing = np.isnan(values)
        known = np.where(missing, self.usual, values) / self.spread
        return np.column_stack([known, missing]).astype(np.float64)
