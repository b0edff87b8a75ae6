"""Small forests made by hand, in our own arrays, as ONNX and as the dictionaries shap reads."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from models.encoding import Encoding
from models.forest import Forest
from models.tree import Tree


@dataclass(frozen=True)
class Split:
    """Values up to the threshold go left, others right."""

    feature: int
    threshold: float
    left: "Split | float"
    right: "Split | float"
    missing_left: bool = False


def tree(root: "Split | float") -> Tree:
    """Lay out a nested tree as arrays, in preorder."""
    left: list[int] = []
    right: list[int] = []
    feature: list[int] = []
    threshold: list[float] = []
    missing_left: list[bool] = []
    value: list[float] = []

    def add(node: Split | float) -> int:
        position = len(left)
        left.append(-1)
        right.append(-1)
        feature.append(node.feature if isinstance(node, Split) else 0)
        threshold.append(node.threshold if isinstance(node, Split) else 0.0)
        missing_left.append(isinstance(node, Split) and node.missing_left)
        value.append(0.0 if isinstance(node, Split) else float(node))
        if isinstance(node, Split):
            left[position] = add(node.left)
            right[position] = add(node.right)
        return position

    add(root)
    return Tree(
        left=np.array(left, dtype=np.int32),
        right=np.array(right, dtype=np.int32),
        feature=np.array(feature, dtype=np.int32),
        threshold=np.array(threshold, dtype=np.float32),
        missing_left=np.array(missing_left, dtype=np.bool_),
        value=np.array(value, dtype=np.float64),
    )


def forest(*roots: "Split | float", n_features: int, base_value: float = 0.0) -> Forest:
    """Make a forest of nested trees."""
    return Forest(base_value=base_value, trees=tuple(tree(root) for root in roots), n_features=n_features)


def random_forest(generator: np.random.Generator, *, n_features: int, n_trees: int, depth: int) -> Forest:
    """Make a forest of random trees; thresholds lie on a coarse grid so that rows meet them exactly."""

    def node(levels: int) -> Split | float:
        if levels == 0 or (levels < depth and generator.random() < 0.15):
            return float(np.float32(generator.normal()))
        return Split(
            feature=int(generator.integers(n_features)),
            threshold=float(generator.integers(-4, 5)) / 4,
            left=node(levels - 1),
            right=node(levels - 1),
            missing_left=bool(generator.random() < 0.5),
        )

    roots = [node(depth) for _ in range(n_trees)]
    return forest(*roots, n_features=n_features, base_value=float(generator.normal()))


OWNERS = np.array([0, 1, 1, 2, 0, 2, 2], dtype=np.int32)
"""The raw feature of each column of :func:`behind_preprocessing`."""


class ShiftedCopies:
    """Each column is its feature, shifted by the column's number: a coarse kind of preprocessing."""

    def encode(self, rows: NDArray[np.float64]) -> NDArray[np.float32]:
        return (rows[:, OWNERS] + np.arange(len(OWNERS)) / 4 - 0.75).astype(np.float32)


def behind_preprocessing(plain: Forest) -> Forest:
    """Let the seven features of a forest be columns made from three raw features."""
    encoding = Encoding(n_features=3, feature_of_column=OWNERS, preprocessing=ShiftedCopies())
    return Forest(base_value=plain.base_value, trees=plain.trees, n_features=3, encoding=encoding)


def random_rows(
    generator: np.random.Generator, n_rows: int, n_features: int, *, missing: float = 0.0
) -> NDArray[np.float64]:
    """Make rows, some of whose values meet thresholds of :func:`random_forest` exactly and some are missing."""
    rows = np.round(generator.normal(size=(n_rows, n_features)) * 8) / 8
    rows[generator.random(rows.shape) < missing] = np.nan
    return rows


def as_onnx(source: Forest) -> bytes:
    """Write a forest without base value as a two-class ONNX classifier with a logistic score."""
    if source.base_value:
        raise ValueError("onnxruntime 1.32 misreads base values of two-class models")
    nodes: dict[str, list[Any]] = {
        name: []
        for name in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids", "missing")
    }
    leaves: dict[str, list[Any]] = {"treeids": [], "nodeids": [], "ids": [], "weights": []}
    for number, one in enumerate(source.trees):
        for node in range(len(one.left)):
            is_leaf = bool(one.is_leaf[node])
            nodes["treeids"].append(number)
            nodes["nodeids"].append(node)
            nodes["featureids"].append(int(one.feature[node]))
            nodes["modes"].append("LEAF" if is_leaf else "BRANCH_LEQ")
            nodes["values"].append(float(one.threshold[node]))
            nodes["truenodeids"].append(0 if is_leaf else int(one.left[node]))
            nodes["falsenodeids"].append(0 if is_leaf else int(one.right[node]))
            nodes["missing"].append(int(one.missing_left[node]))
            if is_leaf:
                leaves["treeids"].append(number)
                leaves["nodeids"].append(node)
                leaves["ids"].append(0)
                leaves["weights"].append(float(one.value[node]))
    missing = nodes.pop("missing")
    ensemble = helper.make_node(
        "TreeEnsembleClassifier",
        ["rows"],
        ["label", "scores"],
        domain="ai.onnx.ml",
        post_transform="LOGISTIC",
        classlabels_int64s=[0, 1],
        nodes_missing_value_tracks_true=missing,
        **{f"nodes_{name}": values for name, values in nodes.items()},
        **{f"class_{name}": values for name, values in leaves.items()},
    )
    graph = helper.make_graph(
        [ensemble],
        "forest",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, source.n_features])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, 2]),
        ],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    content: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    return content


def as_shap_dictionary(source: Forest) -> dict[str, Any]:
    """Write a forest as shap's tree explainer reads it."""
    return {
        "trees": [
            {
                "children_left": one.left,
                "children_right": one.right,
                "children_default": np.where(one.is_leaf, -1, np.where(one.missing_left, one.left, one.right)),
                "features": np.where(one.is_leaf, -2, one.feature),
                "thresholds": one.threshold.astype(np.float64),
                "values": one.value[:, np.newaxis],
                "node_sample_weight": np.ones(len(one.left)),
            }
            for one in source.trees
        ],
        "internal_dtype": np.float64,
        "input_dtype": np.float32,
        "base_offset": np.array([source.base_value]),
    }
