"""Looks up leaf tables; compiled. See :mod:`exact_forest` for what they hold; :mod:`compiled_leaf_tables` calls this.

A row is first walked through all nodes in preorder, each handing down the set of players that are still met: both
children get it, the one on the side that the row does not take without the node's player. So nothing branches, and each
node costs a few instructions. What a leaf is given is the number of the line in its table. The lines lie far apart, and
waiting for memory would take most of the time; so they are asked for some leaves ahead.
"""

from typing import Any, NamedTuple

import numpy as np

from explainer.attribution_methods.method_choice import BLOCK_ROWS
from explainer.compiled import compiled, fetch_soon, inlined

Array = Any
"""numpy array; numba infers element types."""

EVERYTHING = np.uint16(0xFFFF)
"""The set of all players; a leaf has at most 12."""

LEAVES_AHEAD = 32
"""How many leaves before it is read a line is asked for; between 16 and 64 it makes little difference."""

NEAR = 2**16
"""Tables of up to so many numbers stay in the processor's cache anyway."""

NODE = np.dtype(
    [
        ("feature", np.int32),
        ("threshold", np.float32),
        ("left", np.int32),
        ("right", np.int32),
        ("keeps", np.uint16),
        ("missing_left", np.bool_),
    ],
    align=True,
)
"""An inner node. Children are positions among all inner nodes and, behind these, all leaves.

``keeps`` is the set of all players but the node's own.
"""

LEAF = np.dtype([("value", np.float64), ("table", np.int64), ("player", np.int64), ("depth", np.int64)])
"""A leaf: what it adds to the score, where its table and its players begin, how many players it has."""

TREE = np.dtype([("inner", np.int64), ("inner_end", np.int64), ("leaf", np.int64), ("leaf_end", np.int64)])
"""Which inner nodes and leaves belong to a tree that has at least one split."""


class Trees(NamedTuple):
    """A forest and its tables: arrays of ``NODE``, ``LEAF`` and ``TREE``, players by leaf and slot, tables."""

    nodes: Array
    leaves: Array
    trees: Array
    players: Array
    table: Array


class BlockSpace(NamedTuple):
    """Working memory for a block of rows.

    ``met`` holds sets, uint16, shape (most inner nodes and leaves of a tree together, BLOCK_ROWS), ``lines`` a place in
    the tables, uint64, for each row, ``sums`` has shape (n_players, BLOCK_ROWS).
    """

    met: Array
    lines: Array
    sums: Array


@inlined
def _goes_left(value: Any, node: Any) -> Any:
    return (value <= node.threshold) | (np.isnan(value) & node.missing_left)


@inlined
def _walk(row: Array, nodes: Array, trees: Array, met: Array) -> None:
    """Find the players that the row meets, for all inner nodes and, behind these, all leaves."""
    for tree in range(len(trees)):
        met[trees[tree].inner] = EVERYTHING
    for number in range(len(nodes)):
        node = nodes[number]
        here = met[number]
        without = here & node.keeps
        goes_left = _goes_left(row[node.feature], node)
        met[node.left] = here if goes_left else without
        met[node.right] = without if goes_left else here


@inlined
def _set_at(leaf: Any, met: Any) -> Any:
    return np.int64(met) & ((1 << leaf.depth) - 1)


@inlined
def _line_at(leaf: Any, met: Any) -> Any:
    return leaf.table + _set_at(leaf, met) * leaf.depth


@inlined
def _add_line(leaf: Any, line: Any, players: Array, table: Array, found: Array) -> None:
    value = leaf.value
    for slot in range(leaf.depth):
        found[players[leaf.player + slot]] += value * np.float64(table[line + slot])


@compiled
def add_row(  # noqa: PLR0917 -- arrays one by one: a tuple of them takes longer to hand over than to work on
    row: Array, nodes: Array, leaves: Array, trees: Array, players: Array, table: Array, space: Array, found: Array
) -> None:
    """Add to one row's contributions what all trees give.

    Args:
        row: Explained row, float32, shape (n_columns,).
        nodes: See :class:`Trees`, as the next four.
        leaves: Likewise.
        trees: Likewise.
        players: Likewise.
        table: Likewise.
        space: Working memory, int64, shape (n_inner + 2 * n_leaves,).
        found: Float64, shape (n_players,); changed.
    """
    n_inner, n_leaves = len(nodes), len(leaves)
    met, lines = space[: n_inner + n_leaves].view(np.uint16), space[n_inner + n_leaves :]
    _walk(row, nodes, trees, met)
    if len(table) <= NEAR:
        for number in range(n_leaves):
            leaf = leaves[number]
            _add_line(leaf, _line_at(leaf, met[n_inner + number]), players, table, found)
        return
    for number in range(n_leaves):
        lines[number] = _line_at(leaves[number], met[n_inner + number])
    for number in range(n_leaves):
        ahead = min(number + LEAVES_AHEAD, n_leaves - 1)
        fetch_soon(table, lines[ahead])
        fetch_soon(table, lines[ahead] + leaves[ahead].depth)
        _add_line(leaves[number], lines[number], players, table, found)


