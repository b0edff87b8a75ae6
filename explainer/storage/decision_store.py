"""Decisions in SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from explainer.decisions.decision import DecisionStatus
from explainer.errors import ConflictError, DecisionNotFoundError, TransitionNotAllowedError
from explainer.storage.rows import record_from, refusing_duplicates, row_from
from explainer.storage.tables import decision, erased_key, explanation
from explainer.use_cases.records import DecisionCounts, DecisionFilter, DecisionRecord

# Built once: putting a statement together costs more than SQLite needs to answer it.
_INSERT = sa.insert(decision)
_BY_REFERENCE = sa.select(decision).where(decision.c.reference == sa.bindparam("sought"))
_SUCCESSOR = sa.select(decision.c.reference).where(decision.c.supersedes == sa.bindparam("sought"))
_DEPARTED = sa.and_(decision.c.outcome.is_not(None), decision.c.outcome != decision.c.model_outcome)


class SqlDecisionStore:
    """Keeps decisions; see ``use_cases.stores.DecisionStore``.

    Args:
        connection: The unit of work's connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, record: DecisionRecord) -> None:
        """Insert a new decision.

        Args:
            record: The decision; the one it supersedes and its log entry must exist when the unit of work commits.

        Raises:
            ConflictError: The reference exists.
            TransitionNotAllowedError: Another decision supersedes the same one already.
        """
        try:
            with refusing_duplicates(self._connection, f"A decision {record.reference} exists already"):
                self._connection.execute(_INSERT, row_from(record))
        except ConflictError as error:
            if record.supersedes is None or self.successor_of(record.supersedes) in {None, record.reference}:
                raise
            raise TransitionNotAllowedError(
                f"The decision {record.supersedes} was superseded before; supersede its successor instead"
            ) from error

    def get(self, reference: str) -> DecisionRecord | None:
        """Return the decision with this reference, or None."""
        row = self._connection.execute(_BY_REFERENCE, {"sought": reference}).one_or_none()
        return record_from(DecisionRecord, row)

    def set_status(self, reference: str, status: DecisionStatus) -> None:
        """Move a decision to another status; the caller has checked that the step is allowed.

        Args:
            reference: Which decision.
            status: Where it stands from now on.

        Raises:
            DecisionNotFoundError: No decision has this reference.
        """
        changed = self._connection.execute(
            sa.update(decision).where(decision.c.reference == reference).values(status=status)
        )
        if changed.rowcount == 0:
            raise DecisionNotFoundError(f"There is no decision with the reference {reference}")

    def of_subject(self, subject_id: str) -> Sequence[DecisionRecord]:
        """All decisions with this person's tag, oldest first."""
        return self._found(sa.select(decision).where(decision.c.subject_id == subject_id))

    def sharing_key(self, key_id: str) -> Sequence[DecisionRecord]:
        """All decisions sealed under this key: one, or several where an earlier version of the program sealed them."""
        return self._found(sa.select(decision).where(decision.c.key_id == key_id))

    def issuers(self) -> Sequence[str]:
        """Everybody whose cases there are."""
        return list(self._connection.execute(sa.select(decision.c.issued_by).distinct()).scalars())

    def not_erased(
        self, *, before: datetime, after: tuple[datetime, str] | None, limit: int
    ) -> Sequence[DecisionRecord]:
        """Decisions recorded before a moment whose data are not erased, oldest first.

        Args:
            before: Recorded before this moment.
            after: Begin after this (recorded_at, reference), or with the oldest.
            limit: At most so many.

        Returns:
            The decisions of one part.
        """
        erased = sa.exists(sa.select(erased_key.c.key_id).where(erased_key.c.key_id == decision.c.key_id))
        query = sa.select(decision).where(decision.c.recorded_at < before, ~erased).limit(limit)
        if after is not None:
            moment, reference = after
            query = query.where(
                sa.or_(
                    decision.c.recorded_at > moment,
                    sa.and_(decision.c.recorded_at == moment, decision.c.reference > reference),
                )
            )
        return self._found(query)

    def _found(self, query: sa.Select[Any]) -> Sequence[DecisionRecord]:
        in_order = query.order_by(decision.c.recorded_at, decision.c.reference)
        return [DecisionRecord(**row) for row in self._connection.execute(in_order).mappings()]

    def replace_numbers(self, reference: str, *, known: bytes, better: bytes) -> bool:
        """Put better sealed numbers in the place of known ones.

        Args:
            reference: Which decision.
            known: Its sealed numbers, as they were read.
            better: Those that take their place.

        Returns:
            False where other numbers stand there meanwhile, or there is no such decision; then nothing changes.
        """
        changed = self._connection.execute(
            sa.update(decision)
            .where(decision.c.reference == reference, decision.c.sealed_numbers == known)
            .values(sealed_numbers=better)
        )
        return changed.rowcount == 1

    def successor_of(self, reference: str) -> str | None:
        """Reference of the decision that superseded this one, or None."""
        return self._connection.execute(_SUCCESSOR, {"sought": reference}).scalar_one_or_none()

    def newest(self, chosen: DecisionFilter, *, limit: int, offset: int = 0) -> Sequence[DecisionRecord]:
        """Decisions that fit, newest first (recorded_at, then reference, both descending).

        Args:
            chosen: Which decisions.
            limit: At most so many.
            offset: So many of the newest are left out.

        Returns:
            The decisions of one page of the list.
        """
        query = (
            sa.select(decision)
            .where(*_conditions(chosen))
            .order_by(decision.c.recorded_at.desc(), decision.c.reference.desc())
            .limit(limit)
            .offset(offset)
        )
        return [DecisionRecord(**row) for row in self._connection.execute(query).mappings()]

    def count(self, chosen: DecisionFilter) -> int:
        """How many decisions fit."""
        query = sa.select(sa.func.count()).select_from(decision).where(*_conditions(chosen))
        return self._connection.execute(query).scalar_one()

    def counts_for(self, model_slug: str) -> DecisionCounts:
        """Counts over all decisions of one model that are not superseded, and explanations that subjects asked for.

        Args:
            model_slug: Which model.

        Returns:
            Exact counts; ``by_outcome`` leaves out decisions that wait for a person. Explanations count also where
            their decision was superseded later: they were delivered all the same.
        """
        standing = (decision.c.model_slug == model_slug, decision.c.status != DecisionStatus.SUPERSEDED)
        groups = self._connection.execute(
            sa.select(
                decision.c.outcome,
                sa.func.count(),
                sa.func.count().filter(_DEPARTED),
                sa.func.count().filter(decision.c.diverted),
            )
            .where(*standing)
            .group_by(decision.c.outcome)
            .order_by(decision.c.outcome)
        ).all()
        explanations = self._connection.execute(
            sa.select(sa.func.count())
            .select_from(explanation)
            .where(explanation.c.model_slug == model_slug, explanation.c.asked_by == "subject")
        ).scalar_one()
        return DecisionCounts(
            decisions=sum(number for _, number, _, _ in groups),
            by_outcome={outcome: number for outcome, number, _, _ in groups if outcome is not None},
            departed=sum(departed for _, _, departed, _ in groups),
            diverted=sum(diverted for _, _, _, diverted in groups),
            explanations=explanations,
        )


def _conditions(chosen: DecisionFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if chosen.model_slug is not None:
        conditions.append(decision.c.model_slug == chosen.model_slug)
    if chosen.outcome is not None:
        conditions.append(decision.c.outcome == chosen.outcome)
    if chosen.status is not None:
        conditions.append(decision.c.status == chosen.status)
    if chosen.reference is not None:
        conditions.append(decision.c.reference == chosen.reference)
    if chosen.departed is True:
        conditions.append(_DEPARTED)
    if chosen.departed is False:
        conditions.append(sa.or_(decision.c.outcome.is_(None), decision.c.outcome == decision.c.model_outcome))
    return conditions
