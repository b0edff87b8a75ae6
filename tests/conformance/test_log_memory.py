"""A log that is behind what was released, or leads elsewhere, is not continued: at a start and while it runs."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from explainer.errors import AnchorError, LogReadOnlyError, SettingsError
from explainer.storage import postgresql_backend, sqlite_backend
from explainer.storage.database import SqlDatabase
from explainer.transparency_log import anchor_file
from explainer.transparency_log.anchor_file import AnchorFile
from tests.conformance.records import append, append_many, check_log, execute_raw
from tests.databases import TestDatabases, open_database

Start = Callable[[str], SqlDatabase]


@pytest.fixture
def anchors(tmp_path: Path) -> AnchorFile:
    return AnchorFile(tmp_path / "anchors" / "checkpoints.jsonl")


@pytest.fixture
def start(anchors: AnchorFile) -> Iterator[Start]:
    opened: list[SqlDatabase] = []

    def start(url: str) -> SqlDatabase:
        opened.append(open_database(url, anchors=anchors))
        opened[-1].migrate()
        opened[-1].check_schema()
        opened[-1].check_memory()
        return opened[-1]

    yield start
    for database in opened:
        database.dispose()


def remembered(anchors: AnchorFile) -> int:
    return AnchorFile(anchors.path).newest().checkpoint.tree_size


def new_city(databases: TestDatabases, anchors: AnchorFile) -> str:
    """A database whose log has just begun, and its memory with it."""
    url = databases.migrated()
    database = open_database(url)
    anchors.begin(database.released_checkpoint())
    database.dispose()
    return url


def with_entries(databases: TestDatabases, number: int) -> str:
    """A database that lived elsewhere: as an old copy, or another history, would."""
    url = databases.migrated()
    database = open_database(url)
    if number:
        append_many(database, number)
    database.dispose()
    return url


def refuse_everything_that_signs(database: SqlDatabase) -> None:
    with database.reading() as unit:
        before = unit.log.checkpoint()
    with pytest.raises(LogReadOnlyError):
        append_many(database, 1)
    with database.reading() as unit:
        assert unit.log.checkpoint() == before
    assert database.released_checkpoint() == before


def test_every_commit_is_remembered_before_the_unit_of_work_returns(
    databases: TestDatabases, anchors: AnchorFile, start: Start
) -> None:
    url = databases.empty()
    database = start(url)
    assert remembered(anchors) == 0
    for size in (1, 2, 260):
        append_many(database, size - remembered(anchors))
        assert remembered(anchors) == size
    assert start(url).read_only_reason is None


def test_one_line_is_written_for_a_whole_batch(databases: TestDatabases, anchors: AnchorFile, start: Start) -> None:
    append_many(start(new_city(databases, anchors)), 50)
    assert len(anchors.path.read_text().splitlines()) == 2


def test_an_older_database_is_read_only_and_the_operator_is_told_how_to_go_on(
    databases: TestDatabases, anchors: AnchorFile, start: Start
) -> None:
    append_many(start(new_city(databases, anchors)), 20)
    older = start(with_entries(databases, 12))
    assert older.read_only_reason is not None
    for said in ("12 log entries", "over 20 was released", "explainer restore", "--new-epoch"):
        assert said in older.read_only_reason
    refuse_everything_that_signs(older)


@pytest.mark.parametrize("entries", [20, 25])
def test_another_history_of_the_same_length_or_longer_is_read_only(
    databases: TestDatabases, anchors: AnchorFile, start: Start, entries: int
) -> None:
    append_many(start(new_city(databases, anchors)), 20)
    fork = start(with_entries(databases, entries))
    assert fork.read_only_reason is not None
    assert "another history" in fork.read_only_reason
    refuse_everything_that_signs(fork)


def test_a_database_that_goes_on_from_what_was_remembered_is_served(
    databases: TestDatabases, anchors: AnchorFile, start: Start
) -> None:
    """The broken twin of the two before: committed, but killed before it was remembered, is no contradiction."""
    url = new_city(databases, anchors)
    append_many(start(url), 3)
    killed = open_database(url)
    append_many(killed, 4)
    killed.dispose()
    assert remembered(anchors) == 3
    again = start(url)
    assert again.read_only_reason is None
    again.released_checkpoint()
    assert remembered(anchors) == 7, "released, so remembered first"
    append_many(again, 1)
    check_log(again, 8)


def test_a_database_that_is_put_back_while_the_service_runs_stops_it_for_good(
    sqlite_files: TestDatabases, anchors: AnchorFile, start: Start
) -> None:
    url = new_city(sqlite_files, anchors)
    database = start(url)
    append_many(database, 2)
    database._backend.dispose()
    file = Path(url.removeprefix("sqlite:///"))
    copy = file.read_bytes()
    append_many(database, 3)
    database._backend.dispose()
    file.write_bytes(copy)
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    with pytest.raises(LogReadOnlyError, match="older database"):
        append_many(database, 1)
    assert database.read_only_reason is not None
    refuse_everything_that_signs(database)


def test_a_memory_that_is_gone_is_not_begun_anew(databases: TestDatabases, anchors: AnchorFile, start: Start) -> None:
    url = new_city(databases, anchors)
    append_many(start(url), 2)
    anchors.path.unlink()
    again = start(url)
    assert again.read_only_reason is not None
    assert "begin-anchors" in again.read_only_reason
    refuse_everything_that_signs(again)
    assert not anchors.path.exists()


def test_memory_that_the_logs_keys_did_not_sign_is_not_trusted(
    databases: TestDatabases, anchors: AnchorFile, start: Start
) -> None:
    url = new_city(databases, anchors)
    append_many(start(url), 2)
    content = anchors.path.read_text()
    anchors.path.write_text(content.replace("\\n2\\n", "\\n1\\n"))
    reason = start(url).read_only_reason
    assert reason is not None
    assert "signed by none" in reason


def test_an_empty_database_is_not_started_where_a_log_was_released(databases: TestDatabases, start: Start) -> None:
    append_many(start(databases.empty()), 2)
    with pytest.raises(SettingsError, match=r"empty.*over 2 entries.*restore"):
        start(databases.empty())


def test_changed_rows_are_found_at_the_start(databases: TestDatabases, anchors: AnchorFile, start: Start) -> None:
    url = new_city(databases, anchors)
    append_many(start(url), 3)
    execute_raw(url, *without_triggers(url))
    blob = "zeroblob(32)" if url.startswith("sqlite") else "decode(repeat('00', 32), 'hex')"
    execute_raw(url, f"UPDATE log_entry SET leaf_hash = {blob} WHERE seq = 1")  # noqa: S608 - a constant
    reason = start(url).read_only_reason
    assert reason is not None
    assert "rows were changed" in reason


def without_triggers(url: str) -> list[str]:
    if url.startswith("sqlite"):
        return ["DROP TRIGGER log_entry_refuses_update"]
    return ["ALTER TABLE log_entry DISABLE TRIGGER USER"]


@pytest.mark.parametrize("persisted", [False, True])
@pytest.mark.parametrize("write", ["commit", "pwrite", "fdatasync"])
def test_a_failing_write_is_no_answer_and_never_a_second_history(  # noqa: PLR0917 -- fixtures
    databases: TestDatabases,
    anchors: AnchorFile,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    write: str,
    persisted: bool,
) -> None:
    """The table of faults: each write fails before, and after, it has persisted."""
    url = new_city(databases, anchors)
    database = start(url)
    append_many(database, 254)
    committed = write != "commit" or persisted
    with monkeypatch.context() as patched:
        if write == "commit":
            for backend in (sqlite_backend, postgresql_backend):
                patched.setattr(backend, "commit", failing_commit(persisted=persisted))
        else:
            patched.setattr(anchor_file.os, write, failing_call(getattr(os, write), persisted=persisted))
        with pytest.raises((OperationalError, AnchorError)):
            append_many(database, 3)
    expected = 257 if committed else 254
    check_log(database, expected)
    assert remembered(anchors) <= expected
    database.released_checkpoint()
    assert remembered(anchors) == expected
    with database.writing() as unit:
        assert append(unit).index == expected
    again = start(url)
    assert again.read_only_reason is None
    append_many(again, 5)
    check_log(again, expected + 6)


def failing_commit(*, persisted: bool) -> Callable[[Connection], None]:
    def commit(connection: Connection) -> None:
        if persisted:
            connection.commit()
        connection.invalidate()
        raise OperationalError("COMMIT", None, OSError("the disk is full"))

    return commit


def failing_call(real: Callable[..., object], *, persisted: bool) -> Callable[..., None]:
    def call(*arguments: object) -> None:
        if persisted:
            real(*arguments)
        raise OSError(28, "No space left on device")

    return call


def test_a_checkpoint_that_another_process_just_committed_is_remembered_before_it_is_read(
    databases: TestDatabases, anchors: AnchorFile, start: Start
) -> None:
    url = new_city(databases, anchors)
    reader = start(url)
    other = open_database(url)
    append_many(other, 2)
    other.dispose()
    with reader.reading() as unit:
        assert unit.log.checkpoint().splitlines()[1] == "2"
        assert remembered(anchors) == 2
