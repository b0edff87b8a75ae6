"""Fills and reads leaf tables with one column for each block of the background; compiled.

A leaf with d players has a line for each set ``a`` of players whose sides the explained row meets (see
:mod:`exact_forest` for the game). Of a row that meets ``a`` and a background row that meets ``b``, where every player
is in at least one of the two, ``p`` players are in ``a`` only and ``q`` in ``b`` only. Each of the first kind gains
``(p - 1)! q! / (p + q)!`` of the leaf's value, each of the second kind loses ``p! (q - 1)! / (p + q)!`` of it (Lundberg
et al., "From local explanations to global understanding with explainable AI for trees", Nature Machine Intelligence 2,
2020). All players outside ``a`` lose the same, so a line holds one loss and then one gain for each player of ``a``.
"""

from typing import Any, NamedTuple

import numpy as np

from explainer.attribution_methods.vector_sums import add_scaled
from explainer.compiled import compiled, fetch_soon, inlined

Array = Any
"""numpy array; numba infers element types."""

LEAVES_AHEAD = 12
"""So many leaves before a line is read it is fetched from memory."""

FETCHED_LINES, LINES_PER_FETCH = 7, 3
"""Numbers of ten blocks that are fetched for a leaf, and how many of them one fetch brings: 20 bytes each of 64."""

LARGEST = 32767.0
"""A table's numbers are 16-bit shares of the largest number of their leaf."""


class BlockTrees(NamedTuple):
    """The arrays of a ``ForestLayout`` that are walked, and where each tree's and leaf's things begin.

    ``leaf_player`` lists the players of each leaf by slot from ``leaf_player_start`` on; ``table_start`` says where a
    leaf's table begins; ``line_start`` says, at ``2^d - 1 + a``, where in a table of d players the line of set ``a``
    begins.
    """

    feature: Array
    threshold: Array
    missing_left: Array
    child: Array
    slot: Array
    leaf_value: Array
    first_inner: Array
    first_leaf: Array
    leaf_player: Array
    leaf_player_start: Array
    table_start: Array
    line_start: Array


class BlockRows(NamedTuple):
    """Background: float32 columns, shape (m, n_columns); share of its block's weight and block of each row."""

    columns: Array
    shares: Array
    blocks: Array


class Tables(NamedTuple):
    """Numbers of all leaves, int16, shape (n, n_blocks), and for what a number of each leaf stands, float32."""

    numbers: Array
    unit: Array


class Space(NamedTuple):
    """Working memory: sets met at inner nodes and leaves of one tree, uint16; shares of sets and lines of one leaf.

    The last column of ``patterns`` says whether any row meets exactly this set. ``sets`` and ``losses`` are what one
    row meets at all leaves, and where these sets' lines begin.
    """

    met: Array
    met_at_leaf: Array
    sets: Array
    losses: Array
    patterns: Array
    lines: Array


@compiled
def fill_tables(rows: BlockRows, trees: BlockTrees, factors: Array, space: Space, tables: Tables) -> None:
    """Sum the background into the tables.

    Args:
        rows: The background.
        trees: The forest.
        factors: ``factors[p, q]`` is ``(p - 1)! q! / (p + q)!``, for p from 1.
        space: Working memory.
        tables: Changed.
    """
    for tree in range(len(trees.first_inner) - 1):
        if trees.first_inner[tree] == trees.first_inner[tree + 1]:
            continue
        count_patterns(rows, trees, tree, space)
        begin = 0
        for leaf in range(trees.first_leaf[tree], trees.first_leaf[tree + 1]):
            depth = trees.leaf_player_start[leaf + 1] - trees.leaf_player_start[leaf]
            used = add_lines(
                space.patterns[begin : begin + (1 << depth)], depth, trees.line_start, factors, space.lines
            )
            start = trees.table_start[leaf]
            largest = round_lines(space.lines[:used], tables.numbers[start : start + used])
            tables.unit[leaf] = largest * trees.leaf_value[leaf] / LARGEST
            begin += 1 << depth


@inlined
def count_patterns(rows: BlockRows, trees: BlockTrees, tree: int, space: Space) -> None:
    """Find for each leaf of a tree which share of each block meets exactly each set of its players."""
    leaf, leaf_end = trees.first_leaf[tree], trees.first_leaf[tree + 1]
    n_blocks, n_sets = space.lines.shape[1], 0
    for number in range(leaf, leaf_end):
        n_sets += 1 << (trees.leaf_player_start[number + 1] - trees.leaf_player_start[number])
    space.patterns[:n_sets] = 0
    for row in range(len(rows.columns)):
        meet(rows.columns[row], trees, tree, space)
        begin = 0
        for number in range(leaf, leaf_end):
            size = 1 << (trees.leaf_player_start[number + 1] - trees.leaf_player_start[number])
            pattern = begin + (np.int64(space.met_at_leaf[number - leaf]) & (size - 1))
            space.patterns[pattern, rows.blocks[row]] += rows.shares[row]
            space.patterns[pattern, n_blocks] = 1
            begin += size


