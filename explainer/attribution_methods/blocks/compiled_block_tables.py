"""The tables of :class:`BlockTables` for large forests: compiled, and in an eighth of the memory.

Numbers are kept in 16 bits, as shares of the largest one of their leaf, what all players outside a set lose is kept
once, and lines are kept for those sets only that some background row meets; see :mod:`block_table_kernel`.
:attr:`CompiledBlockTables.rounding` bounds what the 16 bits cost.

Importing this module loads numba; :mod:`choose_blocks` does so only where this method is needed.
"""

from hashlib import sha256
from math import comb, factorial

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.blocks.background_blocks import (
    N_BLOCKS,
    BlockNumbers,
    shares_of_blocks,
    shares_within_blocks,
)
from explainer.attribution_methods.blocks.block_table_kernel import (
    LARGEST,
    BlockRows,
    BlockTrees,
    Space,
    Tables,
    add_contributions,
    fill_tables,
    find_sets,
)
from explainer.attribution_methods.forests.forest_layout import ForestLayout
from explainer.attribution_methods.table_cache import ANY_NUMBER, TableCache, fingerprint_of
from models.forest import Forest
from models.scoring_model import Rows, Scores

VERSION = "compiled-block-tables/3"
"""Of what the tables hold and how they are laid out; another one finds no file of this one."""

_DEVIATIONS = 8

Positions = NDArray[np.int64]


class CompiledBlockTables:
    """Computes one case's contributions against each block; nothing changes after it is built, so threads share it.

    Args:
        forest: The trees; no path may ask about more than 12 features.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,), positive; only their proportions count.
        blocks: Block of each row, see :func:`split_background`.
        cache: Where tables are kept between starts; None to make them anew.

    Attributes:
        shares: Share of the background's weight that each block holds, shape (n_blocks,).
        rounding: How far a contribution is off at most, in the additive unit: eight standard deviations of a sum of
            numbers each of which was rounded to 16 bits, and of float32 additions.
        memory_bytes: Memory held, nearly all of it tables.
    """

    def __init__(
        self,
        forest: Forest,
        background_rows: Rows,
        background_weights: Scores,
        blocks: BlockNumbers,
        *,
        cache: TableCache | None = None,
    ) -> None:
        self._forest = forest
        self.shares = shares_of_blocks(blocks, background_weights)
        self._trees = _trees_of(forest)
        self._factors = _factors(_most_players(self._trees))
        within = shares_within_blocks(blocks, background_weights)
        rows = BlockRows(np.ascontiguousarray(forest.encode(background_rows)), within, blocks)
        self._tables = _kept(rows, self._trees, cache) or _made(rows, self._trees, self._factors, cache)
        for array in self._tables:
            # Tables that are read from disk are so anyway; other arrays would be another signature to compile for.
            array.flags.writeable = False
        self.rounding = _rounding(self._tables, np.diff(self._trees.leaf_player_start), self._factors)
        self.memory_bytes = _bytes_of(self._tables, self._trees)
        self.contributions_of(background_rows[0])  # compiles, so that the first request does not wait for it

    def contributions_of(self, row: Scores) -> Rows:
        """Compute contributions against each block; see :meth:`BlockContributions.contributions_of`."""
        found = np.zeros((self._forest.n_features, N_BLOCKS), dtype=np.float32)
        columns = self._forest.encode(row[np.newaxis])[0]
        space = _working_memory(self._trees, sets=0, seen=0, numbers=0)
        add_contributions(columns, self._trees, self._factors, self._tables, space, found)
        return found.T.astype(np.float64)


def bytes_of_block_tables(forest: Forest, background_rows: Rows, blocks: BlockNumbers) -> int:
    """Memory that the tables will hold, found without making them.

    Args:
        forest: The trees; no path may ask about more than 12 features.
        background_rows: Raw rows, shape (m, n_features).
        blocks: Block of each row.

    Returns:
        Bytes.
    """
    trees = _trees_of(forest)
    columns = np.ascontiguousarray(forest.encode(background_rows))
    empty = _with_places(BlockRows(columns, np.ones(len(blocks)), blocks), trees)
    lines = int(empty.start[-1]) + _most_players(trees) + 1, int(empty.seen_start[-1])
    return _bytes_of(empty, trees) + lines[0] * 2 * N_BLOCKS + lines[1] * (2 * N_BLOCKS + 2)


def _trees_of(forest: Forest) -> BlockTrees:
    layout = ForestLayout.of(forest)
    depths = layout.leaf_players
    first_inner = _starts([int(np.count_nonzero(~tree.is_leaf)) for tree in forest.trees])
    first_leaf = _starts([int(np.count_nonzero(tree.is_leaf)) for tree in forest.trees])
    # Of each inner node its tree's first inner node and leaf, and how many inner nodes the tree has.
    n_inner = np.diff(first_inner)
    inner, leaf, size = (np.repeat(of_tree, n_inner) for of_tree in (first_inner[:-1], first_leaf[:-1], n_inner))
    left, right = (
        np.where(child >= 0, child - inner, size + ~child - leaf).astype(np.uint32)
        for child in (layout.child[::2], layout.child[1::2])
    )
    return BlockTrees(
        feature=layout.feature,
        threshold=layout.threshold,
        missing_left=layout.missing_left,
        keeps=~np.left_shift(1, layout.slot, dtype=np.uint16),
        left=left,
        right=right,
        first_inner=first_inner,
        first_leaf=first_leaf,
        leaf_value=layout.leaf_value,
        leaf_player=layout.players_of_leaves(),
        leaf_player_start=_starts(depths),
        first_set=_starts(np.int64(1) << depths),
    )


