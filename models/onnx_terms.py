"""Reads sums of terms out of ONNX: finds the terms, and lets onnxruntime compute each of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.errors import MalformedPackageError, UnsupportedModelError
from models.features import Feature
from models.onnx_model import OnnxTensors
from models.onnx_term_graph import Summand, TermGraph
from models.scoring_model import Rows, Scores, refuse_row_width, value_not_known
from models.term_model import TermModel


@dataclass(frozen=True, eq=False, kw_only=True)
class OnnxTerms:
    """Terms that onnxruntime computes; see :class:`models.term_model.Terms`.

    Attributes:
        tensors: Computes the summands.
        summands: Each part of the sum that depends on a feature.
        features_of_terms: The terms: summands over the same features are one.
        n_features: Number of columns of a raw row.
        outputs: Which of the graph's additive scores are meant.
    """

    tensors: OnnxTensors
    summands: tuple[Summand, ...]
    features_of_terms: tuple[tuple[int, ...], ...]
    n_features: int
    outputs: tuple[int, ...]

    @property
    def n_outputs(self) -> int:
        """Additive scores per row."""
        return len(self.outputs)

    def for_output(self, output: int) -> "OnnxTerms":
        """Give the terms of one of several outputs."""
        return replace(self, outputs=(self.outputs[output],))

    def scores_of(self, rows: Rows) -> NDArray[np.float64]:
        """Run every term; see :meth:`models.term_model.Terms.scores_of`."""
        refuse_row_width(rows, self.n_features)
        scores = np.zeros((len(rows), len(self.features_of_terms), self.n_outputs))
        if len(rows) == 0:
            return scores
        for summand, values in zip(self.summands, self.tensors.of(rows), strict=True):
            parts = summand.added_up(values, len(rows))
            # A part with one column counts for every output.
            columns = list(self.outputs) if parts.shape[1] > 1 else [0]
            scores[:, self.features_of_terms.index(summand.features)] += parts[:, columns]
        if not np.isfinite(scores).all():
            row, term = np.argwhere(~np.isfinite(scores))[0, :2]
            feature = self.features_of_terms[term][0]
            raise value_not_known(float(rows[row, feature]), feature)
        return scores


class OnnxSum:
    """A graph of terms as onnxruntime scores it as a whole: what our own reading of it is held against.

    Args:
        onnx_bytes: The graph.
        features: The card's features, or their names; see :func:`read_onnx_terms`.

    Raises:
        UnsupportedModelError: If the score is no sum of terms.
        MalformedPackageError: If the bytes are not ONNX.
        ModelFeaturesMismatchError: If the graph's inputs are not the card's features.
    """

    def __init__(self, onnx_bytes: bytes, features: Sequence[Feature] | Sequence[str] | None = None) -> None:
        graph = TermGraph(onnx_bytes, _names_of(features))
        self.n_features = graph.n_raw_features
        self._scores = OnnxTensors(graph, features, [graph.score_output])
        self._additive_scores = OnnxTensors(graph, features, [graph.additive_output])
        some_row = np.zeros((1, self.n_features))
        self.n_outputs = self._additive_scores.of(some_row)[0].size

    def score(self, rows: Rows) -> Scores:
        """Score cases; shape (n_rows,), or (n_rows, n_outputs) if there are several outputs."""
        return self._columns(self._scores, rows)

    def additive_score(self, rows: Rows) -> Scores:
        """Score cases before the link; shape as :meth:`score`."""
        return self._columns(self._additive_scores, rows)

    def _columns(self, tensors: OnnxTensors, rows: Rows) -> Scores:
        refuse_row_width(rows, self.n_features)
        found = np.zeros((0, self.n_outputs)) if len(rows) == 0 else tensors.of(rows)[0]
        columns: Scores = found.astype(np.float64).reshape(len(rows), -1 if len(rows) else self.n_outputs)
        # Of the probabilities of two classes the last one is the score.
        return columns[:, -1] if self.n_outputs == 1 else columns


def _names_of(features: Sequence[Feature] | Sequence[str] | None) -> list[str] | None:
    return None if features is None else [f if isinstance(f, str) else f.name for f in features]


def read_onnx_terms(onnx_bytes: bytes, features: Sequence[Feature] | Sequence[str] | None = None) -> TermModel:
    """Read a sum of terms over one or two raw features each.

    Args:
        onnx_bytes: The graph, as ebm2onnx writes explainable boosting machines, or any other sum of such parts.
        features: The card's features, or their names where no input is text; needed where the graph has one named
            input per feature in another order.

    Returns:
        The model over raw features.

    Raises:
        UnsupportedModelError: If the score is no such sum; the sentence says where it is not.
        MalformedPackageError: If the bytes are not ONNX or the parts do not fit together.
        ModelFeaturesMismatchError: If the graph's inputs are not the card's features.
    """
    graph = TermGraph(onnx_bytes, _names_of(features))
    constants = [summand for summand in graph.summands if not summand.features]
    if any(summand.tensor not in graph.constants or summand.axis is not None for summand in constants):
        raise UnsupportedModelError("A part of the score that no feature changes must be stored as numbers.")
    intercepts = [np.ravel(graph.constants[summand.tensor]).astype(np.float64) for summand in constants]
    summands = tuple(summand for summand in graph.summands if summand.features)
    if not summands:
        raise UnsupportedModelError("No feature changes the score.")
    tensors = OnnxTensors(graph, features, [summand.tensor for summand in summands])
    some_row = np.zeros((1, graph.n_raw_features))
    parts = [part.added_up(values, 1) for part, values in zip(summands, tensors.of(some_row), strict=True)]
    widths = {len(one) for one in intercepts} | {part.shape[1] for part in parts}
    if len(widths - {1}) > 1:
        raise MalformedPackageError(f"Parts of the score have {sorted(widths)} columns, which do not fit together.")
    terms = OnnxTerms(
        tensors=tensors,
        summands=summands,
        features_of_terms=tuple(sorted({summand.features for summand in summands})),
        n_features=graph.n_raw_features,
        outputs=tuple(range(max(widths))),
    )
    return TermModel(intercepts=sum(intercepts, np.zeros(max(widths))), terms=terms, link=graph.link)
