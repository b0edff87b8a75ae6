"""Supersede a decision: a person decided after looking, or decided anew with corrected data."""

from dataclasses import replace
from typing import Any

from explainer.decisions.access_code import new_reference
from explainer.decisions.decision import ALLOWED_STEPS, Decision, DecisionStatus
from explainer.errors import DecisionNotFoundError, TransitionNotAllowedError
from explainer.use_cases.callers import CASEWORK_ROLES, CaseSystem, Staff, actor_of, require_role
from explainer.use_cases.decision_request import read_final_decision, stated
from explainer.use_cases.read_decisions import load_decision
from explainer.use_cases.record_decision import register_version_in_force, trustworthy_numbers, version_of
from explainer.use_cases.service import Service
from explainer.use_cases.store_decision import store_decision


def supersede_decision(service: Service, caller: CaseSystem | Staff, reference: str, body: object) -> dict[str, Any]:
    """Replace a decision by the one a person made.

    The old decision stays readable and explains as it was; the new one has a reference and an access code of its own.

    Args:
        service: The installation.
        caller: The case system, or staff who decide.
        reference: The decision to replace.
        body: Parsed JSON: outcome, reasons, remedy, and only those inputs that were corrected.

    Returns:
        The answer as JSON.

    Raises:
        DecisionNotFoundError: If there is no such decision.
        TransitionNotAllowedError: If it was superseded before.
        InvalidInputError: With every problem of the request.
    """
    if isinstance(caller, Staff):
        require_role(caller, *CASEWORK_ROLES)
    loaded = load_decision(service, reference)
    before = loaded.decision
    if isinstance(caller, CaseSystem) and loaded.record.issued_by != actor_of(caller):
        raise DecisionNotFoundError("There is no decision with this reference.")
    if DecisionStatus.SUPERSEDED not in ALLOWED_STEPS[before.status]:
        raise TransitionNotAllowedError("This decision was superseded before; supersede its successor instead.")
    model = service.model(before.model.slug)
    card = model.package.card
    request, inputs = read_final_decision(body, card, before.private.inputs, now=service.clock())
    outcome = model.outcome_of(inputs)
    now = service.clock()
    decision = Decision(
        reference=new_reference(),
        model=version_of(model),
        register_version=register_version_in_force(service, card.slug),
        status=DecisionStatus.DECIDED,
        role=card.role,
        decided_by="person",
        model_outcome=outcome.outcome,
        outcome=request.outcome,
        decided_at=request.decided_at or now,
        recorded_at=now,
        supersedes=before.reference,
        private=replace(
            before.private,
            inputs=inputs,
            # A corrected value did not come from where the wrong one came from.
            sources={name: origin for name, origin in before.private.sources.items() if name not in request.inputs},
            reasons=stated(request.reasons),
            remedy=request.stated_remedy() or before.private.remedy,
            score=outcome.score,
            fired_rule=outcome.deciding_rule,
        ),
    )
    numbers = trustworthy_numbers(model, inputs)
    stored = store_decision(service, caller, decision, numbers, model.package, issued_by=loaded.record.issued_by)
    return stored.as_json()
