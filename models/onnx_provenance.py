"""From which raw feature each column comes that the scoring node of a graph reads.

Preprocessing is run, not re-implemented; here it is only followed. For every tensor we keep an array of its shape
without the rows' axis that says for each cell of one row which raw feature it depends on. An operator is on one of
the lists below only if it treats every row by itself and we know where each cell comes from; any other is refused by
name. :func:`models.encoding.check_encoding` holds the result against real rows.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, NodeProto, TensorProto

from models.errors import MalformedPackageError, UnsupportedModelError
from models.onnx_graph import Column, OnnxGraph, ScoringGraph, attributes_of

Origins = NDArray[np.int32]
"""For each cell of one row the position of its raw feature; -1 for constants."""

_CONSTANT = -1
_GRAPHS = (AttributeProto.GRAPH, AttributeProto.GRAPHS)

_CELL_BY_CELL = frozenset(
    {
        "Abs",
        "Add",
        "And",
        "Binarizer",
        "Cast",
        "CategoryMapper",
        "Ceil",
        "Clip",
        "Div",
        "Equal",
        "Erf",
        "Exp",
        "Floor",
        "Greater",
        "GreaterOrEqual",
        "Identity",
        "Imputer",
        "IsInf",
        "IsNaN",
        "LabelEncoder",
        "Less",
        "LessOrEqual",
        "Log",
        "Max",
        "Min",
        "Mod",
        "Mul",
        "Neg",
        "Not",
        "Or",
        "Pow",
        "Reciprocal",
        "Relu",
        "Round",
        "Scaler",
        "Sigmoid",
        "Sign",
        "Sqrt",
        "Sub",
        "Tanh",
        "Where",
        "Xor",
    }
)
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


class CellProvenance:
    """Where the cells of tensors come from.

    Args:
        graph: The graph.
        positions: Input column to raw feature, from :meth:`~models.onnx_graph.OnnxGraph.raw_positions`.
        feature_names: How error sentences call the features, if known.
    """

    def __init__(self, graph: OnnxGraph, positions: Mapping[Column, int], feature_names: tuple[str, ...] = ()) -> None:
        self._graph = graph
        self._names = feature_names
        self._known: dict[str, Origins] = {
            graph_input.name: np.array(
                [positions[Column(graph_input.name, position)] for position in range(graph_input.width)], dtype=np.int32
            ).reshape(() if graph_input.is_list else -1)
            for graph_input in graph.inputs
        }
        self._followed: dict[str, NodeProto] = {}
        self._features_behind: dict[str, frozenset[int]] = {}
        self._blurred: set[str] = set()

    def features_behind(self, tensor: str) -> frozenset[int]:
        """Say which raw features a tensor can depend on at all.

        Where cells can be followed one by one this is exact. Behind an operator that mixes cells it is all features of
        all that the operator reads: perhaps more than needed, never fewer.

        Args:
            tensor: Its name.

        Returns:
            Positions of raw features; none for constants.

        Raises:
            UnsupportedModelError: If an operator holds a graph of its own, which may read anything.
        """
        if tensor not in self._features_behind:
            node = self._graph.maker_of(tensor)
            if node is not None and any(one.type in _GRAPHS for one in node.attribute):
                raise UnsupportedModelError(
                    f"The operator {node.op_type[:40]} holds a graph of its own; it is not read."
                )
            sources = [] if node is None else [source for source in node.input if source]
            features = frozenset[int]().union(*map(self.features_behind, sources))
            followed = None if self._blurred.intersection(sources) else self._features_if_followed(tensor)
            if followed is None:
                self._blurred.add(tensor)
            self._features_behind[tensor] = features if followed is None else followed
        return self._features_behind[tensor]

    def name_of(self, feature: int) -> str:
        """How error sentences call a feature."""
        return f"'{self._names[feature]}'" if self._names else f"feature {feature}"

    def _features_if_followed(self, tensor: str) -> frozenset[int] | None:
        if tensor in self._graph.constants:
            return frozenset()
        try:
            return frozenset(self._origins_of(tensor).ravel().tolist()) - {_CONSTANT}
        except (UnsupportedModelError, ValueError, IndexError, TypeError, KeyError):
            return None

    def _origins_of(self, tensor: str) -> Origins:
        if tensor not in self._known:
            node = self._graph.maker_of(tensor)
            if node is not None and node.op_type == "Split":
                self._known.update(zip(node.output, self._split(node), strict=True))
                self._followed[tensor] = node
                return self._known[tensor]
            if node is None or len([output for output in node.output if output]) != 1:
                raise UnsupportedModelError(
                    f"The input of the {self._graph.scorer} cannot be followed back beyond '{tensor[:80]}'."
                )
            self._followed[tensor] = node
            self._known[tensor] = self._through(node)
        return self._known[tensor]

    def _through(self, node: NodeProto) -> Origins:
        if node.op_type in _CELL_BY_CELL:
            return self._cell_by_cell(node)
        follow = self._rules.get(node.op_type)
        if follow is None:
            raise UnsupportedModelError(
                f"The operator {node.op_type[:40]} before the {self._graph.scorer} is not read: it may mix several "
                "features in one column, and then nobody can say what each of them contributes."
            )
        return follow(node, attributes_of(node))

    @cached_property
    def _rules(self) -> Mapping[str, Callable[[NodeProto, Mapping[str, Any]], Origins]]:
        return {
            "ArrayFeatureExtractor": self._array_feature_extractor,
            "Concat": self._concat,
            "FeatureVectorizer": self._concat,
            "Flatten": self._flatten,
            "Gather": self._gather,
            "OneHotEncoder": self._one_hot_encoder,
            "Reshape": self._reshape,
            "Squeeze": self._squeeze,
            "Unsqueeze": self._unsqueeze,
        }

    def _cell_by_cell(self, node: NodeProto) -> Origins:
        sources = [name for name in node.input if name]
        data = [self._origins_of(name) for name in sources if name not in self._graph.constants]
        rank = max(origins.ndim for origins in data) if data else 0
        constants = [self._graph.constants[name].shape for name in sources if name in self._graph.constants]
        for shape in constants:
            if len(shape) > rank + 1 or (len(shape) == rank + 1 and shape[0] != 1):
                raise UnsupportedModelError(f"The operator {node.op_type} treats rows differently.")
        shapes = [shape[1:] if len(shape) == rank + 1 else shape for shape in constants]
        result = np.full(np.broadcast_shapes(*shapes, *(origins.shape for origins in data)), _CONSTANT, dtype=np.int32)
        for origins in data:
            if origins.ndim != rank:
                raise UnsupportedModelError(f"The operator {node.op_type} joins tensors of different rank.")
            mixed = (result != _CONSTANT) & (origins != _CONSTANT) & (result != origins)
            if np.any(mixed):
                one, other = (self.name_of(np.broadcast_to(a, mixed.shape)[mixed][0]) for a in (result, origins))
                raise UnsupportedModelError(
                    f"The operator {node.op_type} mixes {one} and {other} in one column before the "
                    f"{self._graph.scorer}; then nobody can say what each of them contributes."
                )
            result = np.where(result == _CONSTANT, origins, result)
        return result

    def _array_feature_extractor(self, node: NodeProto, _: Mapping[str, Any]) -> Origins:
        return np.take(self._origins_of(node.input[0]), self._graph.constants[node.input[1]].ravel(), axis=-1)

    def _gather(self, node: NodeProto, attributes: Mapping[str, Any]) -> Origins:
        origins = self._origins_of(node.input[0])
        axis = _axis_of_cells(attributes.get("axis", 0), origins)
        return np.take(origins, self._graph.constants[node.input[1]], axis=axis)

    def _concat(self, node: NodeProto, attributes: Mapping[str, Any]) -> Origins:
        parts = [self._origins_of(name) for name in node.input]
        return np.concatenate(parts, axis=_axis_of_cells(attributes.get("axis", 1), parts[0]))

    def _one_hot_encoder(self, node: NodeProto, attributes: Mapping[str, Any]) -> Origins:
        count = len(attributes.get("cats_strings") or attributes.get("cats_int64s") or [])
        return np.repeat(self._origins_of(node.input[0])[..., np.newaxis], count, axis=-1)

    def _flatten(self, node: NodeProto, attributes: Mapping[str, Any]) -> Origins:
        if attributes.get("axis", 1) != 1:
            raise UnsupportedModelError("A Flatten that mixes rows is not read.")
        return self._origins_of(node.input[0]).ravel()

    def _reshape(self, node: NodeProto, _: Mapping[str, Any]) -> Origins:
        origins = self._origins_of(node.input[0])
        first, *rest = self._graph.constants[node.input[1]].tolist()
        sizes = [origins.shape[index] if size == 0 else size for index, size in enumerate(rest)]
        if (
            first not in (-1, 0)
            or (first == -1 and -1 in sizes)
            or (-1 not in sizes and np.prod(sizes) != origins.size)
        ):
            raise UnsupportedModelError("A Reshape that mixes rows is not read.")
        return origins.reshape([int(size) for size in sizes])

    def _split(self, node: NodeProto) -> list[Origins]:
        attributes, origins = attributes_of(node), self._origins_of(node.input[0])
        axis = _axis_of_cells(attributes.get("axis", 0), origins)
        sizes = attributes.get("split", [])
        if len(node.input) > 1 and node.input[1]:
            sizes = self._graph.constants[node.input[1]].tolist()
        if not sizes:
            # Equal parts; the last one is smaller where they do not come out even.
            size = -(-origins.shape[axis] // len(node.output))
            sizes = [size] * (len(node.output) - 1)
            sizes.append(origins.shape[axis] - sum(sizes))
        return np.split(origins, np.cumsum(sizes)[:-1], axis=axis)

    def _squeeze(self, node: NodeProto, attributes: Mapping[str, Any]) -> Origins:
        origins = self._origins_of(node.input[0])
        axes = self._axes(node, attributes)
        return np.squeeze(origins, axis=tuple(_axis_of_cells(axis, origins) for axis in axes))

    def _unsqueeze(self, node: NodeProto, attributes: Mapping[str, Any]) -> Origins:
        origins = self._origins_of(node.input[0])
        axes = self._axes(node, attributes)
        rank = origins.ndim + 1 + len(axes)
        cell_axes = tuple((axis + rank if axis < 0 else axis) - 1 for axis in axes)
        if min(cell_axes) < 0:
            raise UnsupportedModelError("An Unsqueeze along the rows is not read.")
        return np.expand_dims(origins, cell_axes)

    def _axes(self, node: NodeProto, attributes: Mapping[str, Any]) -> list[int]:
        axes = self._graph.constants[node.input[1]].tolist() if len(node.input) > 1 else attributes.get("axes", [])
        if not axes:
            raise UnsupportedModelError(f"A {node.op_type} without axes is not read.")
        return [int(axis) for axis in np.ravel(axes)]


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
            origins = self._origins_of(self._node_input)
        except (ValueError, IndexError, TypeError, KeyError, RecursionError) as error:
            raise MalformedPackageError(
                f"The graph before the {self._graph.scorer} contradicts itself: {error}."
            ) from error
        if origins.ndim != 1:
            raise UnsupportedModelError(f"What the {self._graph.scorer} is given must be a table.")
        if np.any(origins == _CONSTANT):
            column = int(np.flatnonzero(origins == _CONSTANT)[0])
            raise UnsupportedModelError(f"Column {column} before the {self._graph.scorer} depends on no feature.")
        return origins

    @cached_property
    def straight_features(self) -> frozenset[int]:
        """Raw features whose numbers are only moved and scaled on their way; missing values may be filled in."""
        owners = frozenset(self.columns.tolist())
        kinds = (TensorProto.FLOAT, TensorProto.DOUBLE)
        bent = {tensor.name for tensor in self._graph.inputs if tensor.element_type not in kinds}
        bent |= {tensor for tensor, node in self._followed.items() if not self._keeps_lines_straight(node)}
        return owners.difference(*(self._known[tensor].ravel().tolist() for tensor in bent))

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
        casts = [node for node in self._followed.values() if node.op_type == "Cast"]
        if any(node.op_type not in _PASSING_ON for node in self._followed.values()):
            return False
        kinds = {graph_input.element_type for graph_input in self._graph.inputs}
        return (
            kinds <= {TensorProto.FLOAT, TensorProto.DOUBLE}
            and all(attributes_of(node)["to"] in (TensorProto.FLOAT, TensorProto.DOUBLE) for node in casts)
            and self._is_float32(self._node_input)
        )

    def _is_float32(self, tensor: str) -> bool:
        node = self._followed.get(tensor)
        if node is None:
            return any(i.name == tensor and i.element_type == TensorProto.FLOAT for i in self._graph.inputs)
        if node.op_type == "Cast":
            return bool(attributes_of(node)["to"] == TensorProto.FLOAT)
        return all(self._is_float32(name) for name in node.input if name not in self._graph.constants)


def _axis_of_cells(axis: int, origins: Origins) -> int:
    """Turn an axis of a tensor into that of its origins, which have no axis for the rows."""
    cell_axis = axis + origins.ndim if axis < 0 else axis - 1
    if not 0 <= cell_axis < origins.ndim:
        raise UnsupportedModelError("An operator along the rows before the score is not read.")
    return cell_axis
