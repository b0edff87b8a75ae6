"""Read decisions: one with its private part, lists without it, and what is left to do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from explainer.decisions.access_code import normalise_reference
from explainer.decisions.decision import Decision, DecisionStatus, ModelVersion, PrivatePart
from explainer.errors import DecisionNotFoundError, ErasedError
from explainer.transparency_log.log_entry import LogEvent
from explainer.use_cases.callers import CASEWORK_ROLES, Caller, CaseSystem, Staff, Subject, actor_of, require_role
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.records import DecisionFilter, DecisionRecord, TaskRecord
from explainer.use_cases.service import Service

MAX_PAGE_SIZE = 100

WITHHELD = PrivatePart(case_reference="", subject_reference=None, inputs={})
"""What auditors see of the personal part; with purpose and legal basis they may ask for an explanation."""


@dataclass(frozen=True, kw_only=True)
class LoadedDecision:
    """A decision with its sealed part opened.

    Attributes:
        decision: The decision.
        record: Its row.
        superseded_by: Reference of its successor, or None.
    """

    decision: Decision
    record: DecisionRecord
    superseded_by: str | None


@dataclass(frozen=True, kw_only=True)
class DecisionSummary:
    """One line of a list of decisions: of the sealed part, only how the program arrived at its outcome."""

    reference: str
    model_slug: str
    status: DecisionStatus
    outcome: str | None
    model_outcome: str
    departed: bool
    diverted: bool
    near_threshold: bool
    fired_rule: str | None
    erased: bool
    recorded_at: datetime
    decided_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class DecisionPage:
    """One page of a list."""

    items: tuple[DecisionSummary, ...]
    total: int
    page: int
    pages: int


def load_decision(service: Service, reference: str) -> LoadedDecision:
    """Load a decision for other use cases, which have checked who asks.

    Args:
        service: The installation.
        reference: As typed or as stored.

    Returns:
        The decision with its sealed part opened.

    Raises:
        DecisionNotFoundError: If there is none.
        ErasedError: If the person's data were erased.
    """
    stored_as = normalise_reference(reference)
    with service.database.reading() as work:
        record = work.decisions.get(stored_as)
        superseded_by = work.decisions.successor_of(stored_as) if record else None
    if record is None:
        raise DecisionNotFoundError("There is no decision with this reference.")
    return LoadedDecision(decision=_opened(service, record), record=record, superseded_by=superseded_by)


def read_decision(service: Service, caller: Caller, reference: str) -> LoadedDecision:
    """Read one decision; reading by staff is logged.

    Args:
        service: The installation.
        caller: The subject of the decision, the case system that sent it, or staff who decide.
        reference: The decision's reference.

    Returns:
        The decision; for auditors without its personal part.

    Raises:
        DecisionNotFoundError: If there is none, or none that is this caller's.
        NotAllowedError: For staff without a caseworker's role.
    """
    if isinstance(caller, Staff):
        require_role(caller, *CASEWORK_ROLES, "auditor")
    loaded = load_decision(service, reference)
    if not _is_of(caller, loaded.record):
        raise DecisionNotFoundError("There is no decision with this reference.")
    if isinstance(caller, Staff):
        decision = loaded.decision
        with service.database.writing() as work:
            write_log_entry(
                service,
                work,
                LogEvent.DECISION_READ,
                caller=caller,
                model=decision.model,
                role=decision.role,
                private={"decision": decision.reference},
                key_id=loaded.record.key_id,
            )
        if not caller.may(*CASEWORK_ROLES):
            withheld = replace(WITHHELD, fired_rule=decision.private.fired_rule)
            return replace(loaded, decision=replace(decision, private=withheld))
    return loaded


def list_decisions(
    service: Service, caller: Caller, chosen: DecisionFilter, *, page: int = 1, page_size: int = 25
) -> DecisionPage:
    """List decisions, newest first, without anything personal.

    Args:
        service: The installation.
        caller: Staff who decide, supervise or audit.
        chosen: Which ones.
        page: From 1.
        page_size: At most 100.

    Returns:
        One page.

    Raises:
        NotAllowedError: For everybody else.
    """
    require_role(caller, *CASEWORK_ROLES, "auditor")
    size = min(max(page_size, 1), MAX_PAGE_SIZE)
    with service.database.reading() as work:
        total = work.decisions.count(chosen)
        pages = max(1, -(-total // size))
        page = min(max(page, 1), pages)
        records = work.decisions.newest(chosen, limit=size, offset=(page - 1) * size)
    return DecisionPage(
        items=tuple(_summary(service, record) for record in records), total=total, page=page, pages=pages
    )


def open_tasks(service: Service, caller: Caller, *, limit: int = 50) -> Sequence[TaskRecord]:
    """What is left to do, due first; for staff who decide."""
    require_role(caller, *CASEWORK_ROLES)
    with service.database.reading() as work:
        return work.tasks.open_tasks(limit=limit)


def _is_of(caller: Caller, record: DecisionRecord) -> bool:
    match caller:
        case Subject(reference=reference):
            return reference == record.reference
        case CaseSystem():
            return record.issued_by == actor_of(caller)
        case Staff():
            return True


def _opened(service: Service, record: DecisionRecord) -> Decision:
    return Decision(
        reference=record.reference,
        model=ModelVersion(slug=record.model_slug, version=record.model_version, sha256=record.model_sha256),
        register_version=record.register_version,
        status=record.status,
        role=record.role,
        decided_by=record.decided_by,
        model_outcome=record.model_outcome,
        outcome=record.outcome,
        decided_at=record.decided_at,
        recorded_at=record.recorded_at,
        supersedes=record.supersedes,
        private=service.vault.open_private_part(record.sealed, reference=record.reference, key_id=record.key_id),
    )


def _summary(service: Service, record: DecisionRecord) -> DecisionSummary:
    try:
        private = service.vault.open_private_part(record.sealed, reference=record.reference, key_id=record.key_id)
    except ErasedError:
        private = None
    return DecisionSummary(
        reference=record.reference,
        model_slug=record.model_slug,
        status=record.status,
        outcome=record.outcome,
        model_outcome=record.model_outcome,
        departed=record.outcome is not None and record.outcome != record.model_outcome,
        diverted=record.diverted,
        near_threshold=private is not None and private.near_threshold,
        fired_rule=None if private is None else private.fired_rule,
        erased=private is None,
        recorded_at=record.recorded_at,
        decided_at=record.decided_at,
    )
