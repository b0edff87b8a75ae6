"""The tables of :class:`BlockTables` for large forests: compiled, and in a quarter of the memory.

Numbers are kept in 16 bits, as shares of the largest one of their leaf, and what all players outside a set lose is
kept once; :attr:`CompiledBlockTables.rounding` bounds what that costs.

Importing this module loads numba; :mod:`choose_blocks` does so only where this method is needed.
"""

from math import factorial

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.background_blocks import (
    N_BLOCKS,
    BlockNumbers,
    shares_of_blocks,
    shares_within_blocks,
)
from explainer.attribution_methods.block_table_kernel import (
    LARGEST,
    BlockRows,
    BlockTrees,
    Space,
    Tables,
    add_contributions,
    fill_tables,
)
from explainer.attribution_methods.choose_blocks import numbers_of_leaf
from explainer.attribution_methods.forest_layout import ForestLayout
from models.forest import Forest
from models.scoring_model import Rows, Scores

_DEVIATIONS = 8

Positions = NDArray[np.int64]


class CompiledBlockTables:
    """Computes one case's contributions against each block; nothing changes after it is built, so threads share it.

    Args:
        forest: The trees; no path may ask about more than 12 features.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,), positive; only their proportions count.
        blocks: Block of each row, see :func:`split_background`.

    Attributes:
        shares: Share of the background's weight that each block holds, shape (n_blocks,).
        rounding: How far a contribution is off at most, in the additive unit: eight standard deviations of a sum of
            numbers each of which was rounded to 16 bits, and of float32 additions.
        memory_bytes: Memory held, nearly all of it tables.
    """

    def __init__(self, forest: Forest, background_rows: Rows, background_weights: Scores, blocks: BlockNumbers) -> None:
        layout = ForestLayout.of(forest)
        depths = layout.leaf_players
        sizes = numbers_of_leaf(depths)
        self._forest = forest
        self.shares = shares_of_blocks(blocks, background_weights)
        self._trees = BlockTrees(
            feature=layout.feature,
            threshold=layout.threshold,
            missing_left=layout.missing_left,
            child=layout.child,
            slot=layout.slot,
            leaf_value=layout.leaf_value,
            first_inner=_starts([int(np.count_nonzero(~tree.is_leaf)) for tree in forest.trees]),
            first_leaf=_starts([int(np.count_nonzero(tree.is_leaf)) for tree in forest.trees]),
            leaf_player=layout.players_of_leaves().astype(np.int64),
            leaf_player_start=_starts(depths),
            table_start=_starts(sizes)[:-1],
            line_start=_line_starts(int(depths.max())),
        )
        self._tables = Tables(
            numbers=np.zeros((int(sizes.sum()), N_BLOCKS), dtype=np.int16),
            unit=np.zeros(len(depths), dtype=np.float32),
        )
        within = shares_within_blocks(blocks, background_weights)
        fill_tables(
            BlockRows(forest.encode(background_rows), within, blocks),
            self._trees,
            _factors(int(depths.max())),
            self._space(sets=_most_sets(depths, self._trees.first_leaf), numbers=int(sizes.max())),
            self._tables,
        )
        # A rounded number is off by a twelfth of a squared unit in the mean square; float32 adds up to 2^-24 each time.
        unit = float(np.sqrt((self._tables.unit.astype(np.float64) ** 2).sum()))
        self.rounding = float(_DEVIATIONS * (unit / np.sqrt(12) + unit * LARGEST * 2.0**-24))
        self.memory_bytes = sum(array.nbytes for array in (*self._tables, *self._trees))
        self.contributions_of(background_rows[0])  # compiles, so that the first request does not wait for it

    def contributions_of(self, row: Scores) -> Rows:
        """Compute contributions against each block; see :meth:`BlockContributions.contributions_of`."""
        found = np.zeros((self._forest.n_features, N_BLOCKS), dtype=np.float32)
        columns = self._forest.encode(row[np.newaxis])[0]
        add_contributions(columns, self._trees, self._tables, self._space(), found)
        return found.T.astype(np.float64)

    def _space(self, *, sets: int = 0, numbers: int = 0) -> Space:
        return Space(
            met=np.zeros(max(1, int(np.diff(self._trees.first_inner).max())), dtype=np.uint16),
            met_at_leaf=np.zeros(int(np.diff(self._trees.first_leaf).max()), dtype=np.uint16),
            patterns=np.zeros((sets, N_BLOCKS + 1)),
            lines=np.zeros((numbers, N_BLOCKS)),
        )


def _starts(sizes: Positions | list[int]) -> Positions:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _line_starts(deepest: int) -> Positions:
    """For each depth d and set a, at 2^d - 1 + a: how many numbers stand before the line of a."""
    found = []
    for depth in range(deepest + 1):
        sizes = np.bitwise_count(np.arange(1 << depth)).astype(np.int64) + 1
        found.append(np.cumsum(sizes) - sizes)
    return np.concatenate(found)


def _most_sets(depths: Positions, first_leaf: Positions) -> int:
    return int(np.add.reduceat(np.int64(1) << depths, first_leaf[:-1]).max())


def _factors(deepest: int) -> Rows:
    found = np.zeros((deepest + 1, deepest + 1))
    for p in range(1, deepest + 1):
        for q in range(deepest + 1 - p):
            found[p, q] = factorial(p - 1) * factorial(q) / factorial(p + q)
    return found
