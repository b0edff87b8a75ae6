"""The least number in a rectangle of a table, looked up instead of searched.

For every rectangle whose sides are powers of two the least number is kept; any other rectangle is covered by four of
them (Bender and Farach-Colton, The LCA Problem Revisited, 2000, section 4, in two dimensions).
"""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Positions = NDArray[np.int64]


class RangeMinimum:
    """Looks up least numbers in rectangles.

    Args:
        table: Shape (n_rows, n_columns).
    """

    def __init__(self, table: Numbers) -> None:
        rows, columns = table.shape
        self._powers = np.zeros(max(rows, columns) + 1, dtype=np.int64)
        self._powers[1:] = np.floor(np.log2(np.arange(1, max(rows, columns) + 1))).astype(np.int64)
        n_down, n_across = int(self._powers[rows]) + 1, int(self._powers[columns]) + 1
        least = np.full((n_down, n_across, rows, columns), np.inf)
        for down in range(n_down):
            half = 1 << max(down - 1, 0)
            least[down, 0] = table if down == 0 else _joined(least[down - 1, 0], half, axis=0)
            for across in range(1, n_across):
                least[down, across] = _joined(least[down, across - 1], 1 << (across - 1), axis=1)
        self._least = least

    def of(self, top: Positions, bottom: Positions, left: Positions, right: Positions) -> Numbers:
        """Give the least number of rectangles; first and last row and column, included, each shape (n,)."""
        down, across = self._powers[bottom - top + 1], self._powers[right - left + 1]
        lower, further = bottom + 1 - (1 << down), right + 1 - (1 << across)
        least = self._least
        upper_half = np.minimum(least[down, across, top, left], least[down, across, top, further])
        lower_half = np.minimum(least[down, across, lower, left], least[down, across, lower, further])
        return np.asarray(np.minimum(upper_half, lower_half), dtype=np.float64)


def _joined(table: Numbers, distance: int, axis: int) -> Numbers:
    """Join each entry with the one at a distance further down or across; what reaches beyond the end is never asked."""
    further = np.full_like(table, np.inf)
    if axis == 0:
        further[: len(table) - distance] = table[distance:]
    else:
        further[:, : table.shape[1] - distance] = table[:, distance:]
    return np.minimum(table, further)
