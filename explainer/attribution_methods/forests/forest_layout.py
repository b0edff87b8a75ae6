"""A forest as arrays of inner nodes and leaves in preorder, with what is known about each path: what kernels walk."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from models.forest import Forest
from models.tree import NO_CHILD

Positions = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ForestLayout:
    """Inner nodes and leaves of all trees, numbered apart, each in preorder and tree by tree.

    Players are what contributions are given to. On every path its distinct players are numbered from the root; this
    number is the slot, so that a set of players of one path fits into one word.

    Attributes:
        feature: Shape (n_inner,), column that is compared.
        threshold: Shape (n_inner,), float32; values up to it go left.
        missing_left: Shape (n_inner,), whether missing values go left.
        child: Shape (2 * n_inner,), left and right child of each: an inner node, or ``~leaf`` (negative) for a leaf.
        player: Shape (n_inner,), player of the column.
        slot: Shape (n_inner,), number of that player on the path.
        recurs_below: Shape (n_inner,), whether a node below asks about the same player.
        asked_above: Shape (n_inner,), whether a node above asks about the same player.
        leaf_value: Shape (n_leaves,), in the additive unit.
        leaf_players: Shape (n_leaves,), number of distinct players on the path.
        root: Shape (n_trees,), coded as ``child``; a tree can be one leaf.
        first_node: Shape (n_trees + 1,), inner nodes before each tree, and of all trees.
        n_players: Number of players.
        longest_path: Largest number of inner nodes on one path.
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    missing_left: NDArray[np.bool_]
    child: NDArray[np.int32]
    player: NDArray[np.int32]
    slot: NDArray[np.uint8]
    recurs_below: NDArray[np.bool_]
    asked_above: NDArray[np.bool_]
    leaf_value: NDArray[np.float64]
    leaf_players: Positions
    root: NDArray[np.int32]
    first_node: Positions
    n_players: int
    longest_path: int

    @classmethod
    def of(cls, forest: Forest, column_to_player: NDArray[np.integer] | None = None) -> "ForestLayout":
        """Lay out a forest.

        Args:
            forest: The trees.
            column_to_player: Shape (n_columns,), player of each column, from 0 without gaps. None if the raw features
                are the players: then columns made from one raw feature share a player.

        Returns:
            The layout.
        """
        players = forest.feature_of_column if column_to_player is None else column_to_player
        nodes = _Preorder.of(forest)
        inner = nodes.left != NO_CHILD
        number = np.where(inner, np.cumsum(inner) - 1, ~(np.cumsum(~inner) - 1)).astype(np.int32)
        player = np.where(inner, players[nodes.feature], -1).astype(np.int32)
        first, recurs_below = _first_node_of_same_player(player, nodes.parent)
        above = _players_above(first, nodes)
        return cls(
            feature=nodes.feature[inner],
            threshold=nodes.threshold[inner],
            missing_left=nodes.missing_left[inner],
            child=number[np.column_stack([nodes.left[inner], nodes.right[inner]])].ravel(),
            player=player[inner],
            slot=above[first[inner]].astype(np.uint8),
            recurs_below=recurs_below[inner],
            asked_above=(first != np.arange(len(first)))[inner],
            leaf_value=nodes.value[~inner],
            leaf_players=above[~inner],
            root=number[nodes.levels[0]],
            first_node=np.append((np.cumsum(inner) - inner)[nodes.levels[0]], np.count_nonzero(inner)),
            n_players=int(players.max(initial=-1)) + 1 if column_to_player is not None else forest.n_features,
            longest_path=len(nodes.levels) - 1,
        )

    def players_of_leaves(self) -> NDArray[np.int32]:
        """List the players of each leaf by slot, leaf behind leaf.

        Returns:
            Shape (sum of ``leaf_players``,).
        """
        n_inner, n_leaves = len(self.feature), len(self.leaf_value)
        inner_above, leaf_above = np.full(n_inner, -1), np.full(n_leaves, -1)
        parents = np.repeat(np.arange(n_inner), 2)
        inner_above[self.child[self.child >= 0]] = parents[self.child >= 0]
        leaf_above[~self.child[self.child < 0]] = parents[self.child < 0]
        first = np.cumsum(self.leaf_players) - self.leaf_players
        found = np.zeros(int(self.leaf_players.sum()), dtype=np.int32)
        leaves, node = np.arange(n_leaves), leaf_above
        while len(leaves):
            leaves, node = leaves[node >= 0], node[node >= 0]
            # Nodes that ask about the same player again have the same slot and write the same number.
            found[first[leaves] + self.slot[node]] = self.player[node]
            node = inner_above[node]
        return found

    @property
    def most_players(self) -> int:
        """Largest number of distinct players on one path."""
        return int(self.leaf_players.max())

    @property
    def memory_bytes(self) -> int:
        """Memory of all arrays."""
        arrays = (getattr(self, field.name) for field in fields(self))
        return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))