@inlined
def add_lines(patterns: Array, depth: int, line_start: Array, factors: Array, lines: Array) -> int:
    """Compute all lines of one leaf of value 1 from the shares of the sets that background rows meet.

    Returns:
        How many numbers its table has.
    """
    n_blocks, full, used = lines.shape[1], (1 << depth) - 1, 0
    for a in range(full + 1):
        start, size = line_start[full + a], size_of(a, depth)
        used = start + size + 1
        lines[start:used] = 0
        # All subsets of a, from a itself down to the empty one: what background rows meet of it.
        both = a
        while True:
            met = both | (full ^ a)
            if patterns[met, n_blocks] != 0:
                add_pairs(patterns[met], (a, a ^ both, depth), factors, lines[start:used])
            if both == 0:
                break
            both = (both - 1) & a
    return used


@inlined
def add_pairs(shares: Array, sets: tuple[int, int, int], factors: Array, line: Array) -> None:
    """Add to the line of a set what background rows add that meet all players outside it and some of it.

    Args:
        shares: Of the blocks, shape (n_blocks,) or longer.
        sets: The set, its players that the background rows do not meet, and the number of all players.
        factors: See :func:`fill_tables`.
        line: Shape (1 + players of the set, n_blocks); changed.
    """
    a, only_a, depth = sets
    p, q = size_of(only_a, depth), depth - size_of(a, depth)
    if q > 0:
        for block in range(line.shape[1]):
            line[0, block] -= factors[q, p] * shares[block]
    gain = 0
    for slot in range(depth):
        gain += (a >> slot) & 1
        if (only_a >> slot) & 1:
            for block in range(line.shape[1]):
                line[gain, block] += factors[p, q] * shares[block]


@inlined
def size_of(a: int, depth: int) -> int:
    """Number of players in a set."""
    size = 0
    for slot in range(depth):
        size += (a >> slot) & 1
    return size


@inlined
def round_lines(lines: Array, numbers: Array) -> float:
    """Keep lines as shares of their largest number, which is returned."""
    largest = 0.0
    for line in range(len(lines)):
        for block in range(lines.shape[1]):
            largest = max(largest, abs(lines[line, block]))
    if largest > 0:
        for line in range(len(lines)):
            for block in range(lines.shape[1]):
                numbers[line, block] = np.int16(np.rint(lines[line, block] / largest * LARGEST))
    return largest


@compiled
def add_contributions(values: Array, trees: BlockTrees, tables: Tables, space: Space, found: Array) -> None:
    """Add to a row's contributions against each block what all trees give.

    Args:
        values: Explained row, float32, shape (n_columns,).
        trees: The forest.
        tables: As filled.
        space: Working memory.
        found: Float32, shape (n_players, n_blocks); changed.
    """
    for tree in range(len(trees.first_inner) - 1):
        if trees.first_inner[tree] == trees.first_inner[tree + 1]:
            continue
        meet(values, trees, tree, space)
        for leaf in range(trees.first_leaf[tree], trees.first_leaf[tree + 1]):
            full = (1 << (trees.leaf_player_start[leaf + 1] - trees.leaf_player_start[leaf])) - 1
            a = np.int64(space.met_at_leaf[leaf - trees.first_leaf[tree]]) & full
            space.sets[leaf] = a
            space.losses[leaf] = trees.table_start[leaf] + trees.line_start[full + a]
    n_leaves, n_blocks = len(trees.leaf_player_start) - 1, found.shape[1]
    for leaf in range(n_leaves):
        # Lines lie far apart in memory, so those of later leaves are fetched while these are added.
        ahead = min(leaf + LEAVES_AHEAD, n_leaves - 1)
        for line in range(0, FETCHED_LINES, LINES_PER_FETCH):
            fetch_soon(tables.numbers, (space.losses[ahead] + line) * n_blocks)
        first_player, a, loss, gains = trees.leaf_player_start[leaf], space.sets[leaf], space.losses[leaf], 0
        for slot in range(trees.leaf_player_start[leaf + 1] - first_player):
            # Without a branch: which way it goes is as good as random.
            in_a = (a >> slot) & 1
            gains += in_a
            player = trees.leaf_player[first_player + slot]
            add_scaled(found, player, tables.numbers, loss + in_a * gains, tables.unit[leaf])


@inlined
def meet(values: Array, trees: BlockTrees, tree: int, space: Space) -> None:
    """Find for each leaf of a tree the set of players whose sides a row meets."""
    inner, leaf = trees.first_inner[tree], trees.first_leaf[tree]
    space.met[0] = np.uint16(0xFFFF)
    for node in range(inner, trees.first_inner[tree + 1]):
        here = space.met[node - inner]
        # The set loses this node's player on the side that the row does not take.
        without = np.uint16(here & ~(1 << trees.slot[node]))
        value = values[trees.feature[node]]
        goes_left = (value <= trees.threshold[node]) | (np.isnan(value) & trees.missing_left[node])
        left, right = trees.child[2 * node], trees.child[2 * node + 1]
        on_left, on_right = (here, without) if goes_left else (without, here)
        if left >= 0:
            space.met[left - inner] = on_left
        else:
            space.met_at_leaf[~left - leaf] = on_left
        if right >= 0:
            space.met[right - inner] = on_right
        else:
            space.met_at_leaf[~right - leaf] = on_right
