"""Writes tree ensembles as ONNX, without the traps that stock exporters leave in.

Base values are added to the leaves of one tree, since onnxruntime 1.32 misreads them for two classes. Thresholds are
rounded down to 32 bits, which keeps every split for inputs that are 32-bit numbers themselves. A question about a set
of categories becomes a chain of "is it a? else, is it b?" whose answers yes lead to one child, because ai.onnx.ml 3 has
no sets; :mod:`models.tree_layout` reads such a chain as one question again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper

from models.conversion.source_trees import Leaf, Question, SourceEnsemble, SourceTree
from models.errors import UnsupportedModelError
from models.links import Link

INPUT = "rows"
_SCORES = "scores"
_CLASSIFIER_TRANSFORMS: Mapping[Link, str] = {"logistic": "LOGISTIC", "softmax": "SOFTMAX"}
_OPSETS = (helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3))


def ensemble_onnx(ensemble: SourceEnsemble) -> bytes:
    """Write an ensemble as an ONNX model of its own.

    Args:
        ensemble: Over the columns of one table.

    Returns:
        The model: input ``rows`` of shape (n, n_columns), output ``scores``, for classes also ``label``.

    Raises:
        UnsupportedModelError: If the link cannot be written.
    """
    nodes = ensemble_nodes(ensemble, INPUT)
    table = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, ensemble.n_columns])
    graph = helper.make_graph(nodes, "ensemble", [table], outputs_of(ensemble))
    return checked_bytes(helper.make_model(graph, opset_imports=_OPSETS, ir_version=8))


def ensemble_nodes(
    ensemble: SourceEnsemble, table: str, rounding: Literal["down", "nearest"] = "down"
) -> list[onnx.NodeProto]:
    """Write an ensemble as nodes.

    Args:
        ensemble: The ensemble.
        table: Name of the tensor that holds its columns.
        rounding: How thresholds become 32-bit numbers: ``down`` is right for columns that are 32-bit numbers
            themselves, ``nearest`` for columns that were computed in 64 bits and then rounded, so that a value on a
            threshold stays on it.

    Returns:
        The nodes, whose last makes ``scores``.
    """
    lists = _Lists(is_classifier=ensemble.link in _CLASSIFIER_TRANSFORMS, rounds_down=rounding == "down")
    waiting = dict(enumerate(ensemble.base_values))
    for tree in ensemble.trees:
        outputs = {output for node in tree if not isinstance(node, Question) for output, _ in node}
        lists.add(tree, {output: waiting.pop(output) for output in outputs & set(waiting)})
    for output, base in waiting.items():  # of outputs that no tree adds to
        lists.add((((output, 0.0),),), {output: base})
    n_outputs = len(ensemble.base_values)
    if lists.is_classifier:
        return [
            helper.make_node(
                "TreeEnsembleClassifier",
                [table],
                ["label", _SCORES],
                domain="ai.onnx.ml",
                post_transform=_CLASSIFIER_TRANSFORMS[ensemble.link],
                # A single column of weights means the second class, whatever its number.
                classlabels_int64s=list(range(max(2, n_outputs))),
                **lists.attributes,
            )
        ]
    if ensemble.link not in ("identity", "exp") or (ensemble.link == "exp" and n_outputs > 1):
        raise UnsupportedModelError(f"Trees whose scores follow by '{ensemble.link}' cannot be written as ONNX.")
    sums = _SCORES if ensemble.link == "identity" else "sums"
    attributes: dict[str, Any] = {"n_targets": n_outputs, "aggregate_function": "SUM", **lists.attributes}
    trees = helper.make_node("TreeEnsembleRegressor", [table], [sums], domain="ai.onnx.ml", **attributes)
    return [trees] if sums == _SCORES else [trees, helper.make_node("Exp", [sums], [_SCORES])]


def outputs_of(ensemble: SourceEnsemble) -> list[onnx.ValueInfoProto]:
    """Describe what :func:`ensemble_nodes` gives."""
    n_outputs = len(ensemble.base_values)
    if ensemble.link not in _CLASSIFIER_TRANSFORMS:
        return [helper.make_tensor_value_info(_SCORES, TensorProto.FLOAT, [None, n_outputs])]
    return [
        helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
        helper.make_tensor_value_info(_SCORES, TensorProto.FLOAT, [None, max(2, n_outputs)]),
    ]


def checked_bytes(model: onnx.ModelProto) -> bytes:
    """Check a graph against the standard and serialise it, the same bytes every time."""
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


@dataclass
class _Lists:
    """The node and leaf lists of an ensemble operator, filled tree by tree."""

    is_classifier: bool
    rounds_down: bool
    n_trees: int = 0
    nodes: dict[str, list[Any]] = field(default_factory=dict)
    leaves: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def attributes(self) -> dict[str, Any]:
        return {**self.nodes, **self.leaves}

    def add(self, tree: SourceTree, base_values: Mapping[int, float]) -> None:
        n_written = len(tree)
        for node_id, node in enumerate(tree):
            if not isinstance(node, Question):
                self._add_leaf(node_id, node, base_values)
            elif node.kind != "one_of":
                mode, threshold = _compared(node, rounds_down=self.rounds_down)
                self._add_node(node_id, mode, node.column, threshold, node.yes, node.no, node.missing_yes)
            elif not node.members:
                # Nobody is a member of nothing: a comparison that all values fail.
                self._add_node(node_id, "BRANCH_LT", node.column, -np.inf, node.yes, node.no, node.missing_yes)
            else:
                here = node_id
                for member in node.members[:-1]:
                    self._add_node(here, "BRANCH_EQ", node.column, member, node.yes, n_written, node.missing_yes)
                    here, n_written = n_written, n_written + 1
                self._add_node(here, "BRANCH_EQ", node.column, node.members[-1], node.yes, node.no, node.missing_yes)
        self.n_trees += 1

    def _add_leaf(self, node_id: int, leaf: Leaf, base_values: Mapping[int, float]) -> None:
        self._add_node(node_id, "LEAF", 0, 0.0, 0, 0, missing_yes=False)
        kind = "class" if self.is_classifier else "target"
        for output, value in leaf:
            weight = value + base_values.get(output, 0.0)
            self._append(
                self.leaves, kind, {"treeids": self.n_trees, "nodeids": node_id, "ids": output, "weights": weight}
            )

    def _add_node(  # noqa: PLR0917 - a line of a table
        self, node_id: int, mode: str, column: int, value: float, yes: int, no: int, missing_yes: bool
    ) -> None:
        described = {
            "treeids": self.n_trees,
            "nodeids": node_id,
            "featureids": column,
            "modes": mode,
            "values": float(value),
            "truenodeids": yes,
            "falsenodeids": no,
            "missing_value_tracks_true": int(missing_yes),
        }
        self._append(self.nodes, "nodes", described)

    @staticmethod
    def _append(lists: dict[str, list[Any]], prefix: str, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            lists.setdefault(f"{prefix}_{name}", []).append(value)


def _compared(question: Question, *, rounds_down: bool) -> tuple[str, float]:
    """Give the mode and 32-bit threshold that split 32-bit numbers as the 64-bit threshold does."""
    threshold = question.threshold
    with np.errstate(over="ignore"):
        rounded = np.float32(threshold)
    if float(rounded) == threshold or not rounds_down:
        return ("BRANCH_LEQ" if question.kind == "at_most" else "BRANCH_LT"), float(rounded)
    # Compared as Python floats: NumPy would compare a float32 with a float in 32 bits and see no difference.
    # A number that is not a 32-bit one is never met by an input, so "at most" and "below" are the same question.
    below = np.nextafter(rounded, np.float32(-np.inf)) if float(rounded) > threshold else rounded
    return "BRANCH_LEQ", float(below)
