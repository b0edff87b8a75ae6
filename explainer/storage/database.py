"""The city's database: opens units of work, on SQLite or PostgreSQL."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError

from explainer.errors import BadSignatureError, LogReadOnlyError, SettingsError
from explainer.storage import schema
from explainer.storage.access_store import read_case_system
from explainer.storage.backend import Backend
from explainer.storage.kept_document_store import read_deliverable
from explainer.storage.log_integration import (
    StoredCheckpoint,
    add_log_key,
    checkpoint_to_append_to,
    log_has_started,
    newest_checkpoint,
    retire_all_log_keys,
    start_epoch,
    start_log,
)
from explainer.storage.log_memory import contradiction, refuse_if_behind
from explainer.storage.log_signers import LogSigners, SignerOf, log_keys, vkey_origin
from explainer.storage.postgresql_backend import PostgresqlBackend
from explainer.storage.publication_store import read_version_in_force
from explainer.storage.right_edge import RightEdge
from explainer.storage.sqlite_backend import SqliteBackend
from explainer.storage.tables import log_key
from explainer.storage.unit_of_work import SqlUnitOfWork
from explainer.transparency_log.anchor_file import AnchorFile
from explainer.transparency_log.checkpoint import open_checkpoint
from explainer.transparency_log.group_commit import GroupCommit
from explainer.transparency_log.signed_note import NoteSigner
from explainer.use_cases.callers import CaseSystem
from explainer.use_cases.records import Deliverable, Delivery, LogKeyRecord, LogRecord, PreparedEntry
from explainer.use_cases.stores import UnitOfWork
from models.errors import KlarbescheidError

Found = TypeVar("Found")


class SqlDatabase:
    """Keeps everything of one city; see ``use_cases.stores.Database``.

    Args:
        url: ``sqlite:///`` and the path of a file, or ``postgresql://…`` as libpq understands it.
        signer: The log's key; its name is the log's origin.
        clock: Returns the current moment as an aware datetime; checkpoints are stamped with it.
        signer_of: Finds the signers of further keys, while a key is being replaced.
        anchors: Remembers every checkpoint before it is released, and so notices a database that was put back; without
            it nothing outside the database remembers the log.

    Raises:
        SettingsError: The URL names no database that this service can use.
    """

    def __init__(
        self,
        url: str,
        *,
        signer: NoteSigner,
        clock: Callable[[], datetime],
        signer_of: SignerOf | None = None,
        anchors: AnchorFile | None = None,
    ) -> None:
        self._backend = _backend(url)
        self._signers = LogSigners(signer, signer_of)
        self._anchors = anchors
        self._read_only_reason: str | None = None
        self._edge = RightEdge()
        self._clock = clock
        self._group_commit = GroupCommit[Delivery, LogRecord](self._keep_batch)

    @contextmanager
    def writing(self) -> Iterator[UnitOfWork]:
        """A unit of work that commits when the block ends without an error and rolls back otherwise.

        Entries that were appended to the log are integrated, and one checkpoint over them is signed, in the same
        transaction. Units of work must not be nested.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: The engine refused something, also at COMMIT; then nothing is kept.
        """
        with self._writing() as unit:
            yield unit

    @contextmanager
    def reading(self) -> Iterator[UnitOfWork]:
        """A consistent read-only view."""
        with self._backend.reading() as connection:
            yield SqlUnitOfWork(connection, self._signers, self._edge, None, self._remember_if_writable)

    @property
    def reads_at_once(self) -> bool:
        """Whether a reading waits for nobody, so that an event loop may do it itself."""
        return self._backend.reads_at_once

    def deliverable(self, reference: str, *, audience: str, language: str) -> Deliverable | None:
        """What a delivery needs to know about this decision; see ``kept_document_store.read_deliverable``."""
        return read_deliverable(self._backend, reference, audience=audience, language=language)

    def erased_at(self, key_id: str) -> datetime | None:
        """When this key was erased, or None."""
        with self.reading() as work:
            return work.erasures.erased_at(key_id)

    def register_version_in_force(self, slug: str) -> int:
        """Number of the newest published version of one register entry, 0 before the first."""
        return read_version_in_force(self._backend, slug)

    def case_system(self, digest: bytes) -> CaseSystem | None:
        """The case system whose API key has this digest and is not revoked, or None."""
        return read_case_system(self._backend, digest)

    async def deliver(self, delivery: Delivery) -> LogRecord:
        """Keep a delivery in one transaction with others of the same moment; returns when it has committed."""
        return await self._group_commit.keep(delivery)

    @property
    def read_only_reason(self) -> str | None:
        """Why nothing may be appended, with how to go on; None while database and memory of the log agree."""
        return self._read_only_reason

    @property
    def log_vkey(self) -> str:
        """Public key that the newest checkpoint is to be checked with; the newer one while a key is being replaced."""
        with self._backend.reading() as connection:
            keys = [key for key in log_keys(connection) if key.to_size is None]
        return keys[-1].vkey

    def released_checkpoint(self) -> str:
        """The newest signed checkpoint, once it is remembered outside the database as well.

        Raises:
            AnchorError: If it cannot be remembered, and so must not leave.
        """
        with self.reading() as work:
            return work.log.checkpoint()

    def check_memory(self) -> None:
        """Hold the log against what is remembered outside the database; where they differ, become read-only."""
        if self._anchors is None:
            return
        with self._backend.reading() as connection:
            self._read_only_reason = contradiction(connection, self._anchors)

    def bring_schema_up_to_date(self) -> None:
        """Run missing migrations and nothing else; for a copy that was just put back."""
        with self._backend.writing() as connection:
            self._backend.take_log_lock(connection)
            schema.upgrade(connection)

    def begin_epoch(self, epoch: int, entry: PreparedEntry) -> None:
        """Begin a new log in this database, whose first entry says why; what was logged before stays readable.

        Args:
            epoch: Its number; the signing key is named like its origin.
            entry: Its first entry.
        """
        with self._backend.writing() as connection:
            self._backend.take_log_lock(connection)
            retire_all_log_keys(connection, newest_checkpoint(connection).size)
            start_epoch(connection, self._signers.first, epoch=epoch, at=self._clock())
            add_log_key(connection, self._signers.first.vkey, from_size=0)
            before = checkpoint_to_append_to(connection, self._signers)
            unit = SqlUnitOfWork(connection, self._signers, self._edge, lambda: before)
            unit.log.append_all([entry])
            unit.log.integrate_pending(at=self._clock())
        if self._anchors is not None and unit.log.signed is not None:
            self._anchors.begin(unit.log.signed)
            self._anchors.remember(unit.log.signed)

    def begin_memory(self) -> int:
        """Begin to remember the log outside the database where what was remembered is lost.

        Returns:
            Number of entries of the checkpoint that is remembered first.

        Raises:
            SettingsError: If something is remembered already.
        """
        if self._anchors is None or self._anchors.exists():
            raise SettingsError("There is an anchor file already; it is never begun anew over what it remembers.")
        with self._backend.reading() as connection:
            newest = newest_checkpoint(connection)
        self._anchors.begin(newest.note)
        return newest.size

    def migrate(self) -> None:
        """Bring the schema up to date and start the log, in one transaction; safe to call at every start.

        The memory of the log begins with the log, and with the update that brought it; never later.

        Raises:
            SettingsError: The database cannot be reached, is none, or was written by a newer version of the program.
        """
        try:
            with self._backend.writing() as connection:
                self._backend.take_log_lock(connection)
                had_memory = schema.upgrade(connection) in schema.WITH_ANCHORS
                self._refuse_to_start_a_log_that_was_lost(connection)
                begun = start_log(connection, self._signers.first, at=self._clock())
                if self._anchors is not None and (begun is not None or not had_memory):
                    self._anchors.begin(begun or newest_checkpoint(connection).note)
        except DatabaseError as error:
            raise SettingsError(f"The database cannot be opened or written: {error.orig}") from error

    def check_schema(self) -> None:
        """Refuse a database that this program, with this key, must not serve.

        Raises:
            SettingsError: Migrations are missing, the database is newer than the program, or its log belongs to
                another key.
            LogIntegrityError: The log has lost even its first checkpoint.
        """
        with self._backend.reading() as connection:
            schema.check(connection)
            newest = newest_checkpoint(connection)
            keys = [key for key in log_keys(connection) if vkey_origin(key.vkey) == newest.origin]
        if newest.origin != self._signers.origin:
            raise SettingsError(
                f"The log in this database is {newest.origin}, but the signing key is named {self._signers.origin}; "
                "set the log's origin and key to those of this database"
            )
        signing = [self._signers.signer(key.vkey) for key in keys if key.signs(newest.size)]
        try:
            open_checkpoint(newest.note, [signer.verifier for signer in signing])
        except BadSignatureError as error:
            raise SettingsError(
                "The log in this database was signed with another key than the one in the key file; put the log's own "
                "key back. A log that goes on under another key proves nothing"
            ) from error

    def dispose(self) -> None:
        """Close every connection; the database can be used again afterwards, but delivers no more."""
        self._group_commit.close()
        self._backend.dispose()

    @contextmanager
    def _writing(self) -> Iterator[SqlUnitOfWork]:
        if self._read_only_reason is not None:
            raise LogReadOnlyError(self._read_only_reason)
        with self._backend.writing() as connection:
            unit = SqlUnitOfWork(
                connection, self._signers, self._edge, partial(self._checkpoint_when_locked, connection)
            )
            yield unit
            unit.log.integrate_pending(at=self._clock())
        # Committed. Remembered before anybody hears of it, and outside the writers' lock.
        if unit.log.signed is not None:
            self._remember(unit.log.signed)

    def _checkpoint_when_locked(self, connection: Connection) -> StoredCheckpoint:
        self._backend.take_log_lock(connection)
        anchor = self._anchors.newest() if self._anchors is not None else None
        stored = checkpoint_to_append_to(connection, self._signers)
        if anchor is not None:
            try:
                refuse_if_behind(stored, anchor)
            except LogReadOnlyError as error:
                self._read_only_reason = str(error)
                raise
        return stored

    def _remember_if_writable(self, note: str) -> None:
        if self._read_only_reason is None:
            self._remember(note)

    def _remember(self, note: str) -> None:
        if self._anchors is not None:
            self._anchors.remember(note)

    def _refuse_to_start_a_log_that_was_lost(self, connection: Connection) -> None:
        if self._anchors is None or not self._anchors.exists() or log_has_started(connection):
            return
        lost = self._anchors.newest().checkpoint
        if lost.tree_size:
            raise SettingsError(
                f"The database is empty, but a checkpoint of the log {lost.origin} over {lost.tree_size} entries was "
                "released. Put the database back. If it is lost for good, restore the newest backup with "
                "'explainer restore DIR --new-epoch'"
            )

    def _keep_batch(self, deliveries: Sequence[Delivery]) -> Sequence[LogRecord | Exception]:
        try:
            with self._writing() as unit:
                return _keep(unit, deliveries)
        except _CannotBeKeptError:
            # Rolled back as a whole. Once more with a savepoint for each, so that what cannot be kept fails alone.
            with self._writing() as unit:
                return [_kept_alone(unit, delivery) for delivery in deliveries]


class _CannotBeKeptError(Exception):
    """One delivery of a batch was refused before anything was committed."""


def _keep(unit: SqlUnitOfWork, deliveries: Sequence[Delivery]) -> Sequence[LogRecord]:
    try:
        entries = unit.log.append_all([delivery.entry for delivery in deliveries])
        unit.explanations.add_all([delivery.explanation for delivery in deliveries])
    except (IntegrityError, KlarbescheidError) as error:
        raise _CannotBeKeptError from error
    return entries


def _kept_alone(unit: SqlUnitOfWork, delivery: Delivery) -> LogRecord | Exception:
    try:
        with unit.savepoint():
            return _keep(unit, [delivery])[0]
    except _CannotBeKeptError as refused:
        return refused.__cause__ if isinstance(refused.__cause__, Exception) else refused


def newest_epoch(url: str) -> int:
    """Which epoch the log in a database is in; 0 where there is none yet.

    Args:
        url: Its address.

    Raises:
        SettingsError: The database cannot be read.
    """
    found = _read_if_there(url, lambda connection: newest_checkpoint(connection).epoch)
    return found or 0


def stored_checkpoint(url: str) -> str | None:
    """The newest signed checkpoint in a database; None where there is no log yet.

    Args:
        url: Its address.

    Raises:
        SettingsError: The database cannot be read.
    """
    return _read_if_there(url, lambda connection: newest_checkpoint(connection).note)


def listed_log_keys(url: str) -> Sequence[LogKeyRecord]:
    """Keys of the log's current epoch, oldest first, retired ones too; none where there is no log yet.

    Args:
        url: Address of the database.

    Raises:
        SettingsError: The database cannot be read.
    """

    def read(connection: Connection) -> Sequence[LogKeyRecord]:
        origin = newest_checkpoint(connection).origin
        return [key for key in log_keys(connection) if vkey_origin(key.vkey) == origin]

    return _read_if_there(url, read) or []


def _read_if_there(url: str, read: Callable[[Connection], Found]) -> Found | None:
    backend = _backend(url)
    try:
        with backend.reading() as connection:
            if not sa.inspect(connection).has_table(log_key.name):
                return None
            return read(connection)
    except DatabaseError as error:
        raise SettingsError(f"The database cannot be opened: {error.orig}") from error
    finally:
        backend.dispose()


def _backend(url: str) -> Backend:
    try:
        parsed = sa.make_url(url)
    except ArgumentError as error:
        raise SettingsError("The database URL cannot be read; write sqlite:///<file> or postgresql://…") from error
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        return SqliteBackend(parsed)
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return PostgresqlBackend(parsed)
    raise SettingsError(
        f"The service keeps its data in SQLite or PostgreSQL, not in {parsed.drivername}; "
        "write sqlite:///<file> or postgresql://…"
    )
