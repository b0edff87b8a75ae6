"""Record a decision: check what the case system sent, score it with the pinned model, explain it, keep it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from explainer.decisions.access_code import new_reference
from explainer.decisions.decision import Decision, DecisionStatus, ModelVersion, PrivatePart, Value
from explainer.errors import ConflictError, ScoreMismatchError, UntrustworthyExplanationError
from explainer.explanations.model_outcome import ModelOutcome
from explainer.explanations.numbers import ExplanationNumbers
from explainer.transparency_log.log_entry import LogEvent
from explainer.use_cases.callers import CaseSystem, actor_of
from explainer.use_cases.decision_request import DecisionRequest, read_decision_request, stated
from explainer.use_cases.idempotent_answers import kept_answer, repeatable_request
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.service import Service
from explainer.use_cases.store_decision import store_decision
from models.features import to_row

if TYPE_CHECKING:
    from explainer.use_cases.explained_model import ExplainedModel


def record_decision(
    service: Service, caller: CaseSystem, body: object, *, idempotency_key: str | None = None
) -> dict[str, Any]:
    """Record one decision.

    Args:
        service: The installation.
        caller: The case system.
        body: Parsed JSON of the request.
        idempotency_key: As sent; the same key with the same body is answered with the first answer.

    Returns:
        The answer as JSON, with ``replayed`` set where it was given before.

    Raises:
        InvalidInputError: With every problem of the request.
        IdempotencyConflictError: If the key came before with another body.
        ScoreMismatchError: If the case system used a score this model version does not reproduce.
        ModelUnusableError: If the model did not pass its verification.
    """
    repeatable = (
        None if idempotency_key is None else repeatable_request(service, actor_of(caller), idempotency_key, body)
    )
    if repeatable is not None and (before := kept_answer(service, repeatable)) is not None:
        return before
    _refuse_unusable_model(service, body)
    cards = {slug: package.card for slug, package in service.usable_packages.items()}
    request = read_decision_request(body, cards, now=service.clock())
    model = service.model(request.model)
    _refuse_other_score(service, caller, request, model)
    outcome = model.outcome_of(dict(request.inputs))
    decision = _decision(service, request, model, outcome)
    numbers = trustworthy_numbers(model, decision.private.inputs)
    try:
        return store_decision(service, caller, decision, numbers, model.package, repeatable=repeatable).as_json()
    except ConflictError:
        # The same request was answered by another worker in the meantime: its answer is the answer.
        if repeatable is None or (before := kept_answer(service, repeatable)) is None:
            raise
        return before


def version_of(model: "ExplainedModel") -> ModelVersion:
    """The model version an installed package is."""
    card = model.package.card
    return ModelVersion(slug=card.slug, version=card.version, sha256=model.package.sha256)


def register_version_in_force(service: Service, slug: str) -> int:
    """Number of the register entry version that is published now; 0 before the first one."""
    return service.database.register_version_in_force(slug)


def trustworthy_numbers(model: "ExplainedModel", inputs: Mapping[str, Value]) -> ExplanationNumbers | None:
    """Compute the numbers of a decision; None where they fail their own checks, so that a caseworker answers."""
    try:
        return model.numbers_for(inputs)
    except UntrustworthyExplanationError:
        return None


def _refuse_unusable_model(service: Service, body: object) -> None:
    slug = body.get("model") if isinstance(body, dict) else None
    if isinstance(slug, str) and slug in service.failures:
        service.model(slug)


def _refuse_other_score(
    service: Service, caller: CaseSystem, request: DecisionRequest, model: "ExplainedModel"
) -> None:
    if request.score_used is None:
        return
    row = to_row(model.package.card.features, request.inputs)
    # Of several classes a case system uses the score of the one that won.
    score = float(model.package.model.score(row[np.newaxis])[0].max())
    if abs(score - request.score_used) <= model.package.score_tolerance:
        return
    version = version_of(model)
    with service.database.writing() as work:
        write_log_entry(
            service, work, LogEvent.DECISION_SCORE_MISMATCH, caller=caller, model=version, role=model.package.card.role
        )
    raise ScoreMismatchError(
        f"Version {version.version} of {version.slug} gives another score than the one that was used; "
        "no decision was recorded. Check which model file the case system runs."
    )


def _decision(service: Service, request: DecisionRequest, model: "ExplainedModel", outcome: ModelOutcome) -> Decision:
    now = service.clock()
    circumstances = stated(request.special_circumstances)
    decided = request.outcome
    if request.decided_by == "model" and circumstances is None:
        decided = outcome.outcome
    return Decision(
        reference=new_reference(),
        model=version_of(model),
        register_version=register_version_in_force(service, request.model),
        status=_status(decided, circumstances),
        role=model.package.card.role,
        decided_by=request.decided_by if decided is not None else None,
        model_outcome=outcome.outcome,
        outcome=decided,
        decided_at=(request.decided_at or now) if decided is not None else None,
        recorded_at=now,
        supersedes=None,
        private=PrivatePart(
            case_reference=request.case_reference,
            subject_reference=request.subject_reference,
            inputs=dict(request.inputs),
            sources=request.provenance(),
            unused_inputs=tuple(request.unused_inputs),
            reasons=stated(request.reasons),
            special_circumstances=circumstances,
            remedy=request.stated_remedy(),
            score=outcome.score,
            fired_rule=outcome.deciding_rule,
        ),
    )


def _status(decided: str | None, circumstances: str | None) -> DecisionStatus:
    if decided is not None:
        return DecisionStatus.DECIDED
    return DecisionStatus.AWAITING if circumstances is None else DecisionStatus.DIVERTED
