"""What a case system sends when it records a decision, read with every problem reported at once."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from explainer.decisions.decision import Provenance, Remedy, Value
from models.card import ModelCard
from models.errors import InputProblem, InvalidInputError
from models.features import problems_with

ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200)]
LongText = Annotated[str, StringConstraints(max_length=10_000)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]

CLOCK_TOLERANCE = timedelta(minutes=5)
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

    def stated_circumstances(self) -> str | None:
        """Special circumstances, or None where only blanks were sent."""
        text = (self.special_circumstances or "").strip()
        return text or None


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
    slug = sent.get("model")
    card = cards.get(slug) if isinstance(slug, str) else None
    if card is not None and isinstance(sent.get("inputs"), dict):
        problems += problems_with(card.features, sent["inputs"])
    if request is not None and card is not None:
        problems += _problems_of_meaning(request, card, now)
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
    try:
        request = FinalDecisionRequest.model_validate(body)
    except ValidationError as error:
        raise InvalidInputError(structure_problems(error)) from error
    inputs = {**known_inputs, **request.inputs}
    problems = problems_with(card.features, inputs)
    problems += _outcome_problems(request.outcome, card)
    problems += _date_problems(request.decided_at, now)
    if problems:
        raise InvalidInputError(problems)
    return request, inputs


def structure_problems(error: ValidationError) -> list[InputProblem]:
    """Turn pydantic's findings into ours, one per place, without quoting what was sent."""
    codes = {"missing": "missing", "extra_forbidden": "unknown_field", "string_too_long": "too_long"}
    return [
        InputProblem(
            "/" + "/".join(str(part).replace("~", "~0").replace("/", "~1")[:80] for part in item["loc"]),
            codes.get(item["type"], "wrong_type" if "type" in item["type"] else item["type"]),
            f"{item['msg']}.",
        )
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def _problems_of_meaning(request: DecisionRequest, card: ModelCard, now: datetime) -> list[InputProblem]:
    problems = []
    if request.model_version is not None and request.model_version != card.version:
        detail = f"Version {card.version} of {card.slug} is installed here; send this version or none."
        problems.append(InputProblem("/model_version", "unknown_version", detail))
    if request.decided_by == "model" and (card.role != "decides" or card.permitting_law is None):
        detail = f"{card.slug} {card.role}, no law lets it decide alone: send decided_by 'person'."
        problems.append(InputProblem("/decided_by", "not_decided_by_model", detail))
    if request.decided_by == "model" and request.outcome is not None:
        detail = "Leave the outcome out where the model decides: the model's outcome is the decision."
        problems.append(InputProblem("/outcome", "not_allowed", detail))
    features = {feature.name for feature in card.features}
    problems += [
        InputProblem(f"/sources/{name[:80]}", "unknown_feature", "This source belongs to no feature of the model.")
        for name in request.sources
        if name not in features
    ]
    return problems + _outcome_problems(request.outcome, card) + _date_problems(request.decided_at, now)


def _outcome_problems(outcome: str | None, card: ModelCard) -> list[InputProblem]:
    known = [known.id for known in card.outcomes]
    if outcome is None or outcome in known:
        return []
    return [InputProblem("/outcome", "unknown_outcome", f"Send one of {', '.join(known)}.")]


def _date_problems(decided_at: datetime | None, now: datetime) -> list[InputProblem]:
    if decided_at is None or decided_at <= now + CLOCK_TOLERANCE:
        return []
    return [InputProblem("/decided_at", "in_the_future", "A decision cannot be dated in the future.")]
