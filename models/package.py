"""A model package: card, model, background, reference and evaluation, verified together before anything is scored."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from models import manifest
from models.black_box import BlackBox, check_rows_are_independent
from models.card import ModelCard, parse_card
from models.encoding import check_encoding
from models.errors import MalformedPackageError, ModelFeaturesMismatchError, ModelUnusableError
from models.evaluation import Evaluation, parse_evaluation
from models.forest import Forest
from models.linear_model import LinearModel
from models.manifest import read_verified, write_manifest
from models.missing_values import MissingValueCheck, check_missing_rows
from models.read_model import Reading, ReadModel, additive_scale_of, read_model
from models.row_tables import Background, Reference, check_columns, parse_background, parse_reference
from models.score_comparison import ScoreComparison
from models.scoring_model import Rows, Scores, ScoringModel
from models.term_model import TermModel, check_terms

__all__ = ["Background", "ModelPackage", "Reading", "Reference", "load_package", "write_manifest"]

ADDITIVE_TOLERANCE = 1e-5
"""Runtime and reading may differ by this times max(1, scale of their rounding), in the additive unit."""

SCORE_TOLERANCE = 1e-6
"""Runtime, reading and original may differ by this in probabilities that follow from log-odds or class scores."""


@dataclass(frozen=True, kw_only=True)
class ModelPackage:
    """A package that has passed its verification.

    Attributes:
        card: What the register says about the model.
        sha256: Identity: SHA-256 (hex) of the manifest's bytes.
        model: Scores cases.
        reading: The same model as trees or sums of parts, for explaining; none for a model that can only be asked.
        background: What explanations compare with.
        reference: Rows with the original model's scores.
        evaluation: How good the model is.
    """

    card: ModelCard
    sha256: str
    model: ScoringModel
    reading: Reading | None
    background: Background
    reference: Reference
    evaluation: Evaluation

    @property
    def forest(self) -> Forest:
        """The trees of a model that has been read as trees.

        Raises:
            TypeError: If it is of another kind; look at ``reading`` first where any kind may come.
        """
        if not isinstance(self.reading, Forest):
            raise TypeError(f"the model '{self.card.slug}' is no tree ensemble")
        return self.reading

    @property
    def n_scores(self) -> int:
        """Scores the model gives each case: 1, or one for each of several classes."""
        return max(1, len(self.card.outcome_of_class))

    @property
    def features_used(self) -> frozenset[int]:
        """Positions of the features that the model reads, as far as anybody knows: all of them where nobody does."""
        if isinstance(self.reading, Forest):
            return self.reading.features_used
        return frozenset(range(len(self.card.features)))

    @property
    def reference_rows(self) -> Rows:
        """Rows of the reference, shape (r, n_features)."""
        return self.reference.rows

    @property
    def reference_scores(self) -> Scores:
        """The original model's scores of these rows, shape (r,) or (r, n_classes)."""
        return self.reference.scores

    @cached_property
    def additive_tolerance(self) -> float:
        """How far a 32-bit runtime may lie from the exact sum, in the additive unit."""
        read = ReadModel(model=self.model, reading=self.reading)
        return ADDITIVE_TOLERANCE * max(1.0, additive_scale_of(read, self.background.rows))

    @cached_property
    def score_spread(self) -> float:
        """Weighted standard deviation of the score over the background; of several classes that of the highest one."""
        scores, weights = self.model.score(self.background.rows), self.background.weights
        highest = scores.max(axis=1) if scores.ndim > 1 else scores
        mean = np.average(highest, weights=weights)
        return float(np.sqrt(np.average((highest - mean) ** 2, weights=weights)))

    @cached_property
    def score_tolerance(self) -> float:
        """How far two computations of one score may lie apart, in the score unit."""
        match self.card.additive_unit:
            case "score":
                return self.additive_tolerance
            case "log_score":
                # exp(x + d) is about exp(x) * (1 + d).
                return self.additive_tolerance * float(self.model.score(self.background.rows).max())
            case _:
                return SCORE_TOLERANCE


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
    check_missing_rows(card.features, background.rows, manifest.BACKGROUND)
    check_missing_rows(card.features, reference.rows, manifest.REFERENCE)
    _check_reference(card, reference)
    content = files.contents[files.model_file]
    read = read_model(files.model_file, content, card)
    MissingValueCheck(
        card=card, read=read, reference_rows=reference.rows, model_file=files.model_file, content=content
    ).check()
    package = ModelPackage(
        card=card,
        sha256=files.sha256,
        model=read.model,
        reading=read.reading,
        background=background,
        reference=reference,
        evaluation=evaluation,
    )
    _check_scores(package)
    _check_provenance(package)
    return package


def _check_provenance(package: ModelPackage) -> None:
    """Hold against the background that each case, and each feature in it, counts by itself."""
    reading, rows, names = package.reading, package.background.rows, package.card.feature_names
    if isinstance(reading, Forest | LinearModel) and reading.encoding is not None:
        check_encoding(reading.encoding, rows, names)
    if isinstance(reading, TermModel):
        check_terms(reading.terms, rows, names)
    if isinstance(package.model, BlackBox):
        check_rows_are_independent(package.model, rows, package.score_tolerance)


def _check_evaluation(card: ModelCard, evaluation: Evaluation) -> None:
    if evaluation.model_version != card.version:
        raise MalformedPackageError(
            f"evaluation.json is about version {evaluation.model_version}, the card is version {card.version}."
        )
    if evaluation.threshold != card.threshold:
        raise MalformedPackageError(
            f"evaluation.json uses the threshold {evaluation.threshold}, the card {card.threshold}."
        )
    bins = evaluation.calibration
    if card.score.is_probability and bins and (bins[0].low, bins[-1].high) != (0, 1):
        raise MalformedPackageError("evaluation.json: the bins of 'calibration' must cover 0 to 1 in rising order.")


def _check_reference(card: ModelCard, reference: Reference) -> None:
    if reference.classes != card.outcome_of_class:
        named = ", ".join(reference.classes) or "one score for each row"
        listed = ", ".join(card.outcome_of_class) or "one score for each row"
        raise ModelFeaturesMismatchError(
            f"reference.npz holds the classes {named}; the card, in 'outcome_of_class', has {listed}. "
            "Both must name the same outcomes in the order of the model's classes."
        )
    limits = (-SCORE_TOLERANCE, 1 + SCORE_TOLERANCE)
    if card.score.is_probability and np.any((reference.scores < limits[0]) | (reference.scores > limits[1])):
        raise MalformedPackageError("reference.npz: scores that are probabilities must lie between 0 and 1.")


def _check_scores(package: ModelPackage) -> None:
    model, reading, reference = package.model, package.reading, package.reference
    hint = ""
    if isinstance(reading, Forest) and reading.has_base_values and reading.link == "logistic":
        hint = (
            " The model carries base_values, which onnxruntime 1.32 misreads for two classes:"
            " add them to the leaves of one tree and convert again."
        )
    comparison = ScoreComparison(
        score_tolerance=package.score_tolerance,
        additive_tolerance=package.additive_tolerance,
        classes=package.card.outcome_of_class,
        hint=hint,
    )
    comparison.with_original(model.score(reference.rows), reference, whose="the runtime's score")
    if reading is None:
        return
    comparison.with_original(reading.score(reference.rows), reference, whose="the score read from the model file")
    for rows, name in ((reference.rows, manifest.REFERENCE), (package.background.rows, manifest.BACKGROUND)):
        comparison.of_runtime_and_reading(model, reading, rows, name=name)
