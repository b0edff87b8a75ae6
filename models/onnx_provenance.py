"""From which raw feature each column comes that the scoring node of a graph reads; see :mod:`models.onnx_cells`."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from onnx import NodeProto, TensorProto

from models.errors import MalformedPackageError, UnsupportedModelError
from models.onnx_cells import CONSTANT, CellProvenance, Origins
from models.onnx_graph import Column, ScoringGraph, attributes_of

_MOVING_CELLS = frozenset(
    {
        "ArrayFeatureExtractor",
        "Concat",
        "FeatureVectorizer",
        "Flatten",
        "Gather",
        "Identity",
        "Reshape",
        "Split",
        "Squeeze",
        "Unsqueeze",
    }
)
_PASSING_ON = frozenset(("Cast", "Concat", "Identity", "Gather", "ArrayFeatureExtractor", "Constant"))


class Provenance(CellProvenance):
    """Where the columns that the scoring node reads come from; arguments as of :class:`CellProvenance`."""

    def __init__(
        self, graph: ScoringGraph, positions: Mapping[Column, int], feature_names: tuple[str, ...] = ()
    ) -> None:
        super().__init__(graph, positions, feature_names)
        self._node_input = graph.node_input

    @cached_property
    def columns(self) -> Origins:
        """For each column the scoring node reads its raw feature, shape (n_columns,).

        Raises:
            UnsupportedModelError: If a column mixes features, depends on none, or cannot be followed back.
            MalformedPackageError: If the graph contradicts itself.
        """
        try:
            origins = self.origins_of(self._node_input)
        except (ValueError, IndexError, TypeError, KeyError, RecursionError) as error:
            raise MalformedPackageError(
                f"The graph before the {self._graph.scorer} contradicts itself: {error}."
            ) from error
        if origins.ndim != 1:
            raise UnsupportedModelError(f"What the {self._graph.scorer} is given must be a table.")
        if np.any(origins == CONSTANT):
            column = int(np.flatnonzero(origins == CONSTANT)[0])
            raise UnsupportedModelError(f"Column {column} before the {self._graph.scorer} depends on no feature.")
        return origins

    def straight_features(self, whole: frozenset[int]) -> frozenset[int]:
        """Say which raw features' numbers are only moved and scaled on their way; missing values may be filled in.

        Args:
            whole: Features that are whole numbers by the card, so that inputs of whole numbers cut nothing off.

        Returns:
            Their positions.
        """
        owners = frozenset(self.columns.tolist())
        bent = [tensor for tensor, node in self.followed.items() if not self._keeps_lines_straight(node)]
        for graph_input in self._graph.inputs:
            if graph_input.element_type in (TensorProto.INT64, TensorProto.INT32):
                owners -= frozenset(self.known[graph_input.name].ravel().tolist()) - whole
            elif graph_input.element_type not in (TensorProto.FLOAT, TensorProto.DOUBLE):
                bent.append(graph_input.name)
        return owners.difference(*(self.known[tensor].ravel().tolist() for tensor in bent))

    def ordered_features(self) -> frozenset[int]:
        """Say which raw features' order all columns keep or turn around, among values that are 32-bit numbers.

        They are only moved and scaled, each step is rounded, and rounding keeps an order. Inputs of other kinds than
        32-bit numbers are left out: they tell values apart that are the same 32-bit number.

        Returns:
            Their positions.
        """
        ordered = self.straight_features(frozenset())
        for graph_input in self._graph.inputs:
            if graph_input.element_type != TensorProto.FLOAT:
                ordered -= frozenset(self.known[graph_input.name].ravel().tolist())
        return ordered

    def _keeps_lines_straight(self, node: NodeProto) -> bool:
        changing = [place for place, name in enumerate(node.input) if name not in self._graph.constants]
        if node.op_type in ("Add", "Sub", "Mul"):
            return len(changing) == 1
        if node.op_type == "Div":
            return changing == [0]
        if node.op_type == "Cast":
            return attributes_of(node)["to"] in (TensorProto.FLOAT, TensorProto.DOUBLE)
        if node.op_type == "Imputer":
            # It fills in where it finds this value, and only "not a number" is no number.
            return bool(np.isnan(attributes_of(node).get("replaced_value_float", 0.0)))
        return node.op_type in _MOVING_CELLS or node.op_type == "Scaler"

    @property
    def values_are_raw(self) -> bool:
        """Whether the scoring node reads raw values, cast to 32-bit numbers and nothing else."""
        self.columns  # noqa: B018 - follows the graph
        casts = [node for node in self.followed.values() if node.op_type == "Cast"]
        if any(node.op_type not in _PASSING_ON for node in self.followed.values()):
            return False
        kinds = {graph_input.element_type for graph_input in self._graph.inputs}
        return (
            kinds <= {TensorProto.FLOAT, TensorProto.DOUBLE}
            and all(attributes_of(node)["to"] in (TensorProto.FLOAT, TensorProto.DOUBLE) for node in casts)
            and self._is_float32(self._node_input)
        )

    def _is_float32(self, tensor: str) -> bool:
        node = self.followed.get(tensor)
        if node is None:
            return any(i.name == tensor and i.element_type == TensorProto.FLOAT for i in self._graph.inputs)
        if node.op_type == "Cast":
            return bool(attributes_of(node)["to"] == TensorProto.FLOAT)
        return all(self._is_float32(name) for name in node.input if name not in self._graph.constants)
