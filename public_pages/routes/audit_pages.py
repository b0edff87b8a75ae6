"""The accountability log for auditors: how long it is, what was signed, and a check that anyone can understand."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Form, Request, Response

from explainer.transparency_log.log_entry import LogEvent
from explainer.use_cases.open_session import ActiveSession
from explainer.use_cases.read_log import LogVerification, log_overview, verify_log_now
from explainer.use_cases.service import Service
from public_pages.page_route import RendererOf, ServiceOf, page_router
from public_pages.rendering import PageRenderer
from public_pages.security import require_csrf
from public_pages.session_cookies import require_session, staff_of
from public_pages.staff_page_contexts import AuditPage

ROWS = 50

router = page_router()


@router.get("/audit")
def audit(request: Request, service: ServiceOf, renderer: RendererOf, before: str = "", event: str = "") -> Response:
    """Show the state of the log and its newest entries."""
    session = require_session(request, service, "staff")
    return renderer.response(request, _context(service, renderer, request, session, before=before, event=event))


@router.post("/audit/verify")
def verify(request: Request, service: ServiceOf, renderer: RendererOf, csrf: Annotated[str, Form()] = "") -> Response:
    """Recompute the whole tree and say in plain words what came out."""
    session = require_session(request, service, "staff")
    require_csrf(session.csrf, csrf)
    verification = verify_log_now(service, staff_of(session))
    return renderer.response(request, _context(service, renderer, request, session, verification=verification))


def _context(
    service: Service,
    renderer: PageRenderer,
    request: Request,
    session: ActiveSession,
    *,
    before: str = "",
    event: str = "",
    verification: LogVerification | None = None,
) -> AuditPage:
    chosen = event if event in {one.value for one in LogEvent} else ""
    start = int(before) if before.isascii() and before.isdigit() and len(before) <= len(str(2**53)) else None
    overview = log_overview(service, staff_of(session), before=start, event=chosen or None, limit=ROWS)
    lowest = overview.entries[-1].index if len(overview.entries) == ROWS else 0
    older = {"before": str(lowest), **({"event": chosen} if chosen else {})}
    return AuditPage(
        page=renderer.page(request, session),
        overview=overview,
        event=chosen,
        events=tuple(one.value for one in LogEvent),
        older_url=f"?{urlencode(older)}" if lowest > 0 else None,
        verification=verification,
    )
