"""Turns a model file, a card and two tables into a package; nothing is kept unless everything has been verified."""

import io
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import yaml

from models import manifest
from models.card import ModelCard, load_card
from models.conversion.background import BackgroundSource, background_bytes, make_background
from models.conversion.sources import ConvertedModel, read_source, refuse_pickle
from models.conversion.tables import read_cases
from models.errors import InstalledTwiceError, MalformedPackageError, ModelUnusableError
from models.evaluation import Evaluation, parse_evaluation
from models.listed_package import list_package
from models.package import ModelPackage, load_package
from models.read_model import read_model
from models.row_tables import Background, Reference, check_columns
from models.scoring_model import Rows
from models.words import Words

MOST_REFERENCE_ROWS = 200
"""So many centres are kept with their scores for the check at every start."""

ROWS_WITHOUT_A_VALUE = 5
"""So many centres are kept a second time without a value, for each feature that may be missing."""

_EVALUATION_WORDS = Path(__file__).with_name("evaluation_words.yaml")


@dataclass(frozen=True, kw_only=True)
class PackageSources:
    """What a package is made of.

    Attributes:
        model: Model file in any format that is read.
        card: The card.
        background: Where the background comes from.
        reference: Table of cases with a column ``score``, or ``score_<outcome id>`` for each of several classes: what
            the original model gave them.
        evaluation: How good the model is; none if nobody has counted it yet.
        keep_reference: Whether the reference rows are about nobody, so that the package may hold them.
        trusted: Types in a skops file that a person has looked at.
        today: Day of adding.
    """

    model: Path
    card: Path
    background: BackgroundSource
    reference: Path
    evaluation: Path | None = None
    keep_reference: bool = False
    trusted: tuple[str, ...] = ()
    today: date


@dataclass(frozen=True, kw_only=True)
class AddedPackage:
    """What was written.

    Attributes:
        folder: The package.
        package: The same, loaded and verified.
        read_from: What the model was.
        n_reference_rows: Cases in which original, runtime and reading agreed.
        largest_difference: Largest difference between them, in the score unit.
        older_version: Where the version lies that was current until now, if there was one.
    """

    folder: Path
    package: ModelPackage
    read_from: str
    n_reference_rows: int
    largest_difference: float
    older_version: Path | None


def add_package(sources: PackageSources, into: Path) -> AddedPackage:
    """Convert, verify and write a package.

    Args:
        sources: What it is made of.
        into: Folder that holds packages; made if it does not exist.

    Returns:
        What was written.

    Raises:
        KlarbescheidError: One of its subclasses, and nothing was written: the sentence says what differs or is missing.
    """
    refuse_pickle(sources.model)
    card = load_card(sources.card)
    _check_place(into, card)
    converted = read_source(sources.model, card, sources.trusted)
    model = read_model(converted.file_name, converted.content, card).model
    contents = _Contents(
        card=card,
        converted=converted,
        reference=read_reference(sources.reference, card),
        background=make_background(sources.background, card.features, model.score),
        evaluation=_evaluation(sources, card),
    )
    made_now = not into.exists()
    try:
        into.mkdir(parents=True, exist_ok=True)
        package, difference, older = _verify_and_place(sources, contents, into)
    except BaseException as error:
        if made_now:
            with suppress(OSError):
                into.rmdir()
        if isinstance(error, OSError):
            raise MalformedPackageError(f"{into} cannot be written: {error.strerror}.") from error
        raise
    return AddedPackage(
        folder=into / card.slug,
        package=package,
        read_from=converted.read_from,
        n_reference_rows=len(contents.reference.rows),
        largest_difference=difference,
        older_version=older,
    )


def _verify_and_place(
    sources: PackageSources, contents: "_Contents", into: Path
) -> tuple[ModelPackage, float, Path | None]:
    card, reference = contents.card, contents.reference
    # In a folder of its own below the target, so that a rename is enough and nobody lists it as a package before.
    with TemporaryDirectory(prefix=".adding-", dir=into) as workplace:
        folder = Path(workplace) / card.slug
        folder.mkdir()
        (folder / manifest.CARD).write_bytes(sources.card.read_bytes())
        _write(folder, contents)
        package = load_package(folder)
        difference = float(np.abs(package.model.score(reference.rows) - reference.scores).max())
        if not sources.keep_reference:
            made = _reference_about_nobody(package)
            (folder / manifest.REFERENCE).write_bytes(_reference_bytes(made))
            manifest.write_manifest(folder)
            package = load_package(folder)
        return package, difference, _put_in_place(folder, into, card)


