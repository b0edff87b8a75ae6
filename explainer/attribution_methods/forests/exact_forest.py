"""Exact interventional Shapley values of a forest, with raw features as players and a weighted background.

A leaf is a box: for each distinct column on its path an interval, and whether a missing value gets through. Columns
made from one raw feature, such as those of a one-hot encoding, are one player. Let ``a``
be the set of the leaf's features whose interval the explained row meets and ``b`` the same for one background row. A
coalition takes its own features from the row and all others from the background row, so it reaches the leaf exactly if
it holds every feature of ``a - b``, none of ``b - a``, and no feature is in neither set. Of that small game the Shapley
values are known in closed form (Lundberg et al., "From local explanations to global understanding with explainable AI
for trees", Nature Machine Intelligence 2, 2020, interventional TreeSHAP). They depend on the two sets only, so
everything about the background can be summed in advance into a table with one line for each possible ``a`` (the idea
of the Woodelf algorithm, 2025). A row then costs one comparison per box side and one table line per leaf, whatever the
size of the background.

The sum over coalitions is made in :mod:`shapley_lines`. This is the reference: numpy alone, in 64 bits. Forests with
many leaves get :mod:`compiled_leaf_tables`, which reads tables of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.forests.leaf_boxes import BoxSide, LeafBox, boxes_of
from explainer.attribution_methods.forests.shapley_lines import shapley_lines
from explainer.explanations.attribution import AttributionMethod
from models.errors import UnsupportedModelError
from models.forest import Forest

METHOD = AttributionMethod(name="interventional_shapley_values", exact=True, engine_version="exact-forest/1")

MAX_FEATURES_PER_LEAF = 12
"""A leaf's table has 2^d lines; beyond 12 features on one path another algorithm is the better one."""

DEFAULT_TABLE_BYTES = 512 * 2**20
"""Memory all tables of one model may take."""

_BLOCK_ELEMENTS = 2**20
"""Numbers worked on at once; bounds temporary memory, does not change results."""

Numbers = NDArray[np.float64]
Positions = NDArray[np.int64]


@dataclass(frozen=True)
class _Sides:
    """All sides of all boxes in one line each, sorted by leaf and there by feature.

    A leaf's features are its players; one of them has several sides where several columns belong to it.

    Attributes:
        column: Shape (n_sides,), position of the column that is compared.
        above: Shape (n_sides,), values must be greater (float32).
        up_to: Shape (n_sides,), values must not be greater (float32).
        admits_missing: Shape (n_sides,), whether a missing value gets through.
        first_side: Shape (n_players,), where each player's sides begin.
        feature: Shape (n_players,), position of the raw feature.
        slot: Shape (n_players,), position of the player among its leaf's players.
        first: Shape (n_leaves,), where each leaf's players begin.
        count: Shape (n_leaves,), how many players each leaf has, at least one.
    """

    column: Positions
    above: NDArray[np.float32]
    up_to: NDArray[np.float32]
    admits_missing: NDArray[np.bool_]
    first_side: Positions
    feature: Positions
    slot: Positions
    first: Positions
    count: Positions

    @classmethod
    def of(cls, boxes: list[LeafBox]) -> "_Sides":
        sides = [side for box in boxes for side in box.sides]
        players = [[(key, len(list(run))) for key, run in groupby(box.sides, key=_owner)] for box in boxes]
        per_player = np.array([n for group in players for _, n in group], dtype=np.int64)
        count = np.array([len(group) for group in players], dtype=np.int64)
        return cls(
            column=np.array([side.column for side in sides], dtype=np.int64),
            above=np.array([side.above for side in sides], dtype=np.float32),
            up_to=np.array([side.up_to for side in sides], dtype=np.float32),
            admits_missing=np.array([side.admits_missing for side in sides], dtype=np.bool_),
            first_side=np.cumsum(per_player) - per_player,
            feature=np.array([feature for group in players for feature, _ in group], dtype=np.int64),
            slot=np.array([slot for group in players for slot in range(len(group))], dtype=np.int64),
            first=np.cumsum(count) - count,
            count=count,
        )

    def of_leaves(self, first: int, last: int) -> "_Sides":
        """The same for some leaves only, from ``first`` up to but without ``last``."""
        players = slice(self.first[first], self.first[last - 1] + self.count[last - 1])
        more = self.first_side[players.stop :]
        sides = slice(self.first_side[players.start], more[0] if len(more) else len(self.column))
        return _Sides(
            column=self.column[sides],
            above=self.above[sides],
            up_to=self.up_to[sides],
            admits_missing=self.admits_missing[sides],
            first_side=self.first_side[players] - sides.start,
            feature=self.feature[players],
            slot=self.slot[players],
            first=self.first[first:last] - players.start,
            count=self.count[first:last],
        )

    def met_by(self, columns: NDArray[np.float32]) -> Positions:
        """For each row and leaf the set of the leaf's features that meet all their sides, bit ``slot`` set if so.

        Args:
            columns: What the trees compare, shape (n_rows, n_columns). The runtime compares 32-bit numbers, so the same
                comparison is made here; beyond them lies infinity.

        Returns:
            Shape (n_rows, n_leaves).
        """
        # Minus infinity lies above no limit, so it is taken as the lowest number.
        values = np.maximum(columns, np.finfo(np.float32).min)[:, self.column]
        met = (values > self.above) & (values <= self.up_to)
        met |= np.isnan(values) & self.admits_missing
        if len(self.feature) < len(self.column):
            met = np.logical_and.reduceat(met, self.first_side, axis=1)
        bits = np.left_shift(met, self.slot, dtype=np.int64)
        return np.add.reduceat(bits, self.first, axis=1)


