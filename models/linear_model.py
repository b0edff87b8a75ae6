"""Models whose additive score is a sum with one part per feature: linear models and tables of points (scorecards)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import MalformedPackageError, ModelFeaturesMismatchError
from models.forest import Link, logistic
from models.scoring_model import Rows, Scores, ScoringModel


class AdditiveModel(ScoringModel, Protocol):
    """A scoring model in which no feature changes what another one does."""

    @property
    def intercept(self) -> float:
        """What every row has, in the additive unit."""
        ...

    def parts_of(self, rows: Rows) -> Rows:
        """Give the part of the additive score that each value brings.

        Args:
            rows: Raw rows, shape (n_rows, n_features).

        Returns:
            Shape (n_rows, n_features); not a number where the model says nothing about a value.
        """
        ...


class _SumOfParts(ABC):
    """What follows from the parts alone."""

    intercept: float
    link: Link

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Number of columns of a raw row."""

    @abstractmethod
    def parts_of(self, rows: Rows) -> Rows:
        """Give the part of the additive score that each value brings; see :meth:`AdditiveModel.parts_of`."""

    def additive_score(self, rows: Rows) -> Scores:
        """Add up the parts; see :meth:`models.scoring_model.ScoringModel.additive_score`."""
        return np.asarray(self.intercept + self.parts_of(rows).sum(axis=1), dtype=np.float64)

    def score(self, rows: Rows) -> Scores:
        """Score rows; see :meth:`models.scoring_model.ScoringModel.score`."""
        additive = self.additive_score(rows)
        return logistic(additive) if self.link == "logistic" else additive

    def _check_width(self, rows: Rows) -> None:
        if rows.ndim != 2 or rows.shape[1] != self.n_features:  # noqa: PLR2004 - a table has two dimensions
            raise ModelFeaturesMismatchError(f"Rows of shape {rows.shape} do not fit {self.n_features} features.")


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearModel(_SumOfParts):
    """A weighted sum of the values.

    Attributes:
        intercept: Added for every row, in the additive unit.
        coefficients: Shape (n_features,), additive unit per unit of the feature.
        link: How the score follows from the additive score.
    """

    intercept: float
    coefficients: NDArray[np.float64]
    link: Link = "logistic"

    def __post_init__(self) -> None:
        if self.coefficients.ndim != 1 or len(self.coefficients) == 0:
            raise MalformedPackageError("A linear model needs one coefficient for each feature.")
        if not np.isfinite([self.intercept, *self.coefficients]).all():
            raise MalformedPackageError("A linear model has an intercept or coefficient that is no number.")
        self.coefficients.flags.writeable = False

    @property
    def n_features(self) -> int:
        """Number of columns of a raw row."""
        return len(self.coefficients)

    def parts_of(self, rows: Rows) -> Rows:
        """Coefficient times value; see :meth:`AdditiveModel.parts_of`."""
        self._check_width(rows)
        return rows * self.coefficients


@dataclass(frozen=True)
class IntervalPoints:
    """Points for a number, by the interval it lies in.

    Attributes:
        limits: Ascending; a value equal to a limit belongs to the interval above it. Empty for one interval.
        points: One more than limits: below the first, between two, from the last on.
        missing: Points for a missing value; None where the table has none.
    """

    limits: tuple[float, ...]
    points: tuple[float, ...]
    missing: float | None = None

    def __post_init__(self) -> None:
        if len(self.points) != len(self.limits) + 1:
            raise MalformedPackageError("A table of intervals needs points for one more interval than it has limits.")
        if any(low >= high for low, high in zip(self.limits, self.limits[1:], strict=False)):
            raise MalformedPackageError("The limits of a table of intervals must rise.")
        _refuse_what_is_no_number(self.limits, self.points, self.missing)

    def of(self, values: Scores) -> Scores:
        """Look up points, shape (n,); not a number for a missing value without points."""
        found = np.array(self.points)[np.searchsorted(self.limits, values, side="right")]
        return np.where(np.isnan(values), _or_nan(self.missing), found)


@dataclass(frozen=True)
class CategoryPoints:
    """Points for a category or a yes-or-no.

    Attributes:
        points: One for each category, in the order in which the card numbers them from 0.
        missing: Points for a missing value; None where the table has none.
    """

    points: tuple[float, ...]
    missing: float | None = None

    def __post_init__(self) -> None:
        if not self.points:
            raise MalformedPackageError("A table of categories needs at least one category.")
        _refuse_what_is_no_number(self.points, self.missing)

    def of(self, values: Scores) -> Scores:
        """Look up points, shape (n,); not a number for an unknown category or a missing value without points."""
        known = np.isin(values, np.arange(len(self.points)))
        found = np.array(self.points)[np.where(known, values, 0).astype(np.int64)]
        return np.where(np.isnan(values), _or_nan(self.missing), np.where(known, found, np.nan))


@dataclass(frozen=True, kw_only=True)
class PointsTable(_SumOfParts):
    """A scorecard: points for each feature, added up.

    Attributes:
        intercept: Points everybody has.
        tables: One per feature, in the order of the card.
        link: How the score follows from the points.
    """

    intercept: float
    tables: tuple[IntervalPoints | CategoryPoints, ...]
    link: Link = "identity"

    def __post_init__(self) -> None:
        if not self.tables:
            raise MalformedPackageError("A table of points needs at least one feature.")
        _refuse_what_is_no_number(self.intercept)

    @property
    def n_features(self) -> int:
        """Number of columns of a raw row."""
        return len(self.tables)

    def parts_of(self, rows: Rows) -> Rows:
        """The points of each value; see :meth:`AdditiveModel.parts_of`."""
        self._check_width(rows)
        return np.column_stack([table.of(rows[:, column]) for column, table in enumerate(self.tables)])


def _or_nan(points: float | None) -> float:
    return np.nan if points is None else points


def _refuse_what_is_no_number(*numbers: float | tuple[float, ...] | None) -> None:
    given = [np.atleast_1d(number) for number in numbers if number is not None]
    if not np.isfinite(np.concatenate(given)).all():
        raise MalformedPackageError("A table of points has an entry that is no number.")
