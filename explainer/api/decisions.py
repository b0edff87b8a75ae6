"""Decisions over HTTP: record, read, supersede."""

from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.responses import JSONResponse

from explainer.api.answers import PROBLEMS, DecisionAnswer, RecordedDecisionAnswer
from explainer.api.authentication import CaseSystemArg, CaseSystemOrStaff, ServiceArg, SomeCaller
from explainer.api.request_bodies import JsonBody, body_schema
from explainer.decisions.decision import Decision
from explainer.use_cases.callers import CASEWORK_ROLES, Caller, CaseSystem, Staff
from explainer.use_cases.decision_request import DecisionRequest, FinalDecisionRequest
from explainer.use_cases.moments import utc_text
from explainer.use_cases.read_decisions import read_decision
from explainer.use_cases.record_decision import record_decision
from explainer.use_cases.supersede_decision import supersede_decision

router = APIRouter(prefix="/api/v1/decisions", tags=["decisions"], responses=PROBLEMS)

NO_STORE = {"Cache-Control": "no-store"}


@router.post("", status_code=201, response_model=RecordedDecisionAnswer, openapi_extra=body_schema(DecisionRequest))
def post_decision(
    service: ServiceArg,
    caller: CaseSystemArg,
    body: JsonBody,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> JSONResponse:
    """Record a decision; every problem of the request is reported at once."""
    answer = record_decision(service, caller, body, idempotency_key=idempotency_key)
    late_replay = answer.get("replayed") and answer["access_code"] is None
    return JSONResponse(answer, status_code=200 if late_replay else 201, headers=NO_STORE)


@router.get("/{reference}", response_model=DecisionAnswer)
def get_decision(service: ServiceArg, caller: SomeCaller, reference: str) -> JSONResponse:
    """Read a decision, without what this caller may not see."""
    loaded = read_decision(service, caller, reference)
    answer = _decision_json(loaded.decision, loaded.superseded_by)
    answer |= _private_json(loaded.decision, caller)
    return JSONResponse(answer, headers=NO_STORE)


@router.post(
    "/{reference}/supersede",
    status_code=201,
    response_model=RecordedDecisionAnswer,
    openapi_extra=body_schema(FinalDecisionRequest),
)
def post_supersede(service: ServiceArg, caller: CaseSystemOrStaff, reference: str, body: JsonBody) -> JSONResponse:
    """Record what a person decided after looking, or a re-decision with corrected data."""
    return JSONResponse(supersede_decision(service, caller, reference, body), status_code=201, headers=NO_STORE)


def _decision_json(decision: Decision, superseded_by: str | None) -> dict[str, Any]:
    return {
        "reference": decision.reference,
        "model": {"slug": decision.model.slug, "version": decision.model.version, "sha256": decision.model.sha256},
        "register_version": decision.register_version,
        "status": str(decision.status),
        "role": decision.role,
        "decided_by": decision.decided_by,
        "outcome": decision.outcome or decision.model_outcome,
        "model_outcome": decision.model_outcome,
        "decided_outcome": decision.outcome,
        "decided_by_rule": decision.private.fired_rule,
        "departed": decision.departed,
        "diverted": decision.was_diverted,
        "decided_at": decision.decided_at and utc_text(decision.decided_at),
        "recorded_at": utc_text(decision.recorded_at),
        "supersedes": decision.supersedes,
        "superseded_by": superseded_by,
    }


def _private_json(decision: Decision, caller: Caller) -> dict[str, Any]:
    private = decision.private
    if isinstance(caller, CaseSystem) or (isinstance(caller, Staff) and caller.may(*CASEWORK_ROLES)):
        return {"score": private.score, "case_reference": private.case_reference, "inputs": dict(private.inputs)}
    return {}
