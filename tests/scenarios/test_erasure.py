"""Erasing for real, in processes of their own: no key is left in any file, the log holds, and people are told so."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from explainer.app import KEY_STORE_FILE, build_service, utc_now
from explainer.demo.run_demo import demo_settings
from explainer.errors import ErasedError, ErasureForbiddenError
from explainer.settings import Settings
from explainer.storage.erasure_store import SqlErasureStore
from explainer.transparency_log.log_entry import parse_leaf
from explainer.transparency_log.verify import url_fetcher, verify_log
from explainer.use_cases.callers import CaseSystem, Staff, Subject
from explainer.use_cases.erase import erase_decision, erase_person
from explainer.use_cases.erasure_rules import holds_of
from explainer.use_cases.explain_decision import explain_decision, read_explanation
from explainer.use_cases.explain_inputs import explain_inputs
from explainer.use_cases.read_decisions import list_decisions
from explainer.use_cases.record_decision import record_decision
from explainer.use_cases.records import DecisionFilter
from explainer.use_cases.service import Service
from tests.api.test_record_decision import a_request
from tests.databases import postgres_server
from tests.demo_city import free_port, serving
from tests.event_loops import in_a_loop_of_its_own

HOUSING = CaseSystem("key-1", "Wohnen")
LONG_AGO = timedelta(days=200)
STAFF = Staff("s-1", "s", frozenset({"caseworker"}))
PERSON, OTHER = "P-0815", "P-0816"
SECRET = "WG-2026-nobody-may-find-this"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    base = demo_settings(tmp_path / "city", port=free_port()).model_copy(update={"load_models": "when_needed"})
    if request.param == "sqlite":
        yield base
        return
    with postgres_server() as server:
        yield base.model_copy(update={"database_url": server.empty()})


def opened(settings: Settings, *, ago: timedelta = timedelta()) -> Service:
    return build_service(settings, clock=lambda: utc_now() - ago)


def decided(service: Service, person: str | None, **changes: Any) -> dict[str, Any]:
    return record_decision(service, HOUSING, a_request(subject_reference=person, **changes))


def recorded_at(service: Service, reference: str) -> datetime:
    with service.database.reading() as work:
        record = work.decisions.get(reference)
    assert record is not None
    return record.recorded_at


def key_of(service: Service, reference: str) -> tuple[str, bytes]:
    with service.database.reading() as work:
        record = work.decisions.get(reference)
    assert record is not None
    return record.key_id, service.vault._key_store.get(record.key_id)


def wrapped_key(settings: Settings, key_id: str) -> bytes:
    with closing(sqlite3.connect(settings.data_folder / KEY_STORE_FILE)) as connection:
        wrapped: bytes = connection.execute("SELECT wrapped FROM subject_key WHERE key_id = ?", (key_id,)).fetchone()[0]
    return wrapped


def every_byte(settings: Settings) -> bytes:
    """All files of the installation, write-ahead logs too; on PostgreSQL also all files of the server."""
    folders = [settings.data_folder]
    if settings.database_url.startswith("postgresql"):
        with psycopg.connect(settings.database_url.replace("+psycopg", "")) as connection:
            [[folder]] = connection.execute("SHOW data_directory").fetchall()
        folders.append(Path(folder))
    return b"".join(file.read_bytes() for folder in folders for file in sorted(folder.rglob("*")) if file.is_file())


def run(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    given = {
        f"EXPLAINER_{name.upper()}": str(value) for name, value in settings.model_dump(exclude_defaults=True).items()
    }
    command = [sys.executable, "-m", "explainer.cli", *arguments]
    return subprocess.run(command, env=os.environ | given, capture_output=True, text=True, check=False, timeout=120)


def newest_entry(service: Service) -> Any:
    with service.database.reading() as work:
        return parse_leaf(work.log.newest(limit=1)[0].leaf)


def test_erasing_a_person_leaves_no_key_in_any_file_and_the_log_holds(settings: Settings) -> None:
    service = opened(settings, ago=LONG_AGO)
    first, second = decided(service, PERSON, case_reference=SECRET), decided(service, PERSON)
    other = decided(service, OTHER)
    told = explain_decision(service, Subject(first["reference"]), first["reference"], language="de")
    keys = [key_of(service, decision["reference"]) for decision in (first, second)]
    doomed = [key for _, key in keys] + [part for name, _ in keys for part in _parts(wrapped_key(settings, name))]
    before = every_byte(settings)
    assert all(part in before for part in doomed[2:]), "the search must be able to find wrapped keys"
    service.database.dispose()

    done = run(settings, "erase", PERSON, "--json")
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["references"]) == {first["reference"], second["reference"]}

    left = every_byte(settings)
    assert not any(part in left for part in doomed)
    assert SECRET.encode() not in left
    assert PERSON.encode() not in left
    with serving(settings) as city:
        entry = newest_entry(city)
        assert (entry.t, entry.basis, entry.outcome, set(entry.c)) == (
            "erasure.applied",
            "gdpr-17",
            "erased_2",
            {"actor", "purpose"},
        )
        assert verify_log(url_fetcher(f"{settings.base_url}/log"), city.log_vkey).tree_size > 0
        day = utc_now().date().isoformat()
        for language, words in (("de", "gelöscht"), ("en", "erased on")):
            with httpx.Client(base_url=settings.base_url, follow_redirects=True, timeout=60) as browser:
                page = browser.post(
                    f"/{language}/why",
                    data={"reference": first["reference"], "code": first["access_code"]},
                    headers={"Origin": settings.base_url},
                )
            assert page.status_code == 410, page.text
            assert words in page.text
        answer = httpx.post(
            f"{settings.base_url}/api/v1/decisions/{first['reference']}/explanations",
            json={"language": "de"},
            headers={"Authorization": f"AccessCode {first['access_code']}"},
            timeout=60,
        )
        assert (answer.status_code, answer.json()["type"]) == (410, "erased")
        assert answer.json()["erased_at"].startswith(day)
        with pytest.raises(ErasedError, match=day):
            read_explanation(city, STAFF, told.id)
        assert explain_decision(city, Subject(other["reference"]), other["reference"], language="de")
        again = decided(city, PERSON)
        assert explain_decision(city, Subject(again["reference"]), again["reference"], language="en")
        listed = {one.reference: one.erased for one in list_decisions(city, STAFF, DecisionFilter()).items}
        assert listed == {
            first["reference"]: True,
            second["reference"]: True,
            other["reference"]: False,
            again["reference"]: False,
        }


def _parts(wrapped: bytes) -> tuple[bytes, ...]:
    # Nonce, ciphertext and the whole: a page that was overwritten by half would still give something away.
    return wrapped, wrapped[:12], wrapped[12:28], wrapped[28:44]


def test_what_the_law_wants_kept_is_kept_and_the_law_is_named(settings: Settings) -> None:
    service = opened(settings)
    young = decided(service, PERSON)
    service.database.dispose()
    for arguments in (["erase", PERSON], ["erase", "--decision", young["reference"]]):
        refused = run(settings, *arguments)
        assert refused.returncode == 1
        assert "AI Act Art. 26(6)" in refused.stderr
        assert young["reference"] in refused.stderr
    service = opened(settings)
    assert explain_decision(service, Subject(young["reference"]), young["reference"], language="de")
    for nobody in (["erase", "P-unknown"], ["erase"], ["erase", PERSON, "--decision", young["reference"]]):
        assert run(settings, *nobody).returncode == 1
    service.database.dispose()


def test_one_decision_is_erased_alone_and_a_hold_keeps_the_others(settings: Settings) -> None:
    service = opened(settings, ago=LONG_AGO)
    doomed, kept = decided(service, PERSON), decided(service, PERSON)
    waiting = decided(
        service, PERSON, special_circumstances="Ich pflege meine Mutter.", decided_by="person", outcome=None
    )
    service.database.dispose()
    assert run(settings, "erase", "--decision", doomed["reference"]).returncode == 0
    assert "erased on" in run(settings, "erase", "--decision", doomed["reference"]).stderr, "the second time"
    partly = run(settings, "erase", PERSON)
    assert partly.returncode == 1, "something had to stay"
    assert f"Erased: {kept['reference']}." in partly.stdout
    assert f"Not erased: {waiting['reference']}: nobody has decided yet" in partly.stdout
    service = opened(settings)
    assert explain_decision(service, Subject(waiting["reference"]), waiting["reference"], language="de")
    with pytest.raises(ErasureForbiddenError, match="still owes"):
        erase_person(service, PERSON)
    service.database.dispose()


def test_two_case_systems_with_one_pseudonym_must_be_told_apart(settings: Settings) -> None:
    service = opened(settings, ago=LONG_AGO)
    here = decided(service, PERSON)
    there = record_decision(service, CaseSystem("key-2", "Soziales"), a_request(subject_reference=PERSON))
    service.database.dispose()
    refused = run(settings, "erase", PERSON)
    assert (refused.returncode, "Soziales, Wohnen" in refused.stderr) == (1, True)
    assert run(settings, "erase", PERSON, "--case-system", "Soziales").returncode == 0
    service = opened(settings)
    assert explain_decision(service, Subject(here["reference"]), here["reference"], language="de")
    with pytest.raises(ErasedError):
        explain_decision(service, Subject(there["reference"]), there["reference"], language="de")
    service.database.dispose()


def test_the_retention_job_erases_what_is_due_once(settings: Settings) -> None:
    service = opened(settings, ago=timedelta(days=401))
    due, held = decided(service, PERSON), decided(service, None, decided_by="person", outcome=None)
    asked = explain_inputs(
        service, STAFF, "wohngeld", a_request()["inputs"], language="de", purpose="advice", legal_basis="SGB I § 14"
    )
    of_inputs = in_a_loop_of_its_own(asked)
    assert read_explanation(service, STAFF, of_inputs.id)
    service.database.dispose()
    service = opened(settings, ago=timedelta(days=399))
    fresh = decided(service, PERSON)
    service.database.dispose()
    done = json.loads(run(settings, "retention", "--json").stdout)
    assert (done["decisions"], done["explanations"], done["held"]) == (1, 1, 1)
    again = json.loads(run(settings, "retention", "--json").stdout)
    assert (again["decisions"], again["explanations"], again["held"], again["repeated"]) == (0, 0, 1, 0)
    service = opened(settings)
    entry = newest_entry(service)
    assert (entry.t, entry.basis, entry.outcome) == ("erasure.applied", "ret_decision_default", "erased_1")
    with service.database.reading() as work:
        [policy] = work.log.newest(limit=9, event="policy.changed")
    assert parse_leaf(policy.leaf).outcome == "retention_days_400"
    for reference in (fresh["reference"], held["reference"]):
        assert explain_decision(service, Subject(reference), reference, language="de")
    with pytest.raises(ErasedError):
        explain_decision(service, Subject(due["reference"]), due["reference"], language="de")
    assert newest_entry(service).outcome == "erased", "that somebody asked is logged"
    with pytest.raises(ErasedError):
        read_explanation(service, STAFF, of_inputs.id)
    service.database.dispose()


def test_decisions_that_share_a_key_are_erased_together_or_not_at_all(tmp_path: Path) -> None:
    """As earlier versions of the program recorded them."""
    settings = demo_settings(tmp_path / "city", port=free_port()).model_copy(update={"load_models": "when_needed"})
    service = opened(settings, ago=LONG_AGO)
    old = decided(service, PERSON)
    service.database.dispose()
    service = opened(settings)
    young = decided(service, PERSON)
    key_id, _ = key_of(service, old["reference"])
    service.database.dispose()
    with closing(sqlite3.connect(settings.database_url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE decision SET key_id = ? WHERE reference = ?", (key_id, young["reference"]))
    service = opened(settings)
    with pytest.raises(ErasureForbiddenError, match="under one key with 1 other"):
        erase_decision(service, old["reference"])
    service.database.dispose()
    service = build_service(settings, clock=lambda: utc_now() + LONG_AGO)
    assert set(erase_person(service, PERSON).references) == {old["reference"], young["reference"]}
    service.database.dispose()


@pytest.mark.parametrize(("days", "held"), [(182, True), (183, False)])
def test_the_floor_ends_after_183_days_and_its_day_is_never_too_early(tmp_path: Path, days: int, held: bool) -> None:
    settings = demo_settings(tmp_path / "city", port=free_port()).model_copy(update={"load_models": "when_needed"})
    service = opened(settings, ago=timedelta(days=days, minutes=1))
    decision = decided(service, PERSON)
    with service.database.reading() as work:
        record = work.decisions.get(decision["reference"])
        assert record is not None
        holds = holds_of(work, record, now=utc_now())
    service.database.dispose()
    assert [hold.reason for hold in holds] == (["floor"] if held else [])
    for hold in holds:
        assert hold.until is not None
        assert datetime.combine(hold.until, time.min, tzinfo=UTC) >= record.recorded_at + timedelta(days=183)


def test_the_retention_time_cannot_be_set_below_the_legal_floor(tmp_path: Path) -> None:
    settings = demo_settings(tmp_path / "city", port=free_port())
    refused = subprocess.run(
        [sys.executable, "-m", "explainer.cli", "retention"],
        env=os.environ
        | {
            "EXPLAINER_DEMO": "true",
            "EXPLAINER_DATA_FOLDER": str(settings.data_folder),
            "EXPLAINER_RETENTION_DAYS": "182",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert refused.returncode == 1
    assert "EXPLAINER_RETENTION_DAYS" in refused.stderr


@pytest.mark.parametrize("restored", ["database", "keys", "both"])
def test_a_restored_copy_brings_nobody_back(tmp_path: Path, restored: str) -> None:
    settings = demo_settings(tmp_path / "city", port=free_port()).model_copy(update={"load_models": "when_needed"})
    service = opened(settings, ago=LONG_AGO)
    doomed, other = decided(service, PERSON), decided(service, OTHER)
    key_id, _ = key_of(service, doomed["reference"])
    service.database.dispose()
    database = Path(settings.database_url.removeprefix("sqlite:///"))
    files = {"database": [database], "keys": [settings.data_folder / KEY_STORE_FILE]}
    files["both"] = files["database"] + files["keys"]
    copies = {file: file.read_bytes() for file in files[restored]}
    service = opened(settings)
    erase_person(service, PERSON)
    service.database.dispose()
    for file, content in copies.items():
        for beside in file.parent.glob(f"{file.name}-*"):
            beside.unlink()
        file.write_bytes(content)

    service = opened(settings)
    with pytest.raises(ErasedError, match=utc_now().date().isoformat()):
        explain_decision(service, Subject(doomed["reference"]), doomed["reference"], language="de")
    assert explain_decision(service, Subject(other["reference"]), other["reference"], language="de")
    with service.database.reading() as work:
        record = work.decisions.get(doomed["reference"])
        assert record is not None
        assert (record.key_id, record.subject_id, record.sealed) == (key_id, None, b"")
        entries = work.log.newest(limit=99, event="erasure.applied")
    assert [parse_leaf(entry.leaf).outcome for entry in entries] == ["erased_1"]
    assert wrapped_key(settings, key_id) is None
    service.database.dispose()


@pytest.mark.parametrize("crash_at", ["destroy", "note"])
def test_an_erasure_that_a_crash_cut_off_is_ended_at_the_next_start(
    tmp_path: Path, crash_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = demo_settings(tmp_path / "city", port=free_port()).model_copy(update={"load_models": "when_needed"})
    service = opened(settings, ago=LONG_AGO)
    doomed = decided(service, PERSON)
    service.database.dispose()
    service = opened(settings)

    def crash(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    target = {"destroy": (type(service.vault), "destroy"), "note": (SqlErasureStore, "note")}[crash_at]
    with monkeypatch.context() as patch:
        patch.setattr(*target, crash)
        with pytest.raises(KeyboardInterrupt):
            erase_person(service, PERSON)
    service.database.dispose()

    service = opened(settings)
    with pytest.raises(ErasedError, match="erased on"):
        explain_decision(service, Subject(doomed["reference"]), doomed["reference"], language="de")
    assert newest_entry(service).t == "erasure.applied"
    service.database.dispose()


def test_a_person_gets_a_copy_of_everything_and_only_their_own(settings: Settings, tmp_path: Path) -> None:
    service = opened(settings)
    mine = decided(service, PERSON, case_reference=SECRET)
    decided(service, OTHER, case_reference="WG-of-somebody-else")
    told = explain_decision(service, Subject(mine["reference"]), mine["reference"], language="de")
    read_explanation(service, STAFF, told.id)
    service.database.dispose()
    out = tmp_path / "copy"
    done = run(settings, "export-subject", PERSON, str(out))
    assert done.returncode == 0, done.stderr
    assert {file.name: file.stat().st_mode & 0o777 for file in out.iterdir()} == {
        "data.json": 0o600,
        "data.de.html": 0o600,
        "data.en.html": 0o600,
    }
    written = (out / "data.json").read_text()
    [decision] = json.loads(written)["decisions"]
    assert decision["stated"]["inputs"] == a_request()["inputs"]
    assert decision["stated"]["case_reference"] == SECRET
    assert [one["document"]["id"] for one in decision["explanations"]] == [told.id]
    assert [entry["event"] for entry in decision["log"]] == [
        "decision.recorded",
        "explanation.delivered",
        "explanation.read",
        "decision.read",
    ]
    assert "actor" not in decision["log"][2]["opens"], "members of staff are not named"
    for entry in decision["log"]:
        leaf = parse_leaf(json.dumps(entry["leaf"], sort_keys=True, separators=(",", ":")).encode())
        opens = {name: (bytes.fromhex(one["salt"]), one["value"]) for name, one in entry["opens"].items()}
        leaf.verify_private(opens)
    assert (leaf.basis, leaf.outcome) == ("gdpr-15", "exported"), "handing the copy out is logged"
    for language, words in (("de", "Aktenzeichen"), ("en", "File number")):
        page = (out / f"data.{language}.html").read_text()
        assert words in page
        assert SECRET in page
        assert told.document.text.sections[0].paragraphs[0] in unescape(page)
    assert "WG-of-somebody-else" not in written + page
    assert run(settings, "export-subject", PERSON, str(out)).returncode == 1, "nothing is written over"
    assert run(settings, "export-subject", "P-unknown", str(tmp_path / "none")).returncode == 1
