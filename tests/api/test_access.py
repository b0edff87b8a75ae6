"""Who is let in, how, and what the access log keeps of it."""

import logging

import httpx
import pytest

from explainer.api.access_log import masked_path
from explainer.use_cases.open_session import COOKIE_NAMES, session_of, sign_in_staff
from explainer.use_cases.passwords import password_fits
from tests.demo_city import RunningCity


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
        demo_city.explain(letter)
    lines = [record.getMessage() for record in caplog.records if record.name == "klarbescheid.access"]
    assert len(lines) == 1
    assert "201" in lines[0]
    assert letter["reference"] not in lines[0]
    assert letter["access_code"] not in lines[0]
    assert "127.0.0.1" not in lines[0]


def test_an_unknown_user_is_checked_like_a_wrong_password() -> None:
    """Both run argon2; a shortcut for unknown names would tell them apart by time."""
    assert not password_fits(None, "nobody has this password")
    assert not password_fits("$argon2id$broken", "x")
