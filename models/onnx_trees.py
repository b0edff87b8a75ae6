"""Trees out of the flat lists of an ONNX tree ensemble (ai.onnx.ml operators of versions 1 to 3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.errors import MalformedPackageError, UnsupportedModelError
from models.onnx_graph import TreeGraph, floats_of
from models.tree import NO_CHILD, Tree

Link = Literal["logistic", "identity"]
"""How a score follows from the additive score."""

_LOWEST = np.float32(-np.inf)


def read_trees(graph: TreeGraph, raw_features: NDArray[np.int32]) -> tuple[Tree, ...]:
    """Read the trees of an ensemble.

    Args:
        graph: The graph that holds it.
        raw_features: For each column the trees read, which raw feature it is.

    Returns:
        The trees, each in preorder.

    Raises:
        UnsupportedModelError: If the ensemble is of a kind that is not yet read.
        MalformedPackageError: If its lists contradict each other.
    """
    if graph.attributes.get("aggregate_function", b"SUM") != b"SUM":
        raise UnsupportedModelError("Only trees whose leaves are summed are read, not averaged or compared.")
    leaves = _read_leaves(graph)
    nodes = _NodeTable(graph.attributes, raw_features)
    return tuple(nodes.tree(tree_id, leaves) for tree_id in nodes.tree_ids)


def read_link(graph: TreeGraph) -> Link:
    """Read how scores follow from additive scores.

    Args:
        graph: The graph.

    Returns:
        ``logistic`` or ``identity``.

    Raises:
        UnsupportedModelError: If it is neither.
    """
    post_transform = bytes(graph.attributes.get("post_transform", b"NONE")).decode("ascii", "replace")
    if post_transform == "NONE":
        return "identity"
    if post_transform == "LOGISTIC" and graph.is_classifier:
        return "logistic"
    kind = "classifiers" if graph.is_classifier else "regressors"
    raise UnsupportedModelError(f"Tree {kind} with the post transform {post_transform[:40]} are not yet read.")


def _read_leaves(graph: TreeGraph) -> dict[tuple[int, int], float]:
    """Read what each leaf adds for the class whose probability is the score, by (tree id, node id)."""
    attributes = graph.attributes
    prefix = "class" if graph.is_classifier else "target"
    tree_ids, node_ids, columns = (
        list(attributes.get(f"{prefix}_{what}", [])) for what in ("treeids", "nodeids", "ids")
    )
    weights = floats_of(attributes, f"{prefix}_weights")
    if not len(tree_ids) == len(node_ids) == len(columns) == len(weights):
        raise MalformedPackageError("The lists of the trees' leaves do not have the same length.")
    if graph.is_classifier:
        labels = attributes.get("classlabels_int64s") or attributes.get("classlabels_strings") or []
        if len(labels) != 2:  # noqa: PLR2004 - two classes
            raise UnsupportedModelError(f"Classifiers with {len(labels)} classes are not yet read, only with 2.")
    elif attributes.get("n_targets", 1) != 1:
        raise UnsupportedModelError("Regressors with several targets are not yet read.")
    if not set(columns) <= {0, 1}:
        raise MalformedPackageError("A leaf belongs to a class that the model does not have.")
    # One weight column, whatever its number, is the second class; of two columns the second one is.
    wanted = max(columns, default=0)
    leaves: dict[tuple[int, int], float] = {}
    for tree_id, node_id, column, weight in zip(tree_ids, node_ids, columns, weights, strict=True):
        if column == wanted:
            if (tree_id, node_id) in leaves:
                raise MalformedPackageError(f"Leaf {node_id} of tree {tree_id} is listed twice.")
            leaves[tree_id, node_id] = float(weight)
    return leaves


class _NodeTable:
    """The node lists of an ensemble, checked, and cut into trees."""

    def __init__(self, attributes: Mapping[str, Any], raw_features: NDArray[np.int32]) -> None:
        self._modes = [bytes(mode).decode("ascii", "replace") for mode in attributes.get("nodes_modes", [])]
        count = len(self._modes)
        names = ("treeids", "nodeids", "featureids", "truenodeids", "falsenodeids")
        lists = {name: np.asarray(attributes.get(f"nodes_{name}", []), dtype=np.int64) for name in names}
        self._thresholds = floats_of(attributes, "nodes_values")
        tracks = np.asarray(attributes.get("nodes_missing_value_tracks_true", []), dtype=np.int64)
        self._missing_true = tracks if len(tracks) else np.zeros(count, dtype=np.int64)
        if {count} != {len(self._thresholds), len(self._missing_true), *(len(values) for values in lists.values())}:
            raise MalformedPackageError("The lists of the trees' nodes do not have the same length.")
        self._tree_ids, self._node_ids = lists["treeids"], lists["nodeids"]
        self._features, self._raw_features = lists["featureids"], raw_features
        self._true, self._false = lists["truenodeids"], lists["falsenodeids"]
        self._members: dict[int, dict[int, int]] = {}
        for index, (tree_id, node_id) in enumerate(zip(self._tree_ids.tolist(), self._node_ids.tolist(), strict=True)):
            if self._members.setdefault(tree_id, {}).setdefault(node_id, index) != index:
                raise MalformedPackageError(f"Node {node_id} of tree {tree_id} is listed twice.")

    @property
    def tree_ids(self) -> list[int]:
        """Ids of the trees in the order they are listed."""
        return list(self._members)

    def tree(self, tree_id: int, leaves: dict[tuple[int, int], float]) -> Tree:
        """Cut out one tree, its nodes in preorder from the node listed first, which is the root."""
        members = self._members[tree_id]
        left: list[int] = []
        right: list[int] = []
        feature, threshold, missing_left, value = [], [], [], []
        seen: set[int] = set()
        waiting: list[tuple[int, int, bool]] = [(next(iter(members.values())), NO_CHILD, False)]
        while waiting:
            index, parent, is_left = waiting.pop()
            position = len(left)
            if index in seen:
                raise MalformedPackageError(f"The nodes of tree {tree_id} do not form a tree.")
            seen.add(index)
            if parent != NO_CHILD:
                (left if is_left else right)[parent] = position
            split = self._split(index)
            left.append(NO_CHILD)
            right.append(NO_CHILD)
            feature.append(0 if split is None else split.feature)
            threshold.append(np.float32(0) if split is None else split.threshold)
            missing_left.append(split is not None and split.missing_left)
            value.append(leaves.get((tree_id, int(self._node_ids[index])), 0.0) if split is None else 0.0)
            if split is not None:
                for child, goes_left in ((split.right, False), (split.left, True)):
                    if child not in members:
                        raise MalformedPackageError(f"Tree {tree_id} leads to a node that does not exist.")
                    waiting.append((members[child], position, goes_left))
        if len(left) != len(members):
            raise MalformedPackageError(f"Tree {tree_id} has nodes that no case can reach.")
        return Tree(
            left=np.array(left, dtype=np.int32),
            right=np.array(right, dtype=np.int32),
            feature=np.array(feature, dtype=np.int32),
            threshold=np.array(threshold, dtype=np.float32),
            missing_left=np.array(missing_left, dtype=np.bool_),
            value=np.array(value, dtype=np.float64),
        )

    def _split(self, index: int) -> "_Split | None":
        """Turn one node into "left where value <= threshold"; None for a leaf."""
        mode = self._modes[index]
        if mode == "LEAF":
            return None
        if mode not in ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"):
            raise UnsupportedModelError(f"Trees with nodes of the kind {mode[:40]} are not yet read.")
        if not 0 <= self._features[index] < len(self._raw_features):
            raise MalformedPackageError("A tree reads a column that the model does not have.")
        threshold = np.float32(self._thresholds[index])
        if mode in ("BRANCH_LT", "BRANCH_GTE"):
            # x < t holds for the same 32-bit numbers as x <= the number just below t.
            threshold = np.nextafter(threshold, _LOWEST)
        true_is_left = mode in ("BRANCH_LEQ", "BRANCH_LT")
        true, false = int(self._true[index]), int(self._false[index])
        # A missing value fails every comparison, so without its mark it follows the false branch.
        return _Split(
            feature=int(self._raw_features[self._features[index]]),
            threshold=threshold,
            left=true if true_is_left else false,
            right=false if true_is_left else true,
            missing_left=bool(self._missing_true[index]) == true_is_left,
        )


@dataclass(frozen=True)
class _Split:
    feature: int
    threshold: np.float32
    left: int
    right: int
    missing_left: bool
