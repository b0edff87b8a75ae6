"""The console for auditors: what is found, what is proven, and that looking leaves a trace."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from explainer.app import build_service
from explainer.demo.run_demo import demo_settings
from explainer.errors import BadAccessCodeError, LogTileNotFoundError, NotAllowedError, NotSignedInError
from explainer.transparency_log.checkpoint import Checkpoint, sign_checkpoint
from explainer.transparency_log.log_key import load_or_create_log_key
from explainer.transparency_log.signed_note import NoteSigner
from explainer.transparency_log.verify import verify_receipt
from explainer.use_cases.browse_log import LogOverview, browse_log
from explainer.use_cases.callers import CaseSystem, Staff, Subject
from explainer.use_cases.finding_aid import LogFilter
from explainer.use_cases.grant_access import caller_with_bearer_token
from explainer.use_cases.open_session import open_subject_session, sign_in_staff
from explainer.use_cases.prove_entry import prove_entry
from explainer.use_cases.read_log import tile
from explainer.use_cases.record_decision import record_decision
from explainer.use_cases.service import Service
from tests.api.test_record_decision import a_request

AUDITOR = Staff("staff-9", "auditor", frozenset({"auditor"}))
CASE_SYSTEM = CaseSystem("case-system", "Fachverfahren")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "city"


@pytest.fixture
def service(folder: Path) -> Iterator[Service]:
    service = build_service(demo_settings(folder, port=8000))
    for _ in range(3):
        record_decision(service, CASE_SYSTEM, a_request())
    yield service
    service.database.dispose()


def overview(service: Service, **chosen: str) -> LogOverview:
    return browse_log(service, AUDITOR, LogFilter(**chosen))  # type: ignore[arg-type]


def size_of(service: Service) -> int:
    with service.database.reading() as work:
        return work.log.tree_size()


def checkpoint_of(service: Service) -> str:
    with service.database.reading() as work:
        return work.log.checkpoint()


def own_signer(service: Service, folder: Path) -> NoteSigner:
    return load_or_create_log_key(folder / "log.key", origin=service.settings.origin, random_bytes=bytes)


def tamper(service: Service, folder: Path, statement: str, *values: bytes | int) -> None:
    """What somebody with the database file and its tools can do: triggers are dropped as easily as rows are changed."""
    service.database.dispose()
    [file] = folder.glob("*.db")
    with sqlite3.connect(file) as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f'DROP TRIGGER "{trigger}"')
        assert connection.execute(statement, values).rowcount > 0
    connection.close()


def test_every_filter_narrows_to_entries_that_have_the_value(service: Service) -> None:
    everything = overview(service)
    decisions = overview(service, event="decision.recorded")
    assert decisions.total == 3
    assert dict(everything.by_event)["decision.recorded"] == 3
    entry = decisions.entries[0].entry
    assert entry is not None
    assert entry.model is not None
    assert overview(service, system="wohngeld", event="decision.recorded", version=entry.model.version).total == 3
    assert overview(service, role=entry.role or "").total >= 3
    for nothing in ({"system": "x"}, {"version": "9"}, {"role": "x"}, {"outcome": "x"}, {"event": "x"}):
        assert overview(service, **nothing).total == 0
    assert "wohngeld" in everything.choices.systems
    assert entry.model.version in everything.choices.versions


def test_the_whole_log_is_leafed_through_without_gap_or_double(service: Service) -> None:
    size = size_of(service) + 1  # the first look is an entry itself
    page = browse_log(service, AUDITOR, LogFilter(), limit=2)
    seen = [row.index for row in page.entries]
    while page.has_older:
        page = browse_log(service, AUDITOR, LogFilter(), before=seen[-1], limit=2)
        seen += [row.index for row in page.entries]
    assert seen == list(range(size - 1, -1, -1))


def test_looking_is_logged_once_per_person_hour_and_kind_of_reading(service: Service) -> None:
    size = size_of(service)
    for _ in range(3):
        overview(service)
        prove_entry(service, AUDITOR, 0)
    assert size_of(service) == size + 2
    reads = overview(service, event="log.read")
    assert {row.entry.outcome for row in reads.entries if row.entry} == {"overview", "entry"}
    browse_log(service, replace(AUDITOR, staff_id="staff-10"), LogFilter())
    assert size_of(service) == size + 3
    later = replace(service, clock=lambda: service.clock() + timedelta(hours=1))
    browse_log(later, AUDITOR, LogFilter())
    assert size_of(service) == size + 4


@pytest.mark.parametrize(
    "look",
    [lambda service, who: browse_log(service, who, LogFilter()), lambda service, who: prove_entry(service, who, 0)],
)
def test_nobody_else_looks_and_their_attempts_do_not_grow_the_log(
    service: Service, look: Callable[[Service, object], object]
) -> None:
    size = size_of(service)
    for who in (Subject("x"), CASE_SYSTEM, Staff("s", "editor", frozenset({"publisher"}))):
        with pytest.raises(NotAllowedError):
            look(service, who)
    assert size_of(service) == size


def test_every_entry_is_proven_and_its_receipt_convinces_the_verifier_that_is_handed_out(service: Service) -> None:
    prove_entry(service, AUDITOR, 0)
    for index in range(size_of(service)):
        proven = prove_entry(service, AUDITOR, index)
        assert proven.holds
        assert proven.entry is not None
        assert verify_receipt(proven.leaf, proven.receipt, service.log_vkey).tree_size == proven.checkpoint.tree_size


@pytest.mark.parametrize("index", [-1, 10**6, 2**63])
def test_an_entry_that_is_not_there_is_not_found(service: Service, index: int) -> None:
    with pytest.raises(LogTileNotFoundError):
        prove_entry(service, AUDITOR, index)


def test_a_changed_entry_is_shown_as_changed_even_where_its_stored_hash_was_changed_too(
    service: Service, folder: Path
) -> None:
    index = overview(service, event="decision.recorded").entries[0].index
    tamper(
        service,
        folder,
        "UPDATE log_leaf SET leaf = CAST(replace(leaf, 'granted', 'refused') AS BLOB) WHERE seq = ?",
        index,
    )
    proven = prove_entry(service, AUDITOR, index)
    assert not proven.holds
    tamper(service, folder, "UPDATE log_entry SET leaf_hash = ? WHERE seq = ?", proven.leaf_hash, index)
    assert not prove_entry(service, AUDITOR, index).holds
    assert prove_entry(service, AUDITOR, index + 2).holds is False, "the stored hash stands in its neighbours' proofs"


def test_an_entry_that_cannot_be_read_any_more_does_not_hide_the_others(service: Service, folder: Path) -> None:
    tamper(service, folder, "UPDATE log_leaf SET leaf = x'00ff' WHERE seq = 1")
    rows = {row.index: row for row in overview(service).entries}
    assert rows[1].entry is None
    assert rows[0].entry is not None
    proven = prove_entry(service, AUDITOR, 1)
    assert (proven.entry, proven.holds) == (None, False)


def test_a_kept_checkpoint_of_this_log_fits_whatever_line_ends_a_form_sends(service: Service) -> None:
    kept = checkpoint_of(service)
    record_decision(service, CASE_SYSTEM, a_request())
    for text in (kept, kept.replace("\n", "\r\n"), kept.rstrip("\n"), f"\n{kept}\n"):
        brought = prove_entry(service, AUDITOR, 0, text).brought
        assert brought is not None
        assert brought.problem is None
        assert brought.checkpoint is not None
        assert brought.checkpoint.tree_size < size_of(service)


def test_a_kept_checkpoint_of_another_history_does_not_fit(service: Service, folder: Path) -> None:
    signer = own_signer(service, folder)
    size = size_of(service)
    for checkpoint, sentence in (
        (Checkpoint(signer.name, 3, bytes(32)), "does not begin with"),
        (Checkpoint(signer.name, size + 100, bytes(32)), "shrank"),
    ):
        brought = prove_entry(service, AUDITOR, 0, sign_checkpoint(checkpoint, [signer])).brought
        assert brought is not None
        assert brought.checkpoint == checkpoint, "the city signed it, so it is evidence"
        assert sentence in (brought.problem or "")


@pytest.mark.parametrize("text", ["", "x\n\n\u2014 y z\n", "{edited}"])
def test_a_text_that_the_city_did_not_sign_proves_nothing(service: Service, text: str) -> None:
    edited = checkpoint_of(service).replace(f"\n{size_of(service)}\n", "\n3\n")
    brought = prove_entry(service, AUDITOR, 0, text.format(edited=edited)).brought
    assert brought is not None
    assert brought.checkpoint is None
    assert brought.problem


def test_anonymous_failures_are_counted_and_never_appended(service: Service) -> None:
    """Attempts of each kind leave the database as it was."""
    private = replace(service, settings=service.settings.model_copy(update={"demo": False}))
    size = size_of(service)
    for _ in range(10):
        with pytest.raises(BadAccessCodeError):
            open_subject_session(private, "KB-XXXX-XXXX", "WRONG")
        with pytest.raises(NotSignedInError):
            sign_in_staff(private, "nobody", "wrong")
        with pytest.raises(NotSignedInError):
            caller_with_bearer_token(private, "wrong")
        with pytest.raises(NotSignedInError):
            tile(private, None, "tile/entries/000.p/1")
    assert size_of(service) == size
    assert overview(service).refused_attempts == {"access_code": 10, "password": 10, "token": 10, "log_entries": 10}
