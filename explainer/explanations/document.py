"""The explanation document, schema ``explanation/1``: what is delivered, hashed, logged and stored.

The hashed bytes are RFC 8785 of the document. The log's answer (``log``) is added to the delivered JSON only, because a
log entry cannot contain its own position. Pages, letters and other programs read nothing but this document.
"""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_serializer

from explainer.decisions.decision import Value
from explainer.explanations.document_bytes import document_bytes, quantised

SCHEMA: Literal["explanation/1"] = "explanation/1"

Audience = Literal["subject", "caseworker", "auditor"]
Language = Literal["de", "en"]
Direction = Literal["raised", "lowered", "none"]
ChecklistResult = Literal["met", "not_applicable", "not_met"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelRef(_Part):
    """The model version that was applied, and the file that proves it."""

    slug: str
    version: str
    sha256: str


class DecisionPart(_Part):
    """What the city decided; absent for an explanation without a decision."""

    reference: str
    status: str
    decided_at: AwareDatetime | None
    model_outcome: str
    departed: bool
    diverted: bool
    superseded_by: str | None = None


class ClassScore(_Part):
    """The score of one of several classes."""

    outcome: str
    value: float


class Score(_Part):
    """The model's number for this case.

    ``value`` is in ``unit`` (what people see), ``additive_value`` in the document's additive ``unit`` (what the
    contributions add up to). For several classes both are those of ``of_outcome``, the highest one, and ``of_classes``
    lists the values of all, in the order of the model.
    """

    value: float
    unit: str
    additive_value: float
    of_outcome: str | None = None
    of_classes: tuple[ClassScore, ...] = Field(default=(), exclude_if=lambda classes: not classes)


class Contribution(_Part):
    """One feature's signed part of the additive score, and its sentence."""

    feature: str
    label: str
    value: Value
    value_text: str
    contribution: float
    direction: Direction
    strength: Literal["strong", "clear", "slight", "negligible"]
    sentence: str


class InteractionPart(_Part):
    """What two features did together beyond what each did alone, in the document's additive unit, and its sentence.

    Half of it is part of each of the two contributions.
    """

    features: tuple[str, str]
    labels: tuple[str, str]
    value: float
    strength: Literal["strong", "clear", "slight"]
    sentence: str


class NoInteractionsPart(_Part):
    """Why no two features are named that did something together."""

    reason: str
    sentence: str


class Method(_Part):
    """How the contributions were computed; ``stopped`` stands there for sampled contributions only."""

    name: str
    exact: bool
    standard_error: float | None = None
    stopped: Literal["precise_enough", "budget_used"] | None = Field(default=None, exclude_if=lambda why: why is None)
    engine_version: str


class BackgroundRef(_Part):
    """The comparison group, by fingerprint."""

    name: str
    rows: int
    total_weight: float
    sha256: str


class Rule(_Part):
    """One statutory rule and whether it applied."""

    id: str
    citation: str
    sentence: str
    fired: bool


class ChangePart(_Part):
    """One feature taken to another value."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    feature: str
    label: str
    from_: Value = Field(alias="from")
    to: Value
    from_text: str
    to_text: str


class CounterfactualPart(_Part):
    """Changes that were re-run through model and rules and gave the other outcome."""

    changes: tuple[ChangePart, ...]
    score: float | None
    outcome: str
    fewest_changes_proven: bool
    sentence: str


class NoCounterfactualPart(_Part):
    """Why there is no counterfactual."""

    reason: str
    proven: bool
    sentence: str


class SimilarCasesPart(_Part):
    """The cases of the background that are most like this one, in sums only; distances in typical spreads."""

    rows: int
    weight: float
    same_outcome_per_100: float
    distance: float
    usual_distance: float
    rare: bool


class SpreadPart(_Part):
    """How much one feature's contribution differs between blocks of the background, in the additive unit."""

    feature: str
    spread: float


class StabilityPart(_Part):
    """How much the reasons depend on who is in the background; ``spreads`` in the order of the contributions."""

    blocks: int
    same_top_reason: int
    spreads: tuple[SpreadPart, ...]


class ReliabilityPart(_Part):
    """How far the score and its reasons can be trusted; ``None`` is what was not computed."""

    favourable_per_100: float | None
    low_per_100: float | None
    high_per_100: float | None
    n: int | None
    as_of: str | None
    distance_to_threshold: float
    near_threshold: bool
    outside_background: tuple[str, ...]
    background_gap: float
    similar: SimilarCasesPart | None = None
    stability: StabilityPart | None = None


class DataItem(_Part):
    """One piece of data: value, source, date, and whether the program used it."""

    feature: str
    label: str
    value_text: str
    source: str
    as_of: date | None
    used: bool


class Section(_Part):
    """One section of the text."""

    id: str
    heading: str
    paragraphs: tuple[str, ...]


class Text(_Part):
    """The explanation in words."""

    title: str
    sections: tuple[Section, ...]


def _is_absent(part: object) -> bool:
    return part is None


class ExplanationDocument(_Part):
    """One explanation for one audience in one language.

    ``interactions`` and ``no_interactions`` are there for caseworkers and auditors only. The list is absent where
    interactions were not computed, and empty where none was noticeable; ``no_interactions`` says why in both cases.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["explanation/1"] = Field(default=SCHEMA, alias="schema")
    id: str
    decision: DecisionPart | None
    register_version: int
    model: ModelRef
    audience: Audience
    language: Language
    produced_at: AwareDatetime
    decided_by: Literal["model", "person"] | None
    outcome: str | None
    threshold: float | None
    score: Score | None
    expected_value: float | None
    unit: str
    contributions: tuple[Contribution, ...]
    interactions: tuple[InteractionPart, ...] | None = Field(default=None, exclude_if=_is_absent)
    no_interactions: NoInteractionsPart | None = Field(default=None, exclude_if=_is_absent)
    additivity_gap: float | None
    additivity_tolerance: float | None = None
    method: Method | None
    background: BackgroundRef
    rules: tuple[Rule, ...]
    counterfactuals: tuple[CounterfactualPart, ...]
    no_counterfactual: NoCounterfactualPart | None
    disputed: tuple[CounterfactualPart, ...]
    reliability: ReliabilityPart | None
    limits: tuple[str, ...]
    data: tuple[DataItem, ...]
    unused_inputs: tuple[str, ...]
    reasons: str | None
    text: Text
    checklist: dict[str, ChecklistResult]

    @field_serializer("produced_at")
    def _utc_seconds(self, moment: datetime) -> str:
        return moment_text(moment)

    def as_json(self) -> dict[str, Any]:
        """The document as plain JSON values, numbers quantised to 1e-9."""
        quantised = _quantised(self.model_dump(mode="json", by_alias=True))
        if not isinstance(quantised, dict):
            raise TypeError("a document is an object")
        return quantised

    def canonical_bytes(self) -> bytes:
        """RFC 8785 bytes: what is hashed, logged and stored."""
        return document_bytes(self)


def moment_text(moment: datetime) -> str:
    """How the document spells a moment in UTC: to the second."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def _quantised(value: Any) -> Any:
    # What pydantic dumps has exact types; the most frequent come first.
    kind = type(value)
    if kind is str or kind is bool or kind is int or value is None:
        return value
    if kind is float:
        return quantised(value)
    if kind is list:
        return [_quantised(item) for item in value]
    return {key: _quantised(item) for key, item in value.items()}
