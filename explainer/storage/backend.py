"""What the stores need from an engine: transactions that read, transactions that write, and the log writers' lock."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from explainer.storage.driver_statements import DriverSelect


class Backend(Protocol):
    """One database engine, held to the same promises whichever it is.

    A writing transaction commits when its block ends without an error. Every error, also one raised by COMMIT itself,
    rolls back, releases every lock, surfaces to the caller and leaves the backend usable.
    """

    @property
    def reads_at_once(self) -> bool:
        """Whether a reading waits for nobody, so that an event loop may do it itself."""

    def one_row(self, query: DriverSelect, parameters: Mapping[str, str | bytes]) -> Sequence[Any] | None:
        """Run one query that gives at most one row, on the shortest way there is.

        Args:
            query: The query.
            parameters: Values of its named parameters.

        Returns:
            The row as the driver gives it, or None.
        """

    def reading(self) -> AbstractContextManager[Connection]:
        """A read-only transaction that sees one committed state from its first statement to its last."""

    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction that may write."""

    def take_log_lock(self, connection: Connection) -> None:
        """Wait until no other transaction can append to the log, until this transaction ends.

        What the transaction reads after this call includes everything that earlier holders of the lock committed.

        Args:
            connection: A connection that ``writing`` has opened.
        """

    def dispose(self) -> None:
        """Close every connection."""


def commit(connection: Connection) -> None:
    """Commit, or give up the connection with everything that its transaction holds.

    A COMMIT that fails may leave the transaction open (SQLite does so when a deferred foreign key is violated), and
    SQLAlchemy sends no ROLLBACK for a transaction it has tried to commit. Closing the database connection is the one
    thing that ends it for certain.

    Args:
        connection: A connection with an open transaction.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: The engine refused; nothing is kept. Only when the connection broke while the
            answer was on its way can it be unknown whether the transaction is kept; the next one reads what is true.
    """
    try:
        connection.commit()
    except SQLAlchemyError:
        connection.invalidate()
        raise
