"""An ONNX graph around the one node that scores, a tree ensemble or a linear model: what goes in, where the score is.

Before that node stands preprocessing, which is followed but never re-implemented
(:mod:`models.onnx_provenance`); what may stand behind it says :mod:`models.onnx_ending`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # its stubs are not installed
from onnx import NodeProto, TensorProto, helper, numpy_helper

from models.errors import MalformedPackageError, ModelFeaturesMismatchError, UnsupportedModelError
from models.onnx_ending import find_ending

MAX_BYTES = 512_000_000
"""Larger graphs are refused."""

ENSEMBLES = ("TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble")
LINEAR = ("LinearClassifier", "LinearRegressor")
_CLASSIFIERS = ("TreeEnsembleClassifier", "LinearClassifier")
_STANDARD_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")


@dataclass(frozen=True)
class GraphInput:
    """One input of a graph.

    Attributes:
        name: As in the graph.
        width: Columns it has.
        element_type: ONNX element type number.
        is_list: Whether it is a list with one value per row, not a table.
    """

    name: str
    width: int
    element_type: int
    is_list: bool = False


@dataclass(frozen=True)
class Column:
    """One column of one graph input."""

    input_name: str
    position: int


class OnnxGraph:
    """A graph whose nodes and inputs can be followed.

    Attributes:
        model: The parsed graph; not to be changed.
        inputs: Inputs of the graph, in its order.
        constants: Constant tensors, by name.
    """

    scorer = "score"
    """What error sentences call that which scores."""

    def __init__(self, onnx_bytes: bytes) -> None:
        self.model = _parse(onnx_bytes)
        graph = self.model.graph
        _refuse_what_is_not_standard(self.model)
        self._makers = {output: node for node in graph.node for output in node.output}
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and "value" in attributes_of(node):
                self.constants[node.output[0]] = numpy_helper.to_array(attributes_of(node)["value"])
        self.inputs: tuple[GraphInput, ...] = tuple(_input(i) for i in graph.input if i.name not in self.constants)

    @property
    def n_raw_features(self) -> int:
        """Columns of all inputs together."""
        return sum(graph_input.width for graph_input in self.inputs)

    @property
    def texts(self) -> frozenset[str]:
        """Every text that a node or a constant of the graph holds: those that it can tell from others."""
        stored: list[object] = [
            text for node in self.model.graph.node for one in node.attribute for text in one.strings
        ]
        stored += [text for node in self.model.graph.node for one in node.attribute for text in one.t.string_data]
        stored += [text for table in self.constants.values() if table.dtype.kind in "OSU" for text in table.ravel()]
        return frozenset(one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in stored)

    def maker_of(self, tensor: str) -> NodeProto | None:
        """Give the node that makes a tensor, none for inputs and constants."""
        return self._makers.get(tensor)

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
                    f"The card's features and the model's named inputs differ: {', '.join(differing)[:200]}."
                )
            order = list(feature_names)
        widths = {graph_input.name: graph_input.width for graph_input in self.inputs}
        columns = [Column(name, position) for name in order for position in range(widths[name])]
        return {column: index for index, column in enumerate(columns)}

    def part_up_to(self, *tensors: str) -> bytes:
        """Make the graph whose only outputs are some tensors."""
        return _bytes_of(self._part_up_to(*tensors))

    def _part_up_to(self, *tensors: str) -> onnx.ModelProto:
        needed = {id(node) for tensor in tensors for node in self.makers_behind(tensor)}
        part = onnx.ModelProto()
        part.CopyFrom(self.model)
        del part.graph.node[:]
        part.graph.node.extend(node for node in self.model.graph.node if id(node) in needed)
        del part.graph.output[:]
        del part.graph.value_info[:]
        # The runtime finds out the type by itself; it is checked where the part is loaded.
        part.graph.output.extend(onnx.ValueInfoProto(name=tensor) for tensor in tensors)
        return part

    def makers_behind(self, tensor: str) -> Iterator[NodeProto]:
        """Go through all nodes a tensor is made by, itself and their inputs'."""
        waiting, seen = [tensor], {tensor}
        while waiting:
            node = self._makers.get(waiting.pop())
            if node is not None:
                yield node
                new = [source for source in node.input if source not in seen]
                seen.update(new)
                waiting.extend(new)


