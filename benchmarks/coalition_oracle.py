"""Shapley values by their definition: what our own computation is held against.

Nothing of ``models`` or ``explainer`` is used here, so that an error of our reader or methods cannot hide. The scores
come either from onnxruntime, which adds leaves up in 32 bits, so that differences of that size are its own; or from a
plain walk through the file's node lists that adds up in 64 bits, behind the file's own preprocessing.
"""

from collections.abc import Callable, Mapping
from itertools import combinations
from math import factorial
from typing import Any, Protocol

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

Numbers = NDArray[np.float64]

_CHUNK_ROWS = 65_536
_COMPARISONS: Mapping[str, Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.bool_]]] = {
    "BRANCH_LEQ": np.less_equal,
    "BRANCH_LT": np.less,
    "BRANCH_GTE": np.greater_equal,
    "BRANCH_GT": np.greater,
    "BRANCH_EQ": np.equal,
}
_TWO = 2


class AdditiveScores(Protocol):
    """Something that gives the additive scores of raw rows, (n_rows, n_features), as (n_rows, n_outputs)."""

    def __call__(self, rows: Numbers, /) -> Numbers:
        """Score rows."""
        ...


def shapley_values(score: AdditiveScores, row: Numbers, background: Numbers) -> Numbers:
    """Give the Shapley values of one row by asking about every coalition.

    What a coalition is worth is the mean additive score of the background rows after its features have been set to the
    row's values. A feature's value is the mean, over all orders in which features can join, of what it adds (Shapley,
    "A value for n-person games", 1953).

    Args:
        score: The model.
        row: Shape (n_features,).
        background: Shape (m, n_features), equal weights.

    Returns:
        Shape (n_features, n_outputs), additive unit.
    """
    n_features = len(row)
    coalitions = [frozenset(c) for size in range(n_features + 1) for c in combinations(range(n_features), size)]
    mixed = np.repeat(background[np.newaxis], len(coalitions), axis=0)
    for place, coalition in enumerate(coalitions):
        members = sorted(coalition)
        mixed[place][:, members] = row[members]
    table = mixed.reshape(-1, n_features)
    chunks = [score(table[start : start + _CHUNK_ROWS]) for start in range(0, len(table), _CHUNK_ROWS)]
    means = np.concatenate(chunks).reshape(len(coalitions), len(background), -1).mean(axis=1)
    worth = dict(zip(coalitions, means, strict=True))
    values = np.zeros((n_features, means.shape[1]))
    for coalition in coalitions:
        size = len(coalition)
        for feature in set(range(n_features)) - coalition:
            share = factorial(size) * factorial(n_features - size - 1) / factorial(n_features)
            values[feature] += share * (worth[coalition | {feature}] - worth[coalition])
    return values


class _TreeModel:
    """What both ways of scoring have in common.

    Args:
        onnx_bytes: The model: one table, or named inputs that hold one feature each.
        category_counts: Shape (n_features,), number of categories ``c0``, ``c1`` … of each feature; 0 for numbers.
    """

    def __init__(self, onnx_bytes: bytes, category_counts: NDArray[np.int64]) -> None:
        self.model = onnx.load_model_from_string(onnx_bytes)
        self.node = next(node for node in self.model.graph.node if node.op_type.startswith("TreeEnsemble"))
        self.attributes = {one.name: helper.get_attribute_value(one) for one in self.node.attribute}
        self._inputs = [(i.name, i.type.tensor_type.elem_type == TensorProto.STRING) for i in self.model.graph.input]
        self._counts = category_counts
        labels = self.attributes.get("classlabels_int64s") or self.attributes.get("classlabels_strings") or []
        self.has_two_classes = len(labels) == _TWO
        self.n_columns = len(labels) or int(self.attributes.get("n_targets", 1))

    def feeds(self, rows: Numbers) -> dict[str, NDArray[Any]]:
        """Give raw rows as the graph's inputs."""
        if len(self._inputs) == 1:
            return {self._inputs[0][0]: rows.astype(np.float32)}
        feeds: dict[str, NDArray[Any]] = {}
        for place, (name, is_text) in enumerate(self._inputs):
            values = rows[:, place : place + 1]
            words = np.array([f"c{number}" for number in range(int(self._counts[place]))], dtype=object)
            feeds[name] = words[values.astype(np.int64)] if is_text else values.astype(np.float32)
        return feeds

    def part_up_to(self, tensor: str, nodes: list[NodeProto]) -> ort.InferenceSession:
        """Load a graph of these nodes that gives one tensor."""
        part = onnx.ModelProto()
        part.CopyFrom(self.model)
        del part.graph.node[:], part.graph.output[:], part.graph.value_info[:]
        part.graph.node.extend(nodes)
        part.graph.output.append(onnx.ValueInfoProto(name=tensor))
        options = ort.SessionOptions()
        options.log_severity_level = 3
        return ort.InferenceSession(part.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def outputs_of(self, columns: Numbers) -> Numbers:
        """Give additive scores out of one column for each class or target, or of the second of two classes."""
        if not self.has_two_classes or columns.shape[1] == 1:
            return columns
        if self.attributes.get("post_transform") == b"SOFTMAX":
            return columns[:, 1:] - columns[:, :1]  # what the logistic function of is the second class's share
        return columns[:, 1:]

    def factor_behind(self) -> float:
        """Give the constant by which the graph multiplies what the trees give."""
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in self.model.graph.initializer}
        end, factor = self.node.output[-1], 1.0
        for node in self.model.graph.node:
            if end not in node.input or node.op_type not in ("Identity", "Mul", "Div"):
                continue
            end = node.output[0]
            if node.op_type != "Identity":
                constant = float(next(constants[name] for name in node.input if name in constants).ravel()[0])
                factor = factor * constant if node.op_type == "Mul" else factor / constant
        return factor