@dataclass(frozen=True, kw_only=True)
class _Preorder:
    """All nodes of all trees, parents before left subtrees before right subtrees.

    Attributes:
        left: Shape (n_nodes,), -1 at leaves.
        right: Shape (n_nodes,), -1 at leaves.
        parent: Shape (n_nodes,), -1 at roots.
        feature: Shape (n_nodes,).
        threshold: Shape (n_nodes,), float32.
        missing_left: Shape (n_nodes,).
        value: Shape (n_nodes,).
        levels: Nodes with the same number of nodes above them, roots first.
    """

    left: Positions
    right: Positions
    parent: Positions
    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    missing_left: NDArray[np.bool_]
    value: NDArray[np.float64]
    levels: list[Positions]

    @classmethod
    def of(cls, forest: Forest) -> "_Preorder":
        sizes = np.array([len(tree.left) for tree in forest.trees])
        roots = np.cumsum(sizes) - sizes
        offset = np.repeat(roots, sizes)
        left, right = (
            np.where(children == NO_CHILD, NO_CHILD, children + offset)
            for children in (
                np.concatenate([tree.left for tree in forest.trees]),
                np.concatenate([tree.right for tree in forest.trees]),
            )
        )
        levels = _levels(roots, left, right)
        position = _preorder_positions(levels, left, right)
        order = np.argsort(position)
        new_left, new_right = (
            np.where(children == NO_CHILD, NO_CHILD, position[children])[order] for children in (left, right)
        )
        inner = np.flatnonzero(new_left != NO_CHILD)
        parent = np.full(len(order), -1)
        parent[new_left[inner]] = inner
        parent[new_right[inner]] = inner
        return cls(
            left=new_left,
            right=new_right,
            parent=parent,
            feature=np.concatenate([tree.feature for tree in forest.trees])[order],
            threshold=np.concatenate([tree.threshold for tree in forest.trees])[order],
            missing_left=np.concatenate([tree.missing_left for tree in forest.trees])[order],
            value=np.concatenate([tree.value for tree in forest.trees])[order],
            levels=[position[level] for level in levels],
        )


def _levels(roots: Positions, left: Positions, right: Positions) -> list[Positions]:
    levels = [roots]
    while True:
        inner = levels[-1][left[levels[-1]] != NO_CHILD]
        if not len(inner):
            return levels
        levels.append(np.concatenate([left[inner], right[inner]]))


def _preorder_positions(levels: list[Positions], left: Positions, right: Positions) -> Positions:
    size = np.ones(len(left), dtype=np.int64)
    for level in reversed(levels):
        inner = level[left[level] != NO_CHILD]
        size[inner] += size[left[inner]] + size[right[inner]]
    position = np.zeros(len(left), dtype=np.int64)
    position[levels[0]] = np.cumsum(size[levels[0]]) - size[levels[0]]
    for level in levels:
        inner = level[left[level] != NO_CHILD]
        position[left[inner]] = position[inner] + 1
        position[right[inner]] = position[inner] + 1 + size[left[inner]]
    return position


def _first_node_of_same_player(player: NDArray[np.int32], parent: Positions) -> tuple[Positions, NDArray[np.bool_]]:
    """For each inner node the first node on its path with its player, and whether its player comes again below it."""
    nodes = np.flatnonzero(player >= 0)
    first = np.arange(len(player))
    recurs_below = np.zeros(len(player), dtype=np.bool_)
    ancestor = parent[nodes]
    while len(nodes):
        under = ancestor >= 0
        nodes, ancestor = nodes[under], ancestor[under]
        same = player[nodes] == player[ancestor]
        first[nodes[same]] = ancestor[same]
        recurs_below[ancestor[same]] = True
        ancestor = parent[ancestor]
    return first, recurs_below


def _players_above(first: Positions, nodes: _Preorder) -> Positions:
    """Number of distinct players on the path above each node."""
    is_new = (first == np.arange(len(first))) & (nodes.left != NO_CHILD)
    above = np.zeros(len(first), dtype=np.int64)
    for level in nodes.levels[1:]:
        parent = nodes.parent[level]
        above[level] = above[parent] + is_new[parent]
    return above
