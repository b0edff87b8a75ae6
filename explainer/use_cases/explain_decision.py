"""Explain a decision: build the document from the stored version, let it prove itself, log it, hand it out."""

from datetime import date, timedelta
from hashlib import sha256

from explainer.errors import ExplanationNotFoundError, NotAllowedError, UntrustworthyExplanationError
from explainer.explanations.background import background_ref_of
from explainer.explanations.document import Audience, ExplanationDocument, Language
from explainer.explanations.numbers import ExplanationNumbers
from explainer.explanations.stored_numbers import numbers_from_bytes
from explainer.narration.checklist import require_checklist
from explainer.narration.document_builder import build_document
from explainer.narration.facts import Facts
from explainer.transparency_log.log_entry import LogEvent
from explainer.use_cases.callers import CASEWORK_ROLES, Caller, CaseSystem, Staff, Subject, actor_of
from explainer.use_cases.deliver_explanation import (
    DeliveredExplanation,
    ExplanationWish,
    basis_slug,
    checked_wish,
    deliver,
)
from explainer.use_cases.explained_model import ExplainedModel
from explainer.use_cases.find_interactions import interactions_for_audience
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.read_decisions import LoadedDecision, load_decision
from explainer.use_cases.records import ExplanationRecord, TaskRecord
from explainer.use_cases.service import Service
from models.errors import ModelNotFoundError


def explain_decision(
    service: Service,
    caller: Subject | Staff,
    reference: str,
    *,
    language: Language,
    audience: Audience | None = None,
    purpose: str | None = None,
    legal_basis: str | None = None,
) -> DeliveredExplanation:
    """Explain one decision to its subject, a caseworker or an auditor.

    Args:
        service: The installation.
        caller: Who asks.
        reference: The decision.
        language: In which language.
        audience: For whom; by default the caller's own.
        purpose: Why; staff must say it.
        legal_basis: On which legal basis; staff must say it.

    Returns:
        The explanation; its log entry has committed.

    Raises:
        DecisionNotFoundError: If there is no such decision, or it is not this subject's.
        UntrustworthyExplanationError: If it failed its own checks; ``answer_by`` says until when a person answers.
        ErasedError: If the person's data were erased.
        ModelUnusableError: If the model version that decided did not pass its verification.
    """
    wish = checked_wish(caller, audience=audience, language=language, purpose=purpose, legal_basis=legal_basis)
    if isinstance(caller, CaseSystem):
        raise NotAllowedError("A case system cannot ask for a person's explanation.")
    if isinstance(caller, Subject):
        reference = caller.reference
    loaded = load_decision(service, reference)
    try:
        document = _document(service, loaded, wish)
        require_checklist(document, _model_of(service, loaded).package.card)
    except UntrustworthyExplanationError as error:
        error.answer_by = _refuse(service, caller, loaded, error)
        raise
    return deliver(
        service,
        caller,
        wish,
        document,
        about={
            "subject": loaded.decision.private.subject_reference or loaded.decision.reference,
            "decision": loaded.decision.reference,
        },
        key_id=loaded.record.key_id,
    )


def read_explanation(service: Service, caller: Caller, explanation_id: str) -> tuple[bytes, str]:
    """Hand out an explanation again, exactly as it was delivered.

    Args:
        service: The installation.
        caller: The one who asked for it, or staff with the case, or an auditor.
        explanation_id: Its id.

    Returns:
        The stored bytes and their SHA-256 (hex).

    Raises:
        ExplanationNotFoundError: If there is none, or none for this caller.
        ErasedError: If the person's data were erased.
    """
    with service.database.reading() as work:
        record = work.explanations.get(explanation_id)
    if record is None or not _may_read(caller, record):
        raise ExplanationNotFoundError("There is no explanation with this number.")
    stored = service.vault.open(record.sealed, key_id=record.key_id, context=f"explanation:{record.id}")
    if sha256(stored).hexdigest() != record.sha256:
        raise UntrustworthyExplanationError("The stored explanation is not the one that was logged.")
    if isinstance(caller, Staff):
        with service.database.writing() as work:
            write_log_entry(
                service,
                work,
                LogEvent.EXPLANATION_READ,
                caller=caller,
                private={"explanation": record.sha256},
                key_id=record.key_id,
            )
    return stored, record.sha256


def _may_read(caller: Caller, record: ExplanationRecord) -> bool:
    match caller:
        case Subject(reference=reference):
            return record.decision_reference == reference and record.audience == "subject"
        case CaseSystem():
            return record.asked_by == actor_of(caller)
        case Staff():
            return caller.may(*CASEWORK_ROLES, "auditor")


def _numbers(service: Service, loaded: LoadedDecision, model: ExplainedModel) -> ExplanationNumbers:
    record = loaded.record
    inputs = loaded.decision.private.inputs
    if record.sealed_numbers is None:
        return model.numbers_for(inputs)
    kept = service.vault.open(record.sealed_numbers, key_id=record.key_id, context=f"numbers:{record.reference}")
    numbers = numbers_from_bytes(kept)
    if numbers.input_digest != model.input_digest(inputs) or numbers.model_sha256 != model.package.sha256:
        raise UntrustworthyExplanationError("The kept numbers do not belong to this decision.")
    return numbers


def _model_of(service: Service, loaded: LoadedDecision) -> ExplainedModel:
    version = loaded.decision.model
    try:
        return service.model_of_version(version.slug, version.sha256)
    except ModelNotFoundError as error:
        raise UntrustworthyExplanationError(
            "The version of the program that took part is not installed any more, so no explanation is shown."
        ) from error


def _document(service: Service, loaded: LoadedDecision, wish: ExplanationWish) -> ExplanationDocument:
    decision = loaded.decision
    model = _model_of(service, loaded)
    numbers = _numbers(service, loaded, model)
    return build_document(
        Facts(
            id=service.random_bytes(16).hex(),
            produced_at=service.clock(),
            audience=wish.audience,
            language=wish.language,
            card=model.package.card,
            evaluation=model.package.evaluation,
            background=background_ref_of(model.package),
            model=decision.model,
            register_version=decision.register_version,
            numbers=numbers,
            inputs=decision.private.inputs,
            decision=decision,
            superseded_by=loaded.superseded_by,
            base_url=service.settings.base_url,
            interactions=interactions_for_audience(model, decision.private.inputs, numbers, wish.audience),
        )
    )


def _refuse(
    service: Service,
    caller: Caller,
    loaded: LoadedDecision,
    error: UntrustworthyExplanationError,
) -> date:
    now = service.clock()
    due_at = now + timedelta(days=service.settings.answer_days)
    decision = loaded.decision
    with service.database.writing() as work:
        write_log_entry(
            service,
            work,
            LogEvent.EXPLANATION_REFUSED,
            caller=caller,
            model=decision.model,
            role=decision.role,
            basis=basis_slug(caller),
            outcome=error.code,
            private={"decision": decision.reference},
            key_id=loaded.record.key_id,
        )
        open_already = [
            task
            for task in work.tasks.for_decision(decision.reference)
            if task.kind == "explanation_refused" and task.done_at is None and task.due_at >= now
        ]
        if open_already:
            return open_already[0].due_at.date()
        work.tasks.add(
            TaskRecord(
                id=service.random_bytes(16).hex(),
                kind="explanation_refused",
                decision_reference=decision.reference,
                opened_at=now,
                due_at=due_at,
            )
        )
    return due_at.date()
