"""Explain a decision: what was kept when it was recorded, or built anew where that no longer holds; logged first."""

import asyncio
from datetime import date, timedelta
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from explainer.decisions.access_code import normalise_reference
from explainer.errors import (
    DecisionNotFoundError,
    ErasedError,
    ExplanationNotFoundError,
    NotAllowedError,
    UntrustworthyExplanationError,
)
from explainer.explanations.document import Audience, Language, moment_text
from explainer.explanations.numbers import ExplanationNumbers
from explainer.explanations.stored_numbers import numbers_from_bytes
from explainer.transparency_log.canonical_json import JsonValue
from explainer.transparency_log.log_entry import LogEvent, parse_leaf
from explainer.use_cases.callers import CASEWORK_ROLES, Caller, CaseSystem, Staff, Subject, actor_of
from explainer.use_cases.decision_document import document_of
from explainer.use_cases.decision_vault import OpenKey
from explainer.use_cases.deliver_explanation import (
    DeliveredExplanation,
    ExplanationWish,
    PreparedDelivery,
    basis_slug,
    checked_wish,
    prepare_from_kept,
)
from explainer.use_cases.find_interactions import interactions_for_audience
from explainer.use_cases.kept_documents import (
    UsableDocument,
    delivered_bytes,
    fingerprint_of_facts,
    keep,
    mark_of,
    usable,
)
from explainer.use_cases.log_request import key_or_refusal, log_request
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.open_session import refuse_other_code
from explainer.use_cases.read_decisions import LoadedDecision, load_decision
from explainer.use_cases.records import Deliverable, ExplanationRecord, KeptDocumentRecord, LogRecord, TaskRecord
from explainer.use_cases.service import Service
from explainer.use_cases.store_decision import finish_tasks
from models.errors import ModelNotFoundError

if TYPE_CHECKING:
    from explainer.use_cases.explained_model import ExplainedModel

TASKS_ENDED = ("explanation_refused", "numbers_missing")
"""Kinds of tasks that are done as soon as the explanation has been delivered."""


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
    stored_as = normalise_reference(reference)
    decision = service.database.deliverable(stored_as, audience=wish.audience, language=wish.language)
    if decision is None:
        raise DecisionNotFoundError("There is no decision with this reference.")
    key = key_or_refusal(service, caller, decision)
    new_document: KeptDocumentRecord | None = None
    document = _usable_document(service, decision, key)
    if document is None:
        log_request(service, caller, wish, decision)
        new_document, document = _document_anew(service, caller, decision, wish)
    prepared = prepare_from_kept(service, caller, wish, decision, document, key=key)
    with service.database.writing() as work:
        entry = work.log.append_all([prepared.delivery.entry])[0]
        if new_document is not None:
            work.kept_documents.add(new_document)
        work.explanations.add(prepared.delivery.explanation)
        finish_tasks(work, decision.reference, at=service.clock(), kinds=TASKS_ENDED)
    return prepared.delivered(entry)


async def explain_to_subject(
    service: Service, reference: str, code: str, *, language: Language, audience: Audience | None
) -> DeliveredExplanation:
    """Explain a decision to whoever proves with its access code to be its subject; the quickest way there is.

    Where the kept document holds, nothing is computed and deliveries of the same moment share one commit. Everything
    else goes the way of :func:`explain_decision`.

    Args:
        service: The installation.
        reference: The decision, as typed.
        code: The access code, as typed.
        language: In which language.
        audience: As sent; subjects get the text for subjects.

    Returns:
        The explanation; its log entry has committed.

    Raises:
        BadAccessCodeError: In the same words for an unknown reference and a wrong code.
        Exception: As :func:`explain_decision`.
    """
    prepare = partial(_prepare_for_subject, service, reference, code, language=language, audience=audience)
    subject, prepared = prepare() if service.database.reads_at_once else await asyncio.to_thread(prepare)
    if prepared is None:
        return await asyncio.to_thread(explain_decision, service, subject, subject.reference, language=language)
    return prepared.delivered(await service.database.deliver(prepared.delivery))


def read_explanation(service: Service, caller: Caller, explanation_id: str) -> tuple[bytes, str]:
    """Hand out an explanation again, exactly as it was delivered.

    Args:
        service: The installation.
        caller: The one who asked for it, or staff with the case, or an auditor.
        explanation_id: Its id.

    Returns:
        The delivered bytes and their SHA-256 (hex).

    Raises:
        ExplanationNotFoundError: If there is none, or none for this caller.
        ErasedError: If the person's data were erased.
        UntrustworthyExplanationError: If what is stored no longer gives the bytes that were logged.
    """
    with service.database.reading() as work:
        record = work.explanations.get(explanation_id)
        kept = work.kept_documents.get(record.kept_id) if record is not None and record.kept_id is not None else None
        entry = work.log.find(record.log_entry_id) if record is not None else None
        sealed = work.log.sealed_part(record.log_entry_id) if record is not None else None
    if record is None or not _may_read(caller, record):
        raise ExplanationNotFoundError("There is no explanation with this number.")
    key = service.vault.key(record.key_id)
    delivered = delivered_again(key, record, kept)
    digest = sha256(delivered).hexdigest()
    if entry is None or sealed is None or digest != _logged_digest(key, entry, sealed[1]):
        raise UntrustworthyExplanationError("The stored explanation is not the one that was logged.")
    if isinstance(caller, Staff):
        with service.database.writing() as work:
            write_log_entry(
                service,
                work,
                LogEvent.EXPLANATION_READ,
                caller=caller,
                private={"explanation": digest},
                key_id=record.key_id,
            )
    return delivered, digest


