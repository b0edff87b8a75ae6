"""Looks up leaf tables for blocks of rows, tree by tree, so that its tables are read while near; compiled.

See :mod:`exact_forest` for what the tables hold and :mod:`leaf_table_batch` for who calls this.
"""

from typing import Any, NamedTuple

import numpy as np

from explainer.attribution_methods.compiled import compiled

Array = Any
"""numpy array; numba infers element types."""

BLOCK_ROWS = 256
"""Rows that go through a tree together; their sets and sums stay in the processor's cache."""

EVERYTHING = np.uint16(0xFFFF)


class Trees(NamedTuple):
    """The arrays of a ``ForestLayout`` that are walked, and where each tree's nodes and leaves end.

    ``leaf_player`` lists the players of each leaf by slot, ``leaf_player_start`` where each leaf's begin.
    """

    feature: Array
    threshold: Array
    missing_left: Array
    child: Array
    slot: Array
    first_inner: Array
    first_leaf: Array
    leaf_player: Array
    leaf_player_start: Array
    table: Array
    table_start: Array


@compiled
def add_contributions(columns: Array, trees: Trees, met: Array, met_at_leaf: Array, contributions: Array) -> None:
    """Add to each row's contributions what all trees give.

    Args:
        columns: Explained rows, float32, shape (n_features, n_rows).
        trees: The forest and its tables.
        met: Working memory, uint16, shape (most inner nodes of a tree, BLOCK_ROWS).
        met_at_leaf: Working memory, uint16, shape (most leaves of a tree, BLOCK_ROWS).
        contributions: Float64, shape (n_rows, n_players); changed.
    """
    n_rows = columns.shape[1]
    for begin in range(0, n_rows, BLOCK_ROWS):
        size = min(BLOCK_ROWS, n_rows - begin)
        for tree in range(len(trees.first_inner) - 1):
            inner, inner_end = trees.first_inner[tree], trees.first_inner[tree + 1]
            leaf, leaf_end = trees.first_leaf[tree], trees.first_leaf[tree + 1]
            if inner == inner_end:
                continue
            for row in range(size):
                met[0, row] = EVERYTHING
            for node in range(inner, inner_end):
                # A row's set loses this node's player on the side that the row does not take.
                without = np.uint16(~(1 << trees.slot[node]))
                threshold, missing_left = trees.threshold[node], trees.missing_left[node]
                column = columns[trees.feature[node], begin : begin + size]
                here = met[node - inner]
                left, right = trees.child[2 * node], trees.child[2 * node + 1]
                on_left = met[left - inner] if left >= 0 else met_at_leaf[~left - leaf]
                on_right = met[right - inner] if right >= 0 else met_at_leaf[~right - leaf]
                for row in range(size):
                    value = column[row]
                    goes_left = (value <= threshold) | (np.isnan(value) & missing_left)
                    reduced = here[row] & without
                    on_left[row] = here[row] if goes_left else reduced
                    on_right[row] = reduced if goes_left else here[row]
            for number in range(leaf, leaf_end):
                players = trees.leaf_player[trees.leaf_player_start[number] : trees.leaf_player_start[number + 1]]
                depth = len(players)
                full, start = (1 << depth) - 1, trees.table_start[number]
                sets = met_at_leaf[number - leaf]
                for row in range(size):
                    line = start + (np.int64(sets[row]) & full) * depth
                    for slot in range(depth):
                        contributions[begin + row, players[slot]] += trees.table[line + slot]
