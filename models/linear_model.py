"""Models whose additive score is a sum with one part per feature: linear models and tables of points (scorecards)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.encoding import Encoding
from models.errors import MalformedPackageError, ModelFeaturesMismatchError
from models.links import Link, apply_link, link_of_one_output
from models.scoring_model import Rows, Scores, ScoringModel, refuse_row_width, value_not_known


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
            Shape (n_rows, n_features).

        Raises:
            ModelFeaturesMismatchError: If the model says nothing about a value, such as a missing one.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class FeatureForms:
    """What is known about how a raw feature becomes its columns.

    Attributes:
        straight: Features whose numbers are only moved and scaled, so that their part is a straight line.
        listed: Features that have only so many values, numbered from 0: categories, and yes-or-no.
    """

    straight: frozenset[int]
    listed: Mapping[int, int]


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearModel:
    """A weighted sum of the columns that are made from the values, or one such sum for each class or target.

    Attributes:
        intercepts: Shape (n_outputs,): added for every row, in the additive unit.
        coefficients: Shape (n_outputs, n_columns), additive unit per unit of the column.
        link: How the score follows from the additive score.
        encoding: How raw features become columns; none means the columns are the raw features in 64 bits.
        forms: What is known about that way; none if nothing is.
    """

    intercepts: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    link: Link = "logistic"
    encoding: Encoding | None = None
    forms: FeatureForms | None = None

    def __post_init__(self) -> None:
        n_columns = None if self.encoding is None else len(self.encoding.feature_of_column)
        if self.coefficients.ndim != 2 or self.coefficients.size == 0:  # noqa: PLR2004 - outputs and columns
            raise MalformedPackageError("A linear model needs one coefficient for each output and column.")
        if self.intercepts.shape != self.coefficients.shape[:1] or self.coefficients.shape[1] != (
            n_columns or self.coefficients.shape[1]
        ):
            raise MalformedPackageError(
                "The intercepts, coefficients and columns of a linear model do not fit together."
            )
        if not (np.isfinite(self.intercepts).all() and np.isfinite(self.coefficients).all()):
            raise MalformedPackageError("A linear model has an intercept or coefficient that is no number.")
        self.intercepts.flags.writeable = False
        self.coefficients.flags.writeable = False

    @property
    def n_features(self) -> int:
        """Number of columns of a raw row."""
        return self.coefficients.shape[1] if self.encoding is None else self.encoding.n_features

    @property
    def n_outputs(self) -> int:
        """Additive scores per row: 1, or one per class or target."""
        return len(self.intercepts)

    @property
    def intercept(self) -> float:
        """What every row has, in the additive unit; of a model with one output."""
        self._refuse_several_outputs()
        return float(self.intercepts[0])

    def for_output(self, output: int) -> "LinearModel":
        """Give the model of one of several outputs, as if it were the only one.

        Args:
            output: Position of the class or target.

        Returns:
            A model with one additive score. A link over all outputs cannot be computed from one of them alone, so it
            becomes ``identity``.

        Raises:
            ModelFeaturesMismatchError: If there is no such output.
        """
        link = link_of_one_output(self.link, output, self.n_outputs)
        if self.n_outputs == 1:
            return self
        return replace(
            self,
            intercepts=self.intercepts[output : output + 1],
            coefficients=self.coefficients[output : output + 1],
            link=link,
        )

    def parts_of(self, rows: Rows) -> Rows:
        """Coefficient times column, added up per raw feature; see :meth:`AdditiveModel.parts_of`.

        Only of a model with one output; see :meth:`for_output`.
        """
        self._refuse_several_outputs()
        return self._parts(rows, 0)

    def additive_score(self, rows: Rows) -> Scores:
        """Add up the parts; shape (n_rows,), or (n_rows, n_outputs) if there are several outputs."""
        sums = [self._parts(rows, output).sum(axis=1) for output in range(self.n_outputs)]
        additive: Scores = self.intercepts + np.stack(sums, axis=1)
        return additive[:, 0] if self.n_outputs == 1 else additive

    def score(self, rows: Rows) -> Scores:
        """Score rows; shape as :meth:`additive_score`."""
        return apply_link(self.link, self.additive_score(rows))

    def _parts(self, rows: Rows, output: int) -> Rows:
        refuse_row_width(rows, self.n_features)
        if self.encoding is None:
            return _refuse_parts_that_are_no_number(rows * self.coefficients[output], rows)
        order, begins, features = self._columns_by_feature
        weighted = (self.encoding.encode(rows) * self.coefficients[output])[:, order]
        parts = np.zeros(rows.shape)
        # Added up row by row and not as a matrix product, whose order of additions depends on the number of rows.
        parts[:, features] = np.add.reduceat(weighted, begins, axis=1)
        return _refuse_parts_that_are_no_number(parts, rows)

    @cached_property
    def _columns_by_feature(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
        """Give an order of the columns by raw feature, where each feature's columns begin, and the features."""
        owners = self.encoding.feature_of_column if self.encoding else np.arange(self.n_features, dtype=np.int32)
        order = np.argsort(owners, kind="stable")
        features, begins = np.unique(owners[order], return_index=True)
        return order, begins, features

    def _refuse_several_outputs(self) -> None:
        if self.n_outputs > 1:
            raise ModelFeaturesMismatchError(
                f"The model has {self.n_outputs} outputs; contributions belong to one of them, so one must be chosen."
            )


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
class PointsTable:
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
        refuse_row_width(rows, self.n_features)
        parts = np.column_stack([table.of(rows[:, column]) for column, table in enumerate(self.tables)])
        return _refuse_parts_that_are_no_number(parts, rows)

    def additive_score(self, rows: Rows) -> Scores:
        """Add up the points; see :meth:`models.scoring_model.ScoringModel.additive_score`."""
        return np.asarray(self.intercept + self.parts_of(rows).sum(axis=1), dtype=np.float64)

    def score(self, rows: Rows) -> Scores:
        """Score rows; see :meth:`models.scoring_model.ScoringModel.score`."""
        return apply_link(self.link, self.additive_score(rows))


def _refuse_parts_that_are_no_number(parts: Rows, rows: Rows) -> Rows:
    if not np.isfinite(parts).all():
        row, feature = np.argwhere(~np.isfinite(parts))[0]
        raise value_not_known(float(rows[row, feature]), int(feature))
    return parts


def _or_nan(points: float | None) -> float:
    return np.nan if points is None else points


def _refuse_what_is_no_number(*numbers: float | tuple[float, ...] | None) -> None:
    given = [np.atleast_1d(number) for number in numbers if number is not None]
    if not np.isfinite(np.concatenate(given)).all():
        raise MalformedPackageError("A table of points has an entry that is no number.")
