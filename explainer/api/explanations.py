"""Explanations over HTTP: of a decision, of inputs, and again as they were delivered."""

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from explainer.api.answers import PROBLEMS, ExplanationAnswer
from explainer.api.authentication import (
    WHO_ASKS,
    ServiceArg,
    SomeCaller,
    access_code_of,
    case_system_or_staff_calling,
    service_of,
    staff_calling,
)
from explainer.api.request_bodies import (
    ExplanationRequest,
    InputsExplanationRequest,
    body_schema,
    checked_body,
    json_body,
    optional_json_body,
)
from explainer.explanations.document import ExplanationDocument, Language
from explainer.use_cases.deliver_explanation import DeliveredExplanation
from explainer.use_cases.explain_decision import explain_decision, explain_to_subject, read_explanation
from explainer.use_cases.explain_inputs import explain_inputs
from explainer.use_cases.service import Service

router = APIRouter(prefix="/api/v1", tags=["explanations"], responses=PROBLEMS)

NO_STORE = {"Cache-Control": "no-store"}


@router.post(
    "/decisions/{reference}/explanations",
    status_code=201,
    response_model=ExplanationAnswer,
    openapi_extra=body_schema(ExplanationRequest, required=False) | WHO_ASKS,
)
async def post_explanation(request: Request, reference: str) -> Response:
    """Explain a decision; the log entry commits before the answer leaves."""
    # The address that people's letters lead to: it reads its headers itself, because dependencies cost more than it.
    service = await service_of(request)
    wanted = checked_body(await optional_json_body(request), ExplanationRequest)
    language = wanted.language or _language_of(request, service)
    code = access_code_of(request)
    if code is not None:
        delivered = await explain_to_subject(service, reference, code, language=language, audience=wanted.audience)
    else:
        delivered = await run_in_threadpool(_explain_to_staff, request, service, reference, wanted, language)
    return _delivered(delivered)


def _explain_to_staff(
    request: Request, service: Service, reference: str, wanted: ExplanationRequest, language: Language
) -> DeliveredExplanation:
    return explain_decision(
        service,
        staff_calling(request, service),
        reference,
        language=language,
        audience=wanted.audience,
        purpose=wanted.purpose,
        legal_basis=wanted.legal_basis,
    )


@router.post(
    "/models/{slug}/explanations",
    status_code=201,
    response_model=ExplanationAnswer,
    openapi_extra=body_schema(InputsExplanationRequest) | WHO_ASKS,
)
async def post_inputs_explanation(request: Request, slug: str) -> Response:
    """Explain what a model makes of some inputs, without a decision; logged too."""
    # It reads its headers itself, as the route above does.
    service = await service_of(request)
    caller = await case_system_or_staff_calling(request, service)
    wanted = checked_body(await json_body(request), InputsExplanationRequest)
    delivered = await explain_inputs(
        service,
        caller,
        slug,
        wanted.inputs,
        language=wanted.language or _language_of(request, service),
        audience=wanted.audience,
        purpose=wanted.purpose,
        legal_basis=wanted.legal_basis,
    )
    return _delivered(delivered)


@router.get("/explanations/{explanation_id}", response_model=ExplanationDocument)
def get_explanation(service: ServiceArg, caller: SomeCaller, explanation_id: str) -> Response:
    """Hand out an explanation exactly as it was delivered; the ETag is the SHA-256 of its bytes."""
    stored, digest = read_explanation(service, caller, explanation_id)
    return Response(stored, media_type="application/json", headers={**NO_STORE, "ETag": f'"{digest}"'})


def _delivered(delivered: DeliveredExplanation) -> Response:
    location = f"/api/v1/explanations/{delivered.id}"
    return Response(
        delivered.as_bytes(),
        status_code=201,
        media_type="application/json",
        headers={**NO_STORE, "Location": location},
    )


def _language_of(request: Request, service: Service) -> Language:
    accepted = request.headers.get("accept-language", "").lower()
    ranked = [part.split(";")[0].strip()[:2] for part in accepted.split(",")]
    for language in ranked:
        if language == "de":
            return "de"
        if language == "en":
            return "en"
    return service.settings.default_language
