"""Documents kept with decisions, in SQL, and the one statement that a delivery reads."""

from dataclasses import fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from explainer.decisions.decision import DecisionStatus
from explainer.storage.backend import Backend
from explainer.storage.column_types import refuse_unstorable
from explainer.storage.driver_statements import DriverSelect
from explainer.storage.rows import record_from, row_from
from explainer.storage.tables import decision, kept_document, task
from explainer.transparency_log.sealing import MARK_SIZE
from explainer.use_cases.records import Deliverable, KeptDocumentRecord

TASKS_THAT_WAIT = ("explanation_refused", "numbers_missing")
"""Kinds of tasks that an explanation ends."""

_INSERT = sa.insert(kept_document)
_BY_ID = sa.select(kept_document).where(kept_document.c.id == sa.bindparam("sought"))


def _deliverable() -> sa.Select[Any]:
    successor = decision.alias()
    newest = kept_document.alias()
    newest_id = (
        sa.select(newest.c.id)
        .where(
            newest.c.decision_reference == decision.c.reference,
            newest.c.audience == sa.bindparam("audience"),
            newest.c.language == sa.bindparam("language"),
        )
        .order_by(newest.c.made_at.desc(), newest.c.id.desc())
        .limit(1)
        .correlate(decision)
        .scalar_subquery()
    )
    waiting = task.c.done_at.is_(None) & sa.or_(*(task.c.kind == kind for kind in TASKS_THAT_WAIT))
    return (
        sa.select(
            decision.c.reference,
            decision.c.model_slug,
            decision.c.model_version,
            decision.c.model_sha256,
            decision.c.status,
            decision.c.role,
            decision.c.access_code_digest,
            decision.c.key_id,
            sa.func.substr(decision.c.sealed_numbers, 1, MARK_SIZE).label("numbers_mark"),
            sa.select(successor.c.reference)
            .where(successor.c.supersedes == decision.c.reference)
            .correlate(decision)
            .scalar_subquery()
            .label("superseded_by"),
            sa.exists(sa.select(task.c.id).where(task.c.decision_reference == decision.c.reference, waiting))
            .correlate(decision)
            .label("has_open_tasks"),
            kept_document.c.id.label("kept_id"),
            kept_document.c.sealed.label("kept_sealed"),
        )
        .select_from(decision.outerjoin(kept_document, kept_document.c.id == newest_id))
        .where(decision.c.reference == sa.bindparam("sought"))
    )


_DELIVERABLE = DriverSelect(_deliverable())


class SqlKeptDocumentStore:
    """Keeps finished documents; see ``use_cases.stores.KeptDocumentStore``.

    Args:
        connection: The unit of work's connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, record: KeptDocumentRecord) -> None:
        """Insert a document; its id is random, so one that exists is a mistake of the program."""
        self._connection.execute(_INSERT, row_from(record))

    def get(self, kept_id: str) -> KeptDocumentRecord | None:
        """Return the document with this id, or None."""
        return record_from(KeptDocumentRecord, self._connection.execute(_BY_ID, {"sought": kept_id}).one_or_none())


def read_deliverable(backend: Backend, reference: str, *, audience: str, language: str) -> Deliverable | None:
    """What a delivery needs to know about a decision, in one statement and so of one moment.

    Args:
        backend: The engine.
        reference: The decision, as stored.
        audience: For whom.
        language: In which language.

    Returns:
        The facts, or None where there is no such decision.

    Raises:
        UnstorableTextError: The reference holds what no reference can.
    """
    refuse_unstorable(reference)
    row = backend.one_row(_DELIVERABLE, {"sought": reference, "audience": audience, "language": language})
    if row is None:
        return None
    facts = dict(zip(_COLUMNS, row, strict=True))
    facts["status"] = DecisionStatus(facts["status"])
    facts["has_open_tasks"] = bool(facts["has_open_tasks"])
    return Deliverable(**facts)


_COLUMNS = tuple(field.name for field in fields(Deliverable))
