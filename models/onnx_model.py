"""Scoring by onnxruntime; the only importer of it."""

from collections.abc import Mapping

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors

from models.card import ModelCard
from models.errors import ModelFeaturesMismatchError, UnsupportedModelError
from models.onnx_graph import Column, TreeGraph
from models.scoring_model import Rows, Scores

_ERRORS_ONLY = 3

# onnxruntime has no common base class for its errors; these are all of them.
_RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    *(kind for kind in vars(onnxruntime_errors).values() if isinstance(kind, type) and issubclass(kind, Exception)),
)

_ELEMENT_TYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


class OnnxModel:
    """An ONNX tree model behind the :class:`~models.scoring_model.ScoringModel` protocol.

    It scores one row at a time or many, on one thread, so that equal rows get equal scores wherever they stand.

    Args:
        onnx_bytes: The model: one float input in the order of the card's features, or one named input per feature.
        card: Names and orders the features.

    Raises:
        UnsupportedModelError: If the runtime cannot run it, or it is of a kind we do not read.
        MalformedPackageError: If the bytes are not ONNX.
        ModelFeaturesMismatchError: If its inputs are not the card's features.
    """

    def __init__(self, onnx_bytes: bytes, card: ModelCard) -> None:
        graph = TreeGraph(onnx_bytes)
        self._positions = graph.raw_positions(card.feature_names)
        self._n_features = len(card.features)
        self._scores = _session(graph.with_output_only())
        self._additive_scores = _session(graph.with_output_only(post_transform="NONE"))

    @property
    def n_features(self) -> int:
        """Number of columns of a raw row."""
        return self._n_features

    def score(self, rows: Rows) -> Scores:
        """Score cases; see :meth:`models.scoring_model.ScoringModel.score`."""
        return self._run(self._scores, rows)

    def additive_score(self, rows: Rows) -> Scores:
        """Score cases before the post transform; see :meth:`models.scoring_model.ScoringModel.additive_score`."""
        return self._run(self._additive_scores, rows)

    def _run(self, session: ort.InferenceSession, rows: Rows) -> Scores:
        if rows.ndim != 2 or rows.shape[1] != self._n_features:  # noqa: PLR2004 - a table has two dimensions
            raise ModelFeaturesMismatchError(f"Rows of shape {rows.shape} do not fit {self._n_features} features.")
        if len(rows) == 0:
            return np.zeros(0)
        feeds = {}
        for graph_input in session.get_inputs():
            width = int(graph_input.shape[1])
            order = [self._positions[Column(graph_input.name, position)] for position in range(width)]
            with np.errstate(over="ignore"):
                feeds[graph_input.name] = rows[:, order].astype(_ELEMENT_TYPES[graph_input.type])
        scores = np.asarray(session.run(None, feeds)[0], dtype=np.float64)
        return scores.reshape(len(rows), -1)[:, -1]


def _session(onnx_bytes: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    try:
        session = ort.InferenceSession(onnx_bytes, options, providers=["CPUExecutionProvider"])
    except _RUNTIME_ERRORS as error:
        reason = (str(error).splitlines() or ["no reason given"])[0][:200]
        raise UnsupportedModelError(f"The runtime cannot load the model: {reason}.") from error
    unknown = sorted({i.type for i in session.get_inputs()} - set(_ELEMENT_TYPES))
    if unknown:
        raise UnsupportedModelError(f"Models with inputs of type {', '.join(unknown)} are not yet run.")
    return session