def _kept(rows: BlockRows, trees: BlockTrees, cache: TableCache | None) -> Tables | None:
    if cache is None:
        return None
    keys = _keys(rows, trees)
    empty = _empty(trees)
    kept = []
    for key, array in zip(keys, empty, strict=True):
        # How many sets are met is not known before they are found: so many lines as there are in the file.
        n_lines = ANY_NUMBER if len(array) == 0 else len(array)
        kept.append(cache.load(key, (n_lines, *array.shape[1:]), array.dtype))
    found = [array for array in kept if array is not None]
    return Tables(*found) if len(found) == len(kept) else None


def _made(rows: BlockRows, trees: BlockTrees, factors: Rows, cache: TableCache | None) -> Tables:
    empty = _with_places(rows, trees)
    n_seen, n_numbers = int(empty.seen_start[-1]), int(empty.start[-1])
    tables = empty._replace(
        numbers=np.zeros((n_numbers + len(factors), N_BLOCKS), dtype=np.int16),
        seen=np.zeros(n_seen, dtype=np.uint16),
        shares=np.zeros((n_seen, N_BLOCKS), dtype=np.int16),
    )
    space = _working_memory(
        trees,
        sets=_most_sets(trees),
        seen=int(np.diff(trees.first_set).max()),
        numbers=int(np.diff(tables.start).max()) + len(factors),
    )
    fill_tables(rows, trees, factors, space, tables)
    if cache is not None:
        for key, array in zip(_keys(rows, trees), tables, strict=True):
            cache.keep(key, array)
    return tables


def _with_places(rows: BlockRows, trees: BlockTrees) -> Tables:
    empty = _empty(trees)
    find_sets(rows, trees, _working_memory(trees, sets=_most_sets(trees), seen=0, numbers=1), empty)
    for sizes in (empty.start, empty.seen_start):
        np.cumsum(sizes, out=sizes)
    return empty


def _bytes_of(tables: Tables, trees: BlockTrees) -> int:
    return sum(int(array.nbytes) for array in (*tables, *trees))


def _most_players(trees: BlockTrees) -> int:
    return int(np.diff(trees.leaf_player_start).max())


def _empty(trees: BlockTrees) -> Tables:
    n_leaves = len(trees.leaf_value)
    return Tables(
        place=np.zeros(int(trees.first_set[-1]), dtype=np.uint16),
        start=np.zeros(n_leaves + 1, dtype=np.int64),
        numbers=np.zeros((0, N_BLOCKS), dtype=np.int16),
        unit=np.zeros(n_leaves, dtype=np.float32),
        seen=np.zeros(0, dtype=np.uint16),
        seen_start=np.zeros(n_leaves + 1, dtype=np.int64),
        shares=np.zeros((0, N_BLOCKS), dtype=np.int16),
        share_unit=np.zeros(n_leaves, dtype=np.float32),
    )


def _keys(rows: BlockRows, trees: BlockTrees) -> list[str]:
    whole = fingerprint_of(VERSION, *rows, *trees)
    return [sha256(f"{whole} {part}".encode()).hexdigest() for part in Tables._fields]


def _working_memory(trees: BlockTrees, *, sets: int, seen: int, numbers: int) -> Space:
    n_leaves = len(trees.leaf_value)
    return Space(
        met=np.empty(int((np.diff(trees.first_inner) + np.diff(trees.first_leaf)).max()), dtype=np.uint16),
        sets=np.empty(n_leaves, dtype=np.int64),
        lines=np.empty(n_leaves, dtype=np.int64),
        unseen=np.empty(n_leaves + 1, dtype=np.int64),
        loss=np.empty((1, N_BLOCKS), dtype=np.float32),
        patterns=np.empty((sets, N_BLOCKS + 1)),
        seen=np.empty(seen, dtype=np.uint16),
        shares=np.empty((seen, N_BLOCKS)),
        worked_out=np.empty((numbers, N_BLOCKS)),
    )


def _starts(sizes: Positions | list[int]) -> Positions:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _most_sets(trees: BlockTrees) -> int:
    return int(np.diff(trees.first_set[trees.first_leaf]).max())


def _rounding(tables: Tables, depths: Positions, factors: Rows) -> float:
    # A rounded number is off by a twelfth of a squared unit in the mean square; float32 adds up to 2^-24 each time.
    squares = np.array([_squares(depth, factors) for depth in range(len(factors))])
    units, unseen = (unit.astype(np.float64) ** 2 for unit in (tables.unit, tables.share_unit))
    unit = float(np.sqrt(np.maximum(units, unseen * squares[depths]).sum()))
    return float(_DEVIATIONS * (unit / np.sqrt(12) + unit * LARGEST * 2.0**-24))


def _squares(depth: int, factors: Rows) -> float:
    """The largest sum of squared factors by which shares enter a number of a line that is worked out."""
    gains = [sum(comb(k - 1, p - 1) * factors[p, depth - k] ** 2 for p in range(1, k + 1)) for k in range(1, depth + 1)]
    losses = [sum(comb(k, p) * factors[depth - k, p] ** 2 for p in range(k + 1)) for k in range(depth)]
    return float(max(*gains, *losses, 0.0, 0.0))


def _factors(deepest: int) -> Rows:
    found = np.zeros((deepest + 1, deepest + 1))
    for p in range(1, deepest + 1):
        for q in range(deepest + 1 - p):
            found[p, q] = factorial(p - 1) * factorial(q) / factorial(p + q)
    return found
