"""Models that are only ever asked for scores: any ONNX graph that gives one score, or one for each class."""

from collections.abc import Sequence

import numpy as np

from models.errors import ModelFeaturesMismatchError, UnsupportedModelError
from models.features import Feature
from models.onnx_ending import is_label
from models.onnx_graph import OnnxGraph
from models.onnx_model import OnnxTensors
from models.scoring_model import Rows, Scores

_TWO = 2
_ALONE = 10


class BlackBox:
    """An ONNX graph of any kind behind the :class:`~models.scoring_model.ScoringModel` protocol.

    Nothing is known about it, so its additive score is the score itself.

    Args:
        onnx_bytes: The graph: one input table in the order of the card's features, or one named input for each; one
            output that is no label.
        features: The card's features.
        n_scores: How many scores the card speaks of. A graph with two columns for one score is a classifier of two
            classes, and the score is the second one's.

    Raises:
        UnsupportedModelError: If it has several outputs, or the runtime cannot run it.
        MalformedPackageError: If the bytes are not ONNX.
        ModelFeaturesMismatchError: If it reads other features, or gives another number of scores.
    """

    def __init__(self, onnx_bytes: bytes, features: Sequence[Feature], n_scores: int) -> None:
        graph = OnnxGraph(onnx_bytes)
        self._n_features, self._n_scores = len(features), n_scores
        self._tensors = OnnxTensors(graph, features, [_only_score(graph)])
        self._columns(np.zeros((1, self._n_features)))

    @property
    def n_features(self) -> int:
        """Number of columns of a raw row."""
        return self._n_features

    def score(self, rows: Rows) -> Scores:
        """Score cases; see :meth:`models.scoring_model.ScoringModel.score`."""
        columns = self._columns(rows)
        return columns[:, -1] if self._n_scores == 1 else columns

    def additive_score(self, rows: Rows) -> Scores:
        """Score cases; see :meth:`models.scoring_model.ScoringModel.additive_score`."""
        return self.score(rows)

    def _columns(self, rows: Rows) -> Scores:
        if len(rows) == 0:
            return np.zeros((0, self._n_scores))
        found = self._tensors.of(rows)[0]
        if found.dtype.kind != "f" or found.size % len(rows):
            raise UnsupportedModelError("The model's output is no table of scores with one row for each case.")
        columns: Scores = found.astype(np.float64).reshape(len(rows), -1)
        if columns.shape[1] != self._n_scores and (self._n_scores, columns.shape[1]) != (1, _TWO):
            raise ModelFeaturesMismatchError(
                f"The card speaks of {self._n_scores} score{'s' if self._n_scores > 1 else ''}, but the model gives "
                f"{columns.shape[1]} for each case."
            )
        return columns


def check_rows_are_independent(model: BlackBox, rows: Rows, tolerance: float) -> None:
    """Hold against real rows that a case's score does not depend on the cases beside it.

    Args:
        model: The model.
        rows: Raw rows, shape (n_rows, n_features).
        tolerance: How far scores may differ, in the score unit.

    Raises:
        UnsupportedModelError: If it does.
    """
    together = model.score(rows)[:_ALONE]
    alone = np.concatenate([model.score(row[np.newaxis]) for row in rows[:_ALONE]])
    if not np.abs(together - alone).max() <= tolerance:
        raise UnsupportedModelError("What the model computes for one case depends on the other cases beside it.")


def _only_score(graph: OnnxGraph) -> str:
    scores = [output.name for output in graph.model.graph.output if not is_label(output)]
    if len(scores) != 1:
        raise UnsupportedModelError(
            f"The model gives {len(scores)} outputs that are no labels; exactly one with the scores is needed."
        )
    maker = graph.maker_of(scores[0])
    return str(maker.input[0]) if maker is not None and maker.op_type == "ZipMap" else scores[0]
