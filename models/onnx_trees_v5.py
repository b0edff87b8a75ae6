"""Trees out of the operator TreeEnsemble of ai.onnx.ml 5, whose branches and leaves stand in lists of their own."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import numpy_helper

from models.errors import MalformedPackageError, UnsupportedModelError
from models.onnx_graph import floats_of
from models.onnx_outputs import Outputs
from models.tree import Tree
from models.tree_layout import Branch, ColumnsOfTrees, Node, lay_out

V5_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")
"""What branches ask, as version 3 calls it, in the order of version 5's numbers for them."""

_MEMBER = V5_MODES.index("BRANCH_MEMBER")


def read_trees_v5(
    attributes: Mapping[str, Any], outputs: Outputs, columns: ColumnsOfTrees, *, averaged: bool
) -> tuple[Tree, ...]:
    """Read the trees of an ensemble of version 5.

    Args:
        attributes: Of the node.
        outputs: What its weights mean.
        columns: Columns the trees compare; memberships are added to them.
        averaged: Whether leaves are averaged over the trees instead of summed.

    Returns:
        The trees, each in preorder.

    Raises:
        UnsupportedModelError: If a node asks something unknown.
        MalformedPackageError: If the lists contradict each other.
    """
    roots = [int(root) for root in attributes.get("tree_roots", [])]
    table = _NodeTable(attributes, outputs, len(roots) if averaged else 1)
    trees = tuple(
        lay_out(f"tree {number}", root, table.node_at, columns, outputs.n_outputs) for number, root in enumerate(roots)
    )
    if sum(int(np.count_nonzero(~tree.is_leaf)) for tree in trees) != table.n_branches:
        raise MalformedPackageError("The trees have nodes that no case can reach, or that belong to several trees.")
    return trees


def v5_modes_of(attributes: Mapping[str, Any]) -> list[int]:
    """Give the mode of every branch, as version 5 numbers them."""
    modes = attributes.get("nodes_modes")
    return [] if modes is None else np.asarray(numpy_helper.to_array(modes)).ravel().tolist()


class _NodeTable:
    """The lists of an ensemble, checked. A branch has its position as key, a leaf ~position."""

    def __init__(self, attributes: Mapping[str, Any], outputs: Outputs, divisor: int) -> None:
        self._modes = v5_modes_of(attributes)
        self.n_branches = len(self._modes)
        if not all(0 <= mode < len(V5_MODES) for mode in self._modes):
            raise UnsupportedModelError(f"Trees with nodes of the kind {max(self._modes)} are not yet read.")
        self._splits = floats_of(attributes, "nodes_splits").tolist()
        names = ("featureids", "truenodeids", "trueleafs", "falsenodeids", "falseleafs")
        lists = {name: list(attributes.get(f"nodes_{name}", [])) for name in names}
        self._missing_true = list(attributes.get("nodes_missing_value_tracks_true", [])) or [0] * self.n_branches
        lengths = {len(self._splits), len(self._missing_true), *(len(values) for values in lists.values())}
        if lengths != {self.n_branches}:
            raise MalformedPackageError("The lists of the trees' nodes do not have the same length.")
        self._features = lists["featureids"]
        self._true = _keys(lists["truenodeids"], lists["trueleafs"])
        self._false = _keys(lists["falsenodeids"], lists["falseleafs"])
        self._members = _members(self._modes, floats_of(attributes, "membership_values").tolist())
        targets, weights = list(attributes.get("leaf_targetids", [])), floats_of(attributes, "leaf_weights")
        if len(targets) != len(weights) or not all(0 <= t < len(outputs.weights_to_outputs) for t in targets):
            raise MalformedPackageError("A leaf belongs to a target that the model does not have.")
        self._leaves = weights.astype(np.float64)[:, np.newaxis] * outputs.weights_to_outputs[targets] / divisor

    def node_at(self, key: int) -> Node:
        """Give the node of a key."""
        if not -len(self._leaves) <= key < self.n_branches:
            raise MalformedPackageError("A tree leads to a node that does not exist.")
        if key < 0:
            leaf: Node = self._leaves[~key]
            return leaf
        mode = self._modes[key]
        return Branch(
            mode=V5_MODES[mode],
            column=self._features[key],
            values=self._members[key] if mode == _MEMBER else (self._splits[key],),
            yes=self._true[key],
            no=self._false[key],
            missing_yes=bool(self._missing_true[key]),
        )


def _keys(positions: list[int], are_leaves: list[int]) -> list[int]:
    if any(position < 0 for position in positions):
        raise MalformedPackageError("A tree leads to a node that does not exist.")
    return [~position if leaf else position for position, leaf in zip(positions, are_leaves, strict=True)]


def _members(modes: list[int], values: list[float]) -> dict[int, tuple[float, ...]]:
    """Cut the values of all sets at the NaN behind each of them, and give each set to its node."""
    sets: list[tuple[float, ...]] = []
    current: list[float] = []
    for value in values:
        if np.isnan(value):
            sets.append(tuple(current))
            current = []
        else:
            current.append(value)
    nodes = [index for index, mode in enumerate(modes) if mode == _MEMBER]
    if current or len(sets) != len(nodes):
        raise MalformedPackageError("The sets of the trees' nodes are not as many as the nodes that ask about sets.")
    return dict(zip(nodes, sets, strict=True))
