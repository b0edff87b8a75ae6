"""The city's database: opens units of work, on SQLite or PostgreSQL."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError

from explainer.errors import BadSignatureError, SettingsError
from explainer.storage import schema
from explainer.storage.access_store import read_case_system
from explainer.storage.backend import Backend
from explainer.storage.kept_document_store import read_deliverable
from explainer.storage.log_integration import newest_checkpoint, start_log
from explainer.storage.postgresql_backend import PostgresqlBackend
from explainer.storage.publication_store import read_version_in_force
from explainer.storage.right_edge import RightEdge
from explainer.storage.sqlite_backend import SqliteBackend
from explainer.storage.unit_of_work import SqlUnitOfWork
from explainer.transparency_log.checkpoint import open_checkpoint
from explainer.transparency_log.group_commit import GroupCommit
from explainer.transparency_log.signed_note import NoteSigner, NoteVerifier
from explainer.use_cases.callers import CaseSystem
from explainer.use_cases.records import Deliverable, Delivery, LogRecord
from explainer.use_cases.stores import UnitOfWork
from models.errors import KlarbescheidError


class SqlDatabase:
    """Keeps everything of one city; see ``use_cases.stores.Database``.

    Args:
        url: ``sqlite:///`` and the path of a file, or ``postgresql://…`` as libpq understands it.
        signer: The log's key; its name is the log's origin.
        clock: Returns the current moment as an aware datetime; checkpoints are stamped with it.

    Raises:
        SettingsError: The URL names no database that this service can use.
    """

    def __init__(self, url: str, *, signer: NoteSigner, clock: Callable[[], datetime]) -> None:
        self._backend = _backend(url)
        self._signer = signer
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
            yield SqlUnitOfWork(connection, self._signer, self._edge, None)

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

    def migrate(self) -> None:
        """Bring the schema up to date and start the log, in one transaction; safe to call at every start.

        Raises:
            SettingsError: The database cannot be reached, is none, or was written by a newer version of the program.
        """
        try:
            with self._backend.writing() as connection:
                self._backend.take_log_lock(connection)
                schema.upgrade(connection)
                start_log(connection, self._signer, at=self._clock())
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
        if newest.origin != self._signer.name:
            raise SettingsError(
                f"The log in this database is {newest.origin}, but the signing key is named {self._signer.name}; "
                "set the log's origin and key to those of this database"
            )
        try:
            open_checkpoint(newest.note, [NoteVerifier.from_vkey(self._signer.vkey)])
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
        with self._backend.writing() as connection:
            unit = SqlUnitOfWork(connection, self._signer, self._edge, partial(self._backend.take_log_lock, connection))
            yield unit
            unit.log.integrate_pending(at=self._clock())

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
