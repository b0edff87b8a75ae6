"""The few ONNX graphs we accept: named inputs, Cast, Identity and Concat before one tree ensemble, nothing after it.

What is not on this list is refused by name: a graph we cannot follow from raw feature to tree is a graph whose
explanations would be guesses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # its stubs are not installed
from onnx import NodeProto, TensorProto, helper, numpy_helper

from models.errors import MalformedPackageError, ModelFeaturesMismatchError, UnsupportedModelError

MAX_BYTES = 512_000_000
"""Larger graphs are refused."""

ENSEMBLES = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")
_PASSING_OPERATORS = ("Cast", "Identity", "Concat")


@dataclass(frozen=True)
class GraphInput:
    """One input of a graph.

    Attributes:
        name: As in the graph.
        width: Columns it has.
        element_type: ONNX element type number.
    """

    name: str
    width: int
    element_type: int


@dataclass(frozen=True)
class Column:
    """One column of one graph input."""

    input_name: str
    position: int


class TreeGraph:
    """A graph that holds one tree ensemble.

    Attributes:
        model: The parsed graph; not to be changed.
        node: The tree ensemble.
        attributes: Attributes of that node, by name.
        inputs: Inputs of the graph, in its order.
        columns: For each column the trees read, which column of which input it is.
    """

    def __init__(self, onnx_bytes: bytes) -> None:
        self.model = _parse(onnx_bytes)
        graph = self.model.graph
        _refuse_unknown_operators(self.model)
        self.node: NodeProto = next(node for node in graph.node if node.op_type in ENSEMBLES)
        self.attributes: Mapping[str, Any] = {a.name: helper.get_attribute_value(a) for a in self.node.attribute}
        constants = {tensor.name for tensor in graph.initializer}
        self.inputs: tuple[GraphInput, ...] = tuple(_input(i) for i in graph.input if i.name not in constants)
        self._makers = {output: node for node in graph.node for output in node.output}
        self.columns: tuple[Column, ...] = tuple(self._columns_of(self.node.input[0], is_float=False))

    @property
    def is_classifier(self) -> bool:
        """Whether the ensemble is a classifier; else it is a regressor."""
        return bool(self.node.op_type == "TreeEnsembleClassifier")

    @property
    def score_output(self) -> str:
        """Name of the ensemble's output that holds scores."""
        return str(self.node.output[1] if self.is_classifier else self.node.output[0])

    @property
    def n_raw_features(self) -> int:
        """Columns of all inputs together."""
        return sum(graph_input.width for graph_input in self.inputs)

    def with_output_only(self, post_transform: str | None = None) -> bytes:
        """Make the graph whose only output is the ensemble's scores.

        Args:
            post_transform: Replaces the ensemble's own, e.g. ``NONE`` for scores before the post transform.

        Returns:
            Bytes of the new graph.
        """
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        del model.graph.output[:]
        model.graph.output.append(helper.make_tensor_value_info(self.score_output, TensorProto.FLOAT, None))
        if post_transform is not None:
            node = next(node for node in model.graph.node if node.op_type in ENSEMBLES)
            kept = [attribute for attribute in node.attribute if attribute.name != "post_transform"]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute("post_transform", post_transform)])
        content: bytes = model.SerializeToString(deterministic=True)
        return content

    def raw_positions(self, feature_names: Sequence[str] | None) -> dict[Column, int]:
        """Say which raw feature each input column is.

        Args:
            feature_names: The card's features; needed to order named inputs, else the graph's order counts.

        Returns:
            Input column to position in a raw row.

        Raises:
            ModelFeaturesMismatchError: If the graph does not read exactly these features.
        """
        if feature_names is not None and len(feature_names) != self.n_raw_features:
            raise ModelFeaturesMismatchError(
                f"The model reads {self.n_raw_features} columns, the card lists {len(feature_names)} features."
            )
        order = [graph_input.name for graph_input in self.inputs]
        if feature_names is not None and len(self.inputs) > 1:
            differing = sorted(set(order) ^ set(feature_names))
            if differing:
                raise ModelFeaturesMismatchError(
                    f"The card's features and the model's named inputs differ: {', '.join(differing)}."
                )
            order = list(feature_names)
        widths = {graph_input.name: graph_input.width for graph_input in self.inputs}
        columns = [Column(name, position) for name in order for position in range(widths[name])]
        return {column: index for index, column in enumerate(columns)}

    def _columns_of(self, tensor: str, *, is_float: bool) -> list[Column]:
        """Follow a tensor back to the inputs; ``is_float`` once a cast to 32-bit numbers lies behind it."""
        for graph_input in self.inputs:
            if graph_input.name == tensor:
                if graph_input.element_type != TensorProto.FLOAT and not is_float:
                    raise UnsupportedModelError("Trees over other than 32-bit floating point inputs are not yet read.")
                return [Column(tensor, position) for position in range(graph_input.width)]
        node = self._makers.get(tensor)
        if node is None or node.op_type not in _PASSING_OPERATORS:
            raise UnsupportedModelError(f"The input of the trees cannot be followed back beyond '{tensor[:80]}'.")
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Cast":
            if attributes.get("to") != TensorProto.FLOAT:
                raise UnsupportedModelError(
                    "A Cast to anything but 32-bit floating point before the trees is not yet read."
                )
            is_float = True
        if node.op_type == "Concat" and attributes.get("axis") not in (1, -1):
            raise UnsupportedModelError("A Concat along anything but the columns is not yet read.")
        return [column for source in node.input for column in self._columns_of(source, is_float=is_float)]


