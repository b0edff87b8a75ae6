"""Records as rows see them: searchable facts in clear, everything personal sealed.

Stores never see personal data in clear: what is personal arrives in a record's ``sealed`` part and leaves it sealed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from explainer.decisions.decision import DecidedBy, DecisionStatus, Role
from explainer.transparency_log.log_entry import LogEntry


@dataclass(frozen=True, kw_only=True)
class DecisionRecord:
    """One decision as a row: searchable facts in clear, everything personal sealed.

    Attributes:
        reference: Random reference, primary key.
        model_slug: Which model.
        model_version: Which version of it.
        model_sha256: Identity of the package.
        register_version: Version of the register entry in force.
        status: Where the decision stands.
        role: decides, suggests, sorts or calculates.
        decided_by: ``model``, ``person`` or None.
        model_outcome: Outcome id of the program.
        outcome: Outcome id of the city, or None.
        diverted: Whether special circumstances were stated.
        decided_at: When the city decided (UTC).
        recorded_at: When it was recorded (UTC).
        supersedes: Reference of the decision this one replaces.
        access_code_digest: HMAC of the access code.
        key_id: Name of the decision's key in the key store.
        subject_id: Keyed tag that decisions of one person share; None where nobody is known, or after an erasure.
        sealed: Sealed private part.
        sealed_numbers: Sealed explanation numbers, or None if they could not be computed.
        log_entry_id: The entry that records it.
        issued_by: Who sent it, as role and id (``case_system:…`` or ``staff:…``).
    """

    reference: str
    model_slug: str
    model_version: str
    model_sha256: str
    register_version: int
    status: DecisionStatus
    role: Role
    decided_by: DecidedBy | None
    model_outcome: str
    outcome: str | None
    diverted: bool
    decided_at: datetime | None
    recorded_at: datetime
    supersedes: str | None
    access_code_digest: bytes
    key_id: str
    subject_id: str | None
    sealed: bytes
    sealed_numbers: bytes | None
    log_entry_id: str
    issued_by: str


@dataclass(frozen=True, kw_only=True)
class DecisionFilter:
    """Which decisions a list shows; None means any."""

    model_slug: str | None = None
    outcome: str | None = None
    status: DecisionStatus | None = None
    departed: bool | None = None
    reference: str | None = None


@dataclass(frozen=True, kw_only=True)
class DecisionCounts:
    """Counts for the public register; the register suppresses groups under 10 itself."""

    decisions: int
    by_outcome: Mapping[str, int]
    departed: int
    diverted: int
    explanations: int


@dataclass(frozen=True, kw_only=True)
class KeptDocumentRecord:
    """A finished document that deliveries are made of; see ``use_cases.kept_documents``. It is never changed.

    Attributes:
        id: Random 128-bit id, hex.
        decision_reference: The decision it explains.
        audience: subject, caseworker or auditor.
        language: de or en.
        made_at: UTC; the newest one of a decision, audience and language is used.
        key_id: Key it is sealed under.
        sealed: Sealed bytes with gaps, and what they depend on.
    """

    id: str
    decision_reference: str
    audience: str
    language: str
    made_at: datetime
    key_id: str
    sealed: bytes


@dataclass(frozen=True, kw_only=True)
class Deliverable:
    """What a delivery needs to know about a decision, read in one statement.

    Attributes:
        reference: The decision.
        model_slug: Which model.
        model_version: Which version of it.
        model_sha256: Identity of the package.
        status: Where the decision stands.
        role: The program's role.
        access_code_digest: HMAC of the access code.
        key_id: Key of the person's data.
        numbers_mark: Tells its sealed numbers from those before a better example was found; None where it has none.
        superseded_by: Reference of its successor, or None.
        has_open_tasks: Whether a caseworker is waiting for this decision to be explained.
        kept_id: The newest kept document for the audience and language, or None.
        kept_sealed: Its sealed bytes.
    """

    reference: str
    model_slug: str
    model_version: str
    model_sha256: str
    status: DecisionStatus
    role: Role
    access_code_digest: bytes
    key_id: str
    numbers_mark: bytes | None
    superseded_by: str | None
    has_open_tasks: bool
    kept_id: str | None
    kept_sealed: bytes | None


@dataclass(frozen=True, kw_only=True)
class ExplanationRecord:
    """One delivered explanation: what its bytes can be had from, and what proves them.

    The SHA-256 of the delivered bytes stands in the sealed part of its log entry only: after an erasure, a guess at
    the bytes must have nothing to be held against.

    Attributes:
        id: Random 128-bit id, hex.
        decision_reference: The decision, or None for an explanation without one.
        model_slug: Which model.
        audience: subject, caseworker or auditor.
        language: de or en.
        produced_at: UTC.
        key_id: Key the bytes are sealed under.
        sealed: Sealed delivered bytes; None where they are a kept document with its gaps filled.
        kept_id: That document, or None.
        said_day: How the text of this delivery says its day, or None.
        said_time: How the text of this delivery says its time of day, or None.
        log_entry_id: The explanation.delivered entry.
        asked_by: Who asked, as role and id (``staff:…``, ``case_system:…``, ``subject``, ``auditor:…``).
    """

    id: str
    decision_reference: str | None
    model_slug: str
    audience: str
    language: str
    produced_at: datetime
    key_id: str
    sealed: bytes | None
    kept_id: str | None = None
    said_day: str | None = None
    said_time: str | None = None
    log_entry_id: str
    asked_by: str


@dataclass(frozen=True, kw_only=True)
class PreparedEntry:
    """A log entry that is ready to be appended.

    Attributes:
        entry: What goes into the tree.
        sealed: Its private part, sealed.
        key_id: Name of the key that opens it.
        at: When it happened (UTC).
    """

    entry: LogEntry
    sealed: bytes
    key_id: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """An explanation that leaves as soon as its entry has committed; both are kept together or not at all."""

    entry: PreparedEntry
    explanation: ExplanationRecord


@dataclass(frozen=True, kw_only=True)
class LogRecord:
    """One integrated log entry."""

    index: int
    entry_id: str
    event: str
    at: datetime
    system: str | None
    leaf: bytes
    leaf_hash: bytes


@dataclass(frozen=True, kw_only=True)
class ApiKeyRecord:
    """A case system's key; only its digest is kept."""

    id: str
    name: str
    digest: bytes
    created_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class StaffRecord:
    """One member of staff or an auditor. Pages show roles, never this name.

    Attributes:
        id: Random id used in sealed log parts.
        user: Name used to sign in.
        password_hash: argon2id.
        roles: caseworker, supervisor, oversight, publisher, auditor, administrator.
        token_digest: SHA-256 of the personal token, or None.
    """

    id: str
    user: str
    password_hash: str
    roles: tuple[str, ...]
    token_digest: bytes | None
    active: bool = True


@dataclass(frozen=True, kw_only=True)
class SessionRecord:
    """A browser session; only the digest of its secret is kept.

    Attributes:
        digest: SHA-256 of the cookie's secret, primary key.
        kind: ``subject`` or ``staff``.
        belongs_to: Decision reference or staff id.
        csrf: Token that forms of this session carry.
        expires_at: UTC.
    """

    digest: bytes
    kind: Literal["subject", "staff"]
    belongs_to: str
    csrf: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class AnswerRecord:
    """The answer given to one Idempotency-Key; its access code is sealed apart, because it is forgotten sooner."""

    caller: str
    key_digest: bytes
    body_digest: str
    reference: str
    sealed_answer: bytes
    sealed_code: bytes | None
    key_id: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class TaskRecord:
    """Something a caseworker has to do."""

    id: str
    kind: Literal["explanation_refused", "diverted", "numbers_missing"]
    decision_reference: str
    opened_at: datetime
    due_at: datetime
    done_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class PublicationRecord:
    """One published version of a register entry."""

    slug: str
    version: int
    published_at: datetime
    sha256: str
    content: bytes
