"""Puts all pages into an application."""

from collections.abc import Awaitable
from inspect import isawaitable
from os import PathLike, stat_result

from fastapi import FastAPI
from fastapi.exception_handlers import http_exception_handler
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from explainer.use_cases.service import Service
from public_pages.error_answers import http_error_answer, unexpected_answer
from public_pages.language_negotiation import LANGUAGES
from public_pages.page_route import renderer_of
from public_pages.rendering import make_renderer
from public_pages.routes import about_pages, audit_pages, home, register_pages, staff_pages, why_pages
from public_pages.security import SecurityHeaders
from public_pages.static_assets import STATIC_ADDRESS, STATIC_FOLDER

NOT_PAGES = ("/api/", "/log/", "/static/", "/healthz", "/readyz", "/metrics")
"""Addresses whose errors are not pages."""

_KEEP_FOR_EVER = "public, max-age=31536000, immutable"


class StaticPages(StaticFiles):
    """Static files; browsers keep for ever what was asked for under its fingerprint."""

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Answer with a file."""
        answer = super().file_response(full_path, stat_result, scope, status_code)
        if scope["query_string"].startswith(b"v="):
            answer.headers["Cache-Control"] = _KEEP_FOR_EVER
        return answer


def mount_pages(app: FastAPI, service: Service) -> None:
    """Add pages, static files, security headers and error pages to an application.

    Call it after the API has added its own exception handlers: these stay in charge of the addresses in ``NOT_PAGES``.

    Args:
        app: The application.
        service: The installation; routes find it in ``app.state.service``.
    """
    app.state.service = service
    app.state.page_renderer = make_renderer(service.settings)
    for router in (
        home.router,
        why_pages.router,
        register_pages.router,
        staff_pages.router,
        audit_pages.router,
        about_pages.router,
    ):
        for prefix in ("", *(f"/{language}" for language in LANGUAGES)):
            app.include_router(router, prefix=prefix)
    app.mount(STATIC_ADDRESS, StaticPages(directory=STATIC_FOLDER), name="static")
    app.add_middleware(SecurityHeaders, https_only=service.settings.https_only)
    _answer_with_pages(app)


def _answer_with_pages(app: FastAPI) -> None:
    api_http = app.exception_handlers.get(HTTPException, http_exception_handler)
    api_unexpected = app.exception_handlers.get(Exception)

    async def http_error(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and _is_page(request):
            return http_error_answer(renderer_of(request), request, error)
        return await _awaited(api_http(request, error))

    async def unexpected(request: Request, error: Exception) -> Response:
        if _is_page(request):
            return unexpected_answer(renderer_of(request), request)
        if api_unexpected is None:
            return PlainTextResponse("Internal Server Error", status_code=500)
        return await _awaited(api_unexpected(request, error))

    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(Exception, unexpected)


def _is_page(request: Request) -> bool:
    return not request.url.path.startswith(NOT_PAGES)


async def _awaited(answer: Response | Awaitable[Response]) -> Response:
    return await answer if isawaitable(answer) else answer
