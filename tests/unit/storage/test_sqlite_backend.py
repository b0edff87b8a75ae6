"""How SQLite is opened: durable, with foreign keys, one writer at a time, and never in memory."""

import fcntl
import stat
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from explainer.errors import SettingsError
from explainer.storage import sqlite_backend
from explainer.storage.database import SqlDatabase
from explainer.storage.sqlite_backend import SqliteBackend
from tests.databases import LOG_SIGNER, MOMENT, SqliteFiles


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "city.db"


def test_writers_use_wal_full_durability_and_foreign_keys(file: Path) -> None:
    backend = SqliteBackend(sa.make_url(f"sqlite:///{file}"))
    with backend.writing() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys")
        found = [connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() for pragma in pragmas]
    full = 2
    assert found == ["wal", full, 1]
    backend.dispose()


def test_writer_waits_for_the_lock_file_of_another_process(file: Path) -> None:
    backend = SqliteBackend(sa.make_url(f"sqlite:///{file}"))
    wrote = threading.Event()

    def write() -> None:
        with backend.writing():
            wrote.set()

    lock_file = file.with_name("city.db.lock")
    with lock_file.open("w") as other_process:
        fcntl.flock(other_process, fcntl.LOCK_EX)
        thread = threading.Thread(target=write)
        thread.start()
        assert not wrote.wait(timeout=0.3)
    assert wrote.wait(timeout=10)
    thread.join()
    backend.dispose()


def test_lock_file_is_for_the_services_user_alone(file: Path) -> None:
    backend = SqliteBackend(sa.make_url(f"sqlite:///{file}"))
    with backend.writing():
        assert stat.S_IMODE(file.with_name("city.db.lock").stat().st_mode) == 0o600
    backend.dispose()


def test_readers_do_not_wait_for_a_writer_nor_need_the_lock(file: Path) -> None:
    backend = SqliteBackend(sa.make_url(f"sqlite:///{file}"))
    with backend.writing() as writer:
        writer.exec_driver_sql("CREATE TABLE t (x)")
    with backend.writing() as writer:
        writer.exec_driver_sql("INSERT INTO t VALUES (1)")
        with backend.reading() as reader:
            assert reader.exec_driver_sql("SELECT count(*) FROM t").scalar_one() == 0
    backend.dispose()


def test_nested_units_of_work_end_with_a_sentence_instead_of_hanging(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_backend, "WRITER_PATIENCE_SECONDS", 0.1)
    backend = SqliteBackend(sa.make_url(f"sqlite:///{file}"))
    with backend.writing(), pytest.raises(TimeoutError, match="must not be nested"), backend.writing():
        pass
    with backend.writing():
        pass
    backend.dispose()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite://", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("sqlite:///city.db?mode=memory", "must name a file"),
        ("sqlite:////no/such/folder/city.db", "does not exist"),
        ("mysql://localhost/city", "not in mysql"),
        ("city.db", "cannot be read"),
    ],
)
def test_url_of_an_unusable_database_is_refused_with_what_to_write(url: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        SqlDatabase(url, signer=LOG_SIGNER, clock=lambda: MOMENT)


def test_path_with_spaces_and_umlauts_is_usable(tmp_path: Path) -> None:
    folder = tmp_path / "Stadt Mühlhausen"
    folder.mkdir()
    assert SqliteFiles(folder).migrated()
    assert (folder / "klarbescheid-1.db").stat().st_size > 0
