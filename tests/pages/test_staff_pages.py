"""Caseworkers and auditors, without scripts."""

import httpx

from tests.pages.conftest import LiveSite, person_with
from tests.pages.page_reading import read


def test_filter_narrows_the_list(live_site: LiveSite, caseworker: httpx.Client) -> None:
    reference = live_site.letter(departed=True)["reference"]
    one = read(caseworker.get("/de/staff/decisions", params={"reference": reference.lower()}))
    assert "1 Entscheidung gefunden" in one.text("main")
    found = read(caseworker.get("/de/staff/decisions", params={"departed": "yes"}))
    shown = found.text("main").count("anders entschieden.")
    assert 0 < shown < len(live_site.access["letters"])
    assert f"{shown} Entscheidung" in found.text("main")


def test_pages_of_the_list_keep_the_filter(caseworker: httpx.Client) -> None:
    first = read(caseworker.get("/de/staff/decisions", params={"model": "wohngeld"}))
    [following] = [known["href"] for _, known in first.attributes if known.get("rel") == "next"]
    assert "model=wohngeld" in following
    second = read(caseworker.get(f"/de/staff/decisions{following}"))
    assert "Seite 2 von" in second.text("main")


def test_nonsense_in_the_filter_is_harmless(caseworker: httpx.Client) -> None:
    odd = {"page": "-1", "status": "x", "departed": "maybe", "reference": "%00", "outcome": "<b>", "model": "'"}
    answer = caseworker.get("/de/staff/decisions", params=odd)
    assert answer.status_code == 200
    assert "<b>" not in answer.text


def test_explanation_needs_purpose_and_legal_basis(live_site: LiveSite, caseworker: httpx.Client) -> None:
    reference = live_site.letter(outcome="granted")["reference"]
    case = read(caseworker.get(f"/de/staff/decisions/{reference}"))
    answer = caseworker.post(f"/de/staff/decisions/{reference}/explanation", data={"csrf": case.csrf()})
    assert answer.status_code == 422
    assert {"#purpose", "#legal_basis"} <= set(read(answer).values("a", "href"))


def test_special_circumstances_are_shown_to_the_caseworker(live_site: LiveSite, caseworker: httpx.Client) -> None:
    reference = live_site.letter(status="diverted")["reference"]
    page = read(caseworker.get(f"/de/staff/decisions/{reference}"))
    assert "Kein Programm hat das gelesen" in page.text("main")
    assert page.text("blockquote")


def test_auditor_sees_the_check_in_plain_words(auditor: httpx.Client) -> None:
    token = read(auditor.get("/de/audit")).csrf()
    text = read(auditor.post("/de/audit/verify", data={"csrf": token})).text("main")
    assert "Das Protokoll stimmt: Kein Eintrag wurde verändert" in text


def test_auditor_can_leaf_and_filter_the_log(auditor: httpx.Client) -> None:
    first = read(auditor.get("/de/audit"))
    [older] = [known["href"] for _, known in first.attributes if known.get("rel") == "next"]
    assert auditor.get(f"/de/audit{older}").status_code == 200
    one_kind = read(auditor.get("/de/audit", params={"event": "register.published"}))
    assert one_kind.text("td").count("Registereintrag veröffentlicht") == 1
    for odd in ({"before": "x"}, {"before": "9" * 40}, {"before": "0"}, {"event": "x"}):
        assert auditor.get("/de/audit", params=odd).status_code == 200


def test_wrong_password_and_unknown_user_get_the_same_answer(live_site: LiveSite, visitor: httpx.Client) -> None:
    user = person_with(live_site, "caseworker")["user"]
    wrong = visitor.post("/de/staff/sign-in", data={"user": user, "password": "x"})
    unknown = visitor.post("/de/staff/sign-in", data={"user": "nobody", "password": "x"})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.text.replace(user, "nobody") == unknown.text
