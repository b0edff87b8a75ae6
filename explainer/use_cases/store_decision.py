"""Seal, store and log one decision in one unit of work, and answer the case system."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from explainer.decisions.access_code import code_digest, new_access_code
from explainer.decisions.decision import ALLOWED_STEPS, Decision, DecisionStatus
from explainer.errors import TransitionNotAllowedError
from explainer.explanations.numbers import ExplanationNumbers
from explainer.explanations.stored_numbers import numbers_to_bytes
from explainer.transparency_log.log_entry import LogEvent
from explainer.use_cases.callers import Caller, actor_of
from explainer.use_cases.decision_document import documents_for_subject
from explainer.use_cases.idempotent_answers import RepeatableRequest, keep_answer
from explainer.use_cases.kept_documents import mark_of
from explainer.use_cases.log_receipt import LogReceipt, receipt_of
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.records import DecisionRecord, LogRecord, TaskRecord
from explainer.use_cases.service import Service
from explainer.use_cases.stores import UnitOfWork

if TYPE_CHECKING:
    from models.package import ModelPackage


@dataclass(frozen=True, kw_only=True)
class RecordedDecision:
    """What the case system gets back.

    Attributes:
        decision: The decision as recorded.
        access_code: Shown once; None when it cannot be shown again.
        base_url: Public address of the service.
        log: Receipt of the entry that records it.
    """

    decision: Decision
    access_code: str | None
    base_url: str
    log: LogReceipt

    def as_json(self) -> dict[str, Any]:
        """The answer as the API writes it."""
        decision = self.decision
        return {
            "reference": decision.reference,
            "model": {
                "slug": decision.model.slug,
                "version": decision.model.version,
                "sha256": decision.model.sha256,
            },
            "score": decision.private.score,
            "outcome": decision.outcome or decision.model_outcome,
            "model_outcome": decision.model_outcome,
            "decided_outcome": decision.outcome,
            "decided_by_rule": decision.private.fired_rule,
            "status": str(decision.status),
            "supersedes": decision.supersedes,
            "access_code": self.access_code,
            "explanation_url": f"{self.base_url}/why",
            "log": self.log.as_json(),
        }


def store_decision(
    service: Service,
    caller: Caller,
    decision: Decision,
    numbers: ExplanationNumbers | None,
    package: "ModelPackage",
    *,
    repeatable: RepeatableRequest | None = None,
    issued_by: str | None = None,
) -> RecordedDecision:
    """Keep a decision: everything commits together with its log entry, or nothing does.

    Args:
        service: The installation.
        caller: Who sent it.
        decision: The decision, its reference new.
        numbers: Its explanation numbers, or None where they failed their checks (a caseworker gets a task).
        package: The model version that gave them.
        repeatable: The request's Idempotency-Key, or None.
        issued_by: Whose case it is, where that is not the caller (staff supersede a case system's decision).

    Returns:
        The answer, with the access code that is shown only now.

    Raises:
        TransitionNotAllowedError: If somebody else superseded the same decision in the meantime.
    """
    code = new_access_code()
    owner = issued_by or actor_of(caller)
    key_id = service.vault.new_key_id()
    private = replace(decision.private, near_threshold=_near_threshold(numbers))
    sealed = service.vault.seal_private_part(private, reference=decision.reference, key_id=key_id)
    sealed_numbers = None
    if numbers is not None:
        context = f"numbers:{decision.reference}"
        sealed_numbers = service.vault.seal(numbers_to_bytes(numbers), key_id=key_id, context=context)
    documents = []
    if numbers is not None:
        documents = documents_for_subject(
            service, decision, numbers, package, key_id=key_id, numbers_mark=mark_of(sealed_numbers)
        )
    with service.database.writing() as work:
        entry = _log_decision(service, work, caller, decision, key_id)
        work.decisions.add(
            DecisionRecord(
                reference=decision.reference,
                model_slug=decision.model.slug,
                model_version=decision.model.version,
                model_sha256=decision.model.sha256,
                register_version=decision.register_version,
                status=decision.status,
                role=decision.role,
                decided_by=decision.decided_by,
                model_outcome=decision.model_outcome,
                outcome=decision.outcome,
                diverted=decision.was_diverted,
                decided_at=decision.decided_at,
                recorded_at=decision.recorded_at,
                supersedes=decision.supersedes,
                access_code_digest=code_digest(decision.reference, code, service.server_key),
                key_id=key_id,
                subject_id=service.vault.subject_id_for(decision.private.subject_reference, owner=owner),
                sealed=sealed,
                sealed_numbers=sealed_numbers,
                log_entry_id=entry.entry_id,
                issued_by=owner,
            )
        )
        for document in documents:
            work.kept_documents.add(document)
        if decision.supersedes is not None:
            _retire(work, decision.supersedes, at=decision.recorded_at)
        _open_tasks(service, work, decision, numbers)
        recorded = RecordedDecision(
            decision=decision,
            access_code=code,
            base_url=service.settings.base_url,
            log=receipt_of(entry),
        )
        if repeatable is not None:
            keep_answer(service, work, repeatable, recorded.as_json(), key_id=key_id)
    if service.proof_jobs is not None and numbers is not None and numbers.recourse.is_left_open:
        service.proof_jobs.want(service, decision.reference)
    return recorded


def _log_decision(service: Service, work: UnitOfWork, caller: Caller, decision: Decision, key_id: str) -> LogRecord:
    return write_log_entry(
        service,
        work,
        LogEvent.DECISION_RECORDED if decision.supersedes is None else LogEvent.DECISION_SUPERSEDED,
        caller=caller,
        model=decision.model,
        role=decision.role,
        outcome=decision.outcome,
        private={
            "decision": decision.reference,
            "subject": decision.private.subject_reference or decision.reference,
        },
        key_id=key_id,
    )


def _retire(work: UnitOfWork, reference: str, *, at: datetime) -> None:
    # Checked here and not before: only now does this unit of work hold the writers' lock.
    before = work.decisions.get(reference)
    if before is None or DecisionStatus.SUPERSEDED not in ALLOWED_STEPS[before.status]:
        raise TransitionNotAllowedError("This decision was superseded before; supersede its successor instead.")
    work.decisions.set_status(reference, DecisionStatus.SUPERSEDED)
    finish_tasks(work, reference, at=at)


def finish_tasks(work: UnitOfWork, reference: str, *, at: datetime, kinds: Collection[str] | None = None) -> None:
    """Mark the open tasks of a decision as done.

    Args:
        work: The unit of work of what makes them superfluous.
        reference: The decision.
        at: Current time, UTC.
        kinds: Only tasks of these kinds; all when None.
    """
    for task in work.tasks.for_decision(reference):
        if task.done_at is None and (kinds is None or task.kind in kinds):
            work.tasks.finish(task.id, at=at)


def _near_threshold(numbers: ExplanationNumbers | None) -> bool:
    return bool(numbers and numbers.score_numbers and numbers.score_numbers.reliability.near_threshold)


def _open_tasks(service: Service, work: UnitOfWork, decision: Decision, numbers: ExplanationNumbers | None) -> None:
    now = service.clock()
    due_at = now + timedelta(days=service.settings.answer_days)
    if decision.status is DecisionStatus.DIVERTED:
        work.tasks.add(
            TaskRecord(
                id=service.random_bytes(16).hex(),
                kind="diverted",
                decision_reference=decision.reference,
                opened_at=now,
                due_at=due_at,
            )
        )
    if numbers is None:
        work.tasks.add(
            TaskRecord(
                id=service.random_bytes(16).hex(),
                kind="numbers_missing",
                decision_reference=decision.reference,
                opened_at=now,
                due_at=due_at,
            )
        )
