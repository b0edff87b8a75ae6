"""Who is let in, how, and what the access log keeps of it."""

import logging
import time

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from explainer.api.access_log import PATIENCE_SECONDS, AccessLog, masked_path
from explainer.api.unexpected_errors import WithoutWords
from explainer.use_cases.open_session import COOKIE_NAMES, session_of, sign_in_staff
from explainer.use_cases.passwords import password_fits
from tests.demo_city import RunningCity
from tests.event_loops import in_a_loop_of_its_own


def staff_session(city: RunningCity) -> tuple[str, str]:
    person = next(person for person in city.access["staff"] if "caseworker" in person["roles"])
    opened = sign_in_staff(city.service, person["user"], person["password"])
    return opened.secret, opened.csrf


def test_staff_use_the_api_in_their_browser_session_with_its_csrf_token(demo_city: RunningCity) -> None:
    secret, csrf = staff_session(demo_city)
    url = f"{demo_city.base_url}/api/v1/decisions/{demo_city.access['letters'][0]['reference']}/explanations"
    body = {"purpose": "phone call", "legal_basis": "SGB X § 25"}
    with httpx.Client(cookies={COOKIE_NAMES["staff"]: secret}) as client:
        assert client.post(url, json=body, headers={"X-CSRF-Token": csrf}).status_code == 201
        assert client.post(url, json=body, headers={"X-CSRF-Token": "wrong"}).status_code == 403
        assert client.post(url, json=body).status_code == 401, "a cookie alone proves nothing"


def test_a_subjects_session_is_no_staff_session(demo_city: RunningCity) -> None:
    secret, _ = staff_session(demo_city)
    assert session_of(demo_city.service, secret, "subject") is None


@pytest.mark.parametrize(
    ("path", "masked"),
    [
        ("/api/v1/decisions/KB-7F3K-9QXW-2M/explanations", "/api/v1/decisions/…/explanations"),
        ("/api/v1/explanations/0123456789abcdef0123456789abcdef", "/api/v1/explanations/…"),
        ("/api/v1/decisions/kb-7f3k-9qxw-2m", "/api/v1/decisions/…"),
        ("/api/v1/decisions/7F3K9QXW2M/supersede", "/api/v1/decisions/…/supersede"),
        ("/de/staff/decisions/KB7F3K9QXW2M", "/de/staff/decisions/…"),
        ("/de/register/wohngeld", "/de/register/wohngeld"),
        ("/x\r\nfake line", "/x\\r\\nfake line"),
    ],
)
def test_access_lines_name_no_decision_and_cannot_be_forged(path: str, masked: str) -> None:
    assert masked_path(path) == masked


def test_one_line_a_request_without_reference_code_or_address(
    demo_city: RunningCity, caplog: pytest.LogCaptureFixture
) -> None:
    letter = demo_city.access["letters"][0]
    with caplog.at_level(logging.INFO, logger="klarbescheid.access"):
        time.sleep(2 * PATIENCE_SECONDS)  # for lines of other tests
        caplog.clear()
        demo_city.explain(letter)
        demo_city.explain(letter)
        time.sleep(2 * PATIENCE_SECONDS)
    written = [record.getMessage() for record in caplog.records if record.name == "klarbescheid.access"]
    lines = [line for together in written for line in together.splitlines()]
    assert len(lines) == 2
    assert "201" in lines[0]
    assert letter["reference"] not in lines[0]
    assert letter["access_code"] not in lines[0]
    assert "127.0.0.1" not in lines[0]


def test_lines_that_still_wait_are_written_when_the_service_ends(caplog: pytest.LogCaptureFixture) -> None:
    async def answers(_scope: Scope, _receive: Receive, _send: Send) -> None:
        pass

    async def one_request_then_the_end() -> None:
        log = AccessLog(answers)
        await log({"type": "http", "method": "GET", "path": "/x"}, not_used, not_used)
        assert not caplog.records
        await log({"type": "lifespan"}, not_used, not_used)

    async def not_used(*_: object) -> Message:
        raise AssertionError

    with caplog.at_level(logging.INFO, logger="klarbescheid.access"):
        in_a_loop_of_its_own(one_request_then_the_end())
    assert [record.getMessage()[24:48] for record in caplog.records] == ["INFO klarbescheid.access"]


def test_an_unknown_user_is_checked_like_a_wrong_password() -> None:
    """Both run argon2; a shortcut for unknown names would tell them apart by time."""
    assert not password_fits(None, "nobody has this password")
    assert not password_fits("$argon2id$broken", "x")


def test_an_unexpected_error_is_logged_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    async def fails(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("Einkommen 2150")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    with caplog.at_level(logging.ERROR):
        in_a_loop_of_its_own(WithoutWords(fails)({"type": "http", "path": "/", "headers": []}, receive, send))
    assert sent[0]["status"] == 500
    assert "RuntimeError at " in caplog.text
    assert "2150" not in caplog.text


@pytest.mark.parametrize("path", ["/de/why", "/api/v1/decisions"])
def test_no_body_is_larger_than_the_installation_allows(demo_city: RunningCity, path: str) -> None:
    with demo_city.as_case_system() as client:
        answer = client.post(
            path, content=b"x" * 300_000, headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
    assert answer.status_code == 413


def test_ten_thousand_names_in_a_body_are_read_at_once(demo_city: RunningCity) -> None:
    names = ",".join(f'"n{number}":1' for number in range(20_000)) + ',"n0":1'
    with demo_city.as_case_system() as client:
        answer = client.post(
            "/api/v1/decisions", content="{" + names + "}", headers={"Content-Type": "application/json"}
        )
    assert answer.status_code == 422
    assert "twice" in answer.text


@pytest.mark.parametrize("path", ["/", "/readyz", "/log/checkpoint", "/api/v1/register"])
def test_head_is_answered_like_get_without_a_body(demo_city: RunningCity, path: str) -> None:
    with demo_city.client() as client:
        assert client.head(path).status_code == client.get(path).status_code == 200
        assert client.head(path).content == b""


def test_a_version_that_no_entry_can_have_is_refused_on_the_page(demo_city: RunningCity) -> None:
    with demo_city.client() as client:
        assert client.get("/de/register/wohngeld?version=99999999999999999999").status_code == 422
