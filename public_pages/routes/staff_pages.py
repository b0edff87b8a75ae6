"""Pages for people who decide: sign in, the list of decisions, one decision with its full explanation."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from explainer.decisions.access_code import normalise_reference
from explainer.decisions.decision import Decision, DecisionStatus
from explainer.errors import NotSignedInError
from explainer.use_cases.callers import CASEWORK_ROLES, LOG_ROLES, Staff
from explainer.use_cases.explain_decision import explain_decision
from explainer.use_cases.open_session import end_session, session_of, sign_in_staff
from explainer.use_cases.read_decisions import list_decisions, open_tasks, read_decision
from explainer.use_cases.records import DecisionFilter
from explainer.use_cases.service import Service
from models.card import ModelCard
from public_pages.decision_view import data_rows, model_names, outcome_names
from public_pages.explanation_view import bars_of
from public_pages.language_negotiation import LANGUAGES
from public_pages.page_frame import FieldProblem
from public_pages.page_route import RendererOf, ServiceOf, page_router
from public_pages.rendering import PageRenderer
from public_pages.security import require_csrf, require_own_page
from public_pages.session_cookies import (
    delete_session_cookie,
    find_session,
    require_session,
    secret_in,
    set_session_cookie,
    staff_of,
)
from public_pages.staff_page_contexts import (
    ChosenDecisions,
    DecisionCasePage,
    DecisionListPage,
    SignInPage,
    StaffExplanation,
)
from public_pages.typed_text import typed

SEE_OTHER = 303
UNAUTHORISED = 401
UNPROCESSABLE = 422

MAX_PAGE_DIGITS = 6

router = page_router()


class ExplanationForm(BaseModel):
    """What staff send to get an explanation.

    Attributes:
        csrf: Token of the session.
        purpose: What they need it for.
        legal_basis: On which basis they ask.
        previews: Not empty where the person's text is wanted too.
    """

    csrf: str = ""
    purpose: str = ""
    legal_basis: str = ""
    previews: str = ""


@router.get("/staff")
def staff_home(request: Request, service: ServiceOf, renderer: RendererOf) -> Response:
    """Lead to the page that fits the person's roles, or to the form that opens a session."""
    session = find_session(request, service, "staff")
    target = _first_page(staff_of(session)) if session else "/staff/sign-in"
    return RedirectResponse(renderer.page(request).url(target), status_code=SEE_OTHER)


@router.get("/staff/sign-in")
def sign_in_form(request: Request, renderer: RendererOf, ended: str = "") -> Response:
    """Show the form for user name and password."""
    return renderer.response(request, SignInPage(page=renderer.page(request), ended=bool(ended)))


@router.post("/staff/sign-in")
def sign_in(
    request: Request,
    service: ServiceOf,
    renderer: RendererOf,
    user: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
) -> Response:
    """Open a session for a member of staff."""
    require_own_page(request)
    page = renderer.page(request)
    try:
        opened = sign_in_staff(service, typed(user), password[:1000])
    except NotSignedInError:
        sentence = renderer.words(request).gettext("User name or password is wrong.")
        problems = (FieldProblem(field="user", sentence=sentence),)
        context = SignInPage(page=page, user=typed(user), problems=problems)
        return renderer.response(request, context, UNAUTHORISED)
    session = session_of(service, opened.secret, "staff")
    target = _first_page(staff_of(session)) if session else "/staff"
    answer = RedirectResponse(page.url(target), status_code=SEE_OTHER)
    set_session_cookie(answer, "staff", opened.secret, https_only=service.settings.https_only)
    return answer


@router.post("/staff/sign-out")
def sign_out(request: Request, service: ServiceOf, renderer: RendererOf, csrf: Annotated[str, Form()] = "") -> Response:
    """End the session."""
    session = require_session(request, service, "staff")
    require_csrf(session.csrf, csrf)
    end_session(service, secret_in(request, "staff"))
    answer = RedirectResponse(renderer.page(request).url("/staff/sign-in?ended=1"), status_code=SEE_OTHER)
    delete_session_cookie(answer, "staff", https_only=service.settings.https_only)
    return answer


@router.get("/staff/decisions")
def decision_list(request: Request, service: ServiceOf, renderer: RendererOf) -> Response:
    """List decisions that fit the filter in the address, newest first."""
    session = require_session(request, service, "staff")
    staff = staff_of(session)
    chosen = _chosen(request.query_params)
    decisions = list_decisions(
        service, staff, _filter_of(chosen), page=_page_number(request.query_params.get("page", ""))
    )
    language = renderer.language(request)
    context = DecisionListPage(
        page=renderer.page(request, session),
        decisions=decisions,
        chosen=chosen,
        model_names=model_names(service, language),
        outcome_names=outcome_names(service, language),
        statuses=tuple(one.value for one in DecisionStatus),
        tasks=tuple(open_tasks(service, staff)) if staff.may(*CASEWORK_ROLES) else (),
        previous_url=_page_url(chosen, decisions.page - 1) if decisions.page > 1 else None,
        next_url=_page_url(chosen, decisions.page + 1) if decisions.page < decisions.pages else None,
    )
    return renderer.response(request, context)


