"""When a decision's data may be erased, and which law says not yet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from explainer.decisions.decision import DecisionStatus
from explainer.narration.number_words import TIME_ZONE
from explainer.use_cases.records import DecisionRecord
from explainer.use_cases.stores import UnitOfWork

FLOOR_DAYS = 183
"""Logs of high-risk systems are kept for at least six months (AI Act Art. 19(1) and 26(6))."""

DECISION_DAYS = 400
"""Default: a year to object where no notice was given (VwGO § 58(2), SGB X § 35(3)), a month (VwGO § 70), a buffer."""


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Why a decision's data must be kept for now.

    Attributes:
        reference: The decision.
        reason: Which rule.
        sentence: The same in words, with the law.
        until: First day on which it no longer holds, where that is known.
    """

    reference: str
    reason: Literal["floor", "undecided", "answer_owed", "shared_key"]
    sentence: str
    until: date | None = None


HoldRule = Callable[[UnitOfWork, DecisionRecord, datetime], Hold | None]
"""Looks at one decision at one moment."""


def _floor(_work: UnitOfWork, record: DecisionRecord, now: datetime) -> Hold | None:
    ends = record.recorded_at + timedelta(days=FLOOR_DAYS)
    if now >= ends:
        return None
    until = ends.astimezone(TIME_ZONE).date() + timedelta(days=1)
    return Hold(
        reference=record.reference,
        reason="floor",
        sentence=f"recorded less than {FLOOR_DAYS} days ago; records of a decision are kept for at least six months "
        f"(AI Act Art. 26(6), an obligation in the sense of GDPR Art. 17(3)(b)). It can be erased from {until} on.",
        until=until,
    )


def _undecided(_work: UnitOfWork, record: DecisionRecord, _now: datetime) -> Hold | None:
    if record.status in (DecisionStatus.DECIDED, DecisionStatus.SUPERSEDED):
        return None
    return Hold(
        reference=record.reference,
        reason="undecided",
        sentence="nobody has decided yet, so the data are still needed (GDPR Art. 17(1)(a)).",
    )


def _answer_owed(work: UnitOfWork, record: DecisionRecord, _now: datetime) -> Hold | None:
    if all(task.done_at is not None for task in work.tasks.for_decision(record.reference)):
        return None
    return Hold(
        reference=record.reference,
        reason="answer_owed",
        sentence="a caseworker still owes the person an answer about it (GDPR Art. 17(3)(e)).",
    )


HOLD_RULES: Sequence[HoldRule] = (_floor, _undecided, _answer_owed)
"""All of them are asked. A review that is open holds as soon as it opens a task for a caseworker."""


def holds_of(work: UnitOfWork, record: DecisionRecord, *, now: datetime) -> list[Hold]:
    """Everything that forbids erasing a decision's data now.

    Args:
        work: A unit of work.
        record: The decision.
        now: Current time, UTC.

    Returns:
        One hold for each rule that forbids it; none when it may be erased.
    """
    return [hold for rule in HOLD_RULES if (hold := rule(work, record, now)) is not None]
