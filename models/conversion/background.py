"""Makes the background of a package out of a table, without rows of single people."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import yaml

from models.conversion.groups_of_people import FEWEST_PEOPLE, group_people
from models.conversion.nearest_records import refuse_copies
from models.conversion.tables import CaseTable, read_cases
from models.errors import MalformedPackageError, RowsOfPeopleError
from models.features import Feature
from models.row_tables import Background, check_columns, parse_background
from models.scoring_model import Rows, Scores
from models.words import Words

Kind = Literal["people", "complete_enumeration", "generated"]
"""Whose rows a table holds: people's, nobody's, or rows made from people's."""

USUAL_GROUPS = 1000
_WORDS_FILE = Path(__file__).with_name("background_words.yaml")


@dataclass(frozen=True, kw_only=True)
class BackgroundSource:
    """Where a background comes from.

    Attributes:
        path: Table of cases. A column ``persons`` says that each row is the centre of so many people, a column
            ``weight`` how many of the population a row stands for.
        kind: Whose rows they are.
        n_groups: People are grouped into at most so many.
        people: For generated rows the people they were generated from; read, and not kept.
        mean_score: For centres made elsewhere: the mean score of the people they stand for, in the score unit.
    """

    path: Path
    kind: Kind = "people"
    n_groups: int = USUAL_GROUPS
    people: Path | None = None
    mean_score: float | None = None


def make_background(
    source: BackgroundSource, features: Sequence[Feature], score: Callable[[Rows], Scores]
) -> Background:
    """Make a background.

    Args:
        source: Where it comes from.
        features: The card's features.
        score: The model.

    Returns:
        The background, with how far its mean score lies from that of those it stands for.

    Raises:
        RowsOfPeopleError: If it would hold rows of single people.
        MalformedPackageError: If a table cannot be read or does not fit the card.
    """
    if source.path.suffix.lower() == ".npz" and (finished := _finished(source)) is not None:
        check_columns(finished.rows, len(features), source.path.name)
        return finished
    table = read_cases(source.path, features, beside=("weight", "weights", "persons"))
    check_columns(table.rows, len(features), source.path.name)
    if "persons" in table.numbers:
        return _of_centres(source, table, score)
    weights = table.numbers.get("weight", table.numbers.get("weights", np.ones(len(table.rows))))
    if np.any(weights <= 0):
        raise MalformedPackageError(f"{source.path.name}: every weight must be greater than 0.")
    match source.kind:
        case "complete_enumeration":
            return _background(table.rows, weights, "complete_enumeration", 0.0, people=len(table.rows))
        case "generated":
            return _generated(source, table.rows, weights, features, score)
    groups = group_people(table.rows, weights, features, score, source.n_groups)
    gap = _gap(score(groups.rows), groups.weights, _mean(score(table.rows), weights))
    return _background(groups.rows, groups.weights, "grouped", gap, people=len(table.rows))


def background_bytes(background: Background) -> bytes:
    """Write a background as ``background.npz`` is read."""
    buffer = io.BytesIO()
    np.savez(
        buffer,
        rows=background.rows,
        weights=background.weights,
        name=np.array(background.name),
        origin_de=np.array(background.origin.de),
        origin_en=np.array(background.origin.en),
        mean_score_gap=np.array(background.mean_score_gap),
    )
    return buffer.getvalue()


def _finished(source: BackgroundSource) -> Background | None:
    """A background.npz of another package, which says itself what it is; None for an archive of rows only."""
    try:
        background = parse_background(source.path.read_bytes())
    except (MalformedPackageError, OSError):
        return None
    if source.kind == "people" and np.any(background.weights < FEWEST_PEOPLE):
        raise RowsOfPeopleError(
            f"{source.path.name} holds rows that stand for fewer than {FEWEST_PEOPLE} people. Give the table of people "
            "instead, and groups are made of it; if the rows are about nobody, say --complete-enumeration."
        )
    return background


def _of_centres(source: BackgroundSource, table: CaseTable, score: Callable[[Rows], Scores]) -> Background:
    persons = table.numbers["persons"]
    few = np.flatnonzero(persons < FEWEST_PEOPLE)
    if len(few):
        raise RowsOfPeopleError(
            f"{source.path.name}: {len(few)} rows stand for fewer than {FEWEST_PEOPLE} people, the first is row "
            f"{few[0] + 1}. Join such groups with others."
        )
    if source.mean_score is None:
        raise MalformedPackageError(
            f"{source.path.name} holds centres of groups. Say with --mean-score what the mean score of these people "
            "is, so that the package can say how far the centres are off."
        )
    gap = _gap(score(table.rows), persons, np.array(source.mean_score))
    return _background(table.rows, persons, "grouped", gap, people=int(persons.sum()))


def _generated(
    source: BackgroundSource, rows: Rows, weights: Scores, features: Sequence[Feature], score: Callable[[Rows], Scores]
) -> Background:
    if source.people is None:
        raise RowsOfPeopleError(
            "Generated rows are compared with the people they were generated from: name their table with --people. It "
            "is read and not kept."
        )
    people = read_cases(source.people, features).rows
    refuse_copies(rows, people, np.array([feature.kind == "category" for feature in features]))
    gap = _gap(score(rows), weights, _mean(score(people), np.ones(len(people))))
    return _background(rows, weights, "generated", gap, people=len(people))


def _mean(scores: Scores, weights: Scores) -> Scores:
    return np.asarray(np.average(scores, axis=0, weights=weights), dtype=np.float64)


def _gap(scores: Scores, weights: Scores, population_mean: Scores) -> float:
    """Give how far the mean is off; of several classes the largest difference."""
    gaps = np.atleast_1d(_mean(scores, weights) - population_mean)
    return float(gaps[np.argmax(np.abs(gaps))])


def _background(rows: Rows, weights: Scores, kind: str, gap: float, *, people: int) -> Background:
    return Background(
        rows=rows, weights=weights, name=kind.replace("_", "-"), origin=_origin(kind, len(rows), people),
        mean_score_gap=gap, sha256="",
    )  # fmt: skip


def _origin(kind: str, n_rows: int, n_people: int) -> Words:
    texts = _words()[kind]
    english = {"rows": f"{n_rows:,}", "people": f"{n_people:,}"}
    german = {name: number.replace(",", ".") for name, number in english.items()}
    return Words(de=texts.de.format(**german), en=texts.en.format(**english))


@cache
def _words() -> dict[str, Words]:
    loaded = yaml.safe_load(_WORDS_FILE.read_text(encoding="utf-8"))
    return {kind: Words.model_validate(words) for kind, words in loaded.items()}
