"""What the use cases need kept, and what they may rely on.

``explainer.storage`` implements these protocols for SQLite and PostgreSQL; one conformance suite holds both to them.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from explainer.decisions.decision import DecisionStatus
from explainer.transparency_log.log_entry import LogEntry
from explainer.transparency_log.tiles import TileReader
from explainer.use_cases.callers import CaseSystem
from explainer.use_cases.records import (
    AnswerRecord,
    ApiKeyRecord,
    DecisionCounts,
    DecisionFilter,
    DecisionRecord,
    Deliverable,
    Delivery,
    ExplanationRecord,
    KeptDocumentRecord,
    LogRecord,
    PreparedEntry,
    PublicationRecord,
    SessionRecord,
    StaffRecord,
    TaskRecord,
)


class DecisionStore(Protocol):
    """Keeps decisions."""

    def add(self, record: DecisionRecord) -> None:
        """Insert a new decision; a reference that exists raises ConflictError."""

    def get(self, reference: str) -> DecisionRecord | None:
        """Return the decision with this reference, or None."""

    def set_status(self, reference: str, status: DecisionStatus) -> None:
        """Move a decision to another status; the caller has checked that the step is allowed."""

    def of_subject(self, subject_id: str) -> Sequence[DecisionRecord]:
        """All decisions with this person's tag, oldest first."""

    def sharing_key(self, key_id: str) -> Sequence[DecisionRecord]:
        """All decisions sealed under this key: one, or several where an earlier version of the program sealed them."""

    def issuers(self) -> Sequence[str]:
        """Everybody whose cases there are."""

    def not_erased(
        self, *, before: datetime, after: tuple[datetime, str] | None, limit: int
    ) -> Sequence[DecisionRecord]:
        """Decisions recorded before a moment, not erased, oldest first; begins after (recorded_at, reference)."""

    def replace_numbers(self, reference: str, *, known: bytes, better: bytes) -> bool:
        """Put better sealed numbers in the place of known ones; False, nothing changed, where others stand there."""

    def successor_of(self, reference: str) -> str | None:
        """Reference of the decision that superseded this one, or None."""

    def newest(self, chosen: DecisionFilter, *, limit: int, offset: int = 0) -> Sequence[DecisionRecord]:
        """Decisions that fit, newest first (recorded_at, then reference, both descending)."""

    def count(self, chosen: DecisionFilter) -> int:
        """How many decisions fit."""

    def counts_for(self, model_slug: str) -> DecisionCounts:
        """Counts over all decisions of one model that are not superseded, and explanations delivered to subjects."""


class ExplanationStore(Protocol):
    """Keeps delivered explanations."""

    def add(self, record: ExplanationRecord) -> None:
        """Insert a delivered explanation."""

    def add_all(self, records: Sequence[ExplanationRecord]) -> None:
        """Insert several at once."""

    def get(self, explanation_id: str) -> ExplanationRecord | None:
        """Return the explanation with this id, or None."""

    def of_decision(self, reference: str) -> Sequence[ExplanationRecord]:
        """All explanations delivered for one decision, newest first."""

    def of_inputs_not_erased(self, *, before: datetime, limit: int) -> Sequence[ExplanationRecord]:
        """Explanations without a decision, delivered before a moment and not erased, oldest first."""


class ErasureStore(Protocol):
    """Notes what was erased, and empties it."""

    def erased_at(self, key_id: str) -> datetime | None:
        """When this key was erased, or None."""

    def all_noted(self) -> Sequence[str]:
        """Names of all erased keys."""

    def note(self, key_ids: Sequence[str], *, at: datetime, basis: str) -> None:
        """Note erased keys; noting one twice changes nothing."""

    def empty(self, key_ids: Sequence[str]) -> None:
        """Remove everything that was sealed under keys, and what says whose it was; rows that prove something stay."""


class KeptDocumentStore(Protocol):
    """Keeps finished documents beside their decision."""

    def add(self, record: KeptDocumentRecord) -> None:
        """Insert a document; it replaces older ones of the same decision, audience and language from now on."""

    def get(self, kept_id: str) -> KeptDocumentRecord | None:
        """Return the document with this id, or None."""


class LogStore(Protocol):
    """The log as one transaction sees it.

    ``append`` takes the writers' lock, so that indexes are contiguous. The entries appended in a unit of work are
    integrated and one checkpoint is signed when it commits; nobody can see either before.
    """

    def append(self, entry: LogEntry, *, sealed: bytes, key_id: str, at: datetime) -> LogRecord:
        """Append one entry with its sealed private part and return where it stands."""

    def append_all(self, entries: Sequence[PreparedEntry]) -> Sequence[LogRecord]:
        """Append several entries in their order."""

    def tree_size(self) -> int:
        """Number of integrated entries this transaction sees."""

    def checkpoint(self) -> str:
        """The newest signed checkpoint (C2SP note); the empty log has one too."""

    def tiles(self) -> TileReader:
        """Hashes of the tree as this transaction sees it."""

    def leaves(self, start: int, end: int) -> Sequence[bytes]:
        """Leaf bytes with start <= index < end."""

    def facts(self, start: int, end: int) -> Sequence[tuple[int, str, datetime, bytes | None]]:
        """Index, event, time and leaf (None where it was pruned) with start <= index < end, in order."""

    def records(self, indexes: Sequence[int]) -> Sequence[LogRecord]:
        """The entries at these indexes whose leaves are kept, newest first."""

    def find(self, entry_id: str) -> LogRecord | None:
        """Return one entry, or None."""

    def sealed_part(self, entry_id: str) -> tuple[str, bytes] | None:
        """Key id and sealed private part of one entry, or None."""

    def under_key(self, key_id: str) -> Sequence[tuple[LogRecord, bytes]]:
        """Entries whose private part is sealed under this key, oldest first, with that part."""

    def newest(
        self, *, limit: int, before: int | None = None, event: str | None = None, system: str | None = None
    ) -> Sequence[LogRecord]:
        """Entries with index < before that fit, newest first."""

    def last_of(self, event: str, *, system: str | None = None) -> LogRecord | None:
        """Newest entry of one event, or None."""


