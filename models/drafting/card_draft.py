"""Drafts a card from a table of cases: what the data say is filled in, what only a person knows is left to them."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from models.conversion.tables import number_of
from models.domains import DOMAINS
from models.drafting.column_profile import ColumnProfile, most_frequent, profile_of
from models.drafting.suspected_traits import Suspicion, suspicions_of
from models.errors import MalformedPackageError
from models.unfinished import TO_FILL_IN

MOST_CLASSES = 20
"""A target with more different whole numbers is taken for an amount."""

_HEAD = Path(__file__).with_name("card_head.yaml")
_BOTH = f"{{de: {TO_FILL_IN}, en: {TO_FILL_IN}}}"
_WORDS_OF_YAML = ("true", "false", "yes", "no", "on", "off", "null")
"""YAML reads them as something else than names."""

_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")


def draft_card(columns: Mapping[str, Sequence[Any]], target: str, table: str) -> str:
    """Draft a card.

    Args:
        columns: Column name to values.
        target: Column that the model predicts.
        table: Name of the table's file.

    Returns:
        YAML with comments.

    Raises:
        MalformedPackageError: If the table has no such column or nothing else in it.
    """
    if target not in columns:
        raise MalformedPackageError(f"{table} has no column '{target}'. Its columns are: {', '.join(columns)[:300]}.")
    profiles = [profile_of(name, values) for name, values in columns.items() if name != target]
    read = [one for one in profiles if not _why_left_out(one)]
    if not read:
        raise MalformedPackageError(f"{table} has no column besides '{target}' that a model could read.")
    suspicions = suspicions_of({one.name: columns[one.name] for one in read})
    head = Template(_HEAD.read_text(encoding="utf-8")).substitute(
        table=table, slug=_slug(Path(table).stem), domains=", ".join(sorted(DOMAINS))
    )
    lines = [
        *_wrapped_comments(head),
        "",
        *_outcome_lines(target, columns[target]),
        "",
        "# What the model reads, in the order of its columns. The order of features must be that order.",
        '# label: as a person reads it, with "Your". unit: as printed behind the value; delete it where the label says',
        "# it already.",
        "# Where label or source say your, add public_label or public_source for the register and staff, without it.",
        "# source: where the value comes from. disputable: whether the value could be wrong.",
        "# actionable: left out on purpose. Whether a person could change a value, and how far, a person has to say;",
        "# see docs/reference/model-package.md. Without it no example calculation ever changes the feature.",
        "features:",
    ]
    for profile in read:
        lines += _feature_lines(profile, suspicions.get(profile.name, []), len(columns[target]))
    lines += [f"# left out: '{one.name}', {why}" for one in profiles if (why := _why_left_out(one))]
    return "\n".join(lines) + "\n"


def _wrapped_comments(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from _wrapped(line) if line.startswith("# ") else [line]


def _wrapped(comment: str) -> Iterator[str]:
    start = comment[: comment.index("#") + 1]
    current = start
    for word in comment.removeprefix(start).strip().split(" "):
        if len(current) + 1 + len(word) > 118:  # noqa: PLR2004 - as wide as the other lines
            yield current
            current = start
        current += f" {word}"
    yield current


def _why_left_out(profile: ColumnProfile) -> str:
    if not _NAME.match(profile.name):
        return "whose name is not of letters, digits, '_', '.' and '-': rename it if the model reads it"
    if profile.looks_like_id:
        return "which has another value in every row, like a number of a file"
    if profile.kind == "text":
        return "which is free text or empty"
    if profile.n_different == 1 and not profile.n_missing:
        return "which has the same value in every row"
    return ""


def _feature_lines(profile: ColumnProfile, suspicions: Sequence[Suspicion], n_rows: int) -> Iterator[str]:
    yield f"  - name: {profile.name}"
    yield f"    label: {_BOTH}"
    yield f"    kind: {profile.kind}"
    if profile.kind in ("number", "integer"):
        yield f"    unit: {_BOTH}"
        if profile.decimals:
            yield f"    decimals: {profile.decimals}"
        yield "    # The range found in the data. The model is never asked about values outside it."
        yield f"    minimum: {profile.minimum:.15g}"
        yield f"    maximum: {profile.maximum:.15g}"
    if profile.categories:
        yield "    # Labels are the values themselves until somebody writes better ones."
        yield "    categories:"
        for value in profile.categories:
            quoted = json.dumps(value, ensure_ascii=False)
            yield f"      - {{value: {quoted}, label: {{de: {quoted}, en: {quoted}}}}}"
    if profile.n_missing:
        yield f"    # {profile.n_missing} of {n_rows} values are missing. Say what that means, if the"
        yield "    # model knows what to do then; else delete the line, and every case must have a value."
        yield f"    may_be_missing: {_BOTH}"
    yield f"    source: {_BOTH}"
    yield "    disputable: true"
    for suspicion in suspicions:
        what = "a protected trait" if suspicion.kind == "protected" else "a stand-in (proxy) for a protected trait"
        yield f"    # This may be {what}: {suspicion.reason}."
    if suspicions:
        yield from _wrapped(
            "    # A person decides: true means it is never proposed as a change. Ask also "
            "whether the model should read it."
        )
        yield f"    protected: {TO_FILL_IN}"


def _outcome_lines(target: str, values: Sequence[Any]) -> Iterator[str]:
    profile = profile_of(target, values)
    if profile.n_missing == len(values):
        raise MalformedPackageError(f"The column '{target}' is empty.")
    is_amount = profile.kind == "number" or (profile.kind == "integer" and profile.n_different > MOST_CLASSES)
    if is_amount:
        yield from _amount_lines(target, values, profile)
    elif profile.n_different == 2:  # noqa: PLR2004 - yes or no
        yield from _two_outcome_lines(target, _in_order(values))
    else:
        yield from _class_lines(target, _in_order(values))


def _two_outcome_lines(target: str, labels: Sequence[str]) -> Iterator[str]:
    below, above = _ids(labels)
    yield f"# '{target}' has two values, {labels[0]} and {labels[1]}, so the score is the probability of {labels[1]}."
    yield "score:"
    yield "  unit: probability"
    yield "  scale: 100"
    yield from _score_words()
    yield from _wrapped(
        "# In which unit contributions add up: log_odds for boosting and logistic "
        "regression, score for forests that average"
    )
    yield "# and for models that can only be asked."
    yield "additive_unit: log_odds"
    yield "# From which score on the second outcome follows. 0.5 is only a usual value: a person decides."
    yield "threshold: 0.5"
    yield f"outcome_at_or_above: {above}"
    yield f"outcome_below: {below}"
    yield from _outcomes([below, above])


def _class_lines(target: str, labels: Sequence[str]) -> Iterator[str]:
    ids = _ids(labels)
    yield from _wrapped(
        f"# '{target}' has {len(labels)} values. The model gives a probability for each; the highest gives the outcome."
    )
    yield "score:"
    yield "  unit: probability"
    yield "  scale: 100"
    yield from _score_words()
    yield from _wrapped(
        "# In which unit contributions add up: class_score for softmax, log_odds for one "
        "model for each class, else score."
    )
    yield "additive_unit: class_score"
    yield "# The outcomes in the order of the model's classes."
    yield f"outcome_of_class: [{', '.join(ids)}]"
    yield from _outcomes(ids)


def _amount_lines(target: str, values: Sequence[Any], profile: ColumnProfile) -> Iterator[str]:
    numbers = [number for value in values if (number := number_of(value)) is not None]
    yield f"# '{target}' is an amount from {profile.minimum:.6g} to {profile.maximum:.6g}."
    yield "score:"
    yield "  # In which unit, as printed behind the number, such as euros or days."
    yield f"  unit: {_BOTH}"
    yield f"  decimals: {profile.decimals}"
    yield from _score_words()
    yield from _wrapped(
        "# In which unit contributions add up: score, or log_score where the model gives a logarithm (Poisson, gamma)."
    )
    yield "additive_unit: score"
    yield f"# From which amount on the first outcome follows; the middle of the data is {np.median(numbers):.6g}."
    yield f"threshold: {TO_FILL_IN}"
    yield "outcome_at_or_above: high"
    yield "outcome_below: low"
    yield from _outcomes(["high", "low"])


def _score_words() -> Iterator[str]:
    yield '  # What pages call the number, such as "your number", and what low and high numbers mean.'
    yield f"  label: {_BOTH}"
    yield f"  meaning: {_BOTH}"


def _outcomes(ids: Sequence[str]) -> Iterator[str]:
    yield from _wrapped(
        "# The results a case can have. label: a noun. decided: the sentence for a case the city has decided this way."
    )
    yield "# suggested: what the program did with the case. favourable: true for what people want, else false."
    yield "outcomes:"
    for name in ids:
        yield f"  - id: {name}"
        for field in ("label", "decided", "suggested"):
            yield f"    {field}: {_BOTH}"
        yield f"    favourable: {TO_FILL_IN}"


def _in_order(values: Sequence[Any]) -> list[str]:
    """Labels as scikit-learn and the boosting libraries order classes: numbers by size, texts by the alphabet."""
    labels = most_frequent(values)
    numbers = {label: number_of(label) for label in labels}
    if None in numbers.values():
        return sorted(labels)
    return sorted(labels, key=lambda label: numbers[label] or 0.0)


def _ids(labels: Sequence[str]) -> list[str]:
    ids = [_slug(label, prefix="class_") for label in labels]
    return ids if len(set(ids)) == len(ids) else [f"class_{number}" for number in range(len(ids))]


def _slug(text: str, prefix: str = "model_") -> str:
    slug = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:60]
    return (
        slug
        if slug and slug[0].isalpha() and slug not in ("true", "false", "yes", "no", "on", "off")
        else prefix + slug
    )
