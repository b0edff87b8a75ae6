"""The key store: subject keys, apart from the database so that destroying one destroys it everywhere.

Backups of the database never hold these keys. :class:`FileKeyStore` serves one machine; a store behind the same
protocol, such as a key management service, serves several.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from explainer.errors import ErasedError, SealingError, SettingsError
from explainer.transparency_log.group_commit import GroupCommit
from explainer.transparency_log.kept_connections import KeptConnections
from explainer.transparency_log.private_file import create_private_file, refuse_if_others_can_read
from explainer.transparency_log.sealing import KEY_SIZE

_NONCE_SIZE = 12
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


class KeyStore(Protocol):
    """Keeps subject keys. Safe for several threads and processes."""

    def get_or_create(self, key_id: str) -> bytes:
        """The key of this name, made when there was none; durable before this returns.

        Raises:
            ErasedError: If the key was destroyed; a name is never used again.
        """

    async def get_or_create_together(self, key_id: str) -> bytes:
        """The same for an event loop: keys that are asked for at the same moment are made durable together."""

    def get(self, key_id: str) -> bytes:
        """The key of this name.

        Raises:
            ErasedError: If the key was destroyed or never existed.
        """

    def destroy(self, key_ids: Sequence[str]) -> int:
        """Destroy keys for good, all or none; doing it twice, or to a name that has no key, is no error.

        Returns:
            How many of them were not destroyed before.
        """


class FileKeyStore:
    """Subject keys in an SQLite file of their own, each wrapped by a master key that is kept elsewhere.

    A destroyed key is overwritten, and only its name stays, so that a restored copy or a late request cannot bring the
    person's key back to life. Names must therefore say nothing about the person.

    Args:
        path: The file, mode 0600; made when it is missing.
        master_key: 32 bytes, kept apart from this file.
        random_bytes: Source of cryptographic randomness: number of bytes in, bytes out.
    """

    def __init__(self, path: Path, *, master_key: bytes, random_bytes: Callable[[int], bytes]) -> None:
        if len(master_key) != KEY_SIZE:
            raise SettingsError(f"The master key of the key store must have {KEY_SIZE} bytes.")
        self._path = path
        self._master = AESGCM(master_key)
        self._random_bytes = random_bytes
        self._connections = KeptConnections(path, self._connect)
        self._group_commit = GroupCommit[str, bytes](self._get_or_create_all)
        if not path.exists():
            create_private_file(path, b"")
        refuse_if_others_can_read(path)
        with self._transaction() as connection:
            for statement in _SCHEMA:
                connection.execute(statement)
            self._check_master_key(connection)

    def get_or_create(self, key_id: str) -> bytes:
        """Return the key of this name, making it when there is none; durable before this returns.

        Args:
            key_id: Name of the key; must not say whose it is.

        Returns:
            32 bytes.

        Raises:
            ErasedError: If the key was destroyed.
            SealingError: If the store is damaged or cannot be written.
        """
        # Nearly always there is one already, and reading it needs no lock that others wait for.
        with self._connection() as connection:
            row = _find(connection, key_id)
        if row is not None:
            return self._unwrap(key_id, row[0])
        with self._transaction() as connection:
            return self._found_or_created(connection, key_id)

    async def get_or_create_together(self, key_id: str) -> bytes:
        """Return the key of this name, made durable in one transaction with others that are asked for at this moment.

        Args:
            key_id: Name of the key; must not say whose it is.

        Returns:
            32 bytes.

        Raises:
            ErasedError: If the key was destroyed; the other keys are made all the same.
            SealingError: If the store is damaged or cannot be written.
        """
        return await self._group_commit.keep(key_id)

    def get(self, key_id: str) -> bytes:
        """Return the key of this name.

        Args:
            key_id: Name of the key.

        Returns:
            32 bytes.

        Raises:
            ErasedError: If the key was destroyed or never existed.
            SealingError: If the store is damaged or cannot be read.
        """
        with self._connection() as connection:
            row = _find(connection, key_id)
        return self._unwrap(key_id, row[0] if row is not None else None)

    def destroy(self, key_ids: Sequence[str]) -> int:
        """Overwrite keys; records sealed under them can never be opened again.

        Args:
            key_ids: Names of the keys; names without a key are barred from getting one.

        Returns:
            How many of them were not destroyed before.

        Raises:
            SealingError: If the store cannot be written; the keys then still exist.
        """
        with self._connection() as connection:
            left = [key_id for key_id in dict.fromkeys(key_ids) if _find(connection, key_id) != (None,)]
        if left:
            with self._transaction() as connection:
                for key_id in left:
                    connection.execute("DELETE FROM subject_key WHERE key_id = ?", (key_id,))
                    connection.execute("INSERT INTO subject_key VALUES (?, NULL)", (key_id,))
        return len(left)

    def _get_or_create_all(self, key_ids: Sequence[str]) -> list[bytes | Exception]:
        with self._transaction() as connection:
            return [self._found_or_refused(connection, key_id) for key_id in key_ids]

    def _found_or_refused(self, connection: sqlite3.Connection, key_id: str) -> bytes | Exception:
        try:
            return self._found_or_created(connection, key_id)
        except (ErasedError, SealingError) as error:
            return error

    def _found_or_created(self, connection: sqlite3.Connection, key_id: str) -> bytes:
        row = _find(connection, key_id)
        if row is not None:
            return self._unwrap(key_id, row[0])
        key = self._random_bytes(KEY_SIZE)
        connection.execute("INSERT INTO subject_key VALUES (?, ?)", (key_id, self._wrap(key_id, key)))
        return key

    def _wrap(self, name: str, key: bytes) -> bytes:
        nonce = self._random_bytes(_NONCE_SIZE)
        # The name is authenticated, so that swapping two rows does not swap two people's keys.
        return nonce + self._master.encrypt(nonce, key, name.encode())

    def _unwrap(self, name: str, wrapped: bytes | None) -> bytes:
        if wrapped is None:
            raise ErasedError("The key was destroyed: the data is erased, the proof remains.")
        try:
            return self._master.decrypt(wrapped[:_NONCE_SIZE], wrapped[_NONCE_SIZE:], name.encode())
        except (InvalidTag, ValueError) as error:
            raise SealingError("A key in the key store is damaged, or was wrapped by another master key.") from error

    def _check_master_key(self, connection: sqlite3.Connection) -> None:
        row = connection.execute("SELECT wrapped FROM master_check WHERE name = ?", (_CHECK_NAME,)).fetchone()
        if row is None:
            check = self._wrap(_CHECK_NAME, bytes(KEY_SIZE))
            connection.execute("INSERT INTO master_check VALUES (?, ?)", (_CHECK_NAME, check))
            return
        try:
            self._unwrap(_CHECK_NAME, row[0])
        except SealingError as error:
            raise SettingsError(f"The key store {self._path.name} was made with another master key.") from error

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
            raise SealingError(f"The key store {self._path.name} cannot be used: {error}.") from error

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