class AccessStore(Protocol):
    """Keeps who may ask: case systems, staff, sessions."""

    def add_api_key(self, record: ApiKeyRecord) -> None:
        """Insert a key."""

    def api_key(self, digest: bytes) -> ApiKeyRecord | None:
        """The key with this digest that is not revoked, or None."""

    def add_staff(self, record: StaffRecord) -> None:
        """Insert a member of staff; a user name that exists raises ConflictError."""

    def staff_by_user(self, user: str) -> StaffRecord | None:
        """The active member of staff with this user name, or None."""

    def staff_by_token(self, digest: bytes) -> StaffRecord | None:
        """The active member of staff with this token digest, or None."""

    def staff_by_id(self, staff_id: str) -> StaffRecord | None:
        """The active member of staff with this id, or None."""

    def add_session(self, record: SessionRecord) -> None:
        """Insert a session."""

    def session(self, digest: bytes, *, now: datetime) -> SessionRecord | None:
        """The session with this digest that has not expired, or None."""

    def extend_session(self, digest: bytes, *, expires_at: datetime) -> None:
        """Move the end of a session."""

    def end_session(self, digest: bytes) -> None:
        """Delete a session."""

    def forget_ended_sessions(self, *, now: datetime) -> int:
        """Delete the sessions that have expired; returns how many."""

    def was_noted(self, mark: bytes) -> bool:
        """Whether this reading was noted before (readings of the log are logged once per person and hour)."""

    def note(self, mark: bytes, *, at: datetime) -> None:
        """Note a reading; noting it twice changes nothing."""


class AnswerStore(Protocol):
    """Keeps answers to repeatable requests."""

    def add(self, record: AnswerRecord) -> None:
        """Insert an answer."""

    def get(self, caller: str, key_digest: bytes) -> AnswerRecord | None:
        """The answer given to this caller's key, or None."""

    def forget_codes_before(self, moment: datetime) -> int:
        """Blank the sealed access codes of answers that are older; returns how many."""


class TaskStore(Protocol):
    """Keeps caseworkers' tasks."""

    def add(self, record: TaskRecord) -> None:
        """Insert a task."""

    def open_tasks(self, *, limit: int) -> Sequence[TaskRecord]:
        """Tasks not done, due first."""

    def for_decision(self, reference: str) -> Sequence[TaskRecord]:
        """All tasks of one decision, oldest first."""

    def finish(self, task_id: str, *, at: datetime) -> None:
        """Mark a task as done."""


class PublicationStore(Protocol):
    """Keeps published versions of register entries."""

    def add(self, record: PublicationRecord) -> None:
        """Insert a version; (slug, version) that exists raises ConflictError."""

    def latest(self, slug: str) -> PublicationRecord | None:
        """Newest version of one entry, or None."""

    def version(self, slug: str, version: int) -> PublicationRecord | None:
        """One version, or None."""

    def history(self, slug: str) -> Sequence[PublicationRecord]:
        """All versions, newest first."""

    def all_latest(self) -> Sequence[PublicationRecord]:
        """Newest version of every entry, by slug."""


class UnitOfWork(Protocol):
    """Everything one request reads and writes; it commits as a whole at the edge or not at all."""

    @property
    def decisions(self) -> DecisionStore:
        """Decisions."""

    @property
    def explanations(self) -> ExplanationStore:
        """Delivered explanations."""

    @property
    def kept_documents(self) -> KeptDocumentStore:
        """Documents kept with decisions."""

    @property
    def erasures(self) -> ErasureStore:
        """What was erased."""

    @property
    def log(self) -> LogStore:
        """The log."""

    @property
    def access(self) -> AccessStore:
        """Who may ask."""

    @property
    def answers(self) -> AnswerStore:
        """Answers to repeatable requests."""

    @property
    def tasks(self) -> TaskStore:
        """Caseworkers' tasks."""

    @property
    def publications(self) -> PublicationStore:
        """Published register entries."""


class Database(Protocol):
    """Opens units of work."""

    def writing(self) -> AbstractContextManager[UnitOfWork]:
        """A unit of work that commits when the block ends without an error and rolls back otherwise."""

    def reading(self) -> AbstractContextManager[UnitOfWork]:
        """A consistent read-only view."""

    @property
    def reads_at_once(self) -> bool:
        """Whether a reading waits for nobody, so that an event loop may do it itself."""

    def deliverable(self, reference: str, *, audience: str, language: str) -> Deliverable | None:
        """What a delivery needs to know about this decision, or None where there is none."""

    def register_version_in_force(self, slug: str) -> int:
        """Number of the newest published version of one register entry, 0 before the first."""

    def case_system(self, digest: bytes) -> CaseSystem | None:
        """The case system whose API key has this digest and is not revoked, or None."""

    async def deliver(self, delivery: Delivery) -> LogRecord:
        """Keep a delivery in one transaction with others of the same moment; returns when it has committed."""

    def dispose(self) -> None:
        """Close every connection."""
