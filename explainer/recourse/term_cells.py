"""A sum of tables over one or two features as cells: each entry of a table is a leaf, and each table a tree.

Tables sort numbers in 64 bits, and so do these cells.
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from explainer.recourse.forest_cells import ForestCells, LeafPaths
from models.term_model import TermModel
from models.term_tables import NO_BIN, Binning, CategoryBins, IntervalBins, TermTables

MAX_ENTRIES = 200_000
"""Entries of all tables together; with more of them the model itself is asked."""

_Range = tuple[int, int, int]
"""First and last cell of values that fall into one bin, and the bin."""

Numbers = NDArray[np.float64]


def cells_of_terms(model: TermModel) -> ForestCells | None:
    """Lay out a model of terms with one additive score.

    Args:
        model: The model.

    Returns:
        The cells; None where its terms are no tables, say nothing about some category, or are too large.
    """
    terms = model.terms
    if not isinstance(terms, TermTables) or sum(table.scores.size for table in terms.tables) > MAX_ENTRIES:
        return None
    ends: list[list[Numbers]] = [[np.zeros(0)] for _ in range(terms.n_features)]
    for table in terms.tables:
        for feature, binning in zip(table.features, table.binnings, strict=True):
            last = _last_values(binning)
            if last is None:
                return None
            ends[feature].append(last)
    splits = tuple(np.unique(np.concatenate(of_feature)) for of_feature in ends)
    demands: list[tuple[int, int, int, int]] = []
    value: list[float] = []
    tree: list[int] = []
    for number, table in enumerate(terms.tables):
        axes = [_ranges(one, splits[feature]) for feature, one in zip(table.features, table.binnings, strict=True)]
        for ranges in product(*axes):
            demands += [
                (feature, len(value), low, high) for feature, (low, high, _) in zip(table.features, ranges, strict=True)
            ]
            value.append(float(table.scores[(*(place for _, _, place in ranges), 0)]))
            tree.append(number)
    feature, leaf, low, high = np.array(demands, dtype=np.int64).T
    paths = LeafPaths(feature, leaf, low, high, np.array(value), np.array(tree))
    return ForestCells.of_paths(paths, splits, base_value=float(model.intercepts[0]))


def _last_values(binning: Binning) -> Numbers | None:
    """The last value of each range of values but the highest; None where a value has no bin."""
    if isinstance(binning, IntervalBins):
        return np.nextafter(np.array(binning.cuts, dtype=np.float64), -np.inf)
    if isinstance(binning, CategoryBins) and NO_BIN not in binning.bin_of_category:
        return np.arange(len(binning.bin_of_category) - 1, dtype=np.float64)
    return None


def _ranges(binning: Binning, splits: Numbers) -> list[_Range]:
    last = _last_values(binning)
    places = np.searchsorted(splits, np.zeros(0) if last is None else last).tolist()
    bins = binning.bin_of_category if isinstance(binning, CategoryBins) else range(len(places) + 1)
    firsts, lasts = [0, *(place + 1 for place in places)], [*places, len(splits)]
    return list(zip(firsts, lasts, bins, strict=True))
