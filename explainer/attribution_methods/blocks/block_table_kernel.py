"""Fills and reads leaf tables with one column for each block of the background; compiled.

A leaf with d players has a line for each set ``a`` of players whose sides an explained row may meet (see
:mod:`exact_forest` for the game). Of a row that meets ``a`` and a background row that meets ``b``, where every player
is in at least one of the two, ``p`` players are in ``a`` only and ``q`` in ``b`` only. Each of the first kind gains
``(p - 1)! q! / (p + q)!`` of the leaf's value, each of the second kind loses ``p! (q - 1)! / (p + q)!`` of it (Lundberg
et al., "From local explanations to global understanding with explainable AI for trees", Nature Machine Intelligence 2,
2020). All players outside ``a`` lose the same, so a line holds one loss and then one gain for each player of ``a``.

Lines are kept for the sets that some background row meets, because other people mostly meet these too. The line of any
other set is worked out when it is asked for, from the shares of the background that meet each of the kept sets.
"""

from typing import Any, NamedTuple

import numpy as np

from explainer.attribution_methods.blocks.vector_sums import add_scaled
from explainer.compiled import compiled, fetch_soon, inlined, lowest_bit, number_of_bits

Array = Any
"""numpy array; numba infers element types."""

LEAVES_AHEAD = 32
"""So many leaves before a line is read it is fetched from memory."""

FETCHED_LINES, LINES_PER_FETCH = 7, 3
"""Numbers of ten blocks that are fetched for a leaf, and how many of them one fetch brings: 20 bytes each of 64."""

LARGEST = 32767.0
"""A table's numbers are 16-bit shares of the largest number of their leaf."""

MOST_PLAYERS = 12
"""Of a leaf that has a table."""

UNSEEN = 0xFFFF
"""In place of a line: no background row meets this set. A leaf with 12 players has fewer numbers than this."""


class BlockTrees(NamedTuple):
    """A forest whose nodes and leaves are walked, and where each tree's and leaf's things begin.

    ``keeps`` is the set of all players but the node's own. ``left`` and ``right`` are places among the tree's own inner
    nodes and, behind these, its leaves. ``leaf_player`` lists the players of each leaf by slot from
    ``leaf_player_start`` on; ``first_set`` says where the sets of a leaf begin.
    """

    feature: Array
    threshold: Array
    missing_left: Array
    keeps: Array
    left: Array
    right: Array
    first_inner: Array
    first_leaf: Array
    leaf_value: Array
    leaf_player: Array
    leaf_player_start: Array
    first_set: Array


class BlockRows(NamedTuple):
    """Background: float32 columns, shape (m, n_columns); share of its block's weight and block of each row."""

    columns: Array
    shares: Array
    blocks: Array


class Tables(NamedTuple):
    """What is known about the background at each leaf.

    ``place`` says for each set of each leaf where in the leaf's table its line begins, or ``UNSEEN``. ``numbers``,
    int16, shape (n, n_blocks), holds the lines of each leaf from ``start`` on, and at its end a line of zeros; ``unit``
    is what a number of each leaf stands for, float32. For leaves with unseen sets ``seen`` lists the others, from
    ``seen_start`` on, ``shares``, int16, shape (n, n_blocks), has the shares of each block that meet them, and
    ``share_unit`` what one of these stands for, with the leaf's value, float32.
    """

    place: Array
    start: Array
    numbers: Array
    unit: Array
    seen: Array
    seen_start: Array
    shares: Array
    share_unit: Array


class Space(NamedTuple):
    """Working memory: sets met at inner nodes and leaves of one tree; what one row meets at all leaves; one leaf.

    ``sets`` are what the row meets, ``lines`` where the lines of these sets begin, ``unseen`` the leaves that have
    none, ``loss`` what players outside one such set lose. The last column of ``patterns`` says whether any background
    row meets exactly this set; ``seen`` and ``shares`` are the sets that are met, one behind the other, and
    ``worked_out`` the lines of one leaf.
    """

    met: Array
    sets: Array
    lines: Array
    unseen: Array
    loss: Array
    patterns: Array
    seen: Array
    shares: Array
    worked_out: Array


@compiled
def find_sets(rows: BlockRows, trees: BlockTrees, space: Space, tables: Tables) -> None:
    """Find which sets background rows meet, and give each of them a place for its line.

    Args:
        rows: The background.
        trees: The forest.
        space: Working memory.
        tables: ``place`` is filled, and behind each leaf ``start`` and ``seen_start`` get the size of its part; the
            others are not looked at.
    """
    for tree in range(len(trees.first_inner) - 1):
        has_splits = trees.first_inner[tree] < trees.first_inner[tree + 1]
        if has_splits:
            count_patterns(rows, trees, tree, space)
        begin = 0
        for leaf in range(trees.first_leaf[tree], trees.first_leaf[tree + 1]):
            first_set, size = trees.first_set[leaf], trees.first_set[leaf + 1] - trees.first_set[leaf]
            used, seen = 0, 0
            for a in range(size):
                tables.place[first_set + a] = UNSEEN
                if has_splits and space.patterns[begin + a, space.worked_out.shape[1]] != 0:
                    tables.place[first_set + a] = used
                    used += size_of(a, MOST_PLAYERS) + 1
                    seen += 1
            tables.start[leaf + 1] = used
            # Where every set is seen, no line is ever to be worked out.
            tables.seen_start[leaf + 1] = seen if seen < size else 0
            begin += size


