"""PostgreSQL: many writers at once; only those that append to the log wait for each other."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import URL, Connection

from explainer.storage.backend import commit
from explainer.storage.driver_statements import DriverSelect

LOG_LOCK = int.from_bytes(b"klarlog\x01")
"""Key of the advisory lock that writers of the log hold; any 63-bit number that no other program uses."""

POOL_SIZE = 16

_synchronous_commit = sa.func.current_setting("synchronous_commit")
_TAKE_LOCK = sa.select(
    sa.func.pg_advisory_xact_lock(LOG_LOCK),
    sa.func.set_config(
        "synchronous_commit",
        sa.case((_synchronous_commit == "off", "on"), else_=_synchronous_commit),
        sa.true(),  # for this transaction only
    ),
)


class PostgresqlBackend:
    """A PostgreSQL database, spoken to by psycopg 3.

    Writers run at READ COMMITTED on purpose: each statement sees what is committed by then, so the size of the log
    that is read *after* waiting for the lock is the current one. At REPEATABLE READ it would be the one from before.

    Args:
        url: ``postgresql://…`` as libpq understands it.
    """

    def __init__(self, url: URL) -> None:
        self._engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            isolation_level="READ COMMITTED",
            hide_parameters=True,  # messages of the driver end up in server logs; values must not
            pool_size=POOL_SIZE,
            pool_pre_ping=True,
        )
        self._reading_engine = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    @property
    def reads_at_once(self) -> bool:
        """Every reading is a journey to the server and back."""
        return False

    def one_row(self, query: DriverSelect, parameters: Mapping[str, str | bytes]) -> Sequence[Any] | None:
        """Run one query in a transaction of its own."""
        with self._reading_engine.connect() as connection:
            rows = query.rows(connection, parameters)
        return rows[0] if rows else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read-only transaction that sees one snapshot."""
        with self._reading_engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write."""
        with self._engine.connect() as connection:
            connection.begin()  # said, because statements that go straight to the driver do not begin it by themselves
            yield connection
            commit(connection)

    def take_log_lock(self, connection: Connection) -> None:
        """Wait for the other writers of the log.

        The lock belongs to the transaction, not to the session, so that it also holds behind a connection pooler and
        cannot outlive a COMMIT. A server set to ``synchronous_commit = off`` is overruled: a checkpoint that was
        handed out and then lost in a crash would be a second history.

        Args:
            connection: A connection that ``writing`` has opened.
        """
        connection.execute(_TAKE_LOCK)

    def dispose(self) -> None:
        """Close every connection."""
        self._engine.dispose()
