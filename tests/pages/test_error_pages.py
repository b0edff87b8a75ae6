"""Every error has a page in every language, and no page shows an exception's own words."""

from collections.abc import Iterator
from datetime import date

import httpx
import pytest
from starlette.requests import Request

import explainer.app  # noqa: F401 -- so that every error class of the product is known
from explainer.errors import AdditivityError, ErasedError, LogIntegrityError, NotAllowedError
from explainer.settings import Settings
from models.errors import KlarbescheidError
from public_pages.error_answers import error_answer, error_context, refusal_answer
from public_pages.error_pages import PAGE_ERRORS, page_error_for
from public_pages.page_frame import ContactPoint
from public_pages.rendering import PageRenderer, make_renderer
from tests.pages.page_reading import ReadPage, read


def leaves(kind: type[KlarbescheidError]) -> Iterator[type[KlarbescheidError]]:
    children = kind.__subclasses__()
    if not children:
        yield kind
    for child in children:
        yield from leaves(child)


def request_for(path: str) -> Request:
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": path,
            "headers": [],
            "query_string": b"",
            "server": ("x", 80),
            "scheme": "http",
        }
    )


@pytest.fixture(scope="module")
def renderer() -> PageRenderer:
    return make_renderer(Settings(demo=True, https_only=False))


@pytest.mark.parametrize(
    "kind", sorted(set(leaves(KlarbescheidError)), key=lambda one: one.__name__), ids=lambda one: one.__name__
)
def test_every_error_class_has_a_page(kind: type[KlarbescheidError]) -> None:
    found = page_error_for(kind)
    assert found in PAGE_ERRORS.values()
    assert 400 <= found.status < 600


@pytest.mark.parametrize("language", ["de", "en"])
def test_error_page_is_translated_and_hides_the_exception(renderer: PageRenderer, language: str) -> None:
    for found in PAGE_ERRORS.values():
        answer = error_answer(renderer, request_for(f"/{language}/x"), found)
        page = ReadPage(bytes(answer.body).decode())
        assert answer.status_code == found.status
        assert page.text("title").startswith({"de": "Fehler: ", "en": "Error: "}[language])
        shown = renderer.translations[language].gettext(found.title)  # type: ignore[index]
        assert page.text("h1") == shown


def test_words_of_an_exception_never_reach_the_page(renderer: PageRenderer, caplog: pytest.LogCaptureFixture) -> None:
    for error in (LogIntegrityError("secret detail"), ErasedError("secret detail"), NotAllowedError("secret detail")):
        answer = refusal_answer(renderer, request_for("/de/audit"), error)
        assert b"secret detail" not in answer.body
        assert b"Traceback" not in answer.body


def test_refused_explanation_says_who_answers_and_by_when(renderer: PageRenderer) -> None:
    error = AdditivityError("contributions differ")
    error.answer_by = date(2026, 12, 7)
    contact = ContactPoint(name="Amt für Wohnen", phone="+49 30 0", email="a@b.example", postal_address="Markt 1")
    request, found = request_for("/de/why/explanation"), page_error_for(type(error))
    answer = error_answer(renderer, request, found, error_context(renderer, request, found, error, contact))
    text = ReadPage(bytes(answer.body).decode()).text("main")
    assert answer.status_code == 503
    assert "7. Dezember 2026" in text
    assert "Amt für Wohnen" in text
    assert "+49 30 0" in text


def test_missing_session_leads_to_the_form_that_opens_one(visitor: httpx.Client) -> None:
    for path, form in (
        ("/why/explanation", "/why"),
        ("/staff/decisions", "/staff/sign-in"),
        ("/audit", "/staff/sign-in"),
    ):
        answer = visitor.get(f"/en{path}")
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/en{form}?ended=1"
        assert "ended" in visitor.get(answer.headers["location"]).text


def test_unknown_decision_is_a_page(caseworker: httpx.Client) -> None:
    answer = caseworker.get("/de/staff/decisions/KB-2222-2222-22")
    assert answer.status_code == 404
    assert read(answer).text("h1") == "Wir haben diese Entscheidung nicht gefunden"


def test_api_keeps_its_own_errors(visitor: httpx.Client) -> None:
    assert visitor.get("/api/v1/register/no-such").headers["content-type"].startswith("application/problem+json")
    assert visitor.get("/api/no-such").headers["content-type"].startswith("application/problem+json")
