"""The leaves of each tree as bits of one number, and for each cell of a feature the leaves that its values rule out.

A row's cells choose one mask per tree and feature; joined, they say which leaves lack nothing and which lack one
feature alone, without a look at any leaf (Lucchese et al., QuickScorer: A Fast Algorithm to Rank Documents with
Additive Ensembles of Regression Trees, 2015, section 3, where the first leaf left is the one that is reached).
"""

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from explainer.recourse.forest_cells import ForestCells

MAX_LEAVES = 64
"""Leaves of one tree that fit into one number."""

Positions = NDArray[np.int64]
Cells = NDArray[np.signedinteger]
Masks = NDArray[np.uint64]


class LeafMasks(NamedTuple):
    """The masks of a forest. An entry is one feature that one tree asks about; entries are sorted by tree.

    Attributes:
        first_leaf: Shape (n_trees + 1,), where each tree's leaves begin.
        first_entry: Shape (n_trees + 1,), where each tree's entries begin.
        feature: Shape (n_entries,).
        first_bound: Shape (n_entries + 1,), where each entry's bounds begin.
        bound: Shape (n_bounds,), int16 or int32, ascending within an entry: cells at which another mask begins.
        mask: Shape (n_bounds + n_entries,), the leaves that are ruled out: for each entry one mask more than bounds.
        asking: Shape (n_entries,), the leaves that have a demand on the feature.
        first_demand: Shape (n_entries + 1,), where each entry's demands begin, leaf by leaf.
        ends: Shape (n_demands, 2), int16 or int32, first and last cell of each demand.
        value: Shape (n_leaves,), what each leaf adds.
        first_cell: Shape (n_features + 1,), number of each feature's first cell.
    """

    first_leaf: Positions
    first_entry: Positions
    feature: NDArray[np.int32]
    first_bound: NDArray[np.int32]
    bound: Cells
    mask: Masks
    asking: Masks
    first_demand: NDArray[np.int32]
    ends: Cells
    value: NDArray[np.float64]
    first_cell: Positions


def leaf_masks_of(cells: "ForestCells") -> LeafMasks | None:
    """Make the masks of a forest.

    Args:
        cells: The forest.

    Returns:
        The masks; None where a tree has more leaves than fit.
    """
    trees, first_leaf = np.unique(cells.tree, return_index=True)
    first_leaf = np.append(first_leaf, len(cells.tree))
    if np.diff(first_leaf).max(initial=0) > MAX_LEAVES:
        return None
    tree_of_leaf = np.searchsorted(trees, cells.tree)
    tree, feature = tree_of_leaf[cells.leaf], cells.feature.astype(np.int64)
    order = np.lexsort((cells.leaf, feature, tree))
    tree, feature, leaf = tree[order], feature[order], cells.leaf[order]
    low, high = cells.low[order].astype(np.int64), cells.high[order].astype(np.int64)
    n_features = len(cells.splits)
    first_demand = np.flatnonzero(np.diff(tree * n_features + feature, prepend=-1))
    bit = np.left_shift(np.uint64(1), (leaf - first_leaf[tree]).astype(np.uint64))
    bounds, masks, ends = [], [], np.append(first_demand, len(tree))
    for start, end in pairwise(ends):
        lows, highs = low[start:end], high[start:end]
        bound = np.unique(np.concatenate([lows, highs + 1]))
        bound = bound[(bound > 0) & (bound <= len(cells.splits[feature[start]]))]
        cell = np.append(0, bound)[:, np.newaxis]
        ruled_out = (cell < lows) | (cell > highs)
        bounds.append(bound)
        masks.append(np.bitwise_or.reduce(np.where(ruled_out, bit[start:end], np.uint64(0)), axis=1))
    nothing = np.zeros(0, dtype=np.int64)
    return LeafMasks(
        first_leaf=first_leaf,
        first_entry=np.searchsorted(tree[first_demand], np.arange(len(trees) + 1)),
        feature=feature[first_demand].astype(np.int32),
        first_bound=np.append(0, np.cumsum([len(one) for one in bounds])).astype(np.int32),
        bound=np.concatenate([nothing, *bounds]).astype(cells.low.dtype),
        mask=np.concatenate([nothing.astype(np.uint64), *masks]),
        asking=np.bitwise_or.reduceat(bit, first_demand) if len(first_demand) else bit,
        first_demand=ends.astype(np.int32),
        # As small as they are: what does not fit into the processor's cache costs most of the time.
        ends=np.column_stack([low, high]).astype(cells.low.dtype),
        value=cells.value,
        first_cell=cells.first_cell,
    )
