"""The citizen's way, without scripts: letter, form, explanation, other language, end."""

import httpx
import pytest

from explainer.use_cases.records import LogRecord
from tests.pages.conftest import LiveSite
from tests.pages.page_reading import read

SECTIONS = (
    "in_short",
    "program_role",
    "factors",
    "counterfactual",
    "data",
    "who_checked",
    "reliability",
    "procedure",
    "what_you_can_do",
    "small_print",
)


def newest_entry(live_site: LiveSite) -> LogRecord:
    with live_site.service.database.reading() as work:
        return work.log.newest(limit=1)[0]


def test_wrong_code_and_unknown_reference_get_the_same_answer(live_site: LiveSite, visitor: httpx.Client) -> None:
    letter = live_site.letter(outcome="granted")
    wrong = visitor.post("/de/why", data={"reference": letter["reference"], "code": "2222 2222 2222"})
    unknown = visitor.post("/de/why", data={"reference": "KB-2222-2222-22", "code": "2222 2222 2222"})
    assert wrong.status_code == unknown.status_code == 403
    assert wrong.text.replace(letter["reference"], "KB-2222-2222-22") == unknown.text
    page = read(wrong)
    assert page.text("title").startswith("Fehler: ")
    assert page.ids["error-summary"] == 1
    assert letter["reference"] in page.values("input", "value"), "what was typed stays"


def test_empty_form_names_both_fields(visitor: httpx.Client) -> None:
    answer = visitor.post("/en/why", data={})
    page = read(answer)
    assert answer.status_code == 422
    assert {"#reference", "#code"} <= set(page.values("a", "href"))
    assert page.values("input", "aria-invalid") == ["true", "true"]


@pytest.mark.parametrize("typed", ["\x00", "KB-\ud800", "a" * 10_000, "' OR 1=1 --", "<script>alert(1)</script>"])
def test_nonsense_is_a_wrong_code_and_nothing_else(visitor: httpx.Client, typed: str) -> None:
    sent = {"reference": typed.encode("utf-8", "replace").decode(), "code": typed.encode("utf-8", "replace").decode()}
    answer = visitor.post("/de/why", data=sent)
    assert answer.status_code in (403, 422)
    assert "<script>alert" not in answer.text


def test_code_may_be_typed_in_small_letters_and_blocks(live_site: LiveSite, visitor: httpx.Client) -> None:
    letter = live_site.letter(outcome="granted")
    code = letter["access_code"].lower()
    blocks = f" {code[:4]} {code[4:8]}-{code[8:]} "
    answer = visitor.post("/why", data={"reference": letter["reference"].lower(), "code": blocks})
    assert answer.headers["location"] == "/de/why/explanation"


def test_explanation_has_all_sections_in_order(subject: httpx.Client) -> None:
    page = read(subject.get("/de/why/explanation"))
    ids = [known["id"] for _, known in page.attributes if known.get("id") in SECTIONS]
    assert tuple(ids) == SECTIONS
    closed = [known["id"] for tag, known in page.attributes if tag == "details" and "open" not in known]
    assert closed == ["counterfactual", "data", "who_checked", "reliability", "procedure"]


def test_every_factor_has_a_bar_that_can_be_seen(subject: httpx.Client) -> None:
    page = read(subject.get("/de/why/explanation"))
    widths = [float(width) for width in page.values("rect", "width")]
    assert max(widths) == 100
    assert min(widths) >= 1
    assert set(page.values("svg", "aria-hidden")) == {"true"}


def test_every_delivery_is_logged_and_shown(live_site: LiveSite, subject: httpx.Client) -> None:
    first = read(subject.get("/de/why/explanation"))
    entry = newest_entry(live_site)
    assert entry.event == "explanation.delivered"
    assert entry.entry_id in first.html
    second = read(subject.get("/en/why/explanation"))
    later = newest_entry(live_site)
    assert later.index == entry.index + 1
    assert later.entry_id in second.html
    assert second.values("html", "lang") == ["en"]


def test_explanation_links_the_register_version_in_force(subject: httpx.Client) -> None:
    links = read(subject.get("/de/why/explanation")).values("a", "href")
    [link] = [link for link in links if "register/wohngeld?version=" in link]
    assert subject.get(link).status_code == 200


def test_session_can_be_extended_by_form_and_by_script(subject: httpx.Client) -> None:
    token = read(subject.get("/de/why/explanation")).csrf()
    assert subject.post("/de/why/extend", data={"csrf": token}).headers["location"] == "/de/why/explanation"
    answer = subject.post("/de/why/extend", data={"csrf": token}, headers={"Accept": "application/json"})
    assert set(answer.json()) == {"ends_at"}


def test_ended_session_shows_nothing_any_more(subject: httpx.Client) -> None:
    secret = subject.cookies["klarbescheid_session"]
    token = read(subject.get("/de/why/explanation")).csrf()
    answer = subject.post("/de/why/end", data={"csrf": token})
    assert answer.headers["location"] == "/de/why?ended=1"
    subject.cookies.set("klarbescheid_session", secret, domain="127.0.0.1")
    assert subject.get("/de/why/explanation").status_code == 303


def test_subject_session_opens_no_staff_page(subject: httpx.Client) -> None:
    secret = subject.cookies["klarbescheid_session"]
    subject.cookies.set("klarbescheid_staff", secret, domain="127.0.0.1")
    assert subject.get("/de/staff/decisions").status_code == 303
    assert subject.get("/de/audit").status_code == 303
