"""The card of a model: what the public register says about it, its features, outcomes, statutory rules and limits."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from models.constraints import Constraint, check_features, moved_along
from models.domains import Domain
from models.errors import MalformedPackageError
from models.features import Feature
from models.names import Slug, Version
from models.outcomes import Outcome, ScoreMeaning, outcome_problems
from models.statutory_rules import StatutoryRule
from models.unfinished import unfinished_places
from models.words import Text, Words
from models.yaml_document import YamlDocument, read_yaml


class _Part(BaseModel):
    """What every part of a card has in common: it cannot be changed and knows no other fields than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class LegalBasis(_Part):
    """A provision that the use rests on.

    Attributes:
        citation: As lawyers cite it, e.g. "§ 4 WoGG".
        text: What it says, in plain words.
    """

    citation: Text
    text: Words


class Contact(_Part):
    """Where people reach the office.

    Attributes:
        phone: With country code.
        postal_address: In one line.
        room: Room at the counter.
        hours: When somebody is there.
        email: Address.
    """

    phone: Text
    postal_address: Text
    room: Words | None = None
    hours: Words
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class Authority(_Part):
    """An authority people can complain to.

    Attributes:
        name: Official name.
        postal_address: In one line.
        phone: With country code.
    """

    name: Words
    postal_address: Text
    phone: Text


class StrengthCutoffs(_Part):
    """From which size on an influence is called what, as shares of the additive score's spread over the background.

    Attributes:
        strong: From here on an influence is called strong.
        clear: From here on an influence is called clear.
        slight: From here on an influence is called slight; below it is negligible.
    """

    strong: float = Field(gt=0)
    clear: float = Field(gt=0)
    slight: float = Field(gt=0)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not self.strong > self.clear > self.slight:
            raise ValueError("the cut-offs must fall from strong over clear to slight")
        return self


