"""Contributions of a forest against each block of its background, by leaf tables with one column per block.

One pass over the leaves finds which sides the row meets, and one line of a leaf's table then holds the numbers of all
blocks: about one more explanation instead of ten. The tables are those of :mod:`exact_forest`, made in another way: by
the closed form for every pair of sets that a row and a background row may meet (Lundberg et al., "From local
explanations to global understanding with explainable AI for trees", Nature Machine Intelligence 2, 2020). With d
features on a path there are 4^d pairs, so this is for small forests; :mod:`compiled_block_tables` is for large ones.
"""

from dataclasses import dataclass
from functools import cache
from itertools import groupby
from math import factorial

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.blocks.background_blocks import (
    N_BLOCKS,
    BlockNumbers,
    shares_of_blocks,
    shares_within_blocks,
)
from explainer.attribution_methods.forests.leaf_boxes import BoxSide, LeafBox, boxes_of
from models.forest import Forest
from models.scoring_model import Rows, Scores

MAX_PLAYERS = 6
"""4^6 pairs of sets for each leaf are still one small matrix."""

Positions = NDArray[np.int64]


class BlockTables:
    """Computes one case's contributions against each block; nothing changes after it is built, so threads share it.

    Args:
        forest: The trees; no path may ask about more than 6 features.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,), positive; only their proportions count.
        blocks: Block of each row, see :func:`split_background`.

    Attributes:
        shares: Share of the background's weight that each block holds, shape (n_blocks,).
        rounding: Nothing: the tables hold 64-bit numbers.
        memory_bytes: Memory held, nearly all of it tables.
    """

    rounding = 0.0

    def __init__(self, forest: Forest, background_rows: Rows, background_weights: Scores, blocks: BlockNumbers) -> None:
        boxes = sorted((box for box in boxes_of(forest) if box.sides), key=lambda box: box.n_features)
        self._forest = forest
        self._sides = _Sides.of(boxes)
        self.shares = shares_of_blocks(blocks, background_weights)
        depth = np.array([box.n_features for box in boxes], dtype=np.int64)
        self._start = np.cumsum(depth << depth) - (depth << depth)
        self._depth = depth
        met = self._sides.met_by(forest.encode(background_rows)) if boxes else np.zeros((len(blocks), 0), np.int64)
        share = shares_within_blocks(blocks, background_weights)
        tables = [np.zeros((0, N_BLOCKS))]
        for d, run in groupby(range(len(boxes)), key=lambda leaf: int(depth[leaf])):
            leaves = np.array(list(run))
            patterns = _patterns(met[:, leaves], share, blocks, d)
            values = np.array([boxes[leaf].value for leaf in leaves])
            lines = (patterns @ _shapley_of_pairs(d)) * values[:, np.newaxis, np.newaxis]
            tables.append(lines.transpose(0, 2, 1).reshape(-1, N_BLOCKS))
        self._table = np.concatenate(tables)
        self.memory_bytes = self._table.nbytes + self._sides.memory_bytes

    def contributions_of(self, row: Scores) -> Rows:
        """Compute contributions against each block; see :meth:`BlockContributions.contributions_of`."""
        found = np.zeros((N_BLOCKS, self._forest.n_features))
        if not len(self._depth):
            return found
        sides = self._sides
        line = self._start + sides.met_by(self._forest.encode(row[np.newaxis]))[0] * self._depth
        parts = self._table[(line[sides.leaf] + sides.slot)[sides.by_feature]]
        found[:, sides.features] = np.add.reduceat(parts, sides.first_of_feature, axis=0).T
        return found


