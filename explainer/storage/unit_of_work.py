"""Everything one request reads and writes, over one connection."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from explainer.storage.access_store import SqlAccessStore
from explainer.storage.answer_store import SqlAnswerStore
from explainer.storage.decision_store import SqlDecisionStore
from explainer.storage.erasure_store import SqlErasureStore
from explainer.storage.explanation_store import SqlExplanationStore
from explainer.storage.kept_document_store import SqlKeptDocumentStore
from explainer.storage.log_store import SqlLogStore
from explainer.storage.publication_store import SqlPublicationStore
from explainer.storage.right_edge import RightEdge
from explainer.storage.task_store import SqlTaskStore
from explainer.transparency_log.signed_note import NoteSigner


class SqlUnitOfWork:
    """The stores of one transaction; see ``use_cases.stores.UnitOfWork``.

    Args:
        connection: A connection in a transaction, which the database commits or rolls back.
        signer: The log's key.
        edge: What this process remembers of the log's tree.
        take_log_lock: Waits for other writers of the log; None makes the unit read-only.
    """

    def __init__(
        self, connection: Connection, signer: NoteSigner, edge: RightEdge, take_log_lock: Callable[[], None] | None
    ) -> None:
        self._connection = connection
        self.decisions = SqlDecisionStore(connection)
        self.explanations = SqlExplanationStore(connection)
        self.kept_documents = SqlKeptDocumentStore(connection)
        self.erasures = SqlErasureStore(connection)
        self.log = SqlLogStore(connection, signer, edge, take_log_lock)
        self.access = SqlAccessStore(connection)
        self.answers = SqlAnswerStore(connection)
        self.tasks = SqlTaskStore(connection)
        self.publications = SqlPublicationStore(connection)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Let what the block does vanish alone where it ends with an error, log entries included."""
        appended = self.log.pending
        try:
            with self._connection.begin_nested():
                yield
        except BaseException:
            self.log.forget_pending_after(appended)
            raise