class ModelCard(_Part):
    """Everything a register entry says about a model, and what the machine needs to use it.

    Attributes:
        slug: Name in addresses and calls; also the name of the package's folder.
        version: Version of the model, e.g. "2026.1".
        name: What people call it.
        purpose: What it is for, in one or two sentences.
        why_used: Why the city uses it.
        in_use_since: First day of use.
        status: Where it stands in its life.
        domain: One of :data:`models.domains.DOMAINS`.
        area: Where it is used.
        role: What it does in the procedure.
        permitting_law: The law that allows it to decide alone; only for the role ``decides``.
        procedure: Which code of administrative procedure applies.
        discretion: Whether the law leaves the office a choice.
        is_ai: Whether it is an AI system in the sense of Article 3(1) of the AI Act.
        risk_class: Its class under the AI Act.
        risk_basis: Why it is in this class.
        legal_basis: Provisions the use rests on.
        department: Office that uses it.
        decider_role: Who decides, as a noun phrase.
        contact: Where people reach that office.
        data_protection_authority: Supervisory authority under Article 77 GDPR.
        market_surveillance: Authority for complaints under Article 85 of the AI Act.
        how_it_works: The principles actually applied, in plain words.
        oversight: What the person sees and checks before deciding.
        affected: Whom it concerns.
        risks: What can go wrong.
        equal_treatment: What was tested about equal treatment.
        training_data: What it learned from.
        monitoring: How it is watched in use.
        objection_procedure: How people can object.
        score: What its number is.
        additive_unit: Unit in which contributions add up: ``log_odds`` or ``class_score`` where the model turns such
            numbers into probabilities at its very end, ``log_score`` where it gives a logarithm of the score, else
            ``score``, the score's own unit.
        threshold: Score from which on ``outcome_at_or_above`` follows, in the score unit; none for several classes.
        outcomes: The results a case can have: two with a threshold, any number with several classes.
        outcome_at_or_above: Outcome id at or above the threshold.
        outcome_below: Outcome id below the threshold.
        outcome_of_class: Where the model gives a score for each of several classes: their outcome ids, in the order of
            the classes. The outcome with the highest score follows; of equal ones the first.
        features: What it reads, in the order of the model's columns.
        not_used: What is provably not an input.
        rules: Statutory rules, in the order they are checked.
        constraints: How features depend on each other: what an example calculation respects.
        strength_cutoffs: From which size on an influence is called what; none means the product's own.
        limits: Known limits.
    """

    slug: Slug
    version: Version
    name: Words
    purpose: Words
    why_used: Words
    in_use_since: date
    status: Literal["planned", "design", "development", "pilot", "evaluation", "operational", "retired"]
    domain: Domain
    area: Text
    role: Literal["decides", "suggests", "sorts", "calculates"]
    permitting_law: Words | None = None
    procedure: Literal["sgb_x", "vwvfg", "landes_vwvfg", "none"]
    discretion: bool
    is_ai: bool
    risk_class: Literal["high", "limited", "minimal", "not_ai"]
    risk_basis: Words
    legal_basis: tuple[LegalBasis, ...] = Field(min_length=1)
    department: Words
    decider_role: Words
    contact: Contact
    data_protection_authority: Authority
    market_surveillance: Authority
    how_it_works: Words
    oversight: Words
    affected: Words
    risks: Words
    equal_treatment: Words
    training_data: Words
    monitoring: Words
    objection_procedure: Words
    score: ScoreMeaning
    additive_unit: Literal["log_odds", "class_score", "log_score", "score"]
    threshold: float | None = None
    outcomes: tuple[Outcome, ...] = Field(min_length=2)
    outcome_at_or_above: Slug | None = None
    outcome_below: Slug | None = None
    outcome_of_class: tuple[Slug, ...] = Field(default=(), exclude_if=lambda classes: not classes)
    features: tuple[Feature, ...] = Field(min_length=1)
    not_used: Words
    rules: tuple[StatutoryRule, ...] = ()
    constraints: tuple[Annotated[Constraint, AfterValidator(check_features)], ...] = Field(
        default=(), exclude_if=lambda constraints: not constraints
    )
    strength_cutoffs: StrengthCutoffs | None = None
    limits: tuple[Words, ...]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features in the order of the model's columns."""
        return tuple(feature.name for feature in self.features)

    def outcome(self, outcome_id: str) -> Outcome:
        """Give the outcome of this id; the card has checked that every id it uses exists."""
        return next(outcome for outcome in self.outcomes if outcome.id == outcome_id)

    @property
    def additive_unit_name(self) -> str:
        """The unit of contributions as programs read it, e.g. ``log_odds`` or ``euros``."""
        return self.score.unit_name if self.additive_unit == "score" else self.additive_unit

    def outcome_of_score(self, score: float) -> Outcome:
        """Give the outcome that follows from a score when no statutory rule applies.

        Args:
            score: In the score unit.

        Returns:
            The outcome.

        Raises:
            TypeError: If the card has several classes: their outcome does not follow from one score.
        """
        if self.threshold is None or self.outcome_at_or_above is None or self.outcome_below is None:
            raise TypeError("the outcome of several classes does not follow from one score")
        return self.outcome(self.outcome_at_or_above if score >= self.threshold else self.outcome_below)

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        problems = [*self._law_problems(), *self._outcome_problems(), *self._feature_problems(), *self._rule_problems()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _law_problems(self) -> list[str]:
        problems = []
        if self.permitting_law is not None and self.role != "decides":
            problems.append("'permitting_law' belongs to the role 'decides' only")
        if self.is_ai != (self.risk_class != "not_ai"):
            problems.append("'is_ai' and 'risk_class' contradict each other")
        return problems

    def _outcome_problems(self) -> list[str]:
        limit = (self.threshold, self.outcome_at_or_above, self.outcome_below)
        if self.outcome_of_class and limit != (None, None, None):
            return ["a card has either a threshold with its two outcomes or 'outcome_of_class', not both"]
        if not self.outcome_of_class and None in limit:
            return ["'threshold', 'outcome_at_or_above' and 'outcome_below' are needed where no classes are listed"]
        return [*outcome_problems(self.outcomes, limit[1:], self.outcome_of_class), *self._unit_problems()]

    def _unit_problems(self) -> list[str]:
        problems = []
        if self.additive_unit in ("log_odds", "class_score") and not self.score.is_probability:
            problems.append(f"'additive_unit: {self.additive_unit}' belongs to scores that are probabilities")
        if self.additive_unit == "log_score" and (self.score.is_probability or not (self.threshold or 0) > 0):
            problems.append("'additive_unit: log_score' belongs to scores with a unit and a threshold above 0")
        if self.additive_unit == "class_score" and not self.outcome_of_class:
            problems.append("'additive_unit: class_score' belongs to several classes")
        if self.threshold is not None and self.score.is_probability and not 0 < self.threshold < 1:
            problems.append("the threshold of a probability lies between 0 and 1")
        return problems

    def _feature_problems(self) -> list[str]:
        names = self.feature_names
        return [f"feature '{name}' is listed twice" for name in sorted({n for n in names if names.count(n) > 1})]

    def _rule_problems(self) -> list[str]:
        ids = [rule.id for rule in self.rules]
        problems = [f"rule '{name}' is listed twice" for name in sorted({i for i in ids if ids.count(i) > 1})]
        for rule in self.rules:
            if rule.outcome not in {outcome.id for outcome in self.outcomes}:
                problems.append(f"rule '{rule.id}' leads to the unknown outcome '{rule.outcome}'")
            unknown = sorted(rule.feature_names - set(self.feature_names))
            problems.extend(f"rule '{rule.id}' reads the unknown feature '{name}'" for name in unknown)
        return [*problems, *self._missing_problems()]

    def _missing_problems(self) -> list[str]:
        """A rule of the law or a constraint says nothing about a value that is not there."""
        may_be_missing = {feature.name for feature in self.features if feature.may_be_missing is not None}
        readers = [(f"rule '{rule.id}'", rule.feature_names) for rule in self.rules]
        readers += [("a constraint", frozenset(one.feature_names)) for one in self.constraints]
        return [
            f"{reader} reads '{name}', which 'may_be_missing': it needs a value in every case"
            for reader, names in readers
            for name in sorted(names & may_be_missing)
        ]

    @field_validator("constraints")
    @classmethod
    def _check_moved_along(cls, constraints: tuple[Constraint, ...]) -> tuple[Constraint, ...]:
        moved_along(constraints)  # refuses what would have to move in both directions
        return constraints


def load_card(path: Path) -> ModelCard:
    """Read a card from a file.

    Args:
        path: The ``card.yaml``.

    Returns:
        The checked card.

    Raises:
        MalformedPackageError: If the file cannot be read or breaks any rule; names every problem with its line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MalformedPackageError(f"{path.name} cannot be read: {error.strerror}.") from error
    return parse_card(content, name=path.name)


def parse_card(content: bytes, name: str = "card.yaml") -> ModelCard:
    """Read a card from bytes; ``name`` is what error sentences call them. See :func:`load_card`."""
    document = read_yaml(content, name)
    unfinished = unfinished_places(document)
    found: list[tuple[int, str]] = [
        (line, f"line {line}: {'.'.join(map(str, location))}: still to be filled in.")
        for location, line in unfinished.items()
    ]
    try:
        card = ModelCard.model_validate(document.data)
        if not found:
            return card
    except ValidationError as error:
        errors = error.errors()
        found += [
            (document.line_of(problem["loc"]), _sentence(document, problem["loc"], problem["msg"]))
            for problem in errors
            # What is not filled in cannot be right either; once is enough.
            if not any(_is_at(problem["loc"], location) for location in unfinished)
            and not _counts_no_wrong_entries(problem, [*unfinished, *(one["loc"] for one in errors)])
        ]
    problems = [sentence for _, sentence in sorted(found, key=lambda one: one[0])]
    raise MalformedPackageError(f"{name} has {len(problems)} problem(s): " + " ".join(problems), problems=problems)


def _is_at(location: tuple[int | str, ...], unfinished: tuple[int | str, ...]) -> bool:
    """Whether a problem is about a mark; pydantic may name the kind it tried to read behind the place."""
    return location[: len(unfinished)] == unfinished


def _counts_no_wrong_entries(problem: ErrorDetails, wrong: Sequence[tuple[int | str, ...]]) -> bool:
    """Whether a list is called too short only because its entries are wrong, which is said already."""
    place = problem["loc"]
    return problem["type"] == "too_short" and any(len(one) > len(place) and one[: len(place)] == place for one in wrong)


def _sentence(document: YamlDocument, location: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part) for part in location) or "the card"
    return f"line {document.line_of(location)}: {where}: {message.removeprefix('Value error, ')}."
