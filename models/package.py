"""A model package: card, model, background, reference and evaluation, verified together before anything is scored."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models import manifest
from models.card import ModelCard, parse_card
from models.encoding import check_encoding
from models.errors import (
    MalformedPackageError,
    ModelScoresDifferError,
    ModelUnusableError,
    UnsupportedModelError,
)
from models.evaluation import Evaluation, parse_evaluation
from models.forest import Forest, read_forest
from models.manifest import read_verified, write_manifest
from models.onnx_model import OnnxModel
from models.row_tables import Background, Reference, check_columns, parse_background, parse_reference
from models.scoring_model import Rows, Scores, ScoringModel

__all__ = ["Background", "ModelPackage", "Reference", "additive_tolerance", "load_package", "write_manifest"]

ADDITIVE_TOLERANCE = 1e-5
"""Runtime and forest may differ by this times max(1, sum of largest leaves), in the additive unit."""

SCORE_TOLERANCE = 1e-6
"""Runtime, forest and original may differ by this in the score."""


@dataclass(frozen=True, kw_only=True)
class ModelPackage:
    """A package that has passed its verification.

    Attributes:
        card: What the register says about the model.
        sha256: Identity: SHA-256 (hex) of the manifest's bytes.
        model: Scores cases.
        forest: The same model as trees, for explaining.
        background: What explanations compare with.
        reference: Rows with the original model's scores.
        evaluation: How good the model is.
    """

    card: ModelCard
    sha256: str
    model: ScoringModel
    forest: Forest
    background: Background
    reference: Reference
    evaluation: Evaluation

    @property
    def reference_rows(self) -> Rows:
        """Rows of the reference, shape (r, n_features)."""
        return self.reference.rows

    @property
    def reference_scores(self) -> Scores:
        """The original model's scores of these rows, shape (r,)."""
        return self.reference.scores


def additive_tolerance(forest: Forest) -> float:
    """How far a 32-bit runtime may lie from the exact sum of the leaves, in the additive unit."""
    return ADDITIVE_TOLERANCE * max(1.0, forest.sum_of_largest_leaves)


def load_package(folder: Path) -> ModelPackage:
    """Load a package and verify it.

    Args:
        folder: The package.

    Returns:
        The package; every file is the manifest's, and runtime, forest and original model agree.

    Raises:
        ModelUnusableError: One of its subclasses: the sentence names the file or row and how far it is off.
    """
    try:
        return _load(folder)
    except ModelUnusableError as error:
        error.slug = error.slug or folder.name
        raise


def _load(folder: Path) -> ModelPackage:
    files = read_verified(folder)
    card = parse_card(files.contents[manifest.CARD])
    evaluation = parse_evaluation(files.contents[manifest.EVALUATION])
    _check_evaluation(card, evaluation)
    background = parse_background(files.contents[manifest.BACKGROUND])
    reference = parse_reference(files.contents[manifest.REFERENCE])
    check_columns(background.rows, len(card.features), manifest.BACKGROUND)
    check_columns(reference.rows, len(card.features), manifest.REFERENCE)
    forest = read_forest(files.contents[manifest.MODEL], card.features)
    if forest.n_outputs > 1:
        raise UnsupportedModelError(
            f"The card has two outcomes and one score, but the model gives {forest.n_outputs} scores."
        )
    if forest.link != "logistic":
        raise UnsupportedModelError(
            "The card's additive unit is log-odds, but the model's scores do not follow from log-odds."
        )
    model = OnnxModel(files.contents[manifest.MODEL], card)
    _check_scores(model, forest, background, reference)
    if forest.encoding is not None:
        check_encoding(forest.encoding, background.rows, card.feature_names)
    return ModelPackage(
        card=card,
        sha256=files.sha256,
        model=model,
        forest=forest,
        background=background,
        reference=reference,
        evaluation=evaluation,
    )


def _check_evaluation(card: ModelCard, evaluation: Evaluation) -> None:
    if evaluation.model_version != card.version:
        raise MalformedPackageError(
            f"evaluation.json is about version {evaluation.model_version}, the card is version {card.version}."
        )
    if evaluation.threshold != card.threshold:
        raise MalformedPackageError(
            f"evaluation.json uses the threshold {evaluation.threshold}, the card {card.threshold}."
        )


def _check_scores(model: ScoringModel, forest: Forest, background: Background, reference: Reference) -> None:
    hint = ""
    if forest.has_base_values:
        hint = (
            " The model carries base_values, which onnxruntime 1.32 misreads for two classes:"
            " add them to the leaves of one tree and convert again."
        )
    runtime_scores, forest_scores = model.score(reference.rows), forest.score(reference.rows)
    compare = _Comparison(what=f"row {{}} of {manifest.REFERENCE}", tolerance=SCORE_TOLERANCE, hint=hint)
    compare.refuse_difference("the runtime's score", runtime_scores, reference.scores)
    compare.refuse_difference("the score read from the trees", forest_scores, reference.scores)
    for rows, name in ((reference.rows, manifest.REFERENCE), (background.rows, manifest.BACKGROUND)):
        what = f"row {{}} of {name}"
        compare = _Comparison(what=what, tolerance=SCORE_TOLERANCE, hint=hint)
        compare.refuse_difference("the runtime's score", model.score(rows), forest.score(rows))
        compare = _Comparison(what=what, tolerance=additive_tolerance(forest), hint=hint)
        sums = forest.additive_score(rows)
        compare.refuse_difference("the runtime's additive score", model.additive_score(rows), sums)


@dataclass(frozen=True, kw_only=True)
class _Comparison:
    """How two series of scores are compared, and how a difference is told.

    Attributes:
        what: Name of one row, with a gap for its number.
        tolerance: Largest difference that is accepted.
        hint: Sentence about a likely cause, or empty.
    """

    what: str
    tolerance: float
    hint: str

    def refuse_difference(self, whose: str, found: Scores, expected: Scores) -> None:
        differences = np.abs(found - expected)
        # Written as "not within" so that NaN counts as a difference.
        outside = np.flatnonzero(~(differences <= self.tolerance))
        if len(outside) == 0:
            return
        row = int(outside[np.argmax(np.nan_to_num(differences[outside], nan=np.inf))])
        raise ModelScoresDifferError(
            f"For {self.what.format(row)}, {whose} is {found[row]:.9g} instead of {expected[row]:.9g};"
            f" {len(outside)} of {len(found)} rows differ by more than {self.tolerance:.3g}."
            f" The model is not used.{self.hint}"
        )
