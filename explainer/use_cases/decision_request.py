"""What a case system sends when it records a decision, read with every problem reported at once."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from explainer.decisions.decision import Provenance, Remedy, Value
from models.card import ModelCard
from models.errors import InputProblem, InvalidInputError
from models.features import problems_with
from models.names import Slug

ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200)]
LongText = Annotated[str, StringConstraints(max_length=10_000)]

CLOCK_TOLERANCE = timedelta(minutes=5)
EARLIEST_YEAR = 1950
_MOMENT: TypeAdapter[datetime | None] = TypeAdapter(AwareDatetime | None)
MAX_UNUSED_INPUTS = 200


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SentProvenance(_Sent):
    """Where one value came from."""

    source: ShortText
    as_of: date | None = None


class SentRemedy(_Sent):
    """The remedy as the decision letter names it."""

    kind: ShortText
    text: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    until: date | None = None

    def as_kept(self) -> Remedy:
        """The remedy as the decision keeps it."""
        return Remedy(kind=self.kind, text=self.text, until=self.until)


class DecisionRequest(_Sent):
    """One decision, or one score that waits for a person, as a case system sends it.

    ``inputs`` is checked against the model's card, not here. ``special_circumstances`` is the person's own text; where
    it is present, no decision is fully automatic. ``outcome`` is what the deciding person decided.
    """

    model: Slug
    model_version: ShortText | None = None
    score_used: Annotated[float, Field(allow_inf_nan=False)] | None = None
    case_reference: ShortText
    subject_reference: ShortText | None = None
    inputs: Mapping[str, Any]
    sources: Mapping[str, SentProvenance] = Field(default_factory=dict)
    unused_inputs: Annotated[Sequence[ShortText], Field(max_length=MAX_UNUSED_INPUTS)] = ()
    decided_by: Literal["model", "person"]
    outcome: ShortText | None = None
    reasons: LongText | None = None
    decided_at: AwareDatetime | None = None
    remedy: SentRemedy | None = None
    special_circumstances: LongText | None = None

    def provenance(self) -> dict[str, Provenance]:
        """Sources as the decision keeps them."""
        return {name: Provenance(source=sent.source, as_of=sent.as_of) for name, sent in self.sources.items()}

    def stated_remedy(self) -> Remedy | None:
        """The remedy as the decision keeps it."""
        return self.remedy.as_kept() if self.remedy else None


class FinalDecisionRequest(_Sent):
    """What a person decided after looking, replacing an earlier decision.

    ``inputs`` holds only the values that were corrected; all others stay as they were.
    """

    decided_by: Literal["person"] = "person"
    outcome: ShortText
    reasons: LongText | None = None
    decided_at: AwareDatetime | None = None
    remedy: SentRemedy | None = None
    inputs: Mapping[str, Any] = Field(default_factory=dict)

    def stated_remedy(self) -> Remedy | None:
        """The remedy as the decision keeps it."""
        return self.remedy.as_kept() if self.remedy else None


def stated(text: str | None) -> str | None:
    """A text that people wrote, or None where only blanks were sent."""
    return (text or "").strip() or None


def read_decision_request(body: object, cards: Mapping[str, ModelCard], *, now: datetime) -> DecisionRequest:
    """Read a request and check it against the card of its model.

    Args:
        body: Parsed JSON.
        cards: Cards of all installed models by slug; models that failed verification included, if their card is known.
        now: Current time, UTC.

    Returns:
        A request in which everything fits the card.

    Raises:
        InvalidInputError: With every problem of structure, inputs and meaning.
    """
    problems: list[InputProblem] = []
    request: DecisionRequest | None = None
    try:
        request = DecisionRequest.model_validate(body)
    except ValidationError as error:
        problems += structure_problems(error)
    sent = body if isinstance(body, dict) else {}
    card = cards.get(str(sent.get("model")))
    if card is not None:
        problems += _problems_of_inputs(sent, card) + _problems_of_meaning(sent, card)
    elif isinstance(sent.get("model"), str) and not any(found.pointer == "/model" for found in problems):
        problems.append(
            InputProblem("/model", "unknown_model", f"Installed models: {', '.join(sorted(cards)) or 'none'}.")
        )
    problems += _date_problems(sent.get("decided_at"), now)
    if problems or request is None:
        raise InvalidInputError(problems)
    return request


def read_final_decision(
    body: object, card: ModelCard, known_inputs: Mapping[str, Value], *, now: datetime
) -> tuple[FinalDecisionRequest, dict[str, Value]]:
    """Read a final decision and the inputs that result from its corrections.

    Args:
        body: Parsed JSON.
        card: Card of the decision's model.
        known_inputs: Inputs of the decision that is replaced.
        now: Current time, UTC.

    Returns:
        The request and the complete inputs.

    Raises:
        InvalidInputError: With every problem found.
    """
    problems: list[InputProblem] = []
    request: FinalDecisionRequest | None = None
    try:
        request = FinalDecisionRequest.model_validate(body)
    except ValidationError as error:
        problems += structure_problems(error)
    sent = body if isinstance(body, dict) else {}
    corrected = sent.get("inputs", {})
    inputs = {**known_inputs, **(corrected if isinstance(corrected, dict) else {})}
    problems += problems_with(card.features, inputs)
    problems += _outcome_problems(sent.get("outcome"), card)
    problems += _date_problems(sent.get("decided_at"), now)
    if problems or request is None:
        raise InvalidInputError(problems)
    return request, inputs


def structure_problems(error: ValidationError) -> list[InputProblem]:
    """Turn pydantic's findings into ours, one per place, without quoting what was sent."""
    codes = {"missing": "missing", "extra_forbidden": "unknown_field", "string_too_long": "too_long"}
    return [
        InputProblem(
            "".join("/" + str(part).replace("~", "~0").replace("/", "~1")[:80] for part in item["loc"]),
            codes.get(item["type"], "wrong_type" if "type" in item["type"] else item["type"]),
            f"{item['msg']}.",
        )
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def _problems_of_inputs(sent: Mapping[str, Any], card: ModelCard) -> list[InputProblem]:
    inputs = sent.get("inputs")
    return problems_with(card.features, inputs) if isinstance(inputs, dict) else []


def _problems_of_meaning(sent: Mapping[str, Any], card: ModelCard) -> list[InputProblem]:
    """Problems of what was sent with this card, as far as its structure allows to say."""
    problems = []
    if isinstance(sent.get("model_version"), str) and sent["model_version"] != card.version:
        detail = f"Version {card.version} of {card.slug} is installed here; send this version or none."
        problems.append(InputProblem("/model_version", "unknown_version", detail))
    by_model = sent.get("decided_by") == "model"
    if by_model and (card.role != "decides" or card.permitting_law is None):
        detail = f"{card.slug} {card.role}, no law lets it decide alone: send decided_by 'person'."
        problems.append(InputProblem("/decided_by", "not_decided_by_model", detail))
    if by_model and sent.get("outcome") is not None:
        detail = "Leave the outcome out where the model decides: the model's outcome is the decision."
        problems.append(InputProblem("/outcome", "not_allowed", detail))
    sources = sent.get("sources")
    problems += [
        InputProblem(f"/sources/{name[:80]}", "unknown_feature", "This source belongs to no feature of the model.")
        for name in (sources if isinstance(sources, dict) else {})
        if name not in card.feature_names
    ]
    return problems + _outcome_problems(sent.get("outcome"), card)


def _outcome_problems(outcome: object, card: ModelCard) -> list[InputProblem]:
    known = [known.id for known in card.outcomes]
    if not isinstance(outcome, str) or outcome in known:
        return []
    return [InputProblem("/outcome", "unknown_outcome", f"Send one of {', '.join(known)}.")]


def _date_problems(sent: object, now: datetime) -> list[InputProblem]:
    try:
        decided_at = _MOMENT.validate_python(sent)
    except ValidationError:
        return []  # told with the structure
    if decided_at is None:
        return []
    if decided_at.year < EARLIEST_YEAR:
        return [InputProblem("/decided_at", "too_early", f"A decision cannot be dated before {EARLIEST_YEAR}.")]
    if decided_at > now + CLOCK_TOLERANCE:
        return [InputProblem("/decided_at", "in_the_future", "A decision cannot be dated in the future.")]
    return []