class ScoringGraph(OnnxGraph):
    """A graph in which one node scores: a tree ensemble or a linear model.

    Attributes:
        node: The scoring node.
        attributes: Attributes of that node, by name.
        ending: What stands between the scoring node and the score.
    """

    def __init__(self, onnx_bytes: bytes) -> None:
        super().__init__(onnx_bytes)
        self.node: NodeProto = _only_scoring_node(self.model)
        self.attributes: Mapping[str, Any] = attributes_of(self.node)
        self.scorer = "linear model" if self.is_linear else "trees"
        self.ending = find_ending(self)

    @property
    def is_classifier(self) -> bool:
        """Whether the scoring node is a classifier, which has class labels and a second output."""
        return bool(self.node.op_type in _CLASSIFIERS)

    @property
    def is_version_5(self) -> bool:
        """Whether the scoring node is the operator TreeEnsemble of ai.onnx.ml 5."""
        return bool(self.node.op_type == "TreeEnsemble")

    @property
    def is_linear(self) -> bool:
        """Whether the scoring node is a linear model, else it is a tree ensemble."""
        return bool(self.node.op_type in LINEAR)

    @property
    def node_input(self) -> str:
        """Name of the tensor the scoring node reads."""
        return str(self.node.input[0])

    @property
    def node_output(self) -> str:
        """Name of the scoring node's output that holds scores."""
        return str(self.node.output[1] if self.is_classifier else self.node.output[0])

    def scoring_part(self) -> bytes:
        """Make the graph whose only output are the scores."""
        return self.part_up_to(self.ending.score_output)

    def additive_part(self) -> bytes:
        """Make the graph whose only output are the scores before the post transform."""
        part = self._part_up_to(self.ending.additive_output)
        node = next(node for node in part.graph.node if node.op_type == self.node.op_type)
        kept = [attribute for attribute in node.attribute if attribute.name != "post_transform"]
        del node.attribute[:]
        none: int | str = 0 if self.is_version_5 else "NONE"
        node.attribute.extend([*kept, helper.make_attribute("post_transform", none)])
        return _bytes_of(part)

    def preprocessing_part(self) -> bytes:
        """Make the graph whose only output is what the scoring node reads."""
        return self.part_up_to(self.node_input)

    def depends_on_scoring_node(self, tensor: str) -> bool:
        """Say whether the scoring node is among those that make a tensor."""
        return any(node is self.node for node in self.makers_behind(tensor))


def attributes_of(node: NodeProto) -> dict[str, Any]:
    """Give the attributes of a node by name."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def floats_of(attributes: Mapping[str, Any], name: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Give a list of 32-bit numbers among a node's attributes, however it is stored; empty if absent."""
    stored = attributes.get(f"{name}_as_tensor", attributes.get(name, []))
    if not isinstance(stored, TensorProto):
        return np.asarray(stored, dtype=np.float32)
    values = np.asarray(numpy_helper.to_array(stored))
    if values.dtype != np.float32:
        raise UnsupportedModelError(f"Trees with '{name}' in {values.dtype} are not yet read, only in float32.")
    return values.ravel()


def _bytes_of(model: onnx.ModelProto) -> bytes:
    content: bytes = model.SerializeToString(deterministic=True)
    return content


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


def _refuse_what_is_not_standard(model: onnx.ModelProto) -> None:
    foreign = sorted({node.op_type for node in model.graph.node if node.domain not in _STANDARD_DOMAINS})
    if foreign:
        raise UnsupportedModelError(f"Models with these operators are not read: {', '.join(foreign)[:200]}.")
    if model.functions:
        raise UnsupportedModelError("Models with functions of their own are not read.")


def _only_scoring_node(model: onnx.ModelProto) -> NodeProto:
    nodes: list[NodeProto] = [node for node in model.graph.node if node.op_type in (*ENSEMBLES, *LINEAR)]
    if len(nodes) != 1:
        raise UnsupportedModelError(
            f"A model must hold exactly one tree ensemble or linear model, this one holds {len(nodes)}. How several of "
            "them make one score is not read."
        )
    expected = 2 if nodes[0].op_type in _CLASSIFIERS else 1
    if len(nodes[0].output) != expected or not nodes[0].output[-1]:
        raise UnsupportedModelError(f"The operator {nodes[0].op_type} gives no scores.")
    return nodes[0]


def _input(value: onnx.ValueInfoProto) -> GraphInput:
    tensor = value.type.tensor_type
    sizes = list(tensor.shape.dim)
    matrix_rank = 2
    if len(sizes) == 1:
        return GraphInput(name=value.name, width=1, element_type=tensor.elem_type, is_list=True)
    if len(sizes) != matrix_rank or not sizes[1].HasField("dim_value") or sizes[1].dim_value < 1:
        raise UnsupportedModelError(f"The input '{value.name[:80]}' must be a table with a fixed number of columns.")
    return GraphInput(name=value.name, width=sizes[1].dim_value, element_type=tensor.elem_type)
