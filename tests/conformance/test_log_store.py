"""What the log promises, on SQLite and on PostgreSQL: contiguous indexes, whole trees, and rows that are for ever."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError

import explainer
from explainer.errors import LogIntegrityError
from explainer.storage.database import SqlDatabase
from explainer.transparency_log.checkpoint import open_checkpoint
from explainer.transparency_log.log_entry import LogEvent
from explainer.transparency_log.merkle import EMPTY_ROOT, leaf_hash, verify_consistency, verify_inclusion
from explainer.transparency_log.tree import Tree
from explainer.use_cases.records import LogRecord
from tests.conformance.records import an_entry, append, append_many, check_log, execute_raw
from tests.databases import LOG_SIGNER, MOMENT, SqliteFiles, open_database

THREADS = 8
ENTRIES_PER_WRITER = 12

APPENDING_PROCESS = """
import sys
from tests.conformance.records import append
from tests.databases import open_database
database = open_database(sys.argv[1])
for _ in range(int(sys.argv[2])):
    with database.writing() as unit:
        append(unit)
database.dispose()
"""


def test_empty_log_has_a_signed_checkpoint(database: SqlDatabase) -> None:
    with database.reading() as unit:
        checkpoint = open_checkpoint(unit.log.checkpoint(), [LOG_SIGNER.verifier])
        assert (checkpoint.origin, checkpoint.tree_size, checkpoint.root_hash) == (LOG_SIGNER.name, 0, EMPTY_ROOT)
        assert unit.log.tree_size() == 0
        assert unit.log.newest(limit=1) == []
        assert unit.log.last_of("decision.recorded") is None
    check_log(database, 0)


def test_entry_comes_back_as_it_was_appended(database: SqlDatabase) -> None:
    entry = an_entry(system="wohngeld")
    with database.writing() as unit:
        append(unit)
        record = unit.log.append(entry, sealed=b"\x00sealed", key_id="subject-1", at=MOMENT)
        assert (record.index, record.leaf) == (1, entry.leaf_bytes())
        assert (record.event, record.system, record.at) == ("decision.recorded", "wohngeld", MOMENT)
        assert record.leaf_hash == leaf_hash(record.leaf)
    with database.reading() as unit:
        assert unit.log.find(entry.id) == record
        assert unit.log.sealed_part(entry.id) == ("subject-1", b"\x00sealed")
        assert unit.log.find("0" * 32) is None
        assert unit.log.sealed_part("0" * 32) is None


def test_entries_are_listed_newest_first_by_event_system_and_index(database: SqlDatabase) -> None:
    with database.writing() as unit:
        for event, system in (
            (LogEvent.DECISION_RECORDED, "wohngeld"),
            (LogEvent.EXPLANATION_DELIVERED, "wohngeld"),
            (LogEvent.DECISION_RECORDED, "kita"),
            (LogEvent.DECISION_RECORDED, None),
        ):
            append(unit, event, system=system)
    with database.reading() as unit:

        def indexes(**chosen: object) -> list[int]:
            return [record.index for record in unit.log.newest(**{"limit": 10, **chosen})]  # type: ignore[arg-type]

        assert indexes() == [3, 2, 1, 0]
        assert indexes(limit=2) == [3, 2]
        assert indexes(before=2) == [1, 0]
        assert indexes(event="decision.recorded") == [3, 2, 0]
        assert indexes(event="decision.recorded", system="wohngeld") == [0]
        assert indexes(system="wohngeld", before=1) == [0]
        newest = unit.log.last_of("decision.recorded")
        assert newest is not None
        assert newest.index == 3
        of_kita = unit.log.last_of("decision.recorded", system="kita")
        assert of_kita is not None
        assert of_kita.index == 2
        assert len(unit.log.leaves(1, 3)) == 2


def test_entries_are_read_by_range_and_by_index_also_where_a_leaf_is_gone(url: str, database: SqlDatabase) -> None:
    with database.writing() as unit:
        appended = [append(unit, event) for event in (LogEvent.LOG_READ, LogEvent.KEY_ROTATED, LogEvent.MODEL_REFUSED)]
    with database.reading() as unit:
        assert unit.log.records([0, 2, 7]) == [appended[2], appended[0]]
        assert unit.log.records([]) == []
        assert unit.log.facts(1, 9) == [(one.index, one.event, one.at, one.leaf) for one in appended[1:]]
    execute_raw(url, "DELETE FROM log_leaf WHERE seq = 1")
    with database.reading() as unit:
        assert [(index, event, leaf is None) for index, event, _, leaf in unit.log.facts(0, 3)] == [
            (0, "log.read", False),
            (1, "key.rotated", True),
            (2, "model.refused", False),
        ]
        assert unit.log.records([1]) == []


def test_entry_id_is_used_once(database: SqlDatabase) -> None:
    entry = an_entry()

    def append_twice() -> None:
        with database.writing() as unit:
            for _ in range(2):
                unit.log.append(entry, sealed=b"", key_id="k", at=MOMENT)

    with pytest.raises(IntegrityError):
        append_twice()
    check_log(database, 0)


def test_pending_entries_are_not_part_of_the_tree_before_the_commit(database: SqlDatabase) -> None:
    with database.writing() as unit:
        before = unit.log.checkpoint()
        record = append(unit)
        assert unit.log.find(record.entry_id) == record
        assert unit.log.tree_size() == 0
        assert unit.log.checkpoint() == before
    check_log(database, 1)


def test_every_commit_signs_one_checkpoint_over_whole_trees_around_tile_edges(database: SqlDatabase) -> None:
    sizes = [0, 1, 2, 255, 256, 257, 511, 512, 513, 770]
    roots = [EMPTY_ROOT]
    for before, after in pairwise(sizes):
        append_many(database, after - before)
        check_log(database, after)
        with database.reading() as unit:
            roots.append(Tree(unit.log.tiles(), after).root())
    with database.reading() as unit:
        size = unit.log.tree_size()
        tree = Tree(unit.log.tiles(), size)
        for old_size, old_root in zip(sizes, roots, strict=True):
            verify_consistency(old_size, old_root, size, tree.root(), tree.consistency_proof(old_size))
        for index in (0, 255, 256, 511, 512, 769):
            hashed = leaf_hash(unit.log.leaves(index, index + 1)[0])
            verify_inclusion(hashed, index, size, tree.inclusion_proof(index), tree.root())


@pytest.mark.parametrize("size_before", [0, 255, 256, 511])
def test_rolled_back_entries_leave_no_trace_and_do_not_poison_later_proofs(
    database: SqlDatabase, size_before: int
) -> None:
    append_many(database, size_before)
    lost: list[LogRecord] = []

    def append_then_fail() -> None:
        with database.writing() as unit:
            lost.extend(append(unit) for _ in range(3))
            raise KeyError

    with database.reading() as unit:
        before = unit.log.checkpoint()
    with pytest.raises(KeyError):
        append_then_fail()
    with database.reading() as unit:
        assert unit.log.checkpoint() == before
        assert [unit.log.find(record.entry_id) for record in lost] == [None] * 3
        assert [unit.log.sealed_part(record.entry_id) for record in lost] == [None] * 3
    with database.writing() as unit:
        assert append(unit).index == size_before
        append(unit)
    check_log(database, size_before + 2)


def test_eight_threads_writing_at_once_get_contiguous_indexes(database: SqlDatabase) -> None:
    together = threading.Barrier(THREADS)

    def write() -> list[int]:
        together.wait()
        indexes = []
        for _ in range(ENTRIES_PER_WRITER):
            with database.writing() as unit:
                unit.access.note(append(unit).leaf_hash, at=MOMENT)
                indexes.append(append(unit).index)
        return indexes

    with ThreadPoolExecutor(THREADS) as threads:
        written = [index for task in [threads.submit(write) for _ in range(THREADS)] for index in task.result()]
    assert sorted(written) == list(range(1, 2 * THREADS * ENTRIES_PER_WRITER, 2)), "two entries per unit, never mixed"
    check_log(database, 2 * THREADS * ENTRIES_PER_WRITER)


def test_two_processes_writing_at_once_get_contiguous_indexes(url: str, database: SqlDatabase) -> None:
    # Across the edge of a tile, so that it is completed by a process that did not write most of its entries.
    before, number = 230, 20
    append_many(database, before)
    command = [sys.executable, "-c", APPENDING_PROCESS, url, str(number)]
    root = Path(explainer.__file__).parent.parent
    writers = [subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE) for _ in range(2)]
    errors = [writer.communicate(timeout=120)[1].decode() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], errors
    check_log(database, before + 2 * number)


@pytest.mark.parametrize("table", ["log_entry", "log_tile", "log_checkpoint"])
@pytest.mark.parametrize("change", ["UPDATE", "DELETE", "wholesale"])
def test_database_itself_refuses_to_change_what_is_for_ever(
    url: str, database: SqlDatabase, table: str, change: str
) -> None:
    append_many(database, 256)
    column = {"log_entry": "seq", "log_tile": "n", "log_checkpoint": "size"}[table]
    replace = f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"  # noqa: S608 - names of our own tables
    statement = {
        "UPDATE": f"UPDATE {table} SET {column} = {column}",  # noqa: S608
        "DELETE": f"DELETE FROM {table}",  # noqa: S608
        "wholesale": replace if url.startswith("sqlite") else f"TRUNCATE {table} CASCADE",
    }[change]
    with pytest.raises(DBAPIError, match=f"{table} is for ever"):
        execute_raw(url, statement)
    check_log(database, 256)


def test_erasing_sealed_parts_stays_possible_and_the_log_still_verifies(url: str, database: SqlDatabase) -> None:
    append_many(database, 3)
    execute_raw(url, "DELETE FROM log_sealed")
    with database.reading() as unit:
        assert unit.log.sealed_part(unit.log.newest(limit=1)[0].entry_id) is None
    check_log(database, 3)


def test_log_whose_entries_and_checkpoint_differ_is_not_continued(url: str, database: SqlDatabase) -> None:
    append_many(database, 2)
    blob = "zeroblob(32)" if url.startswith("sqlite") else "decode(repeat('00', 32), 'hex')"
    execute_raw(
        url,
        "INSERT INTO log_entry (seq, entry_id, event, at, leaf_hash) "  # noqa: S608 - a constant
        f"SELECT 2, 'foreign', event, at, {blob} FROM log_entry WHERE seq = 0",
    )
    with pytest.raises(LogIntegrityError, match="3 entries, but its newest checkpoint is signed for 2"):
        append_many(database, 1)


def test_checked_log_would_show_a_changed_leaf_tile_or_leaf_hash(sqlite_files: SqliteFiles) -> None:
    """The broken twin: without triggers a row can be changed, and then ``check_log`` must not pass."""
    for tampering, named in (
        ("UPDATE log_leaf SET leaf = x'7b7d' WHERE seq = 7", "stored leaf hashes"),
        ("UPDATE log_entry SET leaf_hash = zeroblob(32) WHERE seq = 7", "stored leaf hashes"),
        ("UPDATE log_tile SET root = zeroblob(32)", "root from tiles"),
        ("UPDATE log_tile SET hashes = zeroblob(8192)", "full tiles"),
        ("DELETE FROM log_checkpoint WHERE size = 257", "sizes"),
        ("DELETE FROM log_leaf WHERE seq = 256", "contiguous"),
    ):
        url = sqlite_files.migrated()
        database = open_database(url)
        append_many(database, 256)
        append_many(database, 1)
        check_log(database, 257)
        for table in ("log_entry", "log_tile", "log_checkpoint"):
            execute_raw(url, f"DROP TRIGGER {table}_refuses_update")
            execute_raw(url, f"DROP TRIGGER {table}_refuses_delete")
        execute_raw(url, tampering)
        with pytest.raises(AssertionError, match=named):
            check_log(database, 257)
        database.dispose()
