"""Raw rows, as the card codes them, turned into what the inputs of an ONNX graph want."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from models.errors import ModelFeaturesMismatchError, UnsupportedModelError
from models.features import Feature
from models.onnx_graph import Column, ScoringGraph
from models.scoring_model import Rows

_NUMBER_TYPES: Mapping[int, type[np.generic]] = {
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
    TensorProto.INT64: np.int64,
    TensorProto.INT32: np.int32,
    TensorProto.BOOL: np.bool_,
}
_WITHOUT_MISSING = (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL)


class OnnxInputs:
    """Makes the inputs of one graph.

    Categories become their text where the input is text, and their position where it is a number; booleans become 0
    and 1; numbers are cast.

    Args:
        graph: The graph.
        positions: Input column to raw feature.
        features: The card's features; needed where the graph reads text.

    Raises:
        ModelFeaturesMismatchError: If the graph reads text where the card has no category.
        UnsupportedModelError: If an input is of another type.
    """

    def __init__(
        self, graph: ScoringGraph, positions: Mapping[Column, int], features: Sequence[Feature] | None
    ) -> None:
        self._n_features = graph.n_raw_features
        self._orders: dict[str, list[int]] = {}
        self._types: dict[str, int] = {}
        self._texts: dict[int, NDArray[np.object_]] = {}
        for graph_input in graph.inputs:
            order = [positions[Column(graph_input.name, position)] for position in range(graph_input.width)]
            self._orders[graph_input.name] = order
            self._types[graph_input.name] = graph_input.element_type
            if graph_input.element_type == TensorProto.STRING:
                self._texts.update({feature: _texts_of(feature, features, graph_input.name) for feature in order})
            elif graph_input.element_type not in _NUMBER_TYPES:
                raise UnsupportedModelError(
                    f"The input '{graph_input.name[:80]}' is not yet read: only numbers, text and booleans are."
                )

    def of(self, rows: Rows) -> dict[str, NDArray[Any]]:
        """Make the inputs.

        Args:
            rows: Raw rows, shape (n_rows, n_features).

        Returns:
            Input name to table.

        Raises:
            ModelFeaturesMismatchError: If the rows do not fit the model.
        """
        if rows.ndim != 2 or rows.shape[1] != self._n_features:  # noqa: PLR2004 - a table has two dimensions
            raise ModelFeaturesMismatchError(f"Rows of shape {rows.shape} do not fit {self._n_features} features.")
        return {name: self._table(name, rows[:, order]) for name, order in self._orders.items()}

    def _table(self, name: str, values: Rows) -> NDArray[Any]:
        element_type = self._types[name]
        if element_type == TensorProto.STRING:
            columns = [
                _texts_at(self._texts[feature], values[:, index]) for index, feature in enumerate(self._orders[name])
            ]
            return np.stack(columns, axis=1)
        if element_type in _WITHOUT_MISSING and np.any(np.isnan(values)):
            raise ModelFeaturesMismatchError(f"The model's input '{name[:80]}' cannot hold missing values.")
        if element_type in (TensorProto.INT64, TensorProto.INT32):
            limits = np.iinfo(np.int32)  # beyond them a cast is not defined, and no feature counts that far
            values = np.clip(values, limits.min, limits.max)
        with np.errstate(over="ignore"):
            return values.astype(_NUMBER_TYPES[element_type])


def _texts_of(position: int, features: Sequence[Feature] | None, input_name: str) -> NDArray[np.object_]:
    if features is None or features[position].kind != "category":
        named = "" if features is None else f" but '{features[position].name}' is no category"
        raise ModelFeaturesMismatchError(
            f"The model's input '{input_name[:80]}' reads text,{named or ' see the card'}."
        )
    return np.array([category.value for category in features[position].categories], dtype=np.object_)


def _texts_at(texts: NDArray[np.object_], numbers: Rows) -> NDArray[np.object_]:
    with np.errstate(invalid="ignore"):
        known = (numbers >= 0) & (numbers < len(texts)) & (numbers == np.floor(numbers))
    if not np.all(known):
        raise ModelFeaturesMismatchError(f"{numbers[~known][0]} is not the position of a category.")
    return np.asarray(texts[numbers.astype(np.int64)])
