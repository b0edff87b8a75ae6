"""SQLite: one file, one writer at a time, readers that never wait.

Writers queue at a file lock *in front of* ``BEGIN IMMEDIATE``. SQLite's own busy handler sleeps and starves writers
(two processes: p99 133 ms against 7 ms with the file lock), a blocking ``flock`` hands over in order.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy import URL, Connection, Engine

from explainer.errors import SettingsError
from explainer.storage.backend import commit
from explainer.storage.driver_statements import DriverSelect
from explainer.transparency_log.kept_connections import KeptConnections

WRITER_PATIENCE_SECONDS = 60.0
"""How long a writer waits for the other writers of its process before it gives up."""

BUSY_TIMEOUT_MILLISECONDS = 30_000
"""How long SQLite itself waits: only for programs that do not use our file lock, such as a backup."""


CHECKPOINT_PAGES = 16_000
"""Pages (of 4 KiB) in the write-ahead log before a commit also copies them into the database.

That commit waits for the disk once more and longer, and with it everyone who is answered at its moment. SQLite's own
1,000 pages are full after a dozen batches; and pages that were written often meanwhile are copied once.
"""

PREPARED_STATEMENTS = 256
"""Statements that a connection keeps prepared: inserts of one row and of twenty are two of them."""


class SqliteBackend:
    """A database in one SQLite file, in WAL mode.

    Args:
        url: ``sqlite:///`` and the path of the file; the file's folder must exist.

    Raises:
        SettingsError: The URL names no file.
    """

    def __init__(self, url: URL) -> None:
        if not url.database or url.database == ":memory:" or url.query:
            raise SettingsError(
                "The database URL must name a file, as in sqlite:////var/lib/klarbescheid/klarbescheid.db, "
                "without parameters: each connection to a database in memory would see a database of its own"
            )
        self._file = Path(url.database).resolve()
        if not self._file.parent.is_dir():
            raise SettingsError(f"The folder {self._file.parent} for the database does not exist; create it first")
        # Made here and not by SQLite, which would let the whole machine read it; -wal and -shm take over its mode.
        os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
        self._lock_file = self._file.with_name(f"{self._file.name}.lock")
        self._writer = Lock()
        self._kept_readers = KeptConnections(self._file, self._connect_reader)
        self._writing_engine = _engine(url, self._prepare_writer, connections=1)
        self._reading_engine = _engine(url, self._prepare_reader, connections=64)

    @property
    def reads_at_once(self) -> bool:
        """In WAL mode readers neither wait for writers nor hold them up, and the file is on this machine."""
        return True

    def one_row(self, query: DriverSelect, parameters: Mapping[str, str | bytes]) -> Sequence[Any] | None:
        """Run one query on this thread's kept connection."""
        text = query.text(self._reading_engine.dialect)
        # All rows, of which there is one at most: a statement that was not read to its end would keep its snapshot.
        rows = self._kept_readers.connection().execute(text.sql, text.values(parameters)).fetchall()
        return rows[0] if rows else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read-only transaction; in WAL mode it neither waits for writers nor holds them up."""
        with self._reading_engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write; it holds the file lock from before BEGIN until after COMMIT or ROLLBACK."""
        with self._only_writer(), self._writing_engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            commit(connection)

    def _connect_reader(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)
        self._prepare_reader(connection, None)
        return connection

    def take_log_lock(self, connection: Connection) -> None:
        """Do nothing: whoever writes here is the only writer already."""

    def dispose(self) -> None:
        """Close every connection."""
        self._kept_readers.drop()
        self._writing_engine.dispose()
        self._reading_engine.dispose()

    @contextmanager
    def _only_writer(self) -> Iterator[None]:
        # A plain Lock, not an RLock: a web framework may leave the block in another thread than it entered it.
        if not self._writer.acquire(timeout=WRITER_PATIENCE_SECONDS):
            raise TimeoutError(
                f"Another unit of work of this process has been writing for {WRITER_PATIENCE_SECONDS:.0f} seconds; "
                "units of work must not be nested"
            )
        try:
            # Opened anew each time: a forked process would share the parent's lock with the parent's descriptor.
            descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)
        finally:
            self._writer.release()

    @staticmethod
    def _prepare_writer(dbapi_connection: Any, _record: object) -> None:
        # FULL: a checkpoint that was handed out and then lost in a power cut would be a second history.
        _run_pragmas(
            dbapi_connection,
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"wal_autocheckpoint={CHECKPOINT_PAGES}",
        )

    @staticmethod
    def _prepare_reader(dbapi_connection: Any, _record: object) -> None:
        _run_pragmas(dbapi_connection, "query_only=ON")


def _engine(url: URL, prepare: Any, *, connections: int) -> Engine:
    # isolation_level None keeps the sqlite3 module from opening transactions by itself: we say BEGIN.
    engine = sa.create_engine(
        url,
        hide_parameters=True,  # messages of the driver end up in server logs; values must not
        pool_size=connections,
        max_overflow=0,
        connect_args={
            "isolation_level": None,
            "check_same_thread": False,
            "cached_statements": PREPARED_STATEMENTS,
        },
    )
    sa.event.listen(engine, "connect", prepare)
    return engine


def _run_pragmas(dbapi_connection: Any, *pragmas: str) -> None:
    with closing(dbapi_connection.cursor()) as cursor:
        for pragma in (f"busy_timeout={BUSY_TIMEOUT_MILLISECONDS}", *pragmas):
            cursor.execute(f"PRAGMA {pragma}")
