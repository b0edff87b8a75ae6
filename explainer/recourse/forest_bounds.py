"""Bounds of a forest's score over boxes of inputs.

In a box each tree reaches some of its leaves; the least of them, summed over the trees, bounds the score from below
(Chen et al., Robustness Verification of Tree-based Models, 2019). Where one row's other features stay, many trees
depend on one or two features only; those that depend on the same ones are added up first, so that their bound is exact
together. Over a box in which no feature is split any more the bound is the score itself.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explainer.recourse.forest_cells import Positions
from explainer.recourse.range_minimum import RangeMinimum
from explainer.recourse.score_profile import ForestProfile

Numbers = NDArray[np.float64]

MAX_TABLE = 20_000
"""Entries of a table of sums; trees that would need a larger one are bounded one by one."""


class ForestBounds:
    """Bounds the score where some features of one row vary and all others stay.

    Args:
        profile: The row.
        positions: The features that vary.
        least: Whether the score is bounded from below, else from above.
    """

    def __init__(self, profile: ForestProfile, positions: Positions, *, least: bool) -> None:
        self._sign = 1.0 if least else -1.0
        reachable = _Reachable.of(profile, positions)
        features_of_tree = reachable.features_of_trees()
        groups = _groups(features_of_tree)
        self._constant = self._sign * profile.cells.base_value
        self._tables = []
        value = self._sign * reachable.value
        grouped: list[int] = []
        for features, trees in groups.items():
            leaves = np.flatnonzero(np.isin(reachable.tree, trees))
            if features:
                table = _GroupTable.of(features, reachable, leaves, value)
                if table is None:
                    continue
                self._tables.append(table)
            else:
                self._constant += float(value[leaves].sum())
            grouped += trees
        rest = np.flatnonzero(~np.isin(reachable.tree, grouped))
        self._value = value[rest]
        self._tree_starts = np.flatnonzero(np.diff(reachable.tree[rest], prepend=-1))
        number = np.full(len(value), -1)
        number[rest] = np.arange(len(rest))
        self._demands = []
        for leaf, low, high in reachable.demands:
            kept = number[leaf] >= 0
            self._demands.append((number[leaf[kept]], low[kept], high[kept]))

    def score(self, lowest: Positions, highest: Positions) -> Numbers:
        """Bound the score in boxes of cells.

        Args:
            lowest: First cell of each varying feature, shape (n_boxes, n_positions).
            highest: Last cell, same shape.

        Returns:
            Shape (n_boxes,), additive scores.
        """
        total = np.full(len(lowest), self._constant)
        for table in self._tables:
            total += table.least(lowest, highest)
        if len(self._value):
            total += self._least_of_single_trees(lowest, highest)
        return self._sign * total

    def _least_of_single_trees(self, lowest: Positions, highest: Positions) -> Numbers:
        out = np.zeros((len(lowest), len(self._value)), dtype=np.bool_)
        for place, (leaf, low, high) in enumerate(self._demands):
            if len(leaf):
                out[:, leaf] |= (low > highest[:, place, np.newaxis]) | (high < lowest[:, place, np.newaxis])
        least = np.minimum.reduceat(np.where(out, np.inf, self._value), self._tree_starts, axis=1)
        sums: Numbers = least.sum(axis=1)
        return sums


@dataclass(frozen=True, eq=False)
class _Reachable:
    """The leaves that changes of the varying features can reach.

    Attributes:
        value: Shape (n_leaves,).
        tree: Shape (n_leaves,), ascending.
        demands: For each varying feature: whose demands there are, and the first and last cell of each.
        n_cells: For each varying feature its number of cells.
    """

    value: Numbers
    tree: Positions
    demands: list[tuple[Positions, Positions, Positions]]
    n_cells: list[int]

    @classmethod
    def of(cls, profile: ForestProfile, positions: Positions) -> "_Reachable":
        cells = profile.cells
        varies = np.zeros(len(cells.splits), dtype=np.bool_)
        varies[positions] = True
        own = profile.own_cells[cells.feature]
        stays_unmet = ((own < cells.low) | (own > cells.high)) & ~varies[cells.feature]
        alive = np.ones(len(cells.value), dtype=np.bool_)
        alive[cells.leaf[stays_unmet]] = False
        number = np.cumsum(alive) - 1
        demands = []
        for position in positions:
            start, end = cells.first_demand[position], cells.first_demand[position + 1]
            kept = np.flatnonzero(alive[cells.leaf[start:end]]) + start
            ends = (cells.low[kept].astype(np.int64), cells.high[kept].astype(np.int64))
            demands.append((number[cells.leaf[kept]], *ends))
        n_cells = [len(cells.splits[position]) + 1 for position in positions]
        return cls(cells.value[alive], cells.tree[alive], demands, n_cells)

    def features_of_trees(self) -> dict[int, tuple[int, ...]]:
        """For each tree the places of the varying features it depends on."""
        found: dict[int, tuple[int, ...]] = {int(tree): () for tree in np.unique(self.tree)}
        for place, (leaf, _, _) in enumerate(self.demands):
            for tree in np.unique(self.tree[leaf]):
                found[int(tree)] += (place,)
        return found


def _groups(features_of_tree: dict[int, tuple[int, ...]]) -> dict[tuple[int, ...], list[int]]:
    """Put trees together that depend on the same one or two features, or on none."""
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for tree, features in features_of_tree.items():
        if len(features) <= 2:  # noqa: PLR2004 - tables have two sides
            groups[features].append(tree)
    pairs = [features for features in groups if len(features) == 2]  # noqa: PLR2004 - as above
    for features in [features for features in groups if len(features) == 1]:
        # What depends on one feature alone joins the largest group that depends on it and another one.
        wider = [pair for pair in pairs if features[0] in pair]
        if wider:
            largest = max(wider, key=lambda pair: (len(groups[pair]), pair))
            groups[largest] += groups.pop(features)
    return groups


@dataclass(frozen=True, eq=False)
class _GroupTable:
    """The sum of several trees that depend on the same one or two features.

    Attributes:
        places: Of the features; a single one stands twice.
        row_of_cell: For each cell of the first feature its row in the table.
        column_of_cell: For each cell of the second feature its column.
        minimum: The sums.
    """

    places: tuple[int, int]
    row_of_cell: Positions
    column_of_cell: Positions
    minimum: RangeMinimum

    @classmethod
    def of(
        cls, features: tuple[int, ...], reachable: _Reachable, leaves: Positions, value: Numbers
    ) -> "_GroupTable | None":
        """Add up the leaves of some trees; None where the table would be too large."""
        number = np.full(len(value), -1)
        number[leaves] = np.arange(len(leaves))
        sides = [_side(place, reachable, number, len(leaves)) for place in features]
        if len(features) == 1:
            sides.append((np.zeros(reachable.n_cells[features[0]], dtype=np.int64), *_everything(len(leaves))))
        (rows, top, bottom), (columns, left, right) = sides
        shape = (int(rows[-1]) + 2, int(columns[-1]) + 2)
        if shape[0] * shape[1] > MAX_TABLE:
            return None
        places = np.concatenate(
            [top * shape[1] + left, bottom * shape[1] + right, top * shape[1] + right, bottom * shape[1] + left]
        )
        steps = value[leaves]
        table = np.bincount(places, np.concatenate([steps, steps, -steps, -steps]), minlength=shape[0] * shape[1])
        sums: Numbers = np.cumsum(np.cumsum(table.reshape(shape), axis=0), axis=1)[:-1, :-1].astype(np.float64)
        return cls((features[0], features[-1]), rows, columns, RangeMinimum(sums))

    def least(self, lowest: Positions, highest: Positions) -> Numbers:
        """Give the least sum in boxes."""
        first, second = self.places
        return self.minimum.of(
            self.row_of_cell[lowest[:, first]],
            self.row_of_cell[highest[:, first]],
            self.column_of_cell[lowest[:, second]],
            self.column_of_cell[highest[:, second]],
        )


def _side(
    place: int, reachable: _Reachable, number: Positions, n_leaves: int
) -> tuple[Positions, Positions, Positions]:
    """Number the cells of one feature anew between the splits of a group, and give each leaf's first and next row."""
    leaf, low, high = reachable.demands[place]
    kept = number[leaf] >= 0
    leaf, low, high = number[leaf[kept]], low[kept], high[kept]
    is_first = np.zeros(reachable.n_cells[place] + 1, dtype=np.bool_)
    is_first[low], is_first[high + 1] = True, True
    is_first[0] = False
    row_of_cell = np.cumsum(is_first, dtype=np.int64)
    first, following = _everything(n_leaves)
    following[:] = row_of_cell[reachable.n_cells[place] - 1] + 1
    first[leaf], following[leaf] = row_of_cell[low], row_of_cell[high] + 1
    return row_of_cell[:-1], first, following


def _everything(n_leaves: int) -> tuple[Positions, Positions]:
    return np.zeros(n_leaves, dtype=np.int64), np.ones(n_leaves, dtype=np.int64)