@compiled
def fill_tables(rows: BlockRows, trees: BlockTrees, factors: Array, space: Space, tables: Tables) -> None:
    """Sum the background into the tables.

    Args:
        rows: The background.
        trees: The forest.
        factors: ``factors[p, q]`` is ``(p - 1)! q! / (p + q)!``, for p from 1.
        space: Working memory.
        tables: Changed; with the places that :func:`find_sets` has given.
    """
    for tree in range(len(trees.first_inner) - 1):
        if trees.first_inner[tree] == trees.first_inner[tree + 1]:
            continue
        count_patterns(rows, trees, tree, space)
        begin = 0
        for leaf in range(trees.first_leaf[tree], trees.first_leaf[tree + 1]):
            depth = trees.leaf_player_start[leaf + 1] - trees.leaf_player_start[leaf]
            fill_leaf((leaf, depth, begin), trees, factors, space, tables)
            begin += 1 << depth


@inlined
def fill_leaf(where: tuple[int, int, int], trees: BlockTrees, factors: Array, space: Space, tables: Tables) -> None:
    """Fill the table of one leaf: its number, how many players it has, and where its patterns begin are given."""
    leaf, depth, begin = where
    n_blocks, n_seen = space.worked_out.shape[1], 0
    for b in range(1 << depth):
        if space.patterns[begin + b, n_blocks] != 0:
            space.seen[n_seen] = b
            for block in range(n_blocks):
                space.shares[n_seen, block] = space.patterns[begin + b, block]
            n_seen += 1
    first_seen, end_seen = tables.seen_start[leaf], tables.seen_start[leaf + 1]
    if first_seen < end_seen:
        for number in range(n_seen):
            tables.seen[first_seen + number] = space.seen[number]
        largest = round_lines(space.shares[:n_seen], tables.shares[first_seen:end_seen])
        tables.share_unit[leaf] = largest * trees.leaf_value[leaf] / LARGEST
    start, end = tables.start[leaf], tables.start[leaf + 1]
    space.worked_out[: end - start] = 0
    for number in range(n_seen):
        a = np.int64(space.seen[number])
        line = np.int64(tables.place[trees.first_set[leaf] + a])
        add_line((a, depth), space.seen[:n_seen], space.shares, factors, space.worked_out[line:])
    largest = round_lines(space.worked_out[: end - start], tables.numbers[start:end])
    tables.unit[leaf] = largest * trees.leaf_value[leaf] / LARGEST


@inlined
def count_patterns(rows: BlockRows, trees: BlockTrees, tree: int, space: Space) -> None:
    """Find for each leaf of a tree which share of each block meets exactly each set of its players."""
    leaf, leaf_end = trees.first_leaf[tree], trees.first_leaf[tree + 1]
    n_inner = trees.first_inner[tree + 1] - trees.first_inner[tree]
    n_blocks, n_sets = space.worked_out.shape[1], trees.first_set[leaf_end] - trees.first_set[leaf]
    space.patterns[:n_sets] = 0
    for row in range(len(rows.columns)):
        meet(rows.columns[row], trees, tree, space.met)
        begin = 0
        for number in range(leaf, leaf_end):
            size = trees.first_set[number + 1] - trees.first_set[number]
            pattern = begin + (np.int64(space.met[n_inner + number - leaf]) & (size - 1))
            space.patterns[pattern, rows.blocks[row]] += rows.shares[row]
            space.patterns[pattern, n_blocks] = 1
            begin += size


@inlined
def add_line(own: tuple[Any, Any], seen: Array, shares: Array, factors: Array, line: Array) -> None:
    """Work out the line of one set of a leaf of value 1 from the sets that background rows meet.

    Args:
        own: The set ``a``, and the number of all players.
        seen: Sets that background rows meet.
        shares: Of the blocks that do, one line for each of them.
        factors: See :func:`fill_tables`.
        line: Shape (1 + players of the set or more, n_blocks); changed.
    """
    a, depth = own
    full = (1 << depth) - 1
    for number in range(len(seen)):
        b = np.int64(seen[number])
        if a | b == full:
            add_pairs(shares[number], (a, a & ~b, depth), factors, line)


