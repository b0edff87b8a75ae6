"""Headers, cookies and forms."""

import httpx
import pytest

from explainer.errors import CsrfError
from public_pages.security import CONTENT_SECURITY_POLICY, is_personal, require_csrf, security_headers
from tests.pages.conftest import LiveSite, person_with
from tests.pages.page_reading import read


@pytest.mark.parametrize(
    "path", ["/", "/de/register", "/en/why", "/de/staff/sign-in", "/de/no-such", "/static/app.css"]
)
def test_every_answer_carries_the_policy(visitor: httpx.Client, path: str) -> None:
    headers = visitor.get(path).headers
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert "camera=()" in headers["permissions-policy"]
    assert headers.get_list("content-security-policy") == [CONTENT_SECURITY_POLICY]


def test_policy_allows_no_foreign_and_no_inline_code() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("path", "personal"),
    [
        ("/de/why", True),
        ("/why/explanation", True),
        ("/en/staff/decisions", True),
        ("/audit", True),
        ("/audit/entries/0", True),
        ("/audit/entries/0/entry.json", True),
        ("/audit/entries/0/receipt.tlog-proof", True),
        ("/", False),
        ("/de/register", False),
        ("/de/whyever", False),
    ],
)
def test_personal_pages_are_not_kept_and_send_no_referrer(path: str, personal: bool) -> None:
    headers = security_headers(path, https_only=True)
    assert is_personal(path) is personal
    assert (headers.get("Cache-Control") == "no-store") is personal
    assert (headers["Referrer-Policy"] == "no-referrer") is personal


def test_citizen_gets_one_cookie_and_only_with_a_code(live_site: LiveSite, visitor: httpx.Client) -> None:
    for path in ("/de/", "/de/why", "/de/register", "/de/privacy"):
        assert "set-cookie" not in visitor.get(path).headers
    letter = live_site.letter(outcome="granted")
    answer = visitor.post("/de/why", data={"reference": letter["reference"], "code": letter["access_code"]})
    assert answer.status_code == 303
    [cookie] = answer.headers.get_list("set-cookie")
    assert cookie.startswith("klarbescheid_session=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie, "the demo runs without HTTPS"


def test_staff_cookie_is_strict(live_site: LiveSite, visitor: httpx.Client) -> None:
    person = person_with(live_site, "caseworker")
    answer = visitor.post("/en/staff/sign-in", data={"user": person["user"], "password": person["password"]})
    [cookie] = answer.headers.get_list("set-cookie")
    assert cookie.startswith("klarbescheid_staff=")
    assert "SameSite=strict" in cookie
    assert answer.headers["location"] == "/en/staff/decisions"


def test_auditor_lands_in_the_log_and_may_not_open_tasks(auditor: httpx.Client) -> None:
    assert auditor.get("/de/staff").headers["location"] == "/de/audit"


@pytest.mark.parametrize("form", ["/de/why/extend", "/de/why/end"])
def test_form_of_a_session_needs_its_token(subject: httpx.Client, form: str) -> None:
    assert subject.post(form, data={"csrf": "wrong"}).status_code == 403
    assert subject.post(form).status_code == 403
    assert subject.get("/de/why/explanation").status_code == 200
    token = read(subject.get("/de/why/explanation")).csrf()
    assert subject.post(form, data={"csrf": token}).status_code == 303


def test_staff_forms_need_their_token(live_site: LiveSite, caseworker: httpx.Client) -> None:
    reference = live_site.letter(outcome="granted")["reference"]
    for form in (
        "/de/audit/verify",
        "/de/staff/sign-out",
        f"/de/staff/decisions/{reference}/explanation",
        "/de/audit/entries/0/verify",
    ):
        assert caseworker.post(form, data={"csrf": "x", "purpose": "a", "legal_basis": "b"}).status_code == 403


def test_token_of_another_session_is_refused() -> None:
    require_csrf("a" * 20, "a" * 20)
    with pytest.raises(CsrfError):
        require_csrf("a" * 20, "b" * 20)
    with pytest.raises(CsrfError):
        require_csrf("a" * 20, "ä")


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "null"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, True),
        ({}, True),
    ],
)
def test_form_before_a_session_is_taken_from_our_own_pages_only(
    visitor: httpx.Client, headers: dict[str, str], accepted: bool
) -> None:
    answer = visitor.post("/de/staff/sign-in", data={"user": "nobody", "password": "x"}, headers=headers)
    assert answer.status_code == (401 if accepted else 403)
    assert "set-cookie" not in answer.headers


def test_reading_a_page_changes_nothing_but_the_log(caseworker: httpx.Client) -> None:
    for form in (
        "/de/why/end",
        "/de/why/extend",
        "/de/staff/sign-out",
        "/de/audit/verify",
        "/de/audit/entries/0/verify",
    ):
        assert caseworker.get(form).status_code == 405
    assert caseworker.get("/de/staff/decisions").status_code == 200


def test_static_files_are_kept_under_their_fingerprint(visitor: httpx.Client) -> None:
    page = read(visitor.get("/de/"))
    style = next(href for href in page.values("link", "href") if "app.css" in href)
    assert "immutable" in visitor.get(style).headers["cache-control"]
    assert "immutable" not in visitor.get(style.split("?")[0]).headers.get("cache-control", "")
