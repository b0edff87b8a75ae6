"""Deliver an explanation: who may have it and why, its log entry first, its sealed copy with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from explainer.decisions.decision import ModelVersion
from explainer.errors import NotAllowedError
from explainer.explanations.document import Audience, ExplanationDocument, Language
from explainer.transparency_log.log_entry import LogEvent
from explainer.use_cases.callers import CASEWORK_ROLES, Caller, Staff, Subject, actor_of
from explainer.use_cases.log_receipt import LogReceipt, receipt_of
from explainer.use_cases.log_writing import SUBJECT_BASIS, write_log_entry
from explainer.use_cases.records import ExplanationRecord
from explainer.use_cases.service import Service
from explainer.use_cases.store_decision import finish_tasks
from models.canonical_json import canonical_json
from models.errors import InputProblem, InvalidInputError

MAX_PURPOSE_LENGTH = 200


@dataclass(frozen=True, kw_only=True)
class DeliveredExplanation:
    """An explanation whose log entry has committed.

    Attributes:
        document: The explanation.
        canonical: Its RFC 8785 bytes: what was hashed, logged and stored.
        sha256: SHA-256 (hex) of them.
        log: Receipt of the explanation.delivered entry.
    """

    document: ExplanationDocument
    canonical: bytes
    sha256: str
    log: LogReceipt

    def as_bytes(self) -> bytes:
        """The document with its log receipt, as the API writes it: the logged bytes with one more member."""
        return self.canonical[:-1] + b',"log":' + canonical_json(self.log.as_json()) + b"}"


@dataclass(frozen=True, kw_only=True)
class ExplanationWish:
    """What is asked for, checked.

    Attributes:
        audience: For whom it is written.
        language: In which language.
        purpose: Why staff ask.
        legal_basis: On which basis.
    """

    audience: Audience
    language: Language
    purpose: str
    legal_basis: str


def checked_wish(
    caller: Caller, *, audience: Audience | None, language: Language, purpose: str | None, legal_basis: str | None
) -> ExplanationWish:
    """Check who asks for which audience, and that staff say why.

    Args:
        caller: Who asks.
        audience: For whom; by default the caller's own.
        language: In which language.
        purpose: Required from staff and case systems.
        legal_basis: Required from staff and case systems.

    Returns:
        What is asked for.

    Raises:
        NotAllowedError: If the caller may not have this audience's text.
        InvalidInputError: If purpose or legal basis are missing.
    """
    own: Audience = "subject"
    if isinstance(caller, Staff):
        if not caller.may(*CASEWORK_ROLES, "auditor"):
            raise NotAllowedError("This needs the role of a caseworker or an auditor.")
        own = "caseworker" if caller.may(*CASEWORK_ROLES) else "auditor"
    if isinstance(caller, Subject):
        if audience not in (None, "subject"):
            raise NotAllowedError("A subject gets the explanation written for subjects.")
        return ExplanationWish(audience="subject", language=language, purpose="own decision", legal_basis=SUBJECT_BASIS)
    problems = [
        InputProblem(f"/{name}", "missing", f"Say the {words} of this request, in at most {MAX_PURPOSE_LENGTH} signs.")
        for name, words, value in (("purpose", "purpose", purpose), ("legal_basis", "legal basis", legal_basis))
        if not value or not value.strip() or len(value) > MAX_PURPOSE_LENGTH
    ]
    if problems:
        raise InvalidInputError(problems)
    return ExplanationWish(
        audience=audience or own,
        language=language,
        purpose=(purpose or "").strip(),
        legal_basis=(legal_basis or "").strip(),
    )


def basis_slug(caller: Caller) -> str:
    """Legal basis as the public part of a log entry names it; what staff stated is in its sealed part."""
    return SUBJECT_BASIS if isinstance(caller, Subject) else "stated"


def deliver(
    service: Service,
    caller: Caller,
    wish: ExplanationWish,
    document: ExplanationDocument,
    *,
    about: Mapping[str, str],
    key_id: str,
) -> DeliveredExplanation:
    """Log and keep an explanation, and only then hand it out: no log entry, no answer.

    Args:
        service: The installation.
        caller: Who asked.
        wish: What was asked for.
        document: The explanation, which passed its checks.
        about: Subject and decision for the sealed part of the entry; empty for inputs without a decision.
        key_id: Key under which copy and entry are sealed.

    Returns:
        The explanation with its receipt.
    """
    canonical = document.canonical_bytes()
    digest = sha256(canonical).hexdigest()
    sealed = service.vault.seal(canonical, key_id=key_id, context=f"explanation:{document.id}")
    model = document.model
    with service.database.writing() as work:
        entry = write_log_entry(
            service,
            work,
            LogEvent.EXPLANATION_DELIVERED,
            caller=caller,
            model=ModelVersion(slug=model.slug, version=model.version, sha256=model.sha256),
            role=service.model_of_version(model.slug, model.sha256).package.card.role,
            basis=basis_slug(caller),
            outcome="delivered",
            private={**about, "explanation": digest, "purpose": [wish.purpose, wish.legal_basis]},
            key_id=key_id,
        )
        work.explanations.add(
            ExplanationRecord(
                id=document.id,
                decision_reference=document.decision.reference if document.decision else None,
                model_slug=model.slug,
                audience=document.audience,
                language=document.language,
                produced_at=document.produced_at,
                sha256=digest,
                key_id=key_id,
                sealed=sealed,
                log_entry_id=entry.entry_id,
                asked_by=actor_of(caller),
            )
        )
        if document.decision is not None:
            finish_tasks(
                work, document.decision.reference, at=service.clock(), kinds=("explanation_refused", "numbers_missing")
            )
        receipt = receipt_of(entry)
    return DeliveredExplanation(document=document, canonical=canonical, sha256=digest, log=receipt)
