"""A forest as cells: per feature the intervals between its splits, and per leaf the cells that lead to it.

Within a cell the score is constant, so a value is as good as the number of its cell. A leaf is a box of cells, one
range for each feature on its path (Parmentier and Vidal, Optimal Counterfactual Explanations in Tree Ensembles, 2021,
section 3, call the cells of one feature its levels).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from explainer.recourse.leaf_masks import LeafMasks, leaf_masks_of
from models.forest import Forest
from models.tree import NO_CHILD

MANY_DEMANDS = 20_000
"""Up to here numpy takes less than a tenth of a millisecond for all of them."""

Positions = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class ForestCells:
    """The boxes of all leaves, sorted by feature.

    A demand is what one leaf asks of one feature: that its value lies in a range of cells. Cells of all features are
    numbered through: cell j of feature f has the number ``first_cell[f] + j``.

    Attributes:
        splits: For each feature its thresholds, ascending, float32; cell j ends with the j-th, included.
        all_splits: The same in one row.
        first_split: Shape (n_features + 1,), where each feature's begin there.
        first_cell: Shape (n_features + 1,), number of each feature's first cell; behind each feature's last cell one
            number is left free.
        low: Shape (n_demands,), first cell of the range, numbered within its feature, int16 or int32.
        high: Shape (n_demands,), last cell of the range.
        leaf: Shape (n_demands,), whose demand it is.
        feature: Shape (n_demands,), ascending.
        first_demand: Shape (n_features + 1,), where the demands on each feature begin.
        by_leaf: Shape (n_demands,), the demands sorted by leaf.
        place: Shape (n_demands,), where each demand stands there.
        first_by_leaf: Shape (n_leaves + 1,), where each leaf's begin there.
        value: Shape (n_leaves,), what each leaf adds, in the additive unit; (n_leaves, n_classes) for several classes.
        tree: Shape (n_leaves,), tree of each leaf, ascending.
        base_value: Added to the leaves of every row.
    """

    splits: tuple[NDArray[np.float32], ...]
    all_splits: NDArray[np.float32]
    first_split: Positions
    first_cell: Positions
    low: NDArray[np.signedinteger]
    high: NDArray[np.signedinteger]
    leaf: Positions
    feature: NDArray[np.int32]
    first_demand: Positions
    by_leaf: NDArray[np.int32]
    place: NDArray[np.int32]
    first_by_leaf: Positions
    value: Numbers
    tree: Positions
    base_value: float

    @classmethod
    def of(cls, forest: Forest) -> "ForestCells | None":
        """Lay out a forest.

        Args:
            forest: The trees.

        Returns:
            The cells; None where the trees compare other columns than the raw features.
        """
        if forest.encoding is not None:
            return None
        splits = _thresholds(forest)
        path = _Path.of(forest, splits)
        order = np.argsort(path.feature * path.n_leaves + path.leaf, kind="stable")
        starts = np.flatnonzero(np.diff((path.feature * path.n_leaves + path.leaf)[order], prepend=-1))
        low, high = path.low[order], path.high[order]
        if len(starts):
            low, high = np.maximum.reduceat(low, starts), np.minimum.reduceat(high, starts)
        feature, leaf = path.feature[order][starts], path.leaf[order][starts]
        # Splits that contradict each other leave leaves that nobody reaches.
        dead = np.zeros(path.n_leaves, dtype=np.bool_)
        dead[leaf[low > high]] = True
        kept = ~dead[leaf]
        leaf, feature = (np.cumsum(~dead) - 1)[leaf[kept]], feature[kept]
        n_splits = np.array([len(one) for one in splits])
        kind = np.int16 if n_splits.max() < np.iinfo(np.int16).max else np.int32
        by_leaf = np.argsort(leaf, kind="stable").astype(np.int32)
        return cls(
            splits=splits,
            all_splits=np.concatenate(splits),
            first_split=np.concatenate([[0], np.cumsum(n_splits)]),
            first_cell=np.concatenate([[0], np.cumsum(n_splits + 2)]),
            low=low[kept].astype(kind),
            high=high[kept].astype(kind),
            leaf=leaf,
            feature=feature.astype(np.int32),
            first_demand=np.searchsorted(feature, np.arange(forest.n_features + 1)),
            by_leaf=by_leaf,
            place=np.argsort(by_leaf).astype(np.int32),
            first_by_leaf=np.searchsorted(leaf[by_leaf], np.arange(int((~dead).sum()) + 1)),
            value=path.value[~dead],
            tree=path.tree[~dead],
            base_value=forest.base_value,
        )

    @cached_property
    def many(self) -> bool:
        """Whether there are so many demands that compiled code is worth loading."""
        return len(self.low) > MANY_DEMANDS

    @cached_property
    def masks(self) -> LeafMasks | None:
        """The leaves as bits, where the trees are small enough."""
        return leaf_masks_of(self)

    @cached_property
    def low_by_leaf(self) -> NDArray[np.signedinteger]:
        """:attr:`low` sorted by leaf."""
        return self.low[self.by_leaf]

    @cached_property
    def high_by_leaf(self) -> NDArray[np.signedinteger]:
        """:attr:`high` sorted by leaf."""
        return self.high[self.by_leaf]

    @cached_property
    def feature_by_leaf(self) -> NDArray[np.signedinteger]:
        """:attr:`feature` sorted by leaf, in as few bytes as it takes."""
        kind = np.int16 if len(self.splits) < np.iinfo(np.int16).max else np.int32
        return self.feature[self.by_leaf].astype(kind)

    def cells_of(self, row: Numbers) -> Positions:
        """Number the cells in which a raw row lies, each within its feature; shape (n_features,).

        Missing values lie behind all splits, as :mod:`explainer.recourse.missing_cells` wants them.
        """
        with np.errstate(over="ignore"):
            values = row.astype(np.float32)
        if self.many:
            from explainer.recourse.profile_kernel import find_cells  # noqa: PLC0415 -- loads numba

            cells = np.empty(len(values), dtype=np.int64)
            find_cells(values, self.all_splits, self.first_split, cells)
            return cells
        passed = np.concatenate([[0], np.cumsum(~(self.all_splits >= np.repeat(values, np.diff(self.first_split))))])
        return np.diff(passed[self.first_split])

    def cells_of_values(self, position: int, values: Numbers) -> Positions:
        """Number the cells in which values of one feature lie, within the feature."""
        with np.errstate(over="ignore"):
            numbers: Positions = np.searchsorted(self.splits[position], values.astype(np.float32))
        return numbers

    def demands_of(self, leaves: Positions) -> Positions:
        """List the demands of leaves, leaf by leaf."""
        counts = self.first_by_leaf[leaves + 1] - self.first_by_leaf[leaves]
        ends = np.cumsum(counts)
        within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
        places: Positions = np.repeat(self.first_by_leaf[leaves], counts) + within
        return self.by_leaf[places].astype(np.int64)


@dataclass(frozen=True)
class _Path:
    """Every comparison on the path to every leaf, as the cells of one feature that pass it."""

    feature: Positions
    leaf: Positions
    low: Positions
    high: Positions
    value: Numbers
    tree: Positions

    @property
    def n_leaves(self) -> int:
        return len(self.value)

    @classmethod
    def of(cls, forest: Forest, splits: Sequence[NDArray[np.float32]]) -> "_Path":
        sizes = np.array([len(tree.left) for tree in forest.trees])
        offset = np.repeat(np.cumsum(sizes) - sizes, sizes)
        left, right, feature, threshold, value = (
            np.concatenate([getattr(tree, name) for tree in forest.trees])
            for name in ("left", "right", "feature", "threshold", "value")
        )
        inner, leaves = np.flatnonzero(left != NO_CHILD), np.flatnonzero(left == NO_CHILD)
        parent, is_left = np.full(len(left), NO_CHILD), np.zeros(len(left), dtype=np.bool_)
        parent[left[inner] + offset[inner]] = inner
        parent[right[inner] + offset[inner]] = inner
        is_left[left[inner] + offset[inner]] = True
        rank = np.zeros(len(left), dtype=np.int64)
        for place, thresholds in enumerate(splits):
            nodes = inner[feature[inner] == place]
            rank[nodes] = np.searchsorted(thresholds, threshold[nodes])
        last_cell = np.array([len(one) for one in splits])
        nothing = np.zeros(0, dtype=np.int64)
        parts = [(nothing, nothing, nothing, nothing)]
        number, node = np.arange(len(leaves)), leaves
        while len(node):
            above = parent[node]
            number, node, above = number[above >= 0], node[above >= 0], above[above >= 0]
            low = np.where(is_left[node], 0, rank[above] + 1)
            high = np.where(is_left[node], rank[above], last_cell[feature[above]])
            parts.append((feature[above].astype(np.int64), number, low, high))
            node = above
        of_feature, of_leaf, lowest, highest = (np.concatenate(column) for column in zip(*parts, strict=True))
        trees = np.repeat(np.arange(len(sizes)), sizes)
        return cls(of_feature, of_leaf, lowest, highest, value[leaves], trees[leaves])


def _thresholds(forest: Forest) -> tuple[NDArray[np.float32], ...]:
    feature, threshold = (
        np.concatenate([getattr(tree, name)[~tree.is_leaf] for tree in forest.trees])
        for name in ("feature", "threshold")
    )
    return tuple(np.unique(threshold[feature == number]) for number in range(forest.n_features))
