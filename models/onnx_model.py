"""Scoring and preprocessing by onnxruntime; the only importer of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors

from models.card import ModelCard
from models.encoding import Columns
from models.errors import UnsupportedModelError
from models.features import Feature
from models.onnx_graph import OnnxGraph, ScoringGraph
from models.onnx_inputs import OnnxInputs
from models.onnx_outputs import read_outputs
from models.scoring_model import Rows, Scores

_ERRORS_ONLY = 3

# onnxruntime has no common base class for its errors; these are all of them.
_RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    *(kind for kind in vars(onnxruntime_errors).values() if isinstance(kind, type) and issubclass(kind, Exception)),
)


class OnnxModel:
    """An ONNX tree ensemble or linear model behind the :class:`~models.scoring_model.ScoringModel` protocol.

    It scores one row at a time or many, on one thread, so that equal rows get equal scores wherever they stand.

    Args:
        onnx_bytes: The model: one input in the order of the card's features, or one named input per feature.
        card: Names and orders the features.

    Attributes:
        n_outputs: Scores per row; more than one for several classes or targets, and then the shapes of
            :meth:`score` and :meth:`additive_score` are (n_rows, n_outputs).

    Raises:
        UnsupportedModelError: If the runtime cannot run it, or it is of a kind we do not read.
        MalformedPackageError: If the bytes are not ONNX.
        ModelFeaturesMismatchError: If its inputs are not the card's features.
    """

    def __init__(self, onnx_bytes: bytes, card: ModelCard) -> None:
        graph = ScoringGraph(onnx_bytes)
        self._inputs = OnnxInputs(graph, graph.raw_positions(card.feature_names), card.features)
        self._n_features = len(card.features)
        self._outputs = read_outputs(graph)
        self.n_outputs = self._outputs.n_outputs
        self._scores = _Part(_session(graph.scoring_part()))
        self._additive_scores = _Part(_session(graph.additive_part()))

    @property
    def n_features(self) -> int:
        """Number of columns of a raw row."""
        return self._n_features

    def score(self, rows: Rows) -> Scores:
        """Score cases; see :meth:`models.scoring_model.ScoringModel.score`."""
        return self._outputs.scores_of(self._run(self._scores, rows))

    def additive_score(self, rows: Rows) -> Scores:
        """Score cases before the post transform; see :meth:`models.scoring_model.ScoringModel.additive_score`."""
        return self._outputs.additive_scores_of(self._run(self._additive_scores, rows))

    def _run(self, part: "_Part", rows: Rows) -> Scores:
        tables = self._inputs.of(rows)
        if len(rows) == 0:
            return np.zeros((0, self._outputs.n_columns))
        return part.run(tables)[0].astype(np.float64).reshape(len(rows), -1)


class OnnxPreprocessing:
    """The part of a graph before its scoring node, run by onnxruntime; see :class:`models.encoding.Preprocessing`.

    Args:
        graph: The graph.
        features: The card's features; needed where the graph reads text or has several inputs.
        n_columns: Columns the scoring node reads.

    Raises:
        UnsupportedModelError: If the runtime cannot run it, or the scoring node reads other than 32-bit numbers.
        ModelFeaturesMismatchError: If the graph's inputs are not the card's features.
    """

    def __init__(self, graph: ScoringGraph, features: Sequence[Feature] | Sequence[str] | None, n_columns: int) -> None:
        self._inputs = _inputs_of(graph, features)
        self._n_columns = n_columns
        if graph.maker_of(graph.node_input) is None:
            raise UnsupportedModelError(
                f"Inputs of other than 32-bit floating point numbers right before the {graph.scorer} are not yet read."
            )
        session = _session(graph.preprocessing_part())
        if session.get_outputs()[0].type != "tensor(float)":
            raise UnsupportedModelError(
                f"Columns of other than 32-bit floating point numbers before the {graph.scorer} are not yet read."
            )
        self._part = _Part(session)

    def encode(self, rows: Rows) -> Columns:
        """Make the columns of raw rows, shape (n_rows, n_columns)."""
        tables = self._inputs.of(rows)
        if len(rows) == 0:
            return np.zeros((0, self._n_columns), dtype=np.float32)
        columns: Columns = self._part.run(tables)[0].reshape(len(rows), -1)
        return columns


class OnnxTensors:
    """Some tensors of a graph, computed by onnxruntime.

    Args:
        graph: The graph.
        features: The card's features; needed where the graph reads text or has several inputs.
        names: The tensors.

    Raises:
        UnsupportedModelError: If the runtime cannot run the graph.
        ModelFeaturesMismatchError: If the graph's inputs are not the card's features.
    """

    def __init__(
        self, graph: OnnxGraph, features: Sequence[Feature] | Sequence[str] | None, names: Sequence[str]
    ) -> None:
        self._inputs = _inputs_of(graph, features)
        self._part = _Part(_session(graph.part_up_to(*names)))

    def of(self, rows: Rows) -> list[NDArray[Any]]:
        """Compute the tensors for raw rows, shape (n_rows, n_features)."""
        return self._part.run(self._inputs.of(rows))


def _inputs_of(graph: OnnxGraph, features: Sequence[Feature] | Sequence[str] | None) -> OnnxInputs:
    names = None if features is None else [f if isinstance(f, str) else f.name for f in features]
    full = [feature for feature in features or () if isinstance(feature, Feature)]
    return OnnxInputs(graph, graph.raw_positions(names), full or None)


class _Part:
    """A graph that is loaded, and what it reads."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        self._input_names = frozenset(graph_input.name for graph_input in session.get_inputs())

    def run(self, tables: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Compute all outputs; inputs that the graph does not read are left out."""
        if len(tables) != len(self._input_names):
            tables = {name: table for name, table in tables.items() if name in self._input_names}
        try:
            outputs: list[NDArray[Any]] = self._session.run(None, tables)
        except _RUNTIME_ERRORS as error:
            reason = (str(error).splitlines() or ["no reason given"])[0][:200]
            raise UnsupportedModelError(f"The runtime cannot run the model on a row: {reason}.") from error
        return outputs


def _session(onnx_bytes: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    try:
        return ort.InferenceSession(onnx_bytes, options, providers=["CPUExecutionProvider"])
    except _RUNTIME_ERRORS as error:
        reason = (str(error).splitlines() or ["no reason given"])[0][:200]
        raise UnsupportedModelError(f"The runtime cannot load the model: {reason}.") from error
