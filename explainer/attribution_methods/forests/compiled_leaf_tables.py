"""The method of :class:`ExactForest` for forests with many leaves, compiled: for one row at a time and for many.

Tables hold 32-bit numbers for leaves worth 1. That halves the memory, and with it the time a row waits for memory; the
rounding is 6e-8 of what a leaf adds. Since the leaf's value is multiplied in when a line is read, the forests of all
outputs of a model (:meth:`Forest.for_output`) have the same tables.

Importing this module loads numba; :mod:`choose` does so only where it is worth it.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.forests.exact_forest import DEFAULT_TABLE_BYTES, MAX_FEATURES_PER_LEAF
from explainer.attribution_methods.forests.forest_layout import ForestLayout
from explainer.attribution_methods.forests.leaf_table_kernel import (
    LEAF,
    NODE,
    TREE,
    BlockSpace,
    Trees,
    add_row,
    add_rows,
    count_patterns,
)
from explainer.attribution_methods.forests.shapley_lines import shapley_lines
from explainer.attribution_methods.method_choice import BLOCK_ROWS
from explainer.attribution_methods.method_choice import table_bytes as bytes_of_tables
from explainer.attribution_methods.table_cache import TableCache, fingerprint_of
from explainer.explanations.attribution import AttributionMethod
from models.encoding import Columns
from models.errors import UnsupportedModelError
from models.forest import Forest

METHOD = AttributionMethod(name="interventional_shapley_values", exact=True, engine_version="compiled-leaf-tables/1")

FEW_ROWS = 8
"""Up to here row by row is quicker than a block."""

_BLOCK_ELEMENTS = 2**16
"""Numbers of lines that are made at once; bounds temporary memory, does not change results."""

Numbers = NDArray[np.float64]
Table = NDArray[np.float32]
Positions = NDArray[np.int64]


class CompiledLeafTables:
    """Computes exact contributions; nothing changes after it is built, so threads may share it.

    Args:
        forest: The trees.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,), not negative, sum above zero; only their proportions count.
        table_bytes: Memory the tables may take.
        threads: Threads among which many rows are divided; a few rows take one.
        cache: Where tables are kept between starts; None to make them anew.

    Attributes:
        method: How the contributions are computed.
        expected_value: Weighted mean additive score over the background.
        leaf_scale: Sum over trees of the largest |leaf|.
        memory_bytes: Memory held, with the working memory of all threads.

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
        threads: int = 1,
        cache: TableCache | None = None,
    ) -> None:
        layout = ForestLayout.of(forest)
        _refuse_what_does_not_fit(layout, table_bytes)
        self._encode = forest.encode
        self._n_features = forest.n_features
        self._threads = threads
        shares = background_weights / background_weights.sum()
        structure = _structure_of(layout)
        columns = np.ascontiguousarray(forest.encode(background_rows))
        self._trees = structure._replace(table=_kept_or_made(structure, columns, shares, cache))
        for array in self._trees:
            # Tables that are read from disk are so anyway; other arrays would be another signature to compile for.
            array.flags.writeable = False
        self._n_space = len(self._trees.nodes) + 2 * len(self._trees.leaves)
        self._most_nodes = int(_sizes(self._trees.trees).max(initial=1))
        self.expected_value = float(shares @ forest.additive_score(background_rows))
        self.leaf_scale = forest.sum_of_largest_leaves
        # A row's sets and lines; or for a block of rows a tree's sets, lines and sums.
        working = max(8 * self._n_space, sum(array.nbytes for array in self._block_space()))
        self.memory_bytes = sum(array.nbytes for array in self._trees) + threads * working
        # Compiles, so that the first request does not wait for it.
        self.contributions_of(background_rows[:1])
        self.contributions_of(np.repeat(background_rows[:1], FEW_ROWS + 1, axis=0))

    def contributions_of(self, rows: Numbers) -> Numbers:
        """Compute the contributions of every feature to every row's additive score.

        Args:
            rows: Raw rows, shape (n_rows, n_features); missing values as NaN.

        Returns:
            Shape (n_rows, n_features), in the additive unit. A row's numbers do not depend on the other rows.
        """
        contributions = np.zeros((len(rows), self._n_features))
        if not len(self._trees.trees):
            return contributions
        columns = self._encode(rows)
        if len(rows) <= FEW_ROWS:
            space = np.empty(self._n_space, dtype=np.int64)
            for number in range(len(rows)):
                add_row(columns[number], *self._trees, space, contributions[number])
            return contributions
        parts = max(1, min(self._threads, len(rows) // BLOCK_ROWS))
        if parts == 1:
            self._add_rows(columns, contributions)
            return contributions
        with ThreadPoolExecutor(parts) as pool:
            # As list: a thread's error is raised here.
            list(pool.map(self._add_rows, np.array_split(columns, parts), np.array_split(contributions, parts)))
        return contributions

    def _add_rows(self, columns: Columns, contributions: Numbers) -> None:
        add_rows(np.ascontiguousarray(columns.T), self._trees, self._block_space(), contributions)

    def _block_space(self) -> BlockSpace:
        return BlockSpace(
            met=np.empty((self._most_nodes, BLOCK_ROWS), dtype=np.uint16),
            lines=np.empty(BLOCK_ROWS, dtype=np.uint64),
            sums=np.empty((self._n_features, BLOCK_ROWS)),
        )


def _refuse_what_does_not_fit(layout: ForestLayout, table_bytes: int) -> None:
    if layout.most_players > MAX_FEATURES_PER_LEAF:
        raise UnsupportedModelError(
            f"One path of a tree asks about {layout.most_players} different features; tables are made for at most "
            f"{MAX_FEATURES_PER_LEAF}. Train with less deep trees."
        )
    needed = bytes_of_tables(layout)
    if needed > table_bytes:
        raise UnsupportedModelError(
            f"The leaf tables of this forest would need {needed / 2**20:.0f} MB; {table_bytes / 2**20:.0f} MB are "
            "allowed. Train with fewer or less deep trees, or allow more memory."
        )


def _structure_of(layout: ForestLayout) -> Trees:
    """Lay out everything but the tables, which are left empty."""
    n_inner, depth = len(layout.feature), layout.leaf_players
    child = np.where(layout.child >= 0, layout.child, n_inner + ~layout.child)
    nodes = np.zeros(n_inner, dtype=NODE)
    nodes["feature"], nodes["threshold"], nodes["missing_left"] = layout.feature, layout.threshold, layout.missing_left
    nodes["left"], nodes["right"] = child[::2], child[1::2]
    nodes["keeps"] = ~np.left_shift(1, layout.slot, dtype=np.uint16)
    leaves = np.zeros(len(depth), dtype=LEAF)
    leaves["value"], leaves["depth"] = layout.leaf_value, depth
    leaves["player"] = np.cumsum(depth) - depth
    leaves["table"] = np.cumsum(depth << depth) - (depth << depth)
    return Trees(
        nodes=nodes,
        leaves=leaves,
        trees=_extents_of(layout),
        players=layout.players_of_leaves().astype(np.uint16 if layout.n_players <= 2**16 else np.int32),
        table=np.zeros(0, dtype=np.float32),
    )


def _extents_of(layout: ForestLayout) -> NDArray[np.void]:
    split = layout.root >= 0
    # In preorder a tree ends where the next begins; of leaves the first is the one furthest left.
    trees = np.zeros(int(split.sum()), dtype=TREE)
    trees["inner"] = layout.root[split]
    trees["inner_end"] = np.append(trees["inner"], len(layout.feature))[1:]
    # With one split more there is one leaf more, and a tree that is a single leaf has one as well.
    trees["leaf"] = trees["inner"] + np.flatnonzero(split)
    trees["leaf_end"] = trees["leaf"] + trees["inner_end"] - trees["inner"] + 1
    return trees


def _sizes(trees: NDArray[np.void]) -> Positions:
    """Inner nodes and leaves of each tree."""
    return np.asarray(trees["inner_end"] - trees["inner"] + trees["leaf_end"] - trees["leaf"], dtype=np.int64)


def _kept_or_made(structure: Trees, columns: Columns, shares: Numbers, cache: TableCache | None) -> Table:
    if cache is None:
        return _make_tables(structure, columns, shares)
    depth = structure.leaves["depth"]
    # All that the tables depend on; the values of leaves are not among it.
    key = fingerprint_of(
        METHOD.engine_version, *(structure.nodes[name] for name in NODE.names or ()), depth, columns, shares
    )
    kept = cache.load(key, (int((depth << depth).sum()),), np.dtype(np.float32))
    if kept is None:
        kept = _make_tables(structure, columns, shares)
        cache.keep(key, kept)
    return kept


def _make_tables(structure: Trees, columns: Columns, shares: Numbers) -> Table:
    nodes, leaves = structure.nodes, structure.leaves
    depths = leaves["depth"]
    first = np.cumsum(1 << depths) - (1 << depths)
    patterns = np.zeros(int((1 << depths).sum()))
    met = np.empty(len(nodes) + len(leaves), dtype=np.uint16)
    count_patterns(columns, shares, nodes, leaves, structure.trees, first, met, patterns)
    table = np.zeros(int((depths << depths).sum()), dtype=np.float32)
    for depth in np.unique(depths[depths > 0]).tolist():
        same = np.flatnonzero(depths == depth)
        size = max(1, _BLOCK_ELEMENTS // (depth << depth))
        for begin in range(0, len(same), size):
            block = same[begin : begin + size]
            lines = shapley_lines(patterns[first[block, np.newaxis] + np.arange(1 << depth)])
            table[leaves["table"][block, np.newaxis] + np.arange(depth << depth)] = lines.reshape(len(block), -1)
    return table
