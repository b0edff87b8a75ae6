"""Raw rows, as the card codes them, turned into what the inputs of an ONNX graph want."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from models.errors import ModelFeaturesMismatchError, UnsupportedModelError
from models.features import Feature
from models.onnx_graph import Column, GraphInput, OnnxGraph
from models.scoring_model import Rows, Scores, refuse_row_width

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
    and 1; numbers are cast. What is missing stays NaN, and in texts becomes the one that the card names for it.

    Args:
        graph: The graph.
        positions: Input column to raw feature.
        features: The card's features; needed where the graph reads text.

    Raises:
        ModelFeaturesMismatchError: If the graph reads text where the card has no category.
        UnsupportedModelError: If an input is of another type.
    """

    def __init__(self, graph: OnnxGraph, positions: Mapping[Column, int], features: Sequence[Feature] | None) -> None:
        self._n_features = graph.n_raw_features
        self._inputs: list[_NumberInput | _TextInput] = []
        for graph_input in graph.inputs:
            order = [positions[Column(graph_input.name, position)] for position in range(graph_input.width)]
            if graph_input.element_type == TensorProto.STRING:
                texts = [_texts_of(feature, features, graph_input.name) for feature in order]
                self._inputs.append(_TextInput(graph_input, order, texts))
            elif graph_input.element_type in _NUMBER_TYPES:
                self._inputs.append(_NumberInput(graph_input, order))
            else:
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
        refuse_row_width(rows, self._n_features)
        with np.errstate(over="ignore", invalid="ignore"):
            return {one.name: one.of(rows) for one in self._inputs}


class _NumberInput:
    """An input of numbers or booleans."""

    def __init__(self, graph_input: GraphInput, order: list[int]) -> None:
        self.name = graph_input.name
        self._element_type = graph_input.element_type
        self._dtype = _NUMBER_TYPES[graph_input.element_type]
        self._holds_missing = graph_input.element_type not in _WITHOUT_MISSING
        # Neighbouring columns are sliced, which is quicker than choosing them one by one.
        neighbours = order == list(range(order[0], order[-1] + 1))
        self._columns: Any = slice(order[0], order[-1] + 1) if neighbours else order
        if graph_input.is_list:
            self._columns = order[0]

    def of(self, rows: Rows) -> NDArray[Any]:
        values = rows[:, self._columns]
        if self._holds_missing:
            return values.astype(self._dtype)
        if np.any(np.isnan(values)):
            raise ModelFeaturesMismatchError(f"The model's input '{self.name[:80]}' cannot hold missing values.")
        if self._element_type in (TensorProto.INT64, TensorProto.INT32):
            limits = np.iinfo(np.int32)  # beyond them a cast is not defined, and no feature counts that far
            values = np.clip(values, limits.min, limits.max)
        return values.astype(self._dtype)


class _TextInput:
    """An input of texts; rows hold the positions of categories."""

    def __init__(self, graph_input: GraphInput, order: list[int], texts: list["_Texts"]) -> None:
        self.name = graph_input.name
        self._order = order
        self._texts = texts
        self._is_list = graph_input.is_list
        # One case at a time is the common question; then every table this input can become is at hand.
        one_row = (1,) if graph_input.is_list else (1, 1)
        single = texts[0].known if len(order) == 1 else ()
        self._tables_of_one = [np.full(one_row, text, dtype=np.object_) for text in single]

    def of(self, rows: Rows) -> NDArray[Any]:
        if self._tables_of_one and len(rows) == 1:
            number = float(rows[0, self._order[0]])
            if 0 <= number < len(self._tables_of_one) and number.is_integer():
                return self._tables_of_one[int(number)]
        columns = [texts.at(rows[:, feature]) for texts, feature in zip(self._texts, self._order, strict=True)]
        return columns[0] if self._is_list else np.stack(columns, axis=1)


@dataclass(frozen=True, eq=False)
class _Texts:
    """The texts of one category.

    Attributes:
        known: Shape (n_categories,), by position.
        missing: What stands for a missing one; None where the card names none.
    """

    known: NDArray[np.object_]
    missing: str | None

    def at(self, numbers: Scores) -> NDArray[np.object_]:
        is_missing = np.isnan(numbers) if self.missing is not None else np.zeros(len(numbers), dtype=np.bool_)
        found = (numbers >= 0) & (numbers < len(self.known)) & (numbers == np.floor(numbers))
        if not np.all(found | is_missing):
            raise _no_category(float(numbers[~(found | is_missing)][0]))
        texts: NDArray[np.object_] = self.known[np.where(found, numbers, 0).astype(np.int64)]
        texts[is_missing] = self.missing
        return texts


def _texts_of(position: int, features: Sequence[Feature] | None, input_name: str) -> _Texts:
    if features is None or features[position].kind != "category":
        named = "" if features is None else f" but '{features[position].name}' is no category"
        raise ModelFeaturesMismatchError(
            f"The model's input '{input_name[:80]}' reads text,{named or ' see the card'}."
        )
    feature = features[position]
    return _Texts(
        known=np.array([category.value for category in feature.categories], dtype=np.object_),
        missing=None if feature.may_be_missing is None else feature.may_be_missing.sent_as,
    )


def _no_category(number: float) -> ModelFeaturesMismatchError:
    if np.isnan(number):
        return ModelFeaturesMismatchError(
            "A missing value is not the position of a category, and the card names no text for it ('sent_as')."
        )
    return ModelFeaturesMismatchError(f"{number} is not the position of a category.")
