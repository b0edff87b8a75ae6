"""What browsers are told about our pages, and which forms we accept."""

import hmac
from collections.abc import Mapping
from functools import cache
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explainer.errors import CsrfError
from public_pages.language_negotiation import without_language

_SOURCES: Mapping[str, str] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    # KERN's icons are masks with data: addresses inside its own style sheet.
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}

CONTENT_SECURITY_POLICY = "; ".join(f"{directive} {sources}" for directive, sources in _SOURCES.items())

_EVERYWHERE: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}

_PERSONAL: Mapping[str, str] = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}

PERSONAL_PATHS = ("/why", "/staff", "/audit")
"""Pages about one person or for one person, and the forms that lead there."""

_HTTPS_ONLY: Mapping[str, str] = {"Strict-Transport-Security": "max-age=31536000"}


def is_personal(path: str) -> bool:
    """Whether a page may show something about one person, in whatever language."""
    if not any(start in path for start in PERSONAL_PATHS):
        return False
    page = without_language(path)
    return any(page == start or page.startswith(f"{start}/") for start in PERSONAL_PATHS)


def security_headers(path: str, *, https_only: bool) -> Mapping[str, str]:
    """Headers that an answer for this path carries.

    Args:
        path: Path of the request.
        https_only: Whether the installation is reached over HTTPS only.

    Returns:
        Header name to value.
    """
    return _headers(personal=is_personal(path), https_only=https_only)


def _headers(*, personal: bool, https_only: bool) -> dict[str, str]:
    return {**_EVERYWHERE, **(_PERSONAL if personal else {}), **(_HTTPS_ONLY if https_only else {})}


@cache
def _as_sent(*, personal: bool, https_only: bool) -> Mapping[bytes, bytes]:
    headers = _headers(personal=personal, https_only=https_only)
    return {name.lower().encode("latin-1"): value.encode("latin-1") for name, value in headers.items()}


class SecurityHeaders:
    """ASGI middleware that puts the security headers on every answer.

    Attributes:
        app: The application inside.
        https_only: Whether the installation is reached over HTTPS only.
    """

    def __init__(self, app: ASGIApp, *, https_only: bool) -> None:
        self.app = app
        self.https_only = https_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and add the headers to its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(sent: Message) -> None:
            if sent["type"] == "http.response.start":
                ours = _as_sent(personal=is_personal(scope["path"]), https_only=self.https_only)
                theirs = [header for header in sent.get("headers", ()) if header[0].lower() not in ours]
                sent["headers"] = [*theirs, *ours.items()]
            await send(sent)

        await self.app(scope, receive, send_with_headers)


def require_csrf(session_csrf: str, sent: str) -> None:
    """Accept a form only with the token of its session.

    Args:
        session_csrf: The session's token.
        sent: What the form carried.

    Raises:
        CsrfError: If they differ.
    """
    if not hmac.compare_digest(session_csrf.encode(), sent.encode()):
        raise CsrfError("The form does not carry the token of this session. Load its page again.")


def require_own_page(request: Request) -> None:
    """Accept a form without a session only from our own pages.

    Before there is a session there is no cookie, so no token can be bound to one. Browsers say where a form comes from
    in Sec-Fetch-Site (W3C Fetch Metadata) and Origin (Fetch §3.2). Under ``no-referrer`` Origin is ``null``; where
    that stands alone, in browsers from before 2023 or without HTTPS, nothing can be told and the form passes: all it
    could do is open the attacker's own explanation.

    Args:
        request: The form's request.

    Raises:
        CsrfError: If the browser says that another site sent the form.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        own = site in ("same-origin", "none")
    else:
        origin = request.headers.get("origin", "null")
        own = origin == "null" or urlsplit(origin).netloc == request.headers.get("host", "")
    if not own:
        raise CsrfError("The form was sent by another site.")