@compiled
def add_rows(columns: Array, forest: Trees, space: BlockSpace, contributions: Array) -> None:
    """Add to each row's contributions what all trees give, in the same order as :func:`add_row`: the same bits.

    Args:
        columns: Explained rows, float32, shape (n_columns, n_rows).
        forest: Trees and tables.
        space: Working memory.
        contributions: Float64, shape (n_rows, n_players), zero; changed.
    """
    n_rows = columns.shape[1]
    for begin in range(0, n_rows, BLOCK_ROWS):
        end = min(begin + BLOCK_ROWS, n_rows)
        for player in range(len(space.sums)):
            for row in range(end - begin):
                space.sums[player, row] = 0.0
        for number in range(len(forest.trees)):
            tree = forest.trees[number]
            _walk_block(columns[:, begin:end], tree, forest.nodes, space.met)
            _add_block(end - begin, tree, forest, space)
        for row in range(end - begin):
            for player in range(len(space.sums)):
                contributions[begin + row, player] = space.sums[player, row]


@inlined
def _walk_block(columns: Array, tree: Any, nodes: Array, met: Array) -> None:
    size = columns.shape[1]
    # Positions of children within the tree's own working memory: inner nodes, then leaves.
    n_own = tree.inner_end - tree.inner
    first_leaf = len(nodes) + tree.leaf
    for row in range(size):
        met[0, row] = EVERYTHING
    for number in range(tree.inner, tree.inner_end):
        node = nodes[number]
        left, right = np.int64(node.left), np.int64(node.right)
        here = met[number - tree.inner]
        on_left = met[left - tree.inner if left < len(nodes) else left - first_leaf + n_own]
        on_right = met[right - tree.inner if right < len(nodes) else right - first_leaf + n_own]
        column = columns[node.feature]
        threshold, missing_left, keeps = node.threshold, node.missing_left, node.keeps
        for row in range(size):
            value = column[row]
            goes_left = (value <= threshold) | (np.isnan(value) & missing_left)
            without = here[row] & keeps
            on_left[row] = here[row] if goes_left else without
            on_right[row] = without if goes_left else here[row]


@inlined
def _add_block(size: Any, tree: Any, forest: Trees, space: BlockSpace) -> None:
    n_own = tree.inner_end - tree.inner
    for number in range(tree.leaf, tree.leaf_end):
        leaf = forest.leaves[number]
        value, sets = leaf.value, space.met[n_own + number - tree.leaf]
        for row in range(size):
            space.lines[row] = np.uint64(_line_at(leaf, sets[row]))
        for slot in range(leaf.depth):
            sums = space.sums[forest.players[leaf.player + slot]]
            for row in range(size):
                sums[row] += value * np.float64(forest.table[space.lines[row] + np.uint64(slot)])


@compiled
def count_patterns(  # noqa: PLR0917 -- see add_row
    rows: Array, shares: Array, nodes: Array, leaves: Array, trees: Array, first: Array, met: Array, patterns: Array
) -> None:
    """Add up the shares of the background rows that meet each set of each leaf's players.

    Args:
        rows: Background, float32, shape (m, n_columns).
        shares: Shape (m,), sum 1.
        nodes: See :class:`Trees`, as the next two.
        leaves: Likewise.
        trees: Likewise.
        first: Shape (n_leaves,), where each leaf's sets begin.
        met: Working memory, uint16, shape (n_inner + n_leaves,).
        patterns: Float64, 2^d numbers for each leaf with d players; changed.
    """
    for number in range(len(rows)):
        _walk(rows[number], nodes, trees, met)
        for place in range(len(leaves)):
            patterns[first[place] + _set_at(leaves[place], met[len(nodes) + place])] += shares[number]
