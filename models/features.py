"""Features: what a model reads about a case, in words a person understands and in numbers a model reads."""

import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from models.errors import InputProblem, InvalidInputError, ModelFeaturesMismatchError
from models.words import Words

Value = float | int | str | bool | None
"""One value of one feature, as a case system sends it; None where it is missing and the card says what that means."""

FeatureName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]

MAX_STRING_LENGTH = 1000
"""Longer strings are refused, characters."""

MAX_QUOTED_LENGTH = 80
"""Longer values are cut where a sentence quotes them, characters."""

FLOAT32_MAX = float(np.finfo(np.float32).max)
"""Models read 32-bit numbers; what does not fit into one is out of range."""


class Category(BaseModel):
    """One of the values a category can have.

    Attributes:
        value: As the case system sends it.
        label: As people read it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: Annotated[str, StringConstraints(min_length=1, max_length=MAX_STRING_LENGTH)]
    label: Words


class Actionable(BaseModel):
    """How a person could change a feature, and how far.

    Attributes:
        direction: Whether the value can rise, fall or both; for booleans, up is from false to true.
        minimum: Lowest value worth proposing, in the feature's unit; only for numbers.
        maximum: Highest value worth proposing, in the feature's unit; only for numbers.
        step: Proposed values lie this far apart, in the feature's unit; only for numbers.
        categories: Values to which a category could be changed; only for categories.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    direction: Literal["up", "down", "either"] = "either"
    minimum: float = 0
    maximum: float = 1
    step: float = Field(default=1, gt=0)
    categories: tuple[str, ...] = Field(default=(), exclude_if=lambda categories: not categories)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError("the minimum of 'actionable' lies above its maximum")
        return self


class MissingValue(Words):
    """What it means that a value is missing, as people read it, e.g. "not stated".

    Attributes:
        sent_as: The text that the model reads in place of a missing one; only for models that read a category as text.
    """

    sent_as: Annotated[str, StringConstraints(max_length=MAX_STRING_LENGTH)] | None = None


