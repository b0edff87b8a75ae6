"""The accountability log for auditors: what was signed, which entries fit, and checks that anyone can understand."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Form, Request, Response
from pydantic import BaseModel

from explainer.use_cases.browse_log import browse_log
from explainer.use_cases.finding_aid import LogFilter
from explainer.use_cases.open_session import ActiveSession
from explainer.use_cases.prove_entry import prove_entry
from explainer.use_cases.read_log import LogVerification, verify_log_now
from explainer.use_cases.service import Service
from public_pages.audit_page_contexts import AuditPage, ChosenEntries, LogEntryPage
from public_pages.decision_view import model_names, outcome_names
from public_pages.page_frame import FieldProblem
from public_pages.page_route import RendererOf, ServiceOf, page_router
from public_pages.rendering import PageRenderer
from public_pages.security import require_csrf
from public_pages.session_cookies import require_session, staff_of
from public_pages.typed_days import begin_of, end_of, typed_day
from public_pages.typed_text import typed

ROWS = 50
UNPROCESSABLE = 422
_LONGEST_CHECKPOINT = 20_000
_FILTER_FIELDS = ("system", "version", "event", "role", "outcome", "since", "until")
_INDEX_DIGITS = 15

router = page_router()


class CheckpointForm(BaseModel):
    """Form with a checkpoint that the reader kept.

    Attributes:
        csrf: Token of the page the form stands on.
        checkpoint: Its text.
    """

    csrf: str = ""
    checkpoint: str = ""


@router.get("/audit")
def audit(request: Request, service: ServiceOf, renderer: RendererOf) -> Response:
    """Show the state of the log and the entries that fit the filter in the address, newest first."""
    session = require_session(request, service, "staff")
    context = _overview(service, renderer, request, session)
    return renderer.response(request, context, UNPROCESSABLE if context.problems else 200)


@router.post("/audit/verify")
def verify(request: Request, service: ServiceOf, renderer: RendererOf, csrf: Annotated[str, Form()] = "") -> Response:
    """Recompute the whole tree and say in plain words what came out."""
    session = require_session(request, service, "staff")
    require_csrf(session.csrf, csrf)
    verification = verify_log_now(service, staff_of(session))
    return renderer.response(request, _overview(service, renderer, request, session, verification))


@router.get("/audit/entries/{index}")
def entry(index: int, request: Request, service: ServiceOf, renderer: RendererOf) -> Response:
    """Show one entry, and the way from its bytes to the signed root hash."""
    return _entry_page(service, renderer, request, index)


@router.post("/audit/entries/{index}/verify")
def verify_entry(
    index: int, request: Request, service: ServiceOf, renderer: RendererOf, form: Annotated[CheckpointForm, Form()]
) -> Response:
    """Hold the log against a checkpoint that the reader kept."""
    session = require_session(request, service, "staff")
    require_csrf(session.csrf, form.csrf)
    return _entry_page(service, renderer, request, index, brought=form.checkpoint[:_LONGEST_CHECKPOINT])


@router.get("/audit/entries/{index}/entry.json")
def entry_bytes(index: int, request: Request, service: ServiceOf) -> Response:
    """The bytes that were signed in, for the reader's own tools."""
    proven = prove_entry(service, staff_of(require_session(request, service, "staff")), index)
    return _download(proven.leaf, f"entry-{index}.json", "application/json")


@router.get("/audit/entries/{index}/receipt.tlog-proof")
def entry_receipt(index: int, request: Request, service: ServiceOf) -> Response:
    """The proof as a file for the reader's own tools (C2SP tlog-proof)."""
    proven = prove_entry(service, staff_of(require_session(request, service, "staff")), index)
    return _download(proven.receipt.encode(), f"entry-{index}.tlog-proof", "text/plain; charset=utf-8")


def _overview(
    service: Service,
    renderer: PageRenderer,
    request: Request,
    session: ActiveSession,
    verification: LogVerification | None = None,
) -> AuditPage:
    given = request.query_params
    chosen = ChosenEntries(**{name: typed(given.get(name)) for name in _FILTER_FIELDS})
    problems = _problems(renderer, request, chosen)
    overview = browse_log(
        service,
        staff_of(session),
        _filter_of(chosen),
        before=_position(given.get("before", "")),
        after=_position(given.get("after", "")),
        limit=ROWS,
    )
    shown = overview.entries
    language = renderer.language(request)
    return AuditPage(
        page=renderer.page(request, session),
        overview=overview,
        chosen=chosen,
        problems=problems,
        model_names=model_names(service, language),
        outcome_names=outcome_names(service, language),
        event_urls={event: _url(chosen, {"event": event}) for event, _ in overview.by_event},
        newer_url=_url(chosen, {"after": str(shown[0].index)}) if overview.has_newer and shown else None,
        older_url=_url(chosen, {"before": str(shown[-1].index)}) if overview.has_older and shown else None,
        verification=verification,
    )


def _entry_page(
    service: Service, renderer: PageRenderer, request: Request, index: int, *, brought: str | None = None
) -> Response:
    session = require_session(request, service, "staff")
    proven = prove_entry(service, staff_of(session), index, brought)
    language = renderer.language(request)
    context = LogEntryPage(
        page=renderer.page(request, session),
        proven=proven,
        leaf_text=proven.leaf.decode("utf-8", "replace"),
        brought_text=brought or "",
        model_names=model_names(service, language),
        outcome_names=outcome_names(service, language),
        newer=index + 1 if index + 1 < proven.checkpoint.tree_size else None,
        older=index - 1 if index > 0 else None,
    )
    return renderer.response(request, context)


def _filter_of(chosen: ChosenEntries) -> LogFilter:
    since, until = typed_day(chosen.since), typed_day(chosen.until)
    return LogFilter(
        event=chosen.event or None,
        system=chosen.system or None,
        version=chosen.version or None,
        role=chosen.role or None,
        outcome=chosen.outcome or None,
        since=begin_of(since) if since else None,
        until=end_of(until) if until else None,
    )


def _problems(renderer: PageRenderer, request: Request, chosen: ChosenEntries) -> tuple[FieldProblem, ...]:
    words = renderer.words(request)
    sentence = words.gettext("This is not a day. Write it like 25.11.2026.")
    typed_days = {"since": chosen.since, "until": chosen.until}
    return tuple(
        FieldProblem(field=field, sentence=sentence)
        for field, text in typed_days.items()
        if text and typed_day(text) is None
    )


def _position(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _INDEX_DIGITS else None


def _url(chosen: ChosenEntries, more: Mapping[str, str]) -> str:
    kept = {name: getattr(chosen, name) for name in _FILTER_FIELDS if getattr(chosen, name)}
    return f"?{urlencode({**kept, **more})}"


def _download(content: bytes, name: str, media_type: str) -> Response:
    return Response(
        content,
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )
