"""The auditor's console as pages, without scripts."""

import httpx
import pytest

from tests.pages.conftest import LiveSite
from tests.pages.page_reading import read


def test_filters_keep_what_was_chosen_and_narrow_what_is_shown(auditor: httpx.Client) -> None:
    answer = auditor.get("/de/audit", params={"event": "decision.recorded", "system": "wohngeld", "since": "1.1.2020"})
    page = read(answer)
    assert 'value="decision.recorded" selected' in answer.text
    assert 'value="wohngeld" selected' in answer.text
    assert 'value="1.1.2020"' in answer.text
    assert "Entscheidung erfasst" in page.text("td")
    assert "Registereintrag" not in page.text("td")
    none = auditor.get("/de/audit", params={"event": "decision.recorded", "until": "31.12.2020"})
    assert "0 Einträge gefunden" in read(none).text("main")


def test_older_and_newer_pages_keep_the_filter(auditor: httpx.Client) -> None:
    first = read(auditor.get("/de/audit", params={"event": "decision.recorded"}))
    links = [known["href"] for _, known in first.attributes if known.get("rel") in ("next", "prev")]
    for link in links:
        assert "event=decision.recorded" in link
        assert auditor.get(f"/de/audit{link.split('#')[0]}").status_code == 200


@pytest.mark.parametrize("day", ["31.02.2026", "gestern", "2026", "1.1.26", "<script>"])
def test_a_day_that_is_none_is_said_beside_its_field(auditor: httpx.Client, day: str) -> None:
    answer = auditor.get("/de/audit", params={"since": day})
    assert answer.status_code == 422
    assert "Das ist kein Tag" in read(answer).text("main")
    assert 'aria-invalid="true"' in answer.text
    assert "<script>" not in answer.text.replace('<script src="', "")


def test_an_entry_says_every_step_of_its_proof(live_site: LiveSite, auditor: httpx.Client) -> None:
    text = read(auditor.get("/de/audit/entries/0")).text("main")
    assert "Dieser Eintrag steht im Protokoll, genau wie er geschrieben wurde" in text
    assert "Die Prüfsumme von Eintrag 1 steht daneben" in text or "Daneben steht die Prüfsumme von Eintrag 1" in text
    assert "Beide sind gleich." in text
    assert "Die Unterschrift stimmt." in text
    english = read(auditor.get("/en/audit/entries/0")).text("main")
    assert "The fingerprint of entry 1 stands beside it" in english


def test_a_kept_checkpoint_is_compared_without_scripts(live_site: LiveSite, auditor: httpx.Client) -> None:
    with live_site.client() as client:
        kept = client.get("/log/checkpoint").text
    token = read(auditor.get("/de/audit/entries/0")).csrf()
    good = auditor.post("/de/audit/entries/0/verify", data={"csrf": token, "checkpoint": kept})
    assert "Das heutige Protokoll beginnt mit dem Protokoll Ihres Prüfpunkts" in read(good).text("main")
    forged = auditor.post(
        "/de/audit/entries/0/verify", data={"csrf": token, "checkpoint": kept.replace("\n", "\nx", 1)}
    )
    assert "Ihr Prüfpunkt passt nicht zu diesem Protokoll" in read(forged).text("main")


def test_bytes_and_proof_can_be_saved(auditor: httpx.Client) -> None:
    entry = auditor.get("/de/audit/entries/0/entry.json")
    proof = auditor.get("/de/audit/entries/0/receipt.tlog-proof")
    assert entry.json()["v"] == 1
    assert proof.text.startswith("c2sp.org/tlog-proof@v1\nindex 0\n")
    assert "attachment" in proof.headers["content-disposition"]


@pytest.mark.parametrize(
    "path", ["/de/audit/entries/999999", "/de/audit/entries/-1", "/de/audit/entries/999999/entry.json"]
)
def test_an_entry_that_is_not_there_is_not_found(auditor: httpx.Client, path: str) -> None:
    assert auditor.get(path).status_code == 404


def test_readings_are_shown_to_every_auditor(auditor: httpx.Client) -> None:
    auditor.get("/de/audit")
    text = read(auditor.get("/de/audit", params={"event": "log.read"})).text("td")
    assert "Protokoll gelesen" in text
    assert "Liste der Einträge" in text


def test_failed_attempts_are_shown_as_numbers(live_site: LiveSite, auditor: httpx.Client) -> None:
    with live_site.client() as stranger:
        stranger.get("/log/tile/entries/000.p/1", headers={"Authorization": "Bearer wrong"})
    page = read(auditor.get("/de/audit"))
    assert "Schlüssel oder Token unbekannt" in page.text("dt")
    assert live_site.service.refused_attempts.counts()["token"] > 0