class Feature(BaseModel):
    """One thing a model reads about a case.

    Attributes:
        name: Stable English identifier, e.g. ``income_eur_month``.
        label: Noun as the person reads it, e.g. "Your monthly rent without heating".
        public_label: The same as the public and staff read it, e.g. "Monthly rent without heating"; needed where the
            label speaks to the person.
        kind: What values look like.
        unit: As printed behind the value, e.g. "euros a month" or "of 7"; none where the label says it.
        unit_one: As printed behind the value 1, where the language then wants another word.
        decimals: Digits printed behind the decimal point.
        minimum: Lowest value the model may be asked about; none means no limit.
        maximum: Highest value the model may be asked about; none means no limit.
        categories: All values of a category, in the order the model numbers them from 0.
        source: Where the value comes from, e.g. "your application".
        public_source: The same as the public and staff read it; needed where the source speaks to the person.
        actionable: How a person could change it; none where advice to change it would be absurd.
        disputable: Whether the value could be wrong, so that the person may ask for its correction.
        protected: Whether it is a trait that must never be proposed as a change.
        may_be_missing: What a missing value means; none where every case must have a value. Only for features of which
            the original model defines what it does without them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: FeatureName
    label: Words
    public_label: Words | None = Field(default=None, exclude_if=lambda label: label is None)
    kind: Literal["number", "integer", "category", "boolean"]
    unit: Words | None = None
    unit_one: Words | None = None
    decimals: int = Field(default=0, ge=0, le=6)
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[Category, ...] = ()
    source: Words
    public_source: Words | None = Field(default=None, exclude_if=lambda source: source is None)
    actionable: Actionable | None = None
    disputable: bool = True
    protected: bool = False
    may_be_missing: MissingValue | None = Field(default=None, exclude_if=lambda missing: missing is None)

    def label_for_all(self, language: str) -> str:
        """The label where nobody is spoken to: in the register and for staff."""
        return (self.public_label or self.label).in_language(language)

    def source_for_all(self, language: str) -> str:
        """The source where nobody is spoken to: in the register and for staff."""
        return (self.public_source or self.source).in_language(language)

    def unit_for(self, number: float, language: str) -> str | None:
        """The unit as printed behind a number, in one language; None where there is none."""
        unit = self.unit_one if number == 1 and self.unit_one is not None else self.unit
        return None if unit is None else unit.in_language(language)

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        problems = [
            *self._range_problems(),
            *self._category_problems(),
            *self._actionable_problems(),
            *self._missing_problems(),
            *self._address_problems(),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _range_problems(self) -> list[str]:
        if self.kind in ("category", "boolean"):
            if self.minimum is not None or self.maximum is not None:
                return [f"a {self.kind} has no minimum or maximum"]
            return []
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            return ["the minimum lies above the maximum"]
        return []

    def _category_problems(self) -> list[str]:
        values = [category.value for category in self.categories]
        if (self.kind == "category") != bool(values):
            return ["'categories' belongs to features of kind 'category', and they need it"]
        if len(set(values)) != len(values):
            return ["a category is listed twice"]
        return []

    def _address_problems(self) -> list[str]:
        problems = []
        for name, own, public in (
            ("label", self.label, self.public_label),
            ("source", self.source, self.public_source),
        ):
            word = (public or own).addressing
            if word is not None and public is None:
                problems.append(
                    f"the {name} speaks to the person ('{word}'), but the register and staff read it, too: write "
                    f"'public_{name}' with words that speak to nobody"
                )
            elif word is not None:
                problems.append(f"'public_{name}' speaks to the person ('{word}'), but everybody reads it")
        return problems

    def _missing_problems(self) -> list[str]:
        if self.may_be_missing is None or self.may_be_missing.sent_as is None:
            return []
        if self.kind != "category":
            return ["'sent_as' belongs to features of kind 'category'"]
        if self.may_be_missing.sent_as in {category.value for category in self.categories}:
            return ["'sent_as' is one of the categories, so the model could not tell it from a missing value"]
        return []

    def _actionable_problems(self) -> list[str]:
        if self.actionable is None:
            return []
        problems = self._actionable_form_problems(self.actionable)
        if self.protected:
            problems.append("a protected feature cannot be actionable")
        if self.minimum is not None and self.actionable.minimum < self.minimum:
            problems.append("'actionable' reaches below the feature's minimum")
        if self.maximum is not None and self.actionable.maximum > self.maximum:
            problems.append("'actionable' reaches above the feature's maximum")
        return problems

    def _actionable_form_problems(self, actionable: Actionable) -> list[str]:
        numbers = {"direction", "minimum", "maximum", "step"}
        needed = {"category": {"categories"}, "boolean": {"direction"}}.get(self.kind, numbers)
        given = actionable.model_fields_set
        problems = [f"'actionable' of a {self.kind} needs '{name}'" for name in sorted(needed - given)]
        problems += [f"'actionable' of a {self.kind} has no '{name}'" for name in sorted(given - needed)]
        unknown = sorted(set(actionable.categories) - {category.value for category in self.categories})
        return problems + [f"'actionable' names the unknown category '{name}'" for name in unknown]


def problems_with(
    features: Sequence[Feature], inputs: Mapping[str, object], pointer: str = "/inputs"
) -> list[InputProblem]:
    """Find everything that is wrong with the inputs of one case.

    A value that is missing is sent as null, and only where the card says what that means; a name that is not there at
    all is a mistake of the case system.

    Args:
        features: The card's features.
        inputs: Feature name to value, as parsed from JSON; null where it is missing.
        pointer: JSON pointer of ``inputs`` within what the caller sent.

    Returns:
        Every problem: first those of the card's features in their order, then the unknown names. Empty if all is well.
    """
    problems = []
    for feature in features:
        found = _problem_with_feature(feature, inputs)
        if found is not None:
            problems.append(InputProblem(f"{pointer}/{_escaped(feature.name)}", *found))
    known = {feature.name: feature for feature in features}
    problems.extend(
        InputProblem(f"{pointer}/{_escaped(_printable(name))}", "unknown_feature", _unknown_detail(name, [*known]))
        for name in inputs
        if name not in known
    )
    return problems


def to_row(features: Sequence[Feature], inputs: Mapping[str, object]) -> NDArray[np.float64]:
    """Turn the inputs of one case into the row a model reads.

    Args:
        features: The card's features; the row follows their order.
        inputs: Feature name to value.

    Returns:
        Row of shape (n_features,): categories as their position in ``categories``, booleans as 0 and 1, what is
        missing as NaN.

    Raises:
        InvalidInputError: If :func:`problems_with` finds any problem.
    """
    problems = problems_with(features, inputs)
    if problems:
        raise InvalidInputError(problems)
    return np.array([_number_of(feature, inputs[feature.name]) for feature in features], dtype=np.float64)


def from_row(features: Sequence[Feature], row: NDArray[np.float64]) -> dict[str, Value]:
    """Turn a row back into values as a case system sends them; the inverse of :func:`to_row`.

    Args:
        features: The card's features.
        row: Shape (n_features,), in the order of the features.

    Returns:
        Feature name to value.

    Raises:
        ModelFeaturesMismatchError: If the row does not have one number for each feature, or one that no value has.
    """
    if row.shape != (len(features),):
        raise ModelFeaturesMismatchError(f"A row of shape {row.shape} does not fit {len(features)} features.")
    return {feature.name: _value_of(feature, float(number)) for feature, number in zip(features, row, strict=True)}


def _problem_with_feature(feature: Feature, inputs: Mapping[str, object]) -> tuple[str, str] | None:
    value = inputs.get(feature.name)
    if value is not None:
        return _problem_with_value(feature, value)
    if feature.may_be_missing is None:
        return "missing", f"'{feature.name}' is missing: send a value for it."
    if feature.name not in inputs:
        meaning = feature.may_be_missing.en
        return "missing", f"'{feature.name}' is missing: send a value for it, or null, which means \"{meaning}\"."
    return None


def _problem_with_value(feature: Feature, value: object) -> tuple[str, str] | None:
    if isinstance(value, str) and len(value) > MAX_STRING_LENGTH:
        return "too_long", f"'{feature.name}' is longer than {MAX_STRING_LENGTH} characters: send a shorter value."
    if feature.kind == "boolean":
        if isinstance(value, bool):
            return None
        return "wrong_type", f"'{feature.name}' must be true or false, not {_quoted(value)}."
    if feature.kind == "category":
        return _problem_with_category(feature, value)
    return _problem_with_number(feature, value)


def _problem_with_category(feature: Feature, value: object) -> tuple[str, str] | None:
    if not isinstance(value, str):
        return "wrong_type", f"'{feature.name}' must be text, not {_quoted(value)}."
    allowed = [category.value for category in feature.categories]
    if value in allowed:
        return None
    shown = _cut(", ".join(allowed), 4 * MAX_QUOTED_LENGTH)
    return "unknown_category", f"'{feature.name}' does not know {_quoted(value)}: send one of {shown}."


def _problem_with_number(feature: Feature, value: object) -> tuple[str, str] | None:
    # bool is a subclass of int in Python, but true is not a number of euros.
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        return "wrong_type", f"'{feature.name}' must be a number, not {_quoted(value)}: send it without quotes."
    if isinstance(value, (float, np.floating)) and not math.isfinite(value):
        return "not_finite", f"'{feature.name}' must be a finite number, not {_quoted(value)}."
    if feature.kind == "integer" and value != int(value):
        return "wrong_type", f"'{feature.name}' must be a whole number, not {_quoted(value)}."
    minimum = -FLOAT32_MAX if feature.minimum is None else feature.minimum
    maximum = FLOAT32_MAX if feature.maximum is None else feature.maximum
    if not minimum <= value <= maximum:
        detail = f"'{feature.name}' must lie between {minimum:.15g} and {maximum:.15g}, not {_quoted(value)}."
        return "out_of_range", detail
    return None


def _unknown_detail(name: str, known: Sequence[str]) -> str:
    sentence = f"The model does not read {_quoted(name)}: leave it out."
    if len(name) <= MAX_QUOTED_LENGTH:
        near = get_close_matches(name, known, n=1)
        if near:
            sentence = f"The model does not read {_quoted(name)}: did you mean '{near[0]}'?"
    return sentence


def _number_of(feature: Feature, value: object) -> float:
    if value is None:
        return math.nan
    if feature.kind == "category":
        return float([category.value for category in feature.categories].index(str(value)))
    if isinstance(value, (int, float, np.integer, np.floating)):
        return float(value)
    raise TypeError(feature.name)  # problems_with has refused everything that could come here


def _value_of(feature: Feature, number: float) -> Value:
    if math.isnan(number) and feature.may_be_missing is not None:
        return None
    if feature.kind == "number":
        return number
    if not math.isfinite(number) or number != int(number):
        raise ModelFeaturesMismatchError(f"{number} is not a value of the {feature.kind} '{feature.name}'.")
    if feature.kind == "integer":
        return int(number)
    count = 2 if feature.kind == "boolean" else len(feature.categories)
    if not 0 <= number < count:
        raise ModelFeaturesMismatchError(f"{number} is not a value of the {feature.kind} '{feature.name}'.")
    return bool(number) if feature.kind == "boolean" else feature.categories[int(number)].value


def _quoted(value: object) -> str:
    """Quote a foreign value so that it can stand in a log line."""
    if isinstance(value, str):
        return f"'{_printable(value)}'"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) > 10**MAX_QUOTED_LENGTH:
        return f"a number of more than {MAX_QUOTED_LENGTH} digits"
    if isinstance(value, (int, float, np.integer, np.floating)):
        return str(value)
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, (list, tuple)) else f"a value of type {type(value).__name__}"


def _printable(text: str) -> str:
    """Cut a text and escape what is not printable; letters of all languages stay as they are."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii")
        for sign in _cut(text, MAX_QUOTED_LENGTH)
    )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _escaped(name: str) -> str:
    """Escape one part of a JSON pointer (RFC 6901 section 3)."""
    return name.replace("~", "~0").replace("/", "~1")
