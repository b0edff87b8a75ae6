"""Answers to repeatable requests, in SQL."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from explainer.storage.rows import record_from, refusing_duplicates, row_from
from explainer.storage.tables import answer
from explainer.use_cases.records import AnswerRecord


class SqlAnswerStore:
    """Keeps answers to repeatable requests; see ``use_cases.stores.AnswerStore``.

    Args:
        connection: The unit of work's connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, record: AnswerRecord) -> None:
        """Insert an answer.

        Args:
            record: The answer.

        Raises:
            ConflictError: This caller's key has an answer already; ``get`` returns it.
        """
        with refusing_duplicates(self._connection, "This Idempotency-Key has been answered already"):
            self._connection.execute(sa.insert(answer), row_from(record))

    def get(self, caller: str, key_digest: bytes) -> AnswerRecord | None:
        """The answer given to this caller's key, or None."""
        row = self._connection.execute(
            sa.select(answer).where(answer.c.caller == caller, answer.c.key_digest == key_digest)
        ).one_or_none()
        return record_from(AnswerRecord, row)

    def forget_codes_before(self, moment: datetime) -> int:
        """Blank the sealed access codes of answers that are older; returns how many."""
        return self._connection.execute(
            sa.update(answer)
            .where(answer.c.created_at < moment, answer.c.sealed_code.is_not(None))
            .values(sealed_code=None)
        ).rowcount
