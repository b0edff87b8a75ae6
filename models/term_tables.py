"""Terms over one or two features as tables: each value falls into a bin, and each bin or pair of bins has a score."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import MalformedPackageError
from models.scoring_model import Rows, Scores, refuse_row_width, value_not_known

NO_BIN = -1
"""Stands for a value the table says nothing about."""

Bins = NDArray[np.int64]


class Binning(Protocol):
    """Sorts the values of one feature into bins numbered from 0."""

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        ...

    def bins_of(self, values: Scores) -> Bins:
        """Give the bin of each value, shape (n,); -1 for a value without one."""
        ...


@dataclass(frozen=True)
class IntervalBins:
    """Bins of a number: below the first cut, between two, from the last on, and perhaps one for missing values.

    Attributes:
        cuts: Ascending; a value equal to a cut belongs to the interval above it. Empty for one interval.
        has_missing: Whether the last bin is for missing values.
    """

    cuts: tuple[float, ...]
    has_missing: bool = False

    def __post_init__(self) -> None:
        if not np.isfinite(self.cuts).all() or any(a >= b for a, b in zip(self.cuts, self.cuts[1:], strict=False)):
            raise MalformedPackageError("The cuts of a term must be numbers that rise.")

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.cuts) + 1 + self.has_missing

    def bins_of(self, values: Scores) -> Bins:
        """Give the bin of each value; see :meth:`Binning.bins_of`."""
        found = self._cuts.searchsorted(values, side="right")
        missing = np.isnan(values)
        if missing.any():
            found[missing] = self.n_bins - 1 if self.has_missing else NO_BIN
        return found

    @cached_property
    def _cuts(self) -> Scores:
        return np.array(self.cuts, dtype=np.float64)


@dataclass(frozen=True)
class CategoryBins:
    """Bins of a category or a yes-or-no.

    Attributes:
        bin_of_category: For each category, in the order in which the card numbers them from 0, its bin.
        n_bins: Number of bins, with those of no category.
        missing_bin: Bin of missing values; -1 if there is none.
    """

    bin_of_category: tuple[int, ...]
    n_bins: int
    missing_bin: int = NO_BIN

    def __post_init__(self) -> None:
        used = [*self.bin_of_category, self.missing_bin]
        if not self.bin_of_category or min(used) < NO_BIN or max(used) >= self.n_bins:
            raise MalformedPackageError("The categories of a term do not fit its bins.")

    def bins_of(self, values: Scores) -> Bins:
        """Give the bin of each value; see :meth:`Binning.bins_of`."""
        with np.errstate(invalid="ignore"):
            position = np.where(np.isfinite(values), values, -1).astype(np.int64)
            known = (position == values) & (position >= 0) & (position < len(self.bin_of_category))
        found = np.array(self.bin_of_category, dtype=np.int64)[np.where(known, position, 0)]
        return np.where(np.isnan(values), self.missing_bin, np.where(known, found, NO_BIN))


@dataclass(frozen=True, eq=False, kw_only=True)
class TermTable:
    """One term.

    Attributes:
        features: The one or two raw features.
        binnings: One for each of them.
        scores: Shape (n_bins, n_outputs), or (n_bins of the first, n_bins of the second, n_outputs); additive unit.
    """

    features: tuple[int, ...]
    binnings: tuple[Binning, ...]
    scores: NDArray[np.float64]

    def __post_init__(self) -> None:
        expected = tuple(binning.n_bins for binning in self.binnings)
        if len(self.features) != len(self.binnings) or self.scores.shape[:-1] != expected or self.scores.size == 0:
            raise MalformedPackageError(f"A term with bins {expected} cannot have scores of shape {self.scores.shape}.")
        if not np.isfinite(self.scores).all():
            raise MalformedPackageError("A term has a score that is no number.")
        self.scores.flags.writeable = False

    @property
    def is_pair(self) -> bool:
        """Whether the term is over two features."""
        return len(self.features) > 1


@dataclass(frozen=True, eq=False, kw_only=True)
class TermTables:
    """Terms in tables; see :class:`models.term_model.Terms`.

    Attributes:
        tables: The terms; at least one.
        n_features: Number of columns of a raw row.
    """

    tables: tuple[TermTable, ...]
    n_features: int

    def __post_init__(self) -> None:
        if not self.tables:
            raise MalformedPackageError("A sum of terms needs at least one term.")
        if len({table.scores.shape[-1] for table in self.tables}) != 1:
            raise MalformedPackageError("The terms do not have the same number of outputs.")

    @property
    def n_outputs(self) -> int:
        """Additive scores per row."""
        return int(self.tables[0].scores.shape[-1])

    @property
    def features_of_terms(self) -> tuple[tuple[int, ...], ...]:
        """For each term its raw features."""
        return tuple(table.features for table in self.tables)

    def for_output(self, output: int) -> "TermTables":
        """Give the terms of one of several outputs."""
        one = slice(output, output + 1)
        return replace(self, tables=tuple(replace(table, scores=table.scores[..., one]) for table in self.tables))

    def scores_of(self, rows: Rows) -> NDArray[np.float64]:
        """Look up every term; see :meth:`models.term_model.Terms.scores_of`."""
        return self.scores_at(*self.bins_of(rows))

    def scores_at(self, first: Bins, second: Bins) -> NDArray[np.float64]:
        """Look up every term by its bins, which :meth:`bins_of` gives; shape (n_rows, n_terms, n_outputs)."""
        layout = self._layout
        found: NDArray[np.float64] = layout.cells[layout.offset + first * layout.stride + second]
        return found

    def bins_of(self, rows: Rows) -> tuple[Bins, Bins]:
        """Say into which bins of every term rows fall.

        Args:
            rows: Raw rows, shape (n_rows, n_features); NaN means missing.

        Returns:
            Bins of the first and of the second feature, shape (n_rows, n_terms) each; 0 where there is no second.

        Raises:
            ModelFeaturesMismatchError: If the rows do not fit, or a term says nothing about a value.
        """
        refuse_row_width(rows, self.n_features)
        layout = self._layout
        # One column more, for the second feature of terms that have none.
        found = np.zeros((len(rows), len(layout.axes) + 1), dtype=np.int64)
        for column, (feature, binning) in enumerate(layout.axes):
            found[:, column] = binning.bins_of(rows[:, feature])
        if found.size and found.min() < 0:
            row, column = np.argwhere(found < 0)[0]
            feature = layout.axes[column][0]
            raise value_not_known(float(rows[row, feature]), feature)
        return found[:, layout.first_axis], found[:, layout.second_axis]

    @cached_property
    def _layout(self) -> "_Layout":
        return _Layout.of(self.tables)


@dataclass(frozen=True, eq=False)
class _Layout:
    """All tables in one row of cells, so that all terms of a row are looked up at once.

    Attributes:
        axes: Each way in which a feature is sorted into bins, once.
        first_axis: For each term the axis of its first feature.
        second_axis: For each term the axis of its second feature; behind the last axis where there is none.
        offset: For each term where its cells begin.
        stride: For each term how far the cells of neighbouring bins of the first feature lie apart.
        cells: Shape (n_cells, n_outputs).
    """

    axes: tuple[tuple[int, Binning], ...]
    first_axis: Bins
    second_axis: Bins
    offset: Bins
    stride: Bins
    cells: NDArray[np.float64]

    @classmethod
    def of(cls, tables: Sequence[TermTable]) -> "_Layout":
        numbers: dict[tuple[int, Binning], int] = {}
        for table in tables:
            for axis in zip(table.features, table.binnings, strict=True):
                numbers.setdefault(axis, len(numbers))
        own = [
            [numbers[axis] for axis in zip(table.features, table.binnings, strict=True)] + [len(numbers)]
            for table in tables
        ]
        cells = [table.scores.reshape(-1, table.scores.shape[-1]) for table in tables]
        return cls(
            axes=tuple(numbers),
            first_axis=np.array([axes[0] for axes in own]),
            second_axis=np.array([axes[1] for axes in own]),
            offset=np.cumsum([0, *map(len, cells[:-1])]),
            stride=np.array([table.scores.shape[1] if table.is_pair else 1 for table in tables]),
            cells=np.concatenate(cells),
        )