def floats_of(attributes: Mapping[str, Any], name: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Give a list of 32-bit numbers among a node's attributes, however it is stored; empty if absent."""
    tensor = attributes.get(f"{name}_as_tensor")
    if tensor is None:
        return np.asarray(attributes.get(name, []), dtype=np.float32)
    values = np.asarray(numpy_helper.to_array(tensor))
    if values.dtype != np.float32:
        raise UnsupportedModelError(f"Trees with '{name}' in {values.dtype} are not yet read, only in float32.")
    return values


def _parse(onnx_bytes: bytes) -> onnx.ModelProto:
    if len(onnx_bytes) > MAX_BYTES:
        raise UnsupportedModelError(f"Models of more than {MAX_BYTES} bytes are not read.")
    try:
        model = onnx.load_model_from_string(onnx_bytes)
        if any(tensor.external_data for tensor in model.graph.initializer):
            raise UnsupportedModelError("Models with weights in files of their own are not read.")
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError, ValueError) as error:
        reason = (str(error).splitlines() or ["no reason given"])[0][:200]
        raise MalformedPackageError(f"The model is not valid ONNX: {reason}.") from error
    return model


def _refuse_unknown_operators(model: onnx.ModelProto) -> None:
    nodes = model.graph.node
    allowed = {("ai.onnx.ml", name) for name in ENSEMBLES} | {("", name) for name in _PASSING_OPERATORS}
    allowed |= {("ai.onnx", name) for name in _PASSING_OPERATORS}
    foreign = sorted({node.op_type for node in nodes if (node.domain, node.op_type) not in allowed})
    if foreign:
        hint = " Export the classifier without ZipMap." if "ZipMap" in foreign else ""
        raise UnsupportedModelError(f"Models with these operators are not yet read: {', '.join(foreign)[:200]}.{hint}")
    if model.functions:
        raise UnsupportedModelError("Models with functions of their own are not read.")
    ensembles = [node for node in nodes if node.op_type in ENSEMBLES]
    if len(ensembles) != 1:
        raise UnsupportedModelError(f"A model must hold exactly one tree ensemble, this one holds {len(ensembles)}.")


def _input(value: onnx.ValueInfoProto) -> GraphInput:
    tensor = value.type.tensor_type
    sizes = list(tensor.shape.dim)
    matrix_rank = 2
    if len(sizes) != matrix_rank or not sizes[1].HasField("dim_value") or sizes[1].dim_value < 1:
        raise UnsupportedModelError(f"The input '{value.name[:80]}' must be a table with a fixed number of columns.")
    return GraphInput(name=value.name, width=sizes[1].dim_value, element_type=tensor.elem_type)