@router.get("/staff/decisions/{reference}")
def decision_case(reference: str, request: Request, service: ServiceOf, renderer: RendererOf) -> Response:
    """Show one decision; the reading is logged."""
    session = require_session(request, service, "staff")
    loaded = read_decision(service, staff_of(session), typed(reference))
    card = _card_of(service, loaded.decision)
    language = renderer.language(request)
    context = DecisionCasePage(
        page=renderer.page(request, session),
        decision=loaded.decision,
        superseded_by=loaded.superseded_by,
        card=card,
        outcome_names=outcome_names(service, language),
        data_rows=data_rows(loaded.decision, card, language),
    )
    return renderer.response(request, context)


@router.post("/staff/decisions/{reference}/explanation")
def request_explanation(
    reference: str,
    request: Request,
    service: ServiceOf,
    renderer: RendererOf,
    form: Annotated[ExplanationForm, Form()],
) -> Response:
    """Show one decision with the explanation for staff; purpose and legal basis go into the log."""
    session = require_session(request, service, "staff")
    require_csrf(session.csrf, form.csrf)
    staff = staff_of(session)
    purpose, legal_basis = typed(form.purpose), typed(form.legal_basis)
    loaded = read_decision(service, staff, typed(reference))
    problems = _missing(renderer, request, purpose, legal_basis)
    language = renderer.language(request)
    explanation = None
    if not problems:
        delivered = explain_decision(
            service, staff, loaded.decision.reference, language=language, purpose=purpose, legal_basis=legal_basis
        )
        explanation = StaffExplanation(
            document=delivered.document,
            bars=bars_of(delivered.document.contributions),
            sha256=delivered.sha256,
            receipt=delivered.log,
            previews=tuple(
                explain_decision(
                    service,
                    staff,
                    loaded.decision.reference,
                    audience="subject",
                    language=one,
                    purpose=purpose,
                    legal_basis=legal_basis,
                ).document
                for one in (LANGUAGES if form.previews else ())
            ),
        )
    card = _card_of(service, loaded.decision)
    context = DecisionCasePage(
        page=renderer.page(request, session),
        decision=loaded.decision,
        superseded_by=loaded.superseded_by,
        card=card,
        outcome_names=outcome_names(service, language),
        data_rows=data_rows(loaded.decision, card, language),
        explanation=explanation,
        purpose=purpose,
        legal_basis=legal_basis,
        with_previews=bool(form.previews),
        problems=problems,
    )
    return renderer.response(request, context, UNPROCESSABLE if problems else 200)


def _first_page(staff: Staff) -> str:
    if staff.may(*CASEWORK_ROLES):
        return "/staff/decisions"
    return "/audit" if staff.may(*LOG_ROLES) else "/register"


def _chosen(query: Mapping[str, str]) -> ChosenDecisions:
    status, departed = query.get("status", ""), query.get("departed", "")
    return ChosenDecisions(
        model=typed(query.get("model")),
        outcome=typed(query.get("outcome")),
        status=status if status in {one.value for one in DecisionStatus} else "",
        departed=departed if departed in ("yes", "no") else "",
        reference=typed(query.get("reference")),
    )


def _page_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_PAGE_DIGITS else 1


def _filter_of(chosen: ChosenDecisions) -> DecisionFilter:
    return DecisionFilter(
        model_slug=chosen.model or None,
        outcome=chosen.outcome or None,
        status=DecisionStatus(chosen.status) if chosen.status else None,
        departed={"yes": True, "no": False}.get(chosen.departed),
        reference=normalise_reference(chosen.reference) if chosen.reference else None,
    )


def _page_url(chosen: ChosenDecisions, page: int) -> str:
    query = {
        "model": chosen.model,
        "outcome": chosen.outcome,
        "status": chosen.status,
        "departed": chosen.departed,
        "reference": chosen.reference,
        "page": str(page),
    }
    return "?" + urlencode({name: value for name, value in query.items() if value})


def _card_of(service: Service, decision: Decision) -> ModelCard | None:
    package = service.catalogue.versions.get((decision.model.slug, decision.model.sha256))
    return package.card if package else None


def _missing(renderer: PageRenderer, request: Request, purpose: str, legal_basis: str) -> tuple[FieldProblem, ...]:
    words = renderer.words(request)
    problems = []
    if not purpose:
        problems.append(FieldProblem(field="purpose", sentence=words.gettext("Say what you need the explanation for.")))
    if not legal_basis:
        problems.append(FieldProblem(field="legal_basis", sentence=words.gettext("Name the legal basis.")))
    return tuple(problems)
