"""The file that holds wrapped keys: opaque bytes under names, durable when written and gone when destroyed."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from explainer.errors import SealingError
from explainer.transparency_log.kept_connections import KeptConnections
from explainer.transparency_log.private_file import create_private_file, refuse_if_others_can_read

_BUSY_SECONDS = 30.0
_CHECK_NAME = "made with this master key"
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS subject_key (key_id TEXT PRIMARY KEY, wrapped BLOB) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS master_check (name TEXT PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID",
)
_PRAGMAS = (
    # DELETE keeps no pages in a log that outlives the commit, and EXTRA also syncs the folder after the journal is
    # gone: a key that was handed out survives a power cut.
    "PRAGMA journal_mode = DELETE",
    "PRAGMA synchronous = EXTRA",
    "PRAGMA secure_delete = ON",
    "PRAGMA temp_store = MEMORY",
)


class KeyFile:
    """Wrapped keys in an SQLite file of their own; see ``key_store.WrappedKeys``.

    A destroyed key is overwritten, and only its name stays, so that a late request cannot bring it back to life.

    Args:
        path: The file, mode 0600; made when it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections = KeptConnections(path, self._connect)
        if not path.exists():
            create_private_file(path, b"")
        refuse_if_others_can_read(path)
        with self._transaction() as connection:
            for statement in _SCHEMA:
                connection.execute(statement)

    @property
    def place(self) -> str:
        """Name for messages."""
        return f"key store {self._path.name}"

    def find(self, key_id: str) -> tuple[bytes | None] | None:
        """The wrapped key of this name, (None,) where it was destroyed, None where there never was one."""
        with self._connection() as connection:
            return _find(connection, key_id)

    def keep(self, offered: Mapping[str, bytes]) -> Mapping[str, bytes | None]:
        """Keep wrapped keys under names that have none, in one transaction.

        Args:
            offered: Name to wrapped key.

        Returns:
            Name to what is kept under it now, which may be another one's; None where the name's key was destroyed.

        Raises:
            SealingError: If the file cannot be written.
        """
        kept: dict[str, bytes | None] = {}
        with self._transaction() as connection:
            for key_id, wrapped in offered.items():
                row = _find(connection, key_id)
                if row is None:
                    connection.execute("INSERT INTO subject_key VALUES (?, ?)", (key_id, wrapped))
                kept[key_id] = wrapped if row is None else row[0]
        return kept

    def destroy(self, key_ids: Sequence[str]) -> int:
        """Overwrite keys; names without a key are barred from getting one.

        Args:
            key_ids: Names of the keys.

        Returns:
            How many of them were not destroyed before.

        Raises:
            SealingError: If the file cannot be written; the keys then still exist.
        """
        with self._connection() as connection:
            left = [key_id for key_id in dict.fromkeys(key_ids) if _find(connection, key_id) != (None,)]
        if left:
            with self._transaction() as connection:
                for key_id in left:
                    connection.execute("DELETE FROM subject_key WHERE key_id = ?", (key_id,))
                    connection.execute("INSERT INTO subject_key VALUES (?, NULL)", (key_id,))
        return len(left)

    def keep_check(self, offered: bytes) -> bytes:
        """Keep what shows which master key wraps these keys, unless there is one already; returns the one kept."""
        with self._transaction() as connection:
            row = connection.execute("SELECT wrapped FROM master_check WHERE name = ?", (_CHECK_NAME,)).fetchone()
            if row is None:
                connection.execute("INSERT INTO master_check VALUES (?, ?)", (_CHECK_NAME, offered))
            kept: bytes = offered if row is None else row[0]
        return kept

    def _connect(self) -> sqlite3.Connection:
        # A thread uses its own connection only, but whichever thread collects garbage may close it.
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        for pragma in _PRAGMAS:
            connection.execute(pragma).fetchall()
        return connection

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connections.connection()
        except (sqlite3.Error, OSError) as error:
            self._connections.drop()
            raise SealingError(f"The {self.place} cannot be used: {error}.") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")


def _find(connection: sqlite3.Connection, key_id: str) -> tuple[bytes | None] | None:
    # All rows, of which there is one at most: a statement that was not read to its end would keep its lock.
    rows = connection.execute("SELECT wrapped FROM subject_key WHERE key_id = ?", (key_id,)).fetchall()
    return rows[0] if rows else None
