"""The two cookies there are: one for a citizen with a letter, one for staff. Both hold nothing but a secret."""

from collections.abc import Mapping
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from explainer.errors import NotSignedInError
from explainer.use_cases.callers import Staff, Subject
from explainer.use_cases.open_session import COOKIE_NAMES, ActiveSession, SessionKind, session_of
from explainer.use_cases.service import Service

_SAME_SITE: Mapping[SessionKind, Literal["lax", "strict"]] = {"subject": "lax", "staff": "strict"}


def secret_in(request: Request, kind: SessionKind) -> str:
    """The secret that the browser sent, or empty text."""
    return request.cookies.get(COOKIE_NAMES[kind], "")


def find_session(request: Request, service: Service, kind: SessionKind) -> ActiveSession | None:
    """The session of this kind that the browser is in, or None."""
    secret = secret_in(request, kind)
    return session_of(service, secret, kind) if secret else None


def require_session(request: Request, service: Service, kind: SessionKind) -> ActiveSession:
    """The session that a page needs.

    Args:
        request: The request with its cookie.
        service: The installation.
        kind: ``subject`` or ``staff``.

    Returns:
        The session.

    Raises:
        NotSignedInError: If there is none or it has ended; the edge answers with the way back in.
    """
    session = find_session(request, service, kind)
    if session is None:
        raise NotSignedInError("There is no session, or it has ended.")
    return session


def subject_of(session: ActiveSession) -> Subject:
    """The subject in a session that was asked for as a subject's."""
    if not isinstance(session.caller, Subject):
        raise NotSignedInError("This session is not a subject's.")
    return session.caller


def staff_of(session: ActiveSession) -> Staff:
    """The member of staff in a session that was asked for as staff's."""
    if not isinstance(session.caller, Staff):
        raise NotSignedInError("This session is not of staff.")
    return session.caller


def set_session_cookie(response: Response, kind: SessionKind, secret: str, *, https_only: bool) -> None:
    """Give the browser its secret; it forgets it when it is closed, and the session ends on the server before."""
    response.set_cookie(
        COOKIE_NAMES[kind], secret, path="/", httponly=True, secure=https_only, samesite=_SAME_SITE[kind]
    )


def delete_session_cookie(response: Response, kind: SessionKind, *, https_only: bool) -> None:
    """Let the browser forget its secret."""
    response.delete_cookie(COOKIE_NAMES[kind], path="/", httponly=True, secure=https_only, samesite=_SAME_SITE[kind])
