"""Answers a page request that failed with a page from the table in ``error_pages``."""

import logging
from dataclasses import replace

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from explainer.errors import ErasedError, NotSignedInError, UntrustworthyExplanationError
from models.errors import KlarbescheidError
from public_pages.error_pages import HTTP_ERRORS, UNEXPECTED, PageError, page_error_for
from public_pages.language_negotiation import without_language
from public_pages.page_contexts import ErrorPage
from public_pages.page_frame import ContactPoint
from public_pages.rendering import PageRenderer
from public_pages.security import security_headers

_LOGGER = logging.getLogger(__name__)

SERVER_ERROR = 500
UNPROCESSABLE = 422


def refusal_answer(renderer: PageRenderer, request: Request, error: KlarbescheidError) -> Response:
    """Answer a page request that ended in one of our errors.

    Args:
        renderer: Renders pages.
        request: The request.
        error: What was raised.

    Returns:
        The way back in where a session is missing, else a page from the table.
    """
    if isinstance(error, NotSignedInError):
        return _way_back_in(renderer, request)
    found = page_error_for(type(error))
    if found.status >= SERVER_ERROR:
        # Without the exception: its words may quote what a person sent.
        _LOGGER.error("page refused: %s", error.code)
    context = error_context(renderer, request, found)
    if isinstance(error, ErasedError):
        context = replace(context, erased_at=error.erased_at)
    return error_answer(renderer, request, found, context)


def error_answer(
    renderer: PageRenderer, request: Request, found: PageError, context: ErrorPage | None = None
) -> Response:
    """Render one line of the table.

    Args:
        renderer: Renders pages.
        request: The request.
        found: The line.
        context: A richer context made by :func:`error_context`, where a route knows more.

    Returns:
        The answer; security headers included, because nothing wraps an answer to an unforeseen failure.
    """
    answer = renderer.response(request, context or error_context(renderer, request, found), found.status)
    answer.headers.update(security_headers(request.url.path, https_only=renderer.settings.https_only))
    return answer


def error_context(
    renderer: PageRenderer,
    request: Request,
    found: PageError,
    error: UntrustworthyExplanationError | None = None,
    contact: ContactPoint | None = None,
) -> ErrorPage:
    """Put one line of the table into the reader's language.

    Args:
        renderer: Renders pages.
        request: The request.
        found: The line.
        error: A refused explanation, which says until when a person answers.
        contact: Office that answers.

    Returns:
        The context of the error page.
    """
    words = renderer.words(request)
    return ErrorPage(
        page=renderer.page(request),
        title=words.gettext(found.title),
        sentences=tuple(words.gettext(sentence) for sentence in found.sentences),
        contact=contact,
        answer_by=error.answer_by if error else None,
        way_on=found.way_on,
        way_on_label=words.gettext(found.way_on_label),
    )


def http_error_answer(renderer: PageRenderer, request: Request, error: HTTPException) -> Response:
    """Answer a page request for which there is no page or no such method."""
    return error_answer(renderer, request, HTTP_ERRORS.get(error.status_code, UNEXPECTED))


def invalid_form_answer(renderer: PageRenderer, request: Request) -> Response:
    """Answer a page request whose address or form cannot be read."""
    return error_answer(renderer, request, HTTP_ERRORS[UNPROCESSABLE])


def unexpected_answer(renderer: PageRenderer, request: Request) -> Response:
    """Answer a page request that failed in a way nobody foresaw; the server's log has the details."""
    return error_answer(renderer, request, UNEXPECTED)


def _way_back_in(renderer: PageRenderer, request: Request) -> Response:
    language = renderer.language(request)
    form = "/why" if without_language(request.url.path).startswith("/why") else "/staff/sign-in"
    address = f"/{language}{form}?ended=1"
    if request.headers.get("hx-request") == "true":
        # htmx would put the form into the middle of the old page; it follows this header instead.
        return Response(status_code=204, headers={"HX-Redirect": address})
    return RedirectResponse(address, status_code=303)
