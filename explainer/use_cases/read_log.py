"""Read the log: checkpoint and tiles for anyone's tools, an overview and a recomputation for auditors' eyes."""

import base64
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from explainer.errors import (
    LogIntegrityError,
    LogTileNotFoundError,
    MalformedTileError,
    NotSignedInError,
    VerificationError,
)
from explainer.transparency_log.checkpoint import open_checkpoint
from explainer.transparency_log.log_entry import LogEvent, parse_leaf
from explainer.transparency_log.signed_note import NoteVerifier
from explainer.transparency_log.tiles import TilePath, encode_entries
from explainer.transparency_log.tree import Tree
from explainer.transparency_log.verify import verify_log
from explainer.use_cases.callers import CASEWORK_ROLES, LOG_ROLES, Caller, Staff, require_role
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.records import LogRecord
from explainer.use_cases.service import Service
from explainer.use_cases.stores import UnitOfWork

MAX_ROWS = 200


class _NotedMeanwhileError(Exception):
    """Another request of the same person noted this hour's reading: this unit of work is given up."""


@dataclass(frozen=True, kw_only=True)
class LogRow:
    """One entry as an auditor's list shows it; every field is public."""

    index: int
    entry_id: str
    event: str
    at: datetime
    system: str | None
    role: str | None
    outcome: str | None
    leaf_hash: str


@dataclass(frozen=True, kw_only=True)
class LogOverview:
    """State of the log and its newest entries.

    Attributes:
        origin: Name of the log.
        tree_size: Number of entries.
        root_hash: Base64, as in the checkpoint.
        checkpoint: The signed note.
        vkey: Public key to check it with.
        entries: Newest first.
    """

    origin: str
    tree_size: int
    root_hash: str
    checkpoint: str
    vkey: str
    entries: tuple[LogRow, ...]


@dataclass(frozen=True, kw_only=True)
class LogVerification:
    """Result of recomputing the whole tree from its entries.

    Attributes:
        ok: Whether everything held.
        problem: What did not, in one sentence.
        tree_size: Entries covered by the checkpoint.
        root_hash: Base64.
        entries_checked: Entries whose leaf hash was recomputed.
        took_seconds: Duration.
    """

    ok: bool
    problem: str | None
    tree_size: int
    root_hash: str
    entries_checked: int
    took_seconds: float


def checkpoint(service: Service) -> str:
    """The newest signed checkpoint, for anyone."""
    return service.database.released_checkpoint()


def tile(service: Service, caller: Caller | None, path: str) -> bytes:
    """One tile of hashes, or one bundle of entries.

    Args:
        service: The installation.
        caller: Who asks; entries need an auditor unless the installation publishes them.
        path: Such as ``tile/0/000`` or ``tile/entries/000.p/5``.

    Returns:
        The bytes C2SP tlog-tiles defines.

    Raises:
        LogTileNotFoundError: If the log does not reach that far, or the path is no tile.
        NotSignedInError: If entries were asked for by nobody known.
        NotAllowedError: If entries were asked for by somebody who is no auditor.
    """
    try:
        wanted = TilePath.parse(path)
    except MalformedTileError as error:
        raise LogTileNotFoundError("The log has no such tile.") from error
    public = service.settings.demo or service.settings.public_log_entries
    if wanted.is_entry_bundle and not public:
        if caller is None:
            raise NotSignedInError("Log entries are for auditors: send a personal token.")
        _note_reading(service, require_role(caller, *LOG_ROLES), "entries")
    with service.database.reading() as work:
        return _tile(work, wanted)


def log_overview(
    service: Service, caller: Caller, *, before: int | None = None, event: str | None = None, limit: int = 50
) -> LogOverview:
    """State of the log and its newest entries; the reading itself is logged once per person and hour.

    Args:
        service: The installation.
        caller: An auditor, administrator or caseworker.
        before: Only entries with a smaller index.
        event: Only entries of this event.
        limit: At most 200.

    Returns:
        The overview.
    """
    staff = require_role(caller, *LOG_ROLES, *CASEWORK_ROLES)
    _note_reading(service, staff, "overview")
    with service.database.reading() as work:
        note = work.log.checkpoint()
        records = work.log.newest(limit=min(max(limit, 1), MAX_ROWS), before=before, event=event or None)
    opened = open_checkpoint(note, [NoteVerifier.from_vkey(service.log_vkey)])
    return LogOverview(
        origin=opened.origin,
        tree_size=opened.tree_size,
        root_hash=base64.b64encode(opened.root_hash).decode(),
        checkpoint=note,
        vkey=service.log_vkey,
        entries=tuple(_row(record) for record in records),
    )


def verify_log_now(service: Service, caller: Caller) -> LogVerification:
    """Recompute every leaf hash, every tile and the root from the entries, with the verifier outsiders use.

    Args:
        service: The installation.
        caller: An auditor, administrator or caseworker.

    Returns:
        The result; a log that does not hold is a result, not an error.
    """
    require_role(caller, *LOG_ROLES, *CASEWORK_ROLES)
    begin = time.perf_counter()
    with service.database.reading() as work:

        def fetch(path: str) -> bytes:
            if path == "checkpoint":
                return work.log.checkpoint().encode()
            return _tile(work, TilePath.parse(path))

        try:
            verified = verify_log(fetch, service.log_vkey)
        except (VerificationError, LogTileNotFoundError, LogIntegrityError) as error:
            return LogVerification(
                ok=False,
                problem=str(error),
                tree_size=work.log.tree_size(),
                root_hash="",
                entries_checked=0,
                took_seconds=time.perf_counter() - begin,
            )
    return LogVerification(
        ok=True,
        problem=None,
        tree_size=verified.tree_size,
        root_hash=base64.b64encode(verified.root_hash).decode(),
        entries_checked=verified.entries_checked,
        took_seconds=time.perf_counter() - begin,
    )


def _tile(work: UnitOfWork, wanted: TilePath) -> bytes:
    size = work.log.tree_size()
    if wanted.is_entry_bundle:
        if wanted.end > size:
            raise LogTileNotFoundError("The log does not reach that far yet.")
        return encode_entries(work.log.leaves(wanted.start, wanted.end))
    try:
        return Tree(work.log.tiles(), size).tile(wanted.level, wanted.index, wanted.width)
    except (MalformedTileError, ValueError) as error:
        raise LogTileNotFoundError("The log does not reach that far yet.") from error


def _row(record: LogRecord) -> LogRow:
    entry = parse_leaf(record.leaf)
    return LogRow(
        index=record.index,
        entry_id=record.entry_id,
        event=record.event,
        at=record.at,
        system=record.system,
        role=entry.role,
        outcome=entry.outcome,
        leaf_hash=record.leaf_hash.hex(),
    )


def _note_reading(service: Service, staff: Staff, what: str) -> None:
    hour = service.clock().strftime("%Y-%m-%dT%H")
    mark = sha256(f"log.read\n{staff.staff_id}\n{what}\n{hour}".encode()).digest()
    with service.database.reading() as work:
        if work.access.was_noted(mark):
            return
    with suppress(_NotedMeanwhileError), service.database.writing() as work:
        # The entry takes the writers' lock: what is read after it, no other request can be just noting.
        write_log_entry(
            service, work, LogEvent.LOG_READ, caller=staff, outcome=what, private={"purpose": f"{what} in hour {hour}"}
        )
        if work.access.was_noted(mark):
            raise _NotedMeanwhileError
        work.access.note(mark, at=service.clock())