@inlined
def add_pairs(shares: Array, sets: tuple[Any, Any, Any], factors: Array, line: Array) -> None:
    """Add to the line of a set what background rows add that meet all players outside it and some of it.

    Args:
        shares: Of the blocks, shape (n_blocks,) or longer.
        sets: The set, its players that the background rows do not meet, and the number of all players.
        factors: See :func:`fill_tables`.
        line: Shape (1 + players of the set or more, n_blocks); changed.
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
def add_contributions(  # noqa: PLR0917 -- what a row meets, and where what it gets is added up
    values: Array, trees: BlockTrees, factors: Array, tables: Tables, space: Space, found: Array
) -> None:
    """Add to a row's contributions against each block what all trees give.

    Args:
        values: Explained row, float32, shape (n_columns,).
        trees: The forest.
        factors: See :func:`fill_tables`.
        tables: As filled.
        space: Working memory.
        found: Float32, shape (n_players, n_blocks); changed.
    """
    n_unseen = find_lines(values, trees, tables, space)
    n_leaves, n_blocks = len(trees.leaf_value), found.shape[1]
    for leaf in range(n_leaves):
        # Lines lie far apart in memory, so those of later leaves are fetched while these are added.
        ahead = min(leaf + LEAVES_AHEAD, n_leaves - 1)
        for line in range(0, FETCHED_LINES, LINES_PER_FETCH):
            fetch_soon(tables.numbers, (space.lines[ahead] + line) * n_blocks)
        first_player, a, loss, gains = trees.leaf_player_start[leaf], space.sets[leaf], space.lines[leaf], 0
        for slot in range(trees.leaf_player_start[leaf + 1] - first_player):
            # Without a branch: which way it goes is as good as random.
            in_a = (a >> slot) & 1
            gains += in_a
            player = trees.leaf_player[first_player + slot]
            add_scaled(found, player, tables.numbers, loss + in_a * gains, tables.unit[leaf])
    for number in range(n_unseen):
        add_unseen(space.unseen[number], trees, factors, tables, space, found)


@inlined
def find_lines(values: Array, trees: BlockTrees, tables: Tables, space: Space) -> int:
    """Find for each leaf the set that a row meets and its line; unseen sets are counted and get the line of zeros."""
    n_leaves, n_unseen = len(trees.leaf_value), 0
    zeros = tables.start[n_leaves]
    for tree in range(len(trees.first_inner) - 1):
        n_inner, first_leaf = trees.first_inner[tree + 1] - trees.first_inner[tree], trees.first_leaf[tree]
        if n_inner == 0:
            space.sets[first_leaf] = 0
            continue
        meet(values, trees, tree, space.met)
        for leaf in range(first_leaf, trees.first_leaf[tree + 1]):
            first_set = trees.first_set[leaf]
            space.sets[leaf] = np.int64(space.met[n_inner + leaf - first_leaf]) & (
                trees.first_set[leaf + 1] - first_set - 1
            )
            fetch_soon(tables.place, first_set + space.sets[leaf])
    for leaf in range(n_leaves):
        place = np.int64(tables.place[trees.first_set[leaf] + space.sets[leaf]])
        space.unseen[n_unseen] = leaf
        n_unseen += place == UNSEEN
        space.lines[leaf] = zeros if place == UNSEEN else tables.start[leaf] + place
    return n_unseen


@inlined
def add_unseen(  # noqa: PLR0917 -- see add_contributions
    leaf: int, trees: BlockTrees, factors: Array, tables: Tables, space: Space, found: Array
) -> None:
    """Work out the line of a set that no background row meets, and add it; as :func:`add_line` and in 32 bits."""
    first_player = trees.leaf_player_start[leaf]
    depth, a, unit = trees.leaf_player_start[leaf + 1] - first_player, space.sets[leaf], tables.share_unit[leaf]
    full = (1 << depth) - 1
    q = np.int64(number_of_bits(np.uint64(full & ~a)))
    for block in range(found.shape[1]):
        space.loss[0, block] = np.float32(0)
    for number in range(tables.seen_start[leaf], tables.seen_start[leaf + 1]):
        b = np.int64(tables.seen[number])
        if a | b == full:
            only_a = np.uint64(a & ~b)
            p = np.int64(number_of_bits(only_a))
            add_scaled(space.loss, 0, tables.shares, number, -factors[q, p] * unit)
            while only_a != 0:
                player = trees.leaf_player[first_player + np.int64(lowest_bit(only_a))]
                add_scaled(found, player, tables.shares, number, factors[p, q] * unit)
                only_a &= only_a - np.uint64(1)
    for slot in range(depth):
        if not (a >> slot) & 1:
            player = trees.leaf_player[first_player + slot]
            for block in range(found.shape[1]):
                found[player, block] += space.loss[0, block]


@inlined
def meet(values: Array, trees: BlockTrees, tree: int, met: Array) -> None:
    """Find for each inner node of a tree, and behind these each leaf, the set of players whose sides a row meets."""
    inner = trees.first_inner[tree]
    met[0] = np.uint16(0xFFFF)
    for node in range(inner, trees.first_inner[tree + 1]):
        here = met[node - inner]
        # The set loses this node's player on the side that the row does not take.
        without = here & trees.keeps[node]
        value = values[trees.feature[node]]
        goes_left = (value <= trees.threshold[node]) | (np.isnan(value) & trees.missing_left[node])
        met[trees.left[node]] = here if goes_left else without
        met[trees.right[node]] = without if goes_left else here
