"""Deliver an explanation: who may have it and why, its log entry first, what gives its bytes back with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from explainer.decisions.decision import ModelVersion, Role
from explainer.errors import NotAllowedError
from explainer.explanations.document import Audience, ExplanationDocument, Language
from explainer.narration.kept_text import DeliveryMarks, filled
from explainer.transparency_log.canonical_json import JsonValue
from explainer.transparency_log.log_entry import LogEvent
from explainer.use_cases.callers import CASEWORK_ROLES, Caller, Staff, Subject, actor_of
from explainer.use_cases.decision_vault import OpenKey
from explainer.use_cases.kept_documents import UsableDocument
from explainer.use_cases.log_receipt import LogReceipt, receipt_of
from explainer.use_cases.log_writing import SUBJECT_BASIS, prepare_log_entry
from explainer.use_cases.records import Deliverable, Delivery, ExplanationRecord, LogRecord
from explainer.use_cases.service import Service
from models.canonical_json import canonical_json
from models.errors import InputProblem, InvalidInputError

MAX_PURPOSE_LENGTH = 200


@dataclass(frozen=True, kw_only=True)
class DeliveredExplanation:
    """An explanation whose log entry has committed.

    Attributes:
        id: Its number.
        canonical: Its RFC 8785 bytes: what was hashed, logged and kept.
        sha256: SHA-256 (hex) of them.
        log: Receipt of the explanation.delivered entry.
    """

    id: str
    canonical: bytes
    sha256: str
    log: LogReceipt

    @cached_property
    def document(self) -> ExplanationDocument:
        """The explanation, read back from its bytes."""
        return ExplanationDocument.model_validate_json(self.canonical)

    def as_bytes(self) -> bytes:
        """The document with its log receipt, as the API writes it: the logged bytes with one more member."""
        return self.canonical[:-1] + b',"log":' + canonical_json(self.log.as_json()) + b"}"


@dataclass(frozen=True, kw_only=True)
class PreparedDelivery:
    """An explanation that may leave once its entry has committed.

    Attributes:
        canonical: Its RFC 8785 bytes.
        sha256: SHA-256 (hex) of them.
        delivery: What is kept before it leaves.
    """

    canonical: bytes
    sha256: str
    delivery: Delivery

    def delivered(self, entry: LogRecord) -> DeliveredExplanation:
        """The explanation, now that its entry has committed."""
        explanation = self.delivery.explanation
        return DeliveredExplanation(
            id=explanation.id, canonical=self.canonical, sha256=self.sha256, log=receipt_of(entry)
        )


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


def prepare_from_kept(
    service: Service,
    caller: Caller,
    wish: ExplanationWish,
    decision: Deliverable,
    kept: UsableDocument,
    *,
    key: OpenKey,
) -> PreparedDelivery:
    """Make a kept document ready to leave: only number and moment are new, and nothing is sealed a second time.

    Args:
        service: The installation.
        caller: Who asked.
        wish: What was asked for.
        decision: The decision.
        kept: Its document for this audience and language.
        key: Key of the person's data.

    Returns:
        The explanation and what must be kept before it leaves.
    """
    now = service.clock()
    marks = DeliveryMarks.of(service.random_bytes(16).hex(), now, language=wish.language)
    canonical = filled(kept.gapped, marks)
    digest = sha256(canonical).hexdigest()
    entry = prepare_log_entry(
        service,
        LogEvent.EXPLANATION_DELIVERED,
        key,
        caller=caller,
        key_id=decision.key_id,
        model=ModelVersion(slug=decision.model_slug, version=decision.model_version, sha256=decision.model_sha256),
        role=decision.role,
        basis=basis_slug(caller),
        outcome="delivered",
        private=_private(wish, digest, {"subject": kept.subject, "decision": decision.reference}),
    )
    explanation = ExplanationRecord(
        id=marks.id,
        decision_reference=decision.reference,
        model_slug=decision.model_slug,
        audience=wish.audience,
        language=wish.language,
        produced_at=now,
        key_id=decision.key_id,
        sealed=None,
        kept_id=kept.kept_id,
        said_day=marks.day,
        said_time=marks.time,
        log_entry_id=entry.entry.id,
        asked_by=actor_of(caller),
    )
    return PreparedDelivery(canonical=canonical, sha256=digest, delivery=Delivery(entry=entry, explanation=explanation))


def prepare_without_decision(
    service: Service,
    caller: Caller,
    wish: ExplanationWish,
    document: ExplanationDocument,
    canonical: bytes,
    *,
    role: Role,
    key_id: str,
    key: OpenKey,
) -> PreparedDelivery:
    """Make an explanation of mere inputs ready to leave, with a sealed copy of its own.

    Args:
        service: The installation.
        caller: Who asked.
        wish: What was asked for.
        document: The explanation, which passed its checks.
        canonical: Its RFC 8785 bytes.
        role: The program's role.
        key_id: Name of the key under which copy and entry are sealed.
        key: That key.

    Returns:
        The explanation and what must be kept before it leaves.
    """
    digest = sha256(canonical).hexdigest()
    model = document.model
    entry = prepare_log_entry(
        service,
        LogEvent.EXPLANATION_DELIVERED,
        key,
        caller=caller,
        key_id=key_id,
        model=ModelVersion(slug=model.slug, version=model.version, sha256=model.sha256),
        role=role,
        basis=basis_slug(caller),
        outcome="delivered",
        private=_private(wish, digest, {}),
    )
    explanation = ExplanationRecord(
        id=document.id,
        decision_reference=None,
        model_slug=model.slug,
        audience=document.audience,
        language=document.language,
        produced_at=document.produced_at,
        key_id=key_id,
        sealed=key.seal(canonical, context=f"explanation:{document.id}"),
        log_entry_id=entry.entry.id,
        asked_by=actor_of(caller),
    )
    return PreparedDelivery(canonical=canonical, sha256=digest, delivery=Delivery(entry=entry, explanation=explanation))


def _private(wish: ExplanationWish, digest: str, about: Mapping[str, str]) -> Mapping[str, JsonValue]:
    return {**about, "explanation": digest, "purpose": [wish.purpose, wish.legal_basis]}