class RuntimeScores:
    """Additive scores by onnxruntime: the file's own operator without its post transform, 32 bits.

    Args: see :class:`WalkedScores`.
    """

    def __init__(self, onnx_bytes: bytes, category_counts: NDArray[np.int64]) -> None:
        self._tree_model = _TreeModel(onnx_bytes, category_counts)
        nodes = []
        for node in self._tree_model.model.graph.node:
            changed = NodeProto()
            changed.CopyFrom(node)
            if node is self._tree_model.node or node.output == self._tree_model.node.output:
                kept = [attribute for attribute in node.attribute if attribute.name != "post_transform"]
                del changed.attribute[:]
                changed.attribute.extend([*kept, helper.make_attribute("post_transform", "NONE")])
                nodes.append(changed)
                break
            nodes.append(changed)
        self._session = self._tree_model.part_up_to(self._tree_model.node.output[-1], nodes)

    def __call__(self, rows: Numbers, /) -> Numbers:
        """Score rows."""
        columns = np.asarray(self._session.run(None, self._tree_model.feeds(rows))[0], dtype=np.float64)
        return self._tree_model.outputs_of(columns.reshape(len(rows), -1)) * self._tree_model.factor_behind()


class WalkedScores:
    """Additive scores by walking through the node lists of the file, 64 bits.

    Args:
        onnx_bytes: The model: one table, or named inputs that hold one feature each.
        category_counts: Shape (n_features,), number of categories of each feature; 0 for numbers.
    """

    def __init__(self, onnx_bytes: bytes, category_counts: NDArray[np.int64]) -> None:
        self._tree_model = model = _TreeModel(onnx_bytes, category_counts)
        before = list(model.model.graph.node)
        before = before[: next(place for place, node in enumerate(before) if node.output == model.node.output)]
        self._columns = model.part_up_to(model.node.input[0], before) if before else None
        lists = {name[6:]: values for name, values in model.attributes.items() if name.startswith("nodes_")}
        keys = list(zip(lists["treeids"], lists["nodeids"], strict=True))
        place_of = {key: place for place, key in enumerate(keys)}
        first: dict[int, int] = {}
        for place, (tree, _) in enumerate(keys):
            first.setdefault(tree, place)
        self._roots = list(first.values())
        modes = np.array([mode.decode() for mode in lists["modes"]])
        self._inner = inner = modes != "LEAF"
        self._asked = {mode: modes == mode for mode in set(modes[inner])}
        children = {
            side: np.array([place_of[tree, int(c)] if i else n for n, (tree, c, i) in enumerate(parts)])
            for side, parts in (
                (side, zip(lists["treeids"], lists[f"{side}nodeids"], inner, strict=True)) for side in ("true", "false")
            )
        }
        self._true, self._false = children["true"], children["false"]
        self._column = np.array(lists["featureids"])
        self._value = np.array(lists["values"], dtype=np.float32)
        tracks = lists.get("missing_value_tracks_true") or [0] * len(keys)
        self._missing_true = np.array(tracks, dtype=bool)
        prefix = "class" if model.node.op_type == "TreeEnsembleClassifier" else "target"
        ids = [model.attributes[f"{prefix}_{name}"] for name in ("treeids", "nodeids", "ids", "weights")]
        one_column = model.has_two_classes and set(ids[2]) <= {0}
        self._leaves = np.zeros((len(keys), 1 if one_column else model.n_columns))
        for tree, node, column, weight in zip(*ids, strict=True):
            self._leaves[place_of[tree, node], column] += np.float64(np.float32(weight))
        base = model.attributes.get("base_values") or [0.0] * self._leaves.shape[1]
        self._base = np.array(base, dtype=np.float32).astype(np.float64)

    def __call__(self, rows: Numbers, /) -> Numbers:
        """Score rows."""
        feeds = self._tree_model.feeds(rows)
        columns = next(iter(feeds.values())) if self._columns is None else self._columns.run(None, feeds)[0]
        everyone = np.arange(len(rows))
        sums = np.tile(self._base, (len(rows), 1))
        for root in self._roots:
            place = np.full(len(rows), root)
            while np.any(self._inner[place]):
                holds = self._holds(columns[everyone, self._column[place]], place)
                place = np.where(holds, self._true[place], self._false[place])
            sums += self._leaves[place]
        return self._tree_model.outputs_of(sums) * self._tree_model.factor_behind()

    def _holds(self, value: NDArray[np.float32], place: NDArray[np.int64]) -> NDArray[np.bool_]:
        limit = self._value[place]
        holds = np.isnan(value) & self._missing_true[place]
        for mode, asked in self._asked.items():
            holds |= _COMPARISONS[mode](value, limit) & asked[place]
        return holds
