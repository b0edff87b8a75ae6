"""Erasures in SQL: which keys are gone since when, and rows without what they sealed."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from explainer.storage.tables import (
    answer,
    decision,
    erased_key,
    explanation,
    kept_document,
    log_sealed,
    session,
)

_AT_ONCE = 500
"""Names in one statement; both engines take more."""


class SqlErasureStore:
    """Notes erased keys and empties what was sealed under them; see ``use_cases.stores.ErasureStore``.

    Args:
        connection: The unit of work's connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def erased_at(self, key_id: str) -> datetime | None:
        """When this key was erased, or None."""
        query = sa.select(erased_key.c.erased_at).where(erased_key.c.key_id == key_id)
        return self._connection.execute(query).scalar_one_or_none()

    def all_noted(self) -> Sequence[str]:
        """Names of all erased keys."""
        return list(self._connection.execute(sa.select(erased_key.c.key_id)).scalars())

    def note(self, key_ids: Sequence[str], *, at: datetime, basis: str) -> None:
        """Note erased keys; noting one twice changes nothing.

        Args:
            key_ids: Their names.
            at: When they were erased (UTC).
            basis: Why, as the log says it.
        """
        noted = {
            key_id
            for some in _in_parts(key_ids)
            for key_id in self._connection.execute(
                sa.select(erased_key.c.key_id).where(erased_key.c.key_id.in_(some))
            ).scalars()
        }
        new = [
            {"key_id": key_id, "erased_at": at, "basis": basis}
            for key_id in dict.fromkeys(key_ids)
            if key_id not in noted
        ]
        if new:
            self._connection.execute(sa.insert(erased_key), new)

    def empty(self, key_ids: Sequence[str]) -> None:
        """Remove everything that was sealed under keys, and what says whose it was; rows that prove something stay.

        Args:
            key_ids: Names of erased keys.
        """
        for some in _in_parts(key_ids):
            references = sa.select(decision.c.reference).where(decision.c.key_id.in_(some)).scalar_subquery()
            for statement in (
                sa.update(kept_document).where(kept_document.c.decision_reference.in_(references)).values(sealed=b""),
                sa.update(explanation)
                .where(explanation.c.decision_reference.in_(references))
                .values(said_day=None, said_time=None),
                sa.update(explanation)
                .where(
                    explanation.c.sealed.is_not(None),
                    sa.or_(
                        explanation.c.decision_reference.is_(None), explanation.c.decision_reference.in_(references)
                    ),
                    explanation.c.key_id.in_(some),
                )
                .values(sealed=b""),
                sa.delete(answer).where(answer.c.key_id.in_(some)),
                sa.delete(log_sealed).where(log_sealed.c.key_id.in_(some)),
                sa.delete(session).where(session.c.kind == "subject", session.c.belongs_to.in_(references)),
                sa.update(decision)
                .where(decision.c.key_id.in_(some))
                .values(subject_id=None, sealed=b"", sealed_numbers=None),
            ):
                self._connection.execute(statement)


def _in_parts(key_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for begin in range(0, len(key_ids), _AT_ONCE):
        yield key_ids[begin : begin + _AT_ONCE]