@dataclass(frozen=True)
class _Sides:
    """All sides of all boxes, and the players they belong to.

    Attributes:
        column: Shape (n_sides,), position of the column that is compared.
        above: Shape (n_sides,), values must be greater (float32).
        up_to: Shape (n_sides,), values must not be greater (float32).
        admits_missing: Shape (n_sides,), whether a missing value gets through.
        first_side: Shape (n_players,), where each player's sides begin.
        leaf: Shape (n_players,), leaf of each player.
        slot: Shape (n_players,), number of the player in its leaf.
        first_player: Shape (n_leaves,), where each leaf's players begin.
        by_feature: Shape (n_players,), positions of the players in the order of their features.
        features: All features that are players, ascending.
        first_of_feature: Where each of them begins in that order.
    """

    column: Positions
    above: NDArray[np.float32]
    up_to: NDArray[np.float32]
    admits_missing: NDArray[np.bool_]
    first_side: Positions
    leaf: Positions
    slot: Positions
    first_player: Positions
    by_feature: Positions
    features: Positions
    first_of_feature: Positions

    @classmethod
    def of(cls, boxes: list[LeafBox]) -> "_Sides":
        sides = [side for box in boxes for side in box.sides]
        players = [
            (leaf, slot, feature, sum(1 for _ in group))
            for leaf, box in enumerate(boxes)
            for slot, (feature, group) in enumerate(groupby(box.sides, key=_owner))
        ]
        leaf, slot, feature, count = np.array(players, dtype=np.int64).reshape(-1, 4).T
        features, counts = np.unique(feature, return_counts=True)
        return cls(
            column=np.array([side.column for side in sides], dtype=np.int64),
            above=np.array([side.above for side in sides], dtype=np.float32),
            up_to=np.array([side.up_to for side in sides], dtype=np.float32),
            admits_missing=np.array([side.admits_missing for side in sides], dtype=np.bool_),
            first_side=np.cumsum(count) - count,
            leaf=leaf,
            slot=slot,
            first_player=np.flatnonzero(slot == 0),
            by_feature=np.argsort(feature, kind="stable"),
            features=features,
            first_of_feature=np.cumsum(counts) - counts,
        )

    @property
    def memory_bytes(self) -> int:
        return sum(array.nbytes for array in vars(self).values())

    def met_by(self, columns: NDArray[np.float32]) -> Positions:
        """For each row and leaf the set of the leaf's players whose sides the row meets: shape (n_rows, n_leaves)."""
        # Minus infinity lies above no limit, so it is taken as the lowest number.
        values = np.maximum(columns, np.finfo(np.float32).min)[:, self.column]
        met = (values > self.above) & (values <= self.up_to)
        met |= np.isnan(values) & self.admits_missing
        if len(self.first_side) < len(self.column):
            met = np.logical_and.reduceat(met, self.first_side, axis=1)
        return np.add.reduceat(np.left_shift(met, self.slot, dtype=np.int64), self.first_player, axis=1)


def _owner(side: BoxSide) -> int:
    return side.feature


def _patterns(met: Positions, shares: Scores, blocks: BlockNumbers, depth: int) -> Rows:
    """Share of each block that meets exactly each set of a leaf's players: shape (n_leaves, n_blocks, 2^d)."""
    n_leaves = met.shape[1]
    position = ((np.arange(n_leaves) * N_BLOCKS + blocks[:, np.newaxis]) << depth) + met
    weights = np.broadcast_to(shares[:, np.newaxis], met.shape)
    counted = np.bincount(position.ravel(), weights=weights.ravel(), minlength=(n_leaves * N_BLOCKS) << depth)
    return np.asarray(counted, dtype=np.float64).reshape(n_leaves, N_BLOCKS, 1 << depth)


@cache
def _shapley_of_pairs(depth: int) -> Rows:
    """Shapley values of a leaf worth 1, for every set b that a background row meets and a that the explained row meets.

    Every player must be in a or in b, else nobody gets there. With p players in a only and q in b only, the first gain
    ``(p - 1)! q! / (p + q)!`` each and the second lose ``p! (q - 1)! / (p + q)!`` each.

    Returns:
        Shape (2^d, 2^d * d): lines b, columns a and player.
    """
    full = (1 << depth) - 1
    found = np.zeros((1 << depth, 1 << depth, depth))
    for b in range(1 << depth):
        for a in range(1 << depth):
            p, q = (a & ~b).bit_count(), (b & ~a).bit_count()
            if a | b != full or p + q == 0:
                continue
            for player in range(depth):
                if (a & ~b) >> player & 1:
                    found[b, a, player] = factorial(p - 1) * factorial(q) / factorial(p + q)
                elif (b & ~a) >> player & 1:
                    found[b, a, player] = -factorial(p) * factorial(q - 1) / factorial(p + q)
    return found.reshape(1 << depth, -1)
