"""The log for auditors' eyes: its state, and the entries that fit what they look for."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from explainer.errors import VerificationError
from explainer.transparency_log.checkpoint import open_checkpoint
from explainer.transparency_log.log_entry import LogEntry, parse_leaf
from explainer.transparency_log.signed_note import NoteVerifier
from explainer.use_cases.callers import CASEWORK_ROLES, LOG_ROLES, Caller, require_role
from explainer.use_cases.finding_aid import LogFilter
from explainer.use_cases.note_log_reading import note_log_reading
from explainer.use_cases.records import LogRecord
from explainer.use_cases.refused_attempts import Attempt
from explainer.use_cases.service import Service

MAX_ROWS = 200


@dataclass(frozen=True, kw_only=True)
class LogRow:
    """One entry as an auditor's list shows it.

    Attributes:
        index: Position in the log.
        event: What happened.
        at: When (UTC).
        entry: What the leaf says; None where it cannot be read, because somebody changed it.
    """

    index: int
    event: str
    at: datetime
    entry: LogEntry | None


@dataclass(frozen=True, kw_only=True)
class LogChoices:
    """What can be chosen in a filter: every value that stands in the log, in alphabetical order."""

    systems: tuple[str, ...]
    versions: tuple[str, ...]
    events: tuple[str, ...]
    roles: tuple[str, ...]
    outcomes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class LogOverview:
    """State of the log and one page of entries.

    Attributes:
        origin: Name of the log.
        tree_size: Number of entries.
        root_hash: Base64, as in the checkpoint.
        checkpoint: The signed note.
        vkey: Public key to check it with.
        choices: What can be looked for.
        total: How many entries fit.
        by_event: Event to how many of them, most frequent first.
        entries: One page of those that fit, newest first.
        has_newer: Whether newer ones fit that are not on this page.
        has_older: Whether older ones do.
        refused_attempts: What was wrong to how many attempts, since this process started; they are not in the log.
    """

    origin: str
    tree_size: int
    root_hash: str
    checkpoint: str
    vkey: str
    choices: LogChoices
    total: int
    by_event: tuple[tuple[str, int], ...]
    entries: tuple[LogRow, ...]
    has_newer: bool
    has_older: bool
    refused_attempts: Mapping[Attempt, int]


def browse_log(
    service: Service,
    caller: Caller,
    chosen: LogFilter,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = 50,
) -> LogOverview:
    """State of the log and the entries that fit; the reading itself is logged once per person and hour.

    Args:
        service: The installation.
        caller: An auditor, administrator or caseworker.
        chosen: Which entries.
        before: Only entries with a smaller index.
        after: Only entries with a larger index, the oldest of them.
        limit: At most 200.

    Returns:
        The overview.

    Raises:
        NotAllowedError: For everybody else.
    """
    staff = require_role(caller, *LOG_ROLES, *CASEWORK_ROLES)
    note_log_reading(service, staff, "overview")
    with service.database.reading() as work:
        note = work.log.checkpoint()
        service.finding_aid.catch_up(work.log)
        found = service.finding_aid.find(chosen, limit=min(max(limit, 1), MAX_ROWS), before=before, after=after)
        records = work.log.records(found.indexes)
    opened = open_checkpoint(note, [NoteVerifier.from_vkey(service.log_vkey)])
    return LogOverview(
        origin=opened.origin,
        tree_size=opened.tree_size,
        root_hash=base64.b64encode(opened.root_hash).decode(),
        checkpoint=note,
        vkey=service.log_vkey,
        choices=_choices(service),
        total=found.total,
        by_event=found.by_event,
        entries=tuple(_row(record) for record in records),
        has_newer=found.has_newer,
        has_older=found.has_older,
        refused_attempts=service.refused_attempts.counts(),
    )


def _choices(service: Service) -> LogChoices:
    kinds = service.finding_aid.kinds()
    return LogChoices(
        systems=_sorted({kind.system for kind in kinds}),
        versions=_sorted({kind.version for kind in kinds}),
        events=_sorted({kind.event for kind in kinds}),
        roles=_sorted({kind.role for kind in kinds}),
        outcomes=_sorted({kind.outcome for kind in kinds}),
    )


def _sorted(values: set[str | None]) -> tuple[str, ...]:
    return tuple(sorted(value for value in values if value is not None))


def _row(record: LogRecord) -> LogRow:
    try:
        entry = parse_leaf(record.leaf)
    except VerificationError:
        entry = None
    return LogRow(index=record.index, event=record.event if entry is None else entry.t.value, at=record.at, entry=entry)