@dataclass(frozen=True)
class LeafTables:
    """The tables of all leaves one behind the other, for kernels that read them in another way.

    Attributes:
        values: All lines: for each leaf 2^d lines of d numbers, line ``a`` for the set ``a`` of features that are met.
        start: Shape (n_leaves,), where the table of each leaf of ``boxes_of(forest)`` begins; 0 where it has no sides.
    """

    values: Numbers
    start: Positions


class ExactForest:
    """Computes exact contributions; nothing changes after it is built, so threads may share it.

    Args:
        forest: The trees.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,), not negative, sum above zero; only their proportions count.
        table_bytes: Memory the tables may take.

    Attributes:
        method: How the contributions are computed.
        expected_value: Weighted mean additive score over the background.
        leaf_scale: Sum over trees of the largest |leaf|.
        tables: What was summed about the background.
        memory_bytes: Memory held, nearly all of it tables.

    Raises:
        UnsupportedModelError: If a path has too many features or the tables would need too much memory.
    """

    method = METHOD

    def __init__(
        self,
        forest: Forest,
        background_rows: Numbers,
        background_weights: Numbers,
        *,
        table_bytes: int = DEFAULT_TABLE_BYTES,
    ) -> None:
        all_boxes = boxes_of(forest)
        # Leaves of equal depth lie together, so that their tables can be made together.
        order = sorted(
            (leaf for leaf, box in enumerate(all_boxes) if box.sides), key=lambda leaf: all_boxes[leaf].n_features
        )
        boxes = [all_boxes[leaf] for leaf in order]
        _refuse_what_does_not_fit(boxes, table_bytes)
        self._forest = forest
        self._n_features = forest.n_features
        self._sides = _Sides.of(boxes)
        self._leaf_values = np.array([box.value for box in boxes], dtype=np.float64)
        self._table, self._table_start, reached = self._make_tables(
            forest.encode(background_rows), background_weights / background_weights.sum()
        )
        always = sum(box.value for box in all_boxes if not box.sides)
        self.expected_value = float(forest.base_value + always + self._leaf_values @ reached)
        self.leaf_scale = forest.sum_of_largest_leaves
        start = np.zeros(len(all_boxes), dtype=np.int64)
        start[order] = self._table_start
        self.tables = LeafTables(values=self._table, start=start)
        self.memory_bytes = self._table.nbytes + 5 * self._sides.feature.nbytes

    def contributions_of(self, rows: Numbers) -> Numbers:
        """Compute the contributions of every feature to every row's additive score.

        Args:
            rows: Raw rows, shape (n_rows, n_features); missing values as NaN.

        Returns:
            Shape (n_rows, n_features), in the additive unit. A row's numbers do not depend on the other rows.
        """
        contributions = np.zeros((len(rows), self._n_features))
        if not len(self._leaf_values):
            return contributions
        columns = self._forest.encode(rows)
        block = max(1, _BLOCK_ELEMENTS // len(self._sides.column))
        for begin in range(0, len(rows), block):
            contributions[begin : begin + block] = self._contributions_of_block(columns[begin : begin + block])
        return contributions

    def _contributions_of_block(self, columns: NDArray[np.float32]) -> Numbers:
        sides, n_rows = self._sides, len(columns)
        lines = self._table_start + sides.met_by(columns) * sides.count
        parts = self._table[np.repeat(lines, sides.count, axis=1) + sides.slot]
        receivers = np.arange(n_rows)[:, np.newaxis] * self._n_features + sides.feature
        summed = np.bincount(receivers.ravel(), weights=parts.ravel(), minlength=n_rows * self._n_features)
        return np.asarray(summed, dtype=np.float64).reshape(n_rows, self._n_features)

    def _make_tables(self, columns: NDArray[np.float32], shares: Numbers) -> tuple[Numbers, Positions, Numbers]:
        """Build all tables one behind the other.

        Returns:
            The tables; where each leaf's table starts, shape (n_leaves,); the share of the background that reaches
            each leaf, shape (n_leaves,).
        """
        count = self._sides.count
        sizes = count * (1 << count)
        start = np.cumsum(sizes) - sizes
        table = np.zeros(int(sizes.sum()))
        reached = np.zeros(len(count))
        for first, last in _blocks_of_equal_depth(count, len(columns)):
            depth = int(count[first])
            patterns = _pattern_shares(self._sides.of_leaves(first, last).met_by(columns), shares, depth)
            reached[first:last] = patterns[:, -1]
            lines = shapley_lines(patterns) * self._leaf_values[first:last, np.newaxis, np.newaxis]
            table[start[first] : start[first] + lines.size] = lines.ravel()
        return table, start, reached


def _owner(side: BoxSide) -> int:
    return side.feature


def _refuse_what_does_not_fit(boxes: list[LeafBox], table_bytes: int) -> None:
    most = max((box.n_features for box in boxes), default=0)
    if most > MAX_FEATURES_PER_LEAF:
        raise UnsupportedModelError(
            f"One path of a tree asks about {most} different features; exact contributions are computed for at most "
            f"{MAX_FEATURES_PER_LEAF}. Train with less deep trees."
        )
    needed = sum(8 * box.n_features << box.n_features for box in boxes)
    if needed > table_bytes:
        raise UnsupportedModelError(
            f"Exact contributions of this forest would need {needed / 2**20:.0f} MB of tables; "
            f"{table_bytes / 2**20:.0f} MB are allowed. Train with fewer or less deep trees, or allow more memory."
        )


def _blocks_of_equal_depth(count: Positions, n_rows: int) -> Iterator[tuple[int, int]]:
    """Split the leaves, sorted by depth, into runs of one depth that are small enough to be worked on at once."""
    for depth, run in groupby(range(len(count)), key=lambda leaf: int(count[leaf])):
        leaves = list(run)
        block = max(1, _BLOCK_ELEMENTS // (depth * max(n_rows, 1 << depth)))
        for begin in range(0, len(leaves), block):
            part = leaves[begin : begin + block]
            yield part[0], part[-1] + 1


def _pattern_shares(met: Positions, shares: Numbers, depth: int) -> Numbers:
    """Share of the background that meets exactly each set of a leaf's features.

    Args:
        met: Sets met, shape (m, n_leaves).
        shares: Shape (m,), sum 1.
        depth: Number of features d of each of these leaves.

    Returns:
        Shape (n_leaves, 2^d).
    """
    n_leaves = met.shape[1]
    position = (np.arange(n_leaves) << depth) + met
    weights = np.broadcast_to(shares[:, np.newaxis], met.shape)
    counted = np.bincount(position.ravel(), weights=weights.ravel(), minlength=n_leaves << depth)
    return np.asarray(counted, dtype=np.float64).reshape(n_leaves, 1 << depth)
