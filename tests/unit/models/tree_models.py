"""Small tree models as ONNX bytes, and small packages around them, for the tests of ``models``."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onnx import TensorProto, helper

from models.catalogue import bundled_packages_folder

WOHNGELD = bundled_packages_folder() / "wohngeld"


@dataclass(frozen=True)
class Leaf:
    """A leaf: one weight, or one for each class or target."""

    weights: tuple[float, ...]


@dataclass(frozen=True)
class Split:
    """An inner node; ``yes`` is followed where the comparison holds."""

    feature: int
    mode: str
    threshold: float
    yes: "Split | Leaf"
    no: "Split | Leaf"
    missing_yes: bool = False
    members: tuple[float, ...] = ()


@dataclass(frozen=True)
class Ensemble:
    """What an ONNX tree ensemble says."""

    trees: tuple[Split | Leaf, ...]
    n_features: int = 1
    classifier: bool = True
    post_transform: str = "LOGISTIC"
    single_class_id: int = 0
    base_values: tuple[float, ...] = ()
    named_inputs: tuple[str, ...] = ()
    input_type: int = TensorProto.FLOAT
    n_outputs: int = 0
    average: bool = False
    sigmoid: bool = False
    changes: dict[str, Any] = field(default_factory=dict)
    missing_tracks: bool = True

    def to_onnx(self) -> bytes:
        """Write it as ONNX."""
        attributes = self._attributes()
        if self.base_values:
            attributes["base_values"] = list(self.base_values)
        attributes |= self.changes
        kind = "Classifier" if self.classifier else "Regressor"
        outputs = ["label", "scores"] if self.classifier else ["scores"]
        before, inputs, tensor = self._inputs()
        node = helper.make_node(f"TreeEnsemble{kind}", [tensor], outputs, domain="ai.onnx.ml", **attributes)
        values = [
            helper.make_tensor_value_info(
                "scores", TensorProto.FLOAT, [None, self.n_outputs or (2 if self.classifier else 1)]
            )
        ]
        if self.classifier:
            values.insert(0, helper.make_tensor_value_info("label", TensorProto.INT64, [None]))
        graph = helper.make_graph([*before, node], "forest", inputs, values)
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()

    def _inputs(self) -> tuple[list[Any], list[Any], str]:
        if not self.named_inputs:
            return [], [helper.make_tensor_value_info("rows", self.input_type, [None, self.n_features])], "rows"
        inputs = [helper.make_tensor_value_info(name, self.input_type, [None, 1]) for name in self.named_inputs]
        casts = [
            helper.make_node("Cast", [name], [f"{name}_float"], to=TensorProto.FLOAT) for name in self.named_inputs
        ]
        concat = helper.make_node("Concat", [f"{name}_float" for name in self.named_inputs], ["table"], axis=1)
        return [*casts, concat], inputs, "table"

    def _attributes(self) -> dict[str, Any]:
        names = ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")
        nodes: dict[str, list[Any]] = {f"nodes_{name}": [] for name in names}
        tracks: list[int] = []
        prefix = "class" if self.classifier else "target"
        leaves: dict[str, list[Any]] = {f"{prefix}_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")}

        def add(tree_id: int, node: Split | Leaf) -> int:
            node_id = nodes["nodes_treeids"].count(tree_id)
            is_leaf = isinstance(node, Leaf)
            described = (tree_id, node_id, 0, "LEAF", 0.0, 0, 0) if is_leaf else None
            if isinstance(node, Split):
                described = (tree_id, node_id, node.feature, node.mode, node.threshold, 0, 0)
            for values, value in zip(nodes.values(), described, strict=True):
                values.append(value)
            position = len(tracks)
            tracks.append(int(isinstance(node, Split) and node.missing_yes))
            if isinstance(node, Split):
                nodes["nodes_truenodeids"][position] = add(tree_id, node.yes)
                nodes["nodes_falsenodeids"][position] = add(tree_id, node.no)
                return node_id
            for column, weight in enumerate(node.weights):
                class_id = column if len(node.weights) > 1 or not self.classifier else self.single_class_id
                for values, value in zip(leaves.values(), (tree_id, node_id, class_id, weight), strict=True):
                    values.append(value)
            return node_id

        for tree_id, tree in enumerate(self.trees):
            add(tree_id, tree)
        attributes: dict[str, Any] = {**nodes, **leaves, "post_transform": self.post_transform}
        if self.missing_tracks:
            attributes["nodes_missing_value_tracks_true"] = tracks
        if self.classifier:
            attributes["classlabels_int64s"] = list(range(self.n_outputs or 2))
        else:
            attributes |= {"n_targets": self.n_outputs or 1, "aggregate_function": "AVERAGE" if self.average else "SUM"}
        return attributes


TRANSFORMS_5 = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
MODES_5 = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")


def to_onnx_5(ensemble: Ensemble, **changes: Any) -> bytes:
    """Write an ensemble, whose trees have at least one split, as the operator TreeEnsemble of ai.onnx.ml 5."""
    names = ("modes", "splits", "featureids", "truenodeids", "trueleafs", "falsenodeids", "falseleafs", "tracks")
    nodes: dict[str, list[Any]] = {name: [] for name in names}
    weights: list[float] = []
    targets: list[int] = []
    members: dict[int, tuple[float, ...]] = {}

    def add(node: Split | Leaf) -> tuple[int, int]:
        if isinstance(node, Leaf):
            # One leaf holds one target here; several targets take turns over the leaves.
            (weight,) = node.weights
            weights.append(weight)
            targets.append((len(weights) - 1) % max(1, ensemble.n_outputs))
            return len(weights) - 1, 1
        position = len(nodes["modes"])
        if node.members:
            members[position] = node.members
        described = (MODES_5.index(node.mode), node.threshold, node.feature, 0, 0, 0, 0, int(node.missing_yes))
        for values, value in zip(nodes.values(), described, strict=True):
            values.append(value)
        for side, child in (("true", node.yes), ("false", node.no)):
            nodes[f"{side}nodeids"][position], nodes[f"{side}leafs"][position] = add(child)
        return position, 0

    roots = [add(tree)[0] for tree in ensemble.trees]

    def floats(values: list[float]) -> Any:
        return helper.make_tensor("values", TensorProto.FLOAT, [len(values)], values)

    attributes: dict[str, Any] = {
        "nodes_modes": helper.make_tensor("modes", TensorProto.UINT8, [len(nodes["modes"])], nodes["modes"]),
        "nodes_splits": floats(nodes["splits"]),
        **{f"nodes_{name}": nodes[name] for name in names[2:-1]},
        "nodes_missing_value_tracks_true": nodes["tracks"],
        "leaf_weights": floats(weights),
        "leaf_targetids": targets,
        "tree_roots": roots,
        "n_targets": max(1, ensemble.n_outputs),
        "post_transform": TRANSFORMS_5.index(ensemble.post_transform),
        "aggregate_function": 0 if ensemble.average else 1,
    }
    if members:
        listed = [value for _, values in sorted(members.items()) for value in (*values, float("nan"))]
        attributes["membership_values"] = floats(listed)
    output = "sums" if ensemble.sigmoid else "scores"
    ensemble_node = helper.make_node("TreeEnsemble", ["rows"], [output], domain="ai.onnx.ml", **(attributes | changes))
    sigmoid = [helper.make_node("Sigmoid", ["sums"], ["scores"])] if ensemble.sigmoid else []
    graph = helper.make_graph(
        [ensemble_node, *sigmoid],
        "forest",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, ensemble.n_features])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, max(1, ensemble.n_outputs)])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 5)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


STUMP = Split(feature=0, mode="BRANCH_LEQ", threshold=0.5, yes=Leaf((0.3,)), no=Leaf((-0.2,)))
"""Adds 0.3 up to 0.5 and -0.2 above."""


def copy_of_wohngeld(parent: Path, name: str = "wohngeld") -> Path:
    """Copy the bundled package without its training material, to be broken on purpose."""
    return Path(shutil.copytree(WOHNGELD, parent / name, ignore=shutil.ignore_patterns("data", "__pycache__", "*.py")))
