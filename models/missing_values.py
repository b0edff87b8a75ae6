"""Holds a package against what its card says of missing values: only where the original model defines them.

A file cannot say by itself what the original model does without a value: scikit-learn's random forests are exported
with marks for missing values that mean nothing, and CatBoost's need none. So a card that lets a value be missing is
believed only if the reference rows show what the original model does then, and if the file can do the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from models import manifest
from models.card import ModelCard
from models.errors import ModelFeaturesMismatchError, ModelUnusableError, UnsupportedModelError
from models.features import Feature
from models.forest import Forest
from models.onnx_graph import OnnxGraph
from models.read_model import ReadModel
from models.scoring_model import Rows

_PROBED_ROWS = 50


def check_missing_rows(features: Sequence[Feature], rows: Rows, name: str) -> None:
    """Refuse a table in which a value is missing of which the card does not say so.

    Args:
        features: The card's features.
        rows: Raw rows, shape (n_rows, n_features).
        name: File the rows come from.

    Raises:
        ModelFeaturesMismatchError: If there is one; names every such feature.
    """
    missing = np.isnan(rows)
    wrong = [
        f"'{feature.name}' (row {int(np.argmax(missing[:, place]))})"
        for place, feature in enumerate(features)
        if feature.may_be_missing is None and missing[:, place].any()
    ]
    if wrong:
        raise ModelFeaturesMismatchError(
            f"{name} holds missing values of {', '.join(wrong)}, but by the card every case has a value there. "
            "Where the original model defines what a missing value means, write 'may_be_missing' with the words for it "
            "into the card; else leave these rows out."
        )


@dataclass(frozen=True, kw_only=True)
class MissingValueCheck:
    """Says whether a model can do without the values of which its card says that they may be missing.

    Attributes:
        card: The card.
        read: The model.
        reference_rows: Rows of which the original model's scores are known, shape (r, n_features).
        model_file: Name of the file that holds the model.
        content: Its bytes.
    """

    card: ModelCard
    read: ReadModel
    reference_rows: Rows
    model_file: str
    content: bytes

    def check(self) -> None:
        """Look at every feature that may be missing.

        Raises:
            UnsupportedModelError: If the model defines nothing there, or nothing shows that it does; the sentence names
                every such feature and how to mend it.
        """
        problems = [
            problem
            for place, feature in enumerate(self.card.features)
            if feature.may_be_missing is not None
            for problem in self._problems_of(place, feature)
        ]
        if problems:
            raise UnsupportedModelError(
                " ".join(problems) + " Else take 'may_be_missing' out of the card: then every case needs a value."
            )

    def _problems_of(self, place: int, feature: Feature) -> Iterator[str]:
        text = None if feature.may_be_missing is None else feature.may_be_missing.sent_as
        if text is not None and text not in self._known_texts:
            yield (
                f"The model does not know the text '{text[:80]}' that by the card is sent where '{feature.name}' is "
                "missing: write the one that stood there when the model was trained."
            )
        reason = self._reason_against(place)
        if reason is not None:
            yield f"The model defines nothing for a missing '{feature.name}': {reason}"
        elif not np.isnan(self.reference_rows[:, place]).any():
            yield (
                f"Nothing shows that the original model defines something for a missing '{feature.name}': add rows to "
                "reference.npz in which it is missing, with the original model's scores."
            )

    def _reason_against(self, place: int) -> str | None:
        """Try rows of the reference without one value."""
        rows = self.reference_rows[:_PROBED_ROWS].copy()
        rows[:, place] = np.nan
        reading = self.read.reading
        try:
            if isinstance(reading, Forest) and _has_forgotten(reading, rows, place):
                return (
                    "the file says of no node which way a missing value goes. Train it with missing values, and export "
                    "it with a converter that keeps them."
                )
            scores = [model.additive_score(rows) for model in (self.read.model, reading) if model is not None]
        except ModelUnusableError as error:
            return str(error)
        if not all(np.isfinite(found).all() for found in scores):
            return "its score is then no number. Fill it in before the model, inside the file."
        return None

    @property
    def _known_texts(self) -> frozenset[str]:
        if self.model_file != manifest.MODEL:
            return frozenset()
        return OnnxGraph(self.content).texts


def _has_forgotten(forest: Forest, rows: Rows, place: int) -> bool:
    """Say whether nodes are asked about a missing value and know no answer; what is filled in before is none."""
    if forest.has_missing_tracks or place not in forest.features_used:
        return False
    return bool(np.isnan(forest.encode(rows)[:, forest.columns_of_feature[place]]).any())
