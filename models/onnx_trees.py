"""Trees out of the flat lists of an ONNX tree ensemble: TreeEnsembleClassifier and TreeEnsembleRegressor."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import MalformedPackageError, UnsupportedModelError
from models.onnx_graph import ScoringGraph, floats_of
from models.onnx_outputs import Outputs, weight_columns_of
from models.onnx_trees_v5 import V5_MODES, read_trees_v5, v5_modes_of
from models.tree import Tree
from models.tree_layout import Branch, ColumnsOfTrees, Node, lay_out

_VERSION_5_AVERAGE, _VERSION_5_SUM = 0, 1
_WITHOUT_ANSWER = {"BRANCH_LEQ", "BRANCH_LT", "LEAF"}


def read_trees(graph: ScoringGraph, outputs: Outputs, columns: ColumnsOfTrees) -> tuple[Tree, ...]:
    """Read the trees of an ensemble.

    Args:
        graph: The graph that holds it.
        outputs: What its weights mean.
        columns: Columns the trees compare; memberships are added to them.

    Returns:
        The trees, each in preorder; leaves add to each output.

    Raises:
        UnsupportedModelError: If the ensemble is of a kind that is not yet read.
        MalformedPackageError: If its lists contradict each other.
    """
    stored = graph.attributes.get("aggregate_function", _VERSION_5_SUM if graph.is_version_5 else b"SUM")
    if stored not in (b"SUM", b"AVERAGE", _VERSION_5_SUM, _VERSION_5_AVERAGE):
        raise UnsupportedModelError("Only trees whose leaves are summed or averaged are read, not compared.")
    averaged = stored in (b"AVERAGE", _VERSION_5_AVERAGE)
    if graph.is_version_5:
        return read_trees_v5(graph.attributes, outputs, columns, averaged=averaged)
    nodes = _NodeTable(graph.attributes)
    leaves = _Leaves(graph, outputs, len(nodes.tree_ids) if averaged else 1)
    return tuple(nodes.tree(tree_id, leaves, columns) for tree_id in nodes.tree_ids)


def says_where_missing_goes(graph: ScoringGraph) -> bool:
    """Say whether the nodes of an ensemble carry anything about missing values.

    Without a mark a missing value fails every comparison. Where nodes ask "more than?" that is an answer, because it
    then counts as smaller than all others (CatBoost); nodes that ask "at most?" or "less than?" and carry no mark at
    all have forgotten missing values, or were made by training without any.

    Args:
        graph: The graph that holds it.

    Returns:
        True if they do.
    """
    attributes = graph.attributes
    if graph.is_version_5:
        modes = {V5_MODES[mode] for mode in v5_modes_of(attributes)}
    else:
        modes = {bytes(mode).decode("ascii", "replace") for mode in attributes.get("nodes_modes", [])}
    return any(attributes.get("nodes_missing_value_tracks_true", [])) or not modes <= _WITHOUT_ANSWER


class _Leaves:
    """What each leaf adds to each output."""

    def __init__(self, graph: ScoringGraph, outputs: Outputs, divisor: int) -> None:
        attributes = graph.attributes
        prefix = "class" if graph.is_classifier else "target"
        tree_ids, node_ids = (list(attributes.get(f"{prefix}_{what}", [])) for what in ("treeids", "nodeids"))
        columns = weight_columns_of(attributes, is_classifier=graph.is_classifier)
        weights = floats_of(attributes, f"{prefix}_weights")
        if not len(tree_ids) == len(node_ids) == len(columns) == len(weights):
            raise MalformedPackageError("The lists of the trees' leaves do not have the same length.")
        if not all(0 <= column < len(outputs.columns_to_outputs) for column in columns):
            raise MalformedPackageError("A leaf belongs to a class that the model does not have.")
        shares = outputs.weights_to_outputs / divisor
        self.nothing = np.zeros(outputs.n_outputs)
        self._added: dict[tuple[int, int], NDArray[np.float64]] = {}
        seen = set()
        for tree_id, node_id, column, weight in zip(tree_ids, node_ids, columns, weights.tolist(), strict=True):
            if (tree_id, node_id, column) in seen:
                raise MalformedPackageError(f"Leaf {node_id} of tree {tree_id} is listed twice.")
            seen.add((tree_id, node_id, column))
            added = weight * shares[column]
            before = self._added.get((tree_id, node_id))
            self._added[tree_id, node_id] = added if before is None else before + added

    def of(self, tree_id: int, node_id: int) -> NDArray[np.float64]:
        """What one leaf adds, shape (n_outputs,); nothing if the file does not say."""
        return self._added.get((tree_id, node_id), self.nothing)


class _NodeTable:
    """The node lists of an ensemble, checked, and cut into trees."""

    def __init__(self, attributes: Mapping[str, Any]) -> None:
        self._modes = [bytes(mode).decode("ascii", "replace") for mode in attributes.get("nodes_modes", [])]
        count = len(self._modes)
        names = ("treeids", "nodeids", "featureids", "truenodeids", "falsenodeids")
        lists = {name: list(attributes.get(f"nodes_{name}", [])) for name in names}
        self._thresholds = floats_of(attributes, "nodes_values").tolist()
        self._missing_true = list(attributes.get("nodes_missing_value_tracks_true", [])) or [0] * count
        if {count} != {len(self._thresholds), len(self._missing_true), *(len(values) for values in lists.values())}:
            raise MalformedPackageError("The lists of the trees' nodes do not have the same length.")
        self._node_ids, self._features = lists["nodeids"], lists["featureids"]
        self._true, self._false = lists["truenodeids"], lists["falsenodeids"]
        self._members: dict[int, dict[int, int]] = {}
        for index, (tree_id, node_id) in enumerate(zip(lists["treeids"], self._node_ids, strict=True)):
            if self._members.setdefault(tree_id, {}).setdefault(node_id, index) != index:
                raise MalformedPackageError(f"Node {node_id} of tree {tree_id} is listed twice.")

    @property
    def tree_ids(self) -> list[int]:
        """Ids of the trees in the order they are listed."""
        return list(self._members)

    def tree(self, tree_id: int, leaves: _Leaves, columns: ColumnsOfTrees) -> Tree:
        """Cut out one tree, from the node listed first, which is the root."""
        members = self._members[tree_id]
        visited: set[int] = set()

        def node_at(node_id: int) -> Node:
            index = members.get(node_id)
            if index is None:
                raise MalformedPackageError(f"Tree {tree_id} leads to a node that does not exist.")
            if index in visited:
                raise MalformedPackageError(f"The nodes of tree {tree_id} do not form a tree.")
            visited.add(index)
            if self._modes[index] == "LEAF":
                return leaves.of(tree_id, node_id)
            return Branch(
                mode=self._modes[index],
                column=self._features[index],
                values=(self._thresholds[index],),
                yes=self._true[index],
                no=self._false[index],
                missing_yes=bool(self._missing_true[index]),
            )

        root = next(iter(members))
        tree = lay_out(f"tree {tree_id}", root, node_at, columns, len(leaves.nothing))
        if len(visited) != len(members):
            raise MalformedPackageError(f"Tree {tree_id} has nodes that no case can reach.")
        return tree
