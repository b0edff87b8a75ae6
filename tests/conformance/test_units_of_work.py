"""What a unit of work promises, on SQLite and on PostgreSQL: everything or nothing, and one view while reading."""

import threading
from dataclasses import replace

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from explainer.storage.database import SqlDatabase
from explainer.storage.postgresql_backend import PostgresqlBackend
from explainer.use_cases.records import DecisionFilter
from tests.conformance.records import (
    a_publication,
    a_task,
    an_answer,
    append,
    append_many,
    check_log,
    deliver_explanation,
    record_decision,
)
from tests.databases import PostgresServer, open_database

ANY = DecisionFilter()


def test_reader_never_sees_an_uncommitted_entry(database: SqlDatabase) -> None:
    with database.writing() as writer:
        record = record_decision(writer)
        with database.reading() as reader:
            assert reader.log.find(record.log_entry_id) is None
            assert reader.log.newest(limit=5) == []
            assert reader.log.leaves(0, 5) == []
            assert reader.log.tiles().leaf_hashes(0, 5) == []
            assert reader.log.tree_size() == 0
            assert reader.decisions.count(ANY) == 0
    with database.reading() as reader:
        assert reader.log.find(record.log_entry_id) is not None
        assert reader.decisions.get("R-0001") == record


def test_reader_keeps_one_view_while_others_commit(database: SqlDatabase) -> None:
    with database.reading() as reader:
        before = reader.log.checkpoint()
        append_many(database, 257)
        with database.writing() as writer:
            record_decision(writer)
        assert reader.log.checkpoint() == before
        assert reader.log.newest(limit=5) == []
        assert reader.log.tiles().tile(0, 0) is None
        assert reader.decisions.count(ANY) == 0
    check_log(database, 258)


def test_reader_cannot_write(database: SqlDatabase) -> None:
    with database.reading() as unit, pytest.raises(RuntimeError, match="read-only"):
        append(unit)
    with pytest.raises(DBAPIError, match=r"read-?only"), database.reading() as unit:
        unit.publications.add(a_publication("wohngeld", 1))
    with database.writing() as unit:
        unit.publications.add(a_publication("wohngeld", 1))


def test_error_in_the_block_rolls_back_every_store(database: SqlDatabase) -> None:
    def write_then_fail() -> None:
        with database.writing() as unit:
            record_decision(unit)
            deliver_explanation(unit, "e1")
            unit.answers.add(an_answer())
            unit.tasks.add(a_task("t1"))
            unit.publications.add(a_publication("wohngeld", 1))
            raise KeyError

    with pytest.raises(KeyError):
        write_then_fail()
    with database.reading() as unit:
        assert unit.decisions.count(ANY) == 0
        assert unit.explanations.get("e1") is None
        assert unit.answers.get("case-system-1", b"digest") is None
        assert unit.tasks.open_tasks(limit=5) == []
        assert unit.publications.all_latest() == []
    check_log(database, 0)


@pytest.mark.parametrize("size_before", [0, 254, 255, 511])
def test_failed_commit_surfaces_keeps_nothing_and_leaves_the_database_usable(
    database: SqlDatabase, size_before: int
) -> None:
    """A decision without its log entry is what the engines refuse at COMMIT itself: no log, no decision.

    By then tiles are completed and a checkpoint is signed; the next unit must not build on either.
    """
    append_many(database, size_before)
    reached_the_end = []

    def commit_in_vain() -> None:
        with database.writing() as unit:
            kept = record_decision(unit)
            append(unit)
            unit.decisions.add(replace(kept, reference="R-0002", log_entry_id="never-appended"))
            reached_the_end.append(True)

    for _ in range(2):
        with pytest.raises(IntegrityError):
            commit_in_vain()
    assert reached_the_end == [True, True], "the error must come from COMMIT, not from a statement of the block"
    with database.reading() as unit:
        assert unit.decisions.count(ANY) == 0
        assert unit.log.tree_size() == size_before
    with database.writing() as unit:
        assert append(unit).index == size_before
        append(unit)
    check_log(database, size_before + 2)


def test_explanation_without_its_log_entry_is_refused(database: SqlDatabase) -> None:
    def deliver_without_entry() -> None:
        with database.writing() as unit:
            record_decision(unit)
            kept = deliver_explanation(unit, "e1")
            unit.explanations.add(replace(kept, id="e2", log_entry_id="never-appended"))

    with pytest.raises(IntegrityError):
        deliver_without_entry()
    check_log(database, 0)


def test_rows_may_be_written_in_any_order_within_a_unit(database: SqlDatabase) -> None:
    with database.writing() as unit:
        unit.tasks.add(a_task("t1", decision_reference="R-0002"))
        record_decision(unit, "R-0002", supersedes="R-0001")
        record_decision(unit, "R-0001")
    check_log(database, 2)


@pytest.mark.postgres
def test_connection_lost_before_commit_surfaces_and_leaves_the_database_usable(postgres: PostgresServer) -> None:
    url = postgres.migrated()
    database = open_database(url)
    append_many(database, 1)

    def lose_the_connection() -> None:
        with database.writing() as unit:
            append(unit)
            with psycopg.connect(url, autocommit=True) as administrator:
                administrator.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    with pytest.raises(DBAPIError):
        lose_the_connection()
    append_many(database, 1)
    check_log(database, 2)
    database.dispose()


@pytest.mark.postgres
def test_writer_that_waited_for_the_lock_sees_what_was_committed_meanwhile(postgres: PostgresServer) -> None:
    database = open_database(postgres.migrated())
    with database.writing() as waiting:
        # At REPEATABLE READ this first statement would fix the view, and the index below would be taken already.
        assert waiting.log.tree_size() == 0
        append_many(database, 3)
        assert append(waiting).index == 3
    check_log(database, 4)
    database.dispose()


@pytest.mark.postgres
def test_without_the_lock_two_writers_collide(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken twin of the contiguity tests: take the lock away and they would fail."""
    monkeypatch.setattr(PostgresqlBackend, "take_log_lock", lambda _self, _connection: None)
    database = open_database(postgres.migrated())
    appended = threading.Event()
    failures: list[Exception] = []

    def second_writer() -> None:
        appended.wait(timeout=10)
        try:
            append_many(database, 1)
        except Exception as error:  # noqa: BLE001 - whatever a thread dies of is the result
            failures.append(error)

    thread = threading.Thread(target=second_writer)
    thread.start()
    with database.writing() as first:
        append(first)
        appended.set()
        thread.join(timeout=0.5)
    thread.join()
    assert failures, "the second writer got the first one's index"
    database.dispose()


@pytest.mark.postgres
def test_log_commits_durably_even_where_the_server_does_not(postgres: PostgresServer) -> None:
    url = sa.make_url(postgres.migrated()).update_query_dict({"options": "-c synchronous_commit=off"})
    backend = PostgresqlBackend(url)
    with backend.writing() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "off"
        backend.take_log_lock(connection)
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
    with backend.writing() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "off"
    backend.dispose()
