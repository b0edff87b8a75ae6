"""The model of a package: how it is scored, and our own reading of it, from which contributions are computed.

This is the one place that knows which kinds of models there are. A reading is optional: a model that can only be asked
for scores is explained by asking it.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models import manifest
from models.black_box import BlackBox
from models.card import ModelCard
from models.errors import ModelFeaturesMismatchError, UnsupportedModelError
from models.forest import Forest, read_forest
from models.linear_model import LinearModel, PointsTable
from models.links import Link
from models.onnx_graph import ENSEMBLES, LINEAR, OnnxGraph, ScoringGraph
from models.onnx_linear import read_linear_model
from models.onnx_model import OnnxModel
from models.onnx_terms import OnnxSum, read_onnx_terms
from models.scorecard import parse_scorecard
from models.scoring_model import Rows, ScoringModel
from models.term_file import read_term_file
from models.term_model import TermModel

LOG = logging.getLogger("klarbescheid.models")

Reading = Forest | LinearModel | PointsTable | TermModel
"""What contributions can be computed from."""

_UNIT_OF_LINK: Mapping[Link, str] = {
    "identity": "score",
    "logistic": "log_odds",
    "logistic_shares": "log_odds",
    "softmax": "class_score",
    "softmax_zero": "class_score",
    "exp": "log_score",
}
_WORDS_OF_UNIT = {
    "score": "the score's own",
    "log_odds": "log-odds",
    "class_score": "class scores",
    "log_score": "logarithms of the score",
}


@dataclass(frozen=True, kw_only=True)
class ReadModel:
    """A model in both forms.

    Attributes:
        model: Scores cases.
        reading: The same model for explaining; none for a model that can only be asked.
    """

    model: ScoringModel
    reading: Reading | None

    def additive_scale(self, rows: Rows) -> float:
        """Say on which scale runtimes round.

        Args:
            rows: Raw rows of the background, shape (m, n_features).

        Returns:
            For trees the sum of their largest leaves, for sums of parts that of the largest parts over these rows, for
            all others the largest score over these rows; in the additive unit, of several classes the largest.
        """
        match self.reading:
            case Forest():
                return self.reading.sum_of_largest_leaves
            case PointsTable():
                return _scale_of_parts(self.reading, rows)
            case LinearModel():
                outputs = range(self.reading.n_outputs)
                return max(_scale_of_parts(self.reading.for_output(output), rows) for output in outputs)
            case TermModel():
                terms = np.abs(self.reading.terms.scores_of(rows)).max(axis=0).sum(axis=0)
                return float((np.abs(self.reading.intercepts) + terms).max())
            case None:
                return float(np.abs(self.model.additive_score(rows)).max())


def read_model(file_name: str, content: bytes, card: ModelCard) -> ReadModel:
    """Read the file that holds the model.

    Args:
        file_name: One of :data:`models.manifest.MODEL_FILES`.
        content: Its bytes.
        card: Says what the number is and names the features.

    Returns:
        The model.

    Raises:
        ModelUnusableError: One of its subclasses, if it cannot be read or is another model than the card describes.
    """
    match file_name:
        case manifest.SCORECARD:
            table = parse_scorecard(content, card)
            read = ReadModel(model=table, reading=table)
        case manifest.TERMS:
            terms = read_term_file(content, card.features)
            read = ReadModel(model=terms, reading=terms)
        case _:
            read = _read_onnx(content, card)
    if read.reading is not None:
        _check_n_scores(card, 1 if isinstance(read.reading, PointsTable) else read.reading.n_outputs)
        _check_link(card, read.reading.link)
    return read


def _read_onnx(content: bytes, card: ModelCard) -> ReadModel:
    operators = {node.op_type for node in OnnxGraph(content).model.graph.node}
    try:
        if operators.isdisjoint((*ENSEMBLES, *LINEAR)):
            return ReadModel(model=OnnxSum(content, card.features), reading=read_onnx_terms(content, card.features))
        _check_labels(card, ScoringGraph(content))
        linear = operators.isdisjoint(ENSEMBLES)
        reading = read_linear_model(content, card.features) if linear else read_forest(content, card.features)
        return ReadModel(model=OnnxModel(content, card), reading=reading)
    except UnsupportedModelError as error:
        if card.additive_unit != "score":
            raise UnsupportedModelError(
                f"{error} Such a model can be explained by asking it for scores, in the score's own unit: then write "
                "'additive_unit: score' in the card."
            ) from error
        LOG.info("%s: can only be asked for scores. %s", card.slug, error)
    return ReadModel(model=BlackBox(content, card.features, max(1, len(card.outcome_of_class))), reading=None)


def _scale_of_parts(model: LinearModel | PointsTable, rows: Rows) -> float:
    return float(abs(model.intercept) + np.abs(model.parts_of(rows)).max(axis=0).sum())


def _check_n_scores(card: ModelCard, n_scores: int) -> None:
    if n_scores != max(1, len(card.outcome_of_class)):
        described = f"{len(card.outcome_of_class)} classes" if card.outcome_of_class else "two outcomes and one score"
        raise ModelFeaturesMismatchError(
            f"The card has {described}, but the model gives {n_scores} score{'s' if n_scores > 1 else ''}."
        )


def _check_link(card: ModelCard, link: Link) -> None:
    needed = _UNIT_OF_LINK.get(link)
    if needed is None:
        raise UnsupportedModelError(f"A card cannot describe scores with the link '{link}'.")
    if needed != card.additive_unit:
        raise UnsupportedModelError(
            f"The card's additive unit is {_WORDS_OF_UNIT[card.additive_unit]}, but the model's scores do not follow "
            f"from {_WORDS_OF_UNIT[card.additive_unit]}: write 'additive_unit: {needed}'."
        )


def _check_labels(card: ModelCard, graph: ScoringGraph) -> None:
    """Refuse a card that orders the classes otherwise than the model, where the model names them by outcome ids."""
    stored: Sequence[bytes] = graph.attributes.get("classlabels_strings") or []
    labels = [label.decode("utf-8", "replace") for label in stored]
    ids = [outcome.id for outcome in card.outcomes]
    expected = list(card.outcome_of_class) or [str(card.outcome_below), str(card.outcome_at_or_above)]
    if sorted(labels) == sorted(ids) and labels != expected:
        raise ModelFeaturesMismatchError(
            f"The model's classes are {', '.join(labels)}, in this order; by the card they are {', '.join(expected)}."
        )
