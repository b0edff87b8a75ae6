"""The values to which one feature may change, cut into ranges in which the model's score is constant."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explainer.recourse.forest_cells import ForestCells, Positions

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class AllowedRange:
    """Every value to which one person may change one feature.

    Attributes:
        position: Position of the feature.
        low: Lowest value.
        high: Highest value.
        whole: Whether only whole numbers are values.
    """

    position: int
    low: float
    high: float
    whole: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class CellRanges:
    """The ranges of one feature, ascending, and behind them the person's own value alone.

    Attributes:
        lowest: Shape (n_ranges + 1,), lowest value of each.
        highest: Shape (n_ranges + 1,), highest value of each.
        cell: Shape (n_ranges + 1,), number of its cell, within the feature.
    """

    lowest: Numbers
    highest: Numbers
    cell: Positions

    @classmethod
    def of(cls, cells: ForestCells, allowed: AllowedRange, own: float) -> "CellRanges":
        """Cut a range of a feature where the model's comparisons change."""
        lowest, highest = cells_between(cells.splits[allowed.position], allowed)
        lowest, highest = np.append(lowest, own), np.append(highest, own)
        return cls(lowest=lowest, highest=highest, cell=cells.cells_of_values(allowed.position, lowest))

    @property
    def n_ranges(self) -> int:
        """Number of ranges; also the number under which the person's own value stands."""
        return len(self.cell) - 1


def cells_between(splits: NDArray[np.floating], allowed: AllowedRange) -> tuple[Numbers, Numbers]:
    """Cut a range where the model's comparisons change, without leaving out a single 64-bit number.

    Args:
        splits: All thresholds of the feature, ascending.
        allowed: The range.

    Returns:
        Lowest and highest value of each cell, ascending, both inside the cell.
    """
    if splits.dtype == np.float64:
        first_above = np.nextafter(splits, np.inf)
    else:
        # The model rounds to 32 bits first, so a cell begins half-way to the next 32-bit number above its split.
        with np.errstate(over="ignore"):
            split, following = splits.astype(np.float64), np.nextafter(splits, np.float32(np.inf)).astype(np.float64)
            middle = split + (following - split) / 2
            first_above = np.where(middle.astype(np.float32) > splits, middle, np.nextafter(middle, np.inf))
    inside = first_above[(first_above > allowed.low) & (first_above <= allowed.high)]
    lows = np.concatenate([[allowed.low], inside])
    highs = np.concatenate([np.nextafter(inside, -np.inf), [allowed.high]])
    if allowed.whole:
        lows, highs = np.ceil(lows), np.floor(highs)
    return lows[lows <= highs], highs[lows <= highs]


def middle_of(low: Numbers, high: Numbers) -> Numbers:
    """Give the number half-way between two in the order of all 64-bit numbers, so that 64 halvings always suffice."""
    one, other = _rank(low), _rank(high)
    rank = (one & other) + ((one ^ other) >> 1)
    smallest = np.iinfo(np.int64).min
    return np.where(rank < 0, smallest - rank, rank).view(np.float64)


def _rank(values: Numbers) -> NDArray[np.int64]:
    """Number 64-bit numbers in ascending order (IEEE 754 section 3.4: sign, then magnitude)."""
    bits = np.ascontiguousarray(values).view(np.int64)
    return np.where(bits < 0, np.iinfo(np.int64).min - bits, bits)
