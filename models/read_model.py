"""The model of a package: how it is scored, and our own reading of it, from which contributions are computed.

This is the one place that knows which kinds of models there are. A reading is optional: a model that we can only ask
for scores is explained by asking it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models import manifest
from models.card import ModelCard
from models.errors import ModelFeaturesMismatchError, UnsupportedModelError
from models.forest import Forest, read_forest
from models.linear_model import PointsTable
from models.links import Link
from models.onnx_model import OnnxModel
from models.scorecard import parse_scorecard
from models.scoring_model import Rows, ScoringModel

Reading = Forest | PointsTable
"""What contributions can be computed from."""

_UNIT_OF_LINK: Mapping[Link, str] = {
    "identity": "score",
    "logistic": "log_odds",
    "softmax": "class_score",
    "softmax_zero": "class_score",
}
_WORDS_OF_UNIT = {"score": "the score's own", "log_odds": "log-odds", "class_score": "class scores"}


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
            all others the largest score over these rows; in the additive unit.
        """
        match self.reading:
            case Forest():
                return self.reading.sum_of_largest_leaves
            case PointsTable():
                parts = np.abs(self.reading.parts_of(rows)).max(axis=0)
                return float(abs(self.reading.intercept) + parts.sum())
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
    if file_name == manifest.SCORECARD:
        table = parse_scorecard(content, card)
        _check_n_scores(card, 1)
        return ReadModel(model=table, reading=table)
    forest = read_forest(content, card.features)
    _check_n_scores(card, forest.n_outputs)
    _check_link(card, forest.link)
    return ReadModel(model=OnnxModel(content, card), reading=forest)


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
