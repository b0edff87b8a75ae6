"""The retention job: what has been kept long enough is erased, and the log says how much and by which rule."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from explainer.transparency_log.log_entry import LogEvent, parse_leaf
from explainer.use_cases.erase import AT_ONCE, apply_erasure, keys_of, repeat_erasures, sorted_by_law
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.records import DecisionRecord
from explainer.use_cases.service import Service

DECISIONS_RULE = "ret_decision_default"
"""Name of the rule in the log: evidence of decisions, and explanations of mere inputs with them."""


@dataclass(frozen=True, kw_only=True)
class Retention:
    """What one run did.

    Attributes:
        decisions: How many decisions were erased.
        explanations: How many explanations without a decision were erased.
        held: How many decisions were old enough and had to stay.
        sessions: How many ended sessions were deleted.
        repeated: How many keys had come back with a restored copy and were destroyed again.
    """

    decisions: int
    explanations: int
    held: int
    sessions: int
    repeated: int


def apply_retention(service: Service) -> Retention:
    """Erase every decision that was recorded more than ``retention_days`` ago and that nothing holds.

    Args:
        service: The installation.

    Returns:
        What was done; running again at once does nothing more.
    """
    _note_policy(service)
    repeated = repeat_erasures(service)
    before = service.clock() - timedelta(days=service.settings.retention_days)
    decisions, held = _erase_decisions(service, before)
    explanations = _erase_explanations_of_inputs(service, before)
    with service.database.writing() as work:
        sessions = work.access.forget_ended_sessions(now=service.clock())
    return Retention(decisions=decisions, explanations=explanations, held=held, sessions=sessions, repeated=repeated)


def _erase_decisions(service: Service, before: datetime) -> tuple[int, int]:
    erased, held = 0, 0
    after: tuple[datetime, str] | None = None
    while True:
        with service.database.reading() as work:
            records = work.decisions.not_erased(before=before, after=after, limit=AT_ONCE)
            allowed, holds = sorted_by_law(work, records, now=service.clock())
        if not records:
            return erased, held
        after = _place_of(records[-1])
        held += len({hold.reference for hold in holds})
        erased += len(allowed)
        if allowed:
            _erase(service, keys_of(allowed), len(allowed), before)


def _erase_explanations_of_inputs(service: Service, before: datetime) -> int:
    erased = 0
    while True:
        with service.database.reading() as work:
            records = work.explanations.of_inputs_not_erased(before=before, limit=AT_ONCE)
        if not records:
            return erased
        erased += len(records)
        _erase(service, keys_of(records), len(records), before)


def _erase(service: Service, key_ids: list[str], records: int, before: datetime) -> None:
    purpose = f"recorded before {before.date()}"
    apply_erasure(service, key_ids, basis=DECISIONS_RULE, records=records, purpose=purpose)


def _place_of(record: DecisionRecord) -> tuple[datetime, str]:
    return record.recorded_at, record.reference


def _note_policy(service: Service) -> None:
    """Log the retention time with the first run, and whenever it is another one than before."""
    days = f"retention_days_{service.settings.retention_days}"
    with service.database.reading() as work:
        changes = work.log.newest(limit=1000, event=LogEvent.POLICY_CHANGED.value)
    outcomes = (parse_leaf(record.leaf).outcome or "" for record in changes)
    newest = next((outcome for outcome in outcomes if outcome.startswith("retention_days_")), None)
    if newest != days:
        with service.database.writing() as work:
            write_log_entry(service, work, LogEvent.POLICY_CHANGED, caller=None, outcome=days)