def _prepare_for_subject(
    service: Service, reference: str, code: str, *, language: Language, audience: Audience | None
) -> tuple[Subject, PreparedDelivery | None]:
    """Prove the subject, then prepare the kept document; None where it must be built, or a caseworker waits for it."""
    stored_as = normalise_reference(reference[:64])
    decision = service.database.deliverable(stored_as, audience="subject", language=language)
    refuse_other_code(service, stored_as, code, decision.access_code_digest if decision is not None else None)
    subject = Subject(reference=stored_as)
    wish = checked_wish(subject, audience=audience, language=language, purpose=None, legal_basis=None)
    if decision is None or decision.has_open_tasks:
        return subject, None
    try:
        key = service.vault.key(decision.key_id)
    except ErasedError:
        return subject, None  # the other way logs that somebody asked, which takes longer than a loop may wait
    document = _usable_document(service, decision, key)
    if document is None:
        return subject, None
    return subject, prepare_from_kept(service, subject, wish, decision, document, key=key)


def _usable_document(service: Service, decision: Deliverable, key: OpenKey) -> UsableDocument | None:
    # A version that is gone, or whose files were changed, is not spoken for, even where its text was written before.
    if not _has_version(service, decision.model_slug, decision.model_sha256):
        return None
    if decision.kept_id is None or decision.kept_sealed is None:
        return None
    return usable(
        key,
        decision.kept_id,
        decision.kept_sealed,
        reference=decision.reference,
        facts=_facts(service, decision, decision.numbers_mark),
        at=service.clock(),
    )


def _facts(service: Service, decision: Deliverable, numbers_mark: bytes | None) -> str:
    return fingerprint_of_facts(
        service,
        model_sha256=decision.model_sha256,
        numbers_mark=numbers_mark,
        status=decision.status.value,
        superseded_by=decision.superseded_by,
    )


def _document_anew(
    service: Service, caller: Subject | Staff, decision: Deliverable, wish: ExplanationWish
) -> tuple[KeptDocumentRecord, UsableDocument]:
    loaded = load_decision(service, decision.reference)
    try:
        model = _model_of(service, loaded)
        numbers = numbers_of(service, loaded, model)
        document = document_of(
            service,
            loaded.decision,
            numbers,
            model.package,
            audience=wish.audience,
            language=wish.language,
            superseded_by=decision.superseded_by,
            interactions=interactions_for_audience(model, loaded.decision.private.inputs, numbers, wish.audience),
        )
    except UntrustworthyExplanationError as error:
        error.answer_by = _refuse(service, caller, loaded, error)
        raise
    return keep(
        service,
        document,
        loaded.decision.private,
        # The numbers that were read, even if better ones have been kept since then.
        facts=_facts(service, decision, mark_of(loaded.record.sealed_numbers)),
        key_id=decision.key_id,
    )


def _logged_digest(key: OpenKey, entry: LogRecord, sealed: bytes) -> JsonValue:
    private = key.open_log_part(sealed, entry_id=entry.entry_id)
    parse_leaf(entry.leaf).verify_private(private)
    return private["explanation"][1]


def delivered_again(key: OpenKey, record: ExplanationRecord, kept: KeptDocumentRecord | None) -> bytes:
    """The bytes of an earlier delivery.

    Args:
        key: Key they are sealed under.
        record: The delivery.
        kept: The document it was made of, where it has no bytes of its own.

    Returns:
        The bytes; the caller compares their digest with the logged one.

    Raises:
        UntrustworthyExplanationError: If the document is missing.
        SealingError: If what is stored was changed.
    """
    if record.sealed is not None:
        return key.open(record.sealed, context=f"explanation:{record.id}")
    if kept is None:
        raise UntrustworthyExplanationError("The document of this explanation is missing.")
    return delivered_bytes(key, kept, record, moment_text(record.produced_at))


def _may_read(caller: Caller, record: ExplanationRecord) -> bool:
    match caller:
        case Subject(reference=reference):
            return record.decision_reference == reference and record.audience == "subject"
        case CaseSystem():
            return record.asked_by == actor_of(caller)
        case Staff():
            return caller.may(*CASEWORK_ROLES, "auditor")


def numbers_of(service: Service, loaded: LoadedDecision, model: "ExplainedModel") -> ExplanationNumbers:
    """The numbers kept with a decision, or computed now where there are none.

    Args:
        service: The installation.
        loaded: The decision.
        model: The model version that took part.

    Returns:
        Its numbers.

    Raises:
        UntrustworthyExplanationError: If they cannot be read, do not belong to this decision or fail their checks.
    """
    record = loaded.record
    inputs = loaded.decision.private.inputs
    if record.sealed_numbers is None:
        return model.numbers_for(inputs)
    kept = service.vault.open(record.sealed_numbers, key_id=record.key_id, context=f"numbers:{record.reference}")
    numbers = numbers_from_bytes(kept)
    if numbers.input_digest != model.input_digest(inputs) or numbers.model_sha256 != model.package.sha256:
        raise UntrustworthyExplanationError("The kept numbers do not belong to this decision.")
    return numbers


def _model_of(service: Service, loaded: LoadedDecision) -> "ExplainedModel":
    version = loaded.decision.model
    try:
        return service.model_of_version(version.slug, version.sha256)
    except ModelNotFoundError as error:
        raise UntrustworthyExplanationError(
            "The version of the program that took part is not installed any more, so no explanation is shown."
        ) from error


def _has_version(service: Service, slug: str, sha256: str) -> bool:
    try:
        service.package_of_version(slug, sha256)
    except ModelNotFoundError:
        return False
    return True


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
