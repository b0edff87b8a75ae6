"""From the letter to the explanation: reference and code, a session of 30 minutes, the explanation."""

from typing import Annotated

from fastapi import Form, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from explainer.errors import BadAccessCodeError, UntrustworthyExplanationError
from explainer.explanations.document import ExplanationDocument
from explainer.use_cases.callers import Subject
from explainer.use_cases.explain_decision import explain_decision
from explainer.use_cases.open_session import end_session, extend_session, open_subject_session
from explainer.use_cases.read_decisions import read_decision
from explainer.use_cases.read_register import read_entry
from explainer.use_cases.service import Service
from public_pages.error_answers import error_answer, error_context
from public_pages.error_pages import page_error_for
from public_pages.explanation_view import (
    bars_of,
    notes_around_factors,
    notes_in_small_print,
    notes_on_data,
    told_contributions,
)
from public_pages.page_contexts import LookupPage, SubjectExplanationPage
from public_pages.page_frame import FieldProblem
from public_pages.page_route import RendererOf, ServiceOf, page_router
from public_pages.register_view import contact_of
from public_pages.rendering import PageRenderer
from public_pages.security import require_csrf, require_own_page
from public_pages.session_cookies import (
    delete_session_cookie,
    require_session,
    secret_in,
    set_session_cookie,
    subject_of,
)
from public_pages.typed_text import typed

SEE_OTHER = 303
UNPROCESSABLE = 422

router = page_router()


@router.get("/why")
def lookup_form(request: Request, renderer: RendererOf, ended: str = "") -> Response:
    """Show the form for reference and access code."""
    return renderer.response(request, LookupPage(page=renderer.page(request), ended=bool(ended)))


@router.post("/why")
def open_explanation(
    request: Request,
    service: ServiceOf,
    renderer: RendererOf,
    reference: Annotated[str, Form()] = "",
    code: Annotated[str, Form()] = "",
) -> Response:
    """Open a session for the person with the letter."""
    require_own_page(request)
    reference, code = typed(reference), typed(code)
    page = renderer.page(request)
    problems = _missing(renderer, request, reference, code)
    status = UNPROCESSABLE
    if not problems:
        try:
            opened = open_subject_session(service, reference, code)
        except BadAccessCodeError as error:
            found = page_error_for(type(error))
            status = found.status
            problems = (FieldProblem(field="reference", sentence=renderer.words(request).gettext(found.title)),)
        else:
            answer = RedirectResponse(page.url("/why/explanation"), status_code=SEE_OTHER)
            set_session_cookie(answer, "subject", opened.secret, https_only=service.settings.https_only)
            return answer
    return renderer.response(request, LookupPage(page=page, reference=reference, code=code, problems=problems), status)


@router.get("/why/explanation")
def subject_explanation(request: Request, service: ServiceOf, renderer: RendererOf) -> Response:
    """Deliver the explanation; every delivery is logged."""
    session = require_session(request, service, "subject")
    subject = subject_of(session)
    try:
        delivered = explain_decision(service, subject, subject.reference, language=renderer.language(request))
    except UntrustworthyExplanationError as error:
        return _refused(service, renderer, request, subject, error)
    document = delivered.document
    factor_intro, factor_notes = notes_around_factors(document)
    return renderer.response(
        request,
        SubjectExplanationPage(
            page=renderer.page(request, session),
            document=document,
            bars=bars_of(told_contributions(document)),
            factor_intro=factor_intro,
            factor_notes=factor_notes,
            data_notes=notes_on_data(document),
            small_print=notes_in_small_print(document),
            program_name=_program_name(service, document),
            sha256=delivered.sha256,
            receipt=delivered.log,
            session_ends_at=session.expires_at,
        ),
    )


@router.post("/why/extend")
def extend(request: Request, service: ServiceOf, renderer: RendererOf, csrf: Annotated[str, Form()] = "") -> Response:
    """Let the session begin anew: for scripts the new end, for everybody else the page again."""
    session = require_session(request, service, "subject")
    require_csrf(session.csrf, csrf)
    ends_at = extend_session(service, secret_in(request, "subject"))
    if request.headers.get("accept") == "application/json":
        return JSONResponse({"ends_at": ends_at.isoformat()})
    return RedirectResponse(renderer.page(request).url("/why/explanation"), status_code=SEE_OTHER)


@router.post("/why/end")
def end(request: Request, service: ServiceOf, renderer: RendererOf, csrf: Annotated[str, Form()] = "") -> Response:
    """End the session."""
    session = require_session(request, service, "subject")
    require_csrf(session.csrf, csrf)
    end_session(service, secret_in(request, "subject"))
    answer = RedirectResponse(renderer.page(request).url("/why?ended=1"), status_code=SEE_OTHER)
    delete_session_cookie(answer, "subject", https_only=service.settings.https_only)
    return answer


def _program_name(service: Service, document: ExplanationDocument) -> str:
    package = service.catalogue.versions.get((document.model.slug, document.model.sha256))
    return package.card.name(document.language) if package else document.model.slug


def _missing(renderer: PageRenderer, request: Request, reference: str, code: str) -> tuple[FieldProblem, ...]:
    words = renderer.words(request)
    problems = []
    if not reference:
        problems.append(FieldProblem(field="reference", sentence=words.gettext("Enter the reference number.")))
    if not code:
        problems.append(FieldProblem(field="code", sentence=words.gettext("Enter the access code.")))
    return tuple(problems)


def _refused(
    service: Service,
    renderer: PageRenderer,
    request: Request,
    subject: Subject,
    error: UntrustworthyExplanationError,
) -> Response:
    loaded = read_decision(service, subject, subject.reference)
    card = read_entry(service, loaded.decision.model.slug).entry.card
    found = page_error_for(type(error))
    contact = contact_of(card, renderer.language(request))
    return error_answer(renderer, request, found, error_context(renderer, request, found, error, contact))
