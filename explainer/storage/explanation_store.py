"""Delivered explanations in SQL."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from operator import attrgetter

import sqlalchemy as sa
from sqlalchemy import Connection

from explainer.storage.driver_statements import DriverInsert
from explainer.storage.rows import record_from, refusing_duplicates
from explainer.storage.tables import erased_key, explanation
from explainer.use_cases.records import ExplanationRecord

_COLUMNS = tuple(field.name for field in fields(ExplanationRecord))
_EXPLANATIONS = DriverInsert(explanation, *_COLUMNS)
_values = attrgetter(*_COLUMNS)


class SqlExplanationStore:
    """Keeps delivered explanations; see ``use_cases.stores.ExplanationStore``.

    Args:
        connection: The unit of work's connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, record: ExplanationRecord) -> None:
        """Insert a delivered explanation.

        Args:
            record: The explanation; its decision and its log entry must exist when the unit of work commits.

        Raises:
            ConflictError: The id exists.
        """
        with refusing_duplicates(self._connection, f"An explanation with the id {record.id} exists already"):
            self.add_all([record])

    def add_all(self, records: Sequence[ExplanationRecord]) -> None:
        """Insert several delivered explanations at once; the caller holds a savepoint.

        Raises:
            sqlalchemy.exc.IntegrityError: One of the ids exists; which, the caller finds out one by one.
        """
        _EXPLANATIONS.insert(self._connection, [_values(record) for record in records])

    def get(self, explanation_id: str) -> ExplanationRecord | None:
        """Return the explanation with this id, or None."""
        row = self._connection.execute(sa.select(explanation).where(explanation.c.id == explanation_id)).one_or_none()
        return record_from(ExplanationRecord, row)

    def of_inputs_not_erased(self, *, before: datetime, limit: int) -> Sequence[ExplanationRecord]:
        """Explanations without a decision, delivered before a moment and not erased, oldest first."""
        erased = sa.exists(sa.select(erased_key.c.key_id).where(erased_key.c.key_id == explanation.c.key_id))
        query = (
            sa.select(explanation)
            .where(explanation.c.decision_reference.is_(None), explanation.c.produced_at < before, ~erased)
            .order_by(explanation.c.produced_at, explanation.c.id)
            .limit(limit)
        )
        return [ExplanationRecord(**row) for row in self._connection.execute(query).mappings()]

    def of_decision(self, reference: str) -> Sequence[ExplanationRecord]:
        """All explanations delivered for one decision, newest first."""
        query = (
            sa.select(explanation)
            .where(explanation.c.decision_reference == reference)
            .order_by(explanation.c.produced_at.desc(), explanation.c.id.desc())
        )
        return [ExplanationRecord(**row) for row in self._connection.execute(query).mappings()]