def read_reference(path: Path, card: ModelCard) -> Reference:
    """Read what the original model gave some cases.

    Args:
        path: Table of cases, see :attr:`PackageSources.reference`.
        card: Names the columns.

    Returns:
        The reference.

    Raises:
        MalformedPackageError: If a column is missing or a value does not fit; names all of them.
    """
    names = [f"score_{outcome}" for outcome in card.outcome_of_class] or ["score"]
    table = read_cases(path, card.features, beside=names)
    missing = [name for name in names if name not in table.numbers]
    if missing:
        raise MalformedPackageError(
            f"{path.name} needs the scores of the original model in {'columns' if len(names) > 1 else 'a column'} "
            f"called {', '.join(names)}."
        )
    check_columns(table.rows, len(card.features), path.name)
    scores = np.column_stack([table.numbers[name] for name in names])
    return Reference(
        rows=table.rows,
        scores=scores if card.outcome_of_class else scores[:, 0],
        classes=card.outcome_of_class,
    )


@dataclass(frozen=True, kw_only=True)
class _Contents:
    """Everything a package holds, read and made, before it is written."""

    card: ModelCard
    converted: ConvertedModel
    background: Background
    reference: Reference
    evaluation: Evaluation


def _write(folder: Path, contents: _Contents) -> None:
    (folder / contents.converted.file_name).write_bytes(contents.converted.content)
    (folder / manifest.BACKGROUND).write_bytes(background_bytes(contents.background))
    (folder / manifest.REFERENCE).write_bytes(_reference_bytes(contents.reference))
    evaluation = contents.evaluation.model_dump_json(indent=2) + "\n"
    (folder / manifest.EVALUATION).write_text(evaluation, encoding="utf-8")
    manifest.write_manifest(folder)


def _evaluation(sources: PackageSources, card: ModelCard) -> Evaluation:
    if sources.evaluation is None:
        words = Words.model_validate(yaml.safe_load(_EVALUATION_WORDS.read_text(encoding="utf-8"))["not_yet"])
        return Evaluation(
            schema_name="evaluation/1",
            model_version=card.version,
            as_of=sources.today,
            n=0,
            threshold=card.threshold,
            groups=(),
            about=words,
        )
    try:
        return parse_evaluation(sources.evaluation.read_bytes(), sources.evaluation.name)
    except OSError as error:
        raise MalformedPackageError(f"{sources.evaluation.name} cannot be read: {error.strerror}.") from error


def _reference_about_nobody(package: ModelPackage) -> Reference:
    """Give centres with the scores of the model that has just been proven to be the original."""
    rows: Rows = package.background.rows
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_REFERENCE_ROWS)).astype(int))]
    for position, feature in enumerate(package.card.features):
        if feature.may_be_missing is not None:
            without = rows[:ROWS_WITHOUT_A_VALUE].copy()
            without[:, position] = np.nan
            chosen = np.concatenate([chosen, without])
    return Reference(rows=chosen, scores=package.model.score(chosen), classes=package.card.outcome_of_class)


def _reference_bytes(reference: Reference) -> bytes:
    buffer = io.BytesIO()
    classes = {"classes": np.array(reference.classes)} if reference.classes else {}
    np.savez(buffer, rows=reference.rows, scores=reference.scores, **classes)  # type: ignore[arg-type]
    return buffer.getvalue()


def _check_place(into: Path, card: ModelCard) -> None:
    if into.exists() and not into.is_dir():
        raise MalformedPackageError(f"{into} is not a folder.")
    for name in (card.slug, f"{card.slug}@{card.version}"):
        if (into / name).exists() and (name != card.slug or _version_in(into / name) == card.version):
            raise InstalledTwiceError(
                f"{into / name} holds version {card.version} of '{card.slug}' already. A version never changes: give "
                "the card another 'version', and the old one stays beside it."
            )


def _put_in_place(folder: Path, into: Path, card: ModelCard) -> Path | None:
    current = into / card.slug
    older = None
    if current.exists():
        older = into / f"{card.slug}@{_version_in(current)}"
        if older.exists():
            raise InstalledTwiceError(f"{current} and {older} hold the same version: move one of them away.")
        current.rename(older)
    try:
        folder.rename(current)
    except OSError:
        if older is not None:
            older.rename(current)
        raise
    return older


def _version_in(folder: Path) -> str:
    try:
        return list_package(folder).card.version
    except ModelUnusableError as error:
        raise MalformedPackageError(
            f"{folder} lies where the package would go and cannot be used itself: {error} Move it away first."
        ) from error
