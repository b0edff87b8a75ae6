"""The log in SQL, as one transaction sees it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from explainer.storage.driver_statements import DriverInsert
from explainer.storage.log_epochs import INDEXES, first_row
from explainer.storage.log_integration import (
    StoredCheckpoint,
    add_log_key,
    integrate,
    newest_checkpoint,
    retire_log_key,
)
from explainer.storage.log_signers import LogSigners, log_keys
from explainer.storage.right_edge import RightEdge
from explainer.storage.rows import record_from
from explainer.storage.tables import log_cosignature, log_entry, log_leaf, log_sealed
from explainer.storage.tile_reader import SqlTileReader
from explainer.transparency_log.log_entry import LogEntry
from explainer.transparency_log.merkle import leaf_hash
from explainer.transparency_log.tiles import check_leaf_size
from explainer.use_cases.records import LogKeyRecord, LogRecord, PreparedEntry

_ENTRIES = DriverInsert(log_entry, "seq", "entry_id", "event", "system", "at", "leaf_hash")
_LEAVES = DriverInsert(log_leaf, "seq", "leaf")
_SEALED = DriverInsert(log_sealed, "entry_id", "key_id", "sealed")


class SqlLogStore:
    """The log as one unit of work sees it; see ``use_cases.stores.LogStore``.

    Appended entries are *pending* until the unit of work ends: the unit itself can find them, but ``tree_size`` and
    ``checkpoint`` still describe the log that was there before.

    Args:
        connection: The unit of work's connection.
        signers: The log's keys.
        edge: What this process remembers of the tree.
        take_lock: Waits for other writers of the log and gives the checkpoint to append to; None in a read-only unit of
            work.
        epoch: Which epoch to read; the current one when None.
        remember: Makes a committed checkpoint known outside the database before it is given away.
    """

    def __init__(
        self,
        connection: Connection,
        signers: LogSigners,
        edge: RightEdge,
        take_lock: Callable[[], StoredCheckpoint] | None,
        *,
        epoch: int | None = None,
        remember: Callable[[str], None] | None = None,
    ) -> None:
        self._connection = connection
        self._signers = signers
        self._edge = edge
        self._take_lock = take_lock
        self._before: StoredCheckpoint | None = None
        self._pending_hashes: list[bytes] = []
        self._signed: str | None = None
        self._epoch = epoch
        self._only_epoch = epoch
        self._remember = remember

    def append(self, entry: LogEntry, *, sealed: bytes, key_id: str, at: datetime) -> LogRecord:
        """Append one entry with its sealed private part.

        The first append of a unit of work waits for all other writers of the log. Append *before* changing rows that
        another unit might change too, so that two units can never wait for each other.

        Args:
            entry: What goes into the tree.
            sealed: Its private part, sealed.
            key_id: Name of the key that opens it.
            at: When it happened (UTC, exact; the leaf itself holds less).

        Returns:
            Where the entry will stand once the unit of work has committed.

        Raises:
            LeafTooLargeError: The entry is too large for the log.
            LogIntegrityError: The log must not be continued.
            RuntimeError: The unit of work is read-only.
            sqlalchemy.exc.IntegrityError: An entry with this id exists. Ids are 128 random bits, so this is a mistake
                of the program, and the unit of work must end.
        """
        return self.append_all([PreparedEntry(entry=entry, sealed=sealed, key_id=key_id, at=at)])[0]

    def append_all(self, entries: Sequence[PreparedEntry]) -> Sequence[LogRecord]:
        """Append several entries in their order, with one statement for each table.

        Args:
            entries: What goes into the tree.

        Returns:
            Where the entries will stand once the unit of work has committed.

        Raises:
            LeafTooLargeError: An entry is too large for the log.
            LogIntegrityError: The log must not be continued.
            RuntimeError: The unit of work is read-only.
            sqlalchemy.exc.IntegrityError: See :meth:`append`.
        """
        before = self._locked()
        first, first_of_epoch = before.size + self.pending, first_row(before.epoch)
        records = [_record(first + place, prepared) for place, prepared in enumerate(entries)]
        rows = [(first_of_epoch + one.index, one) for one in records]
        _ENTRIES.insert(
            self._connection,
            [(row, one.entry_id, one.event, one.system, one.at, one.leaf_hash) for row, one in rows],
        )
        _LEAVES.insert(self._connection, [(row, one.leaf) for row, one in rows])
        _SEALED.insert(self._connection, [(one.entry.id, one.key_id, one.sealed) for one in entries])
        self._pending_hashes += [one.leaf_hash for one in records]
        return records

    @property
    def pending(self) -> int:
        """How many entries this unit of work has appended so far."""
        return len(self._pending_hashes)

    def forget_pending_after(self, pending: int) -> None:
        """Count only the first of the appended entries: the others went with the savepoint they were appended in."""
        del self._pending_hashes[pending:]

    def integrate_pending(self, *, at: datetime) -> None:
        """Make the pending entries part of the tree; the unit of work calls this right before it commits.

        Args:
            at: When the checkpoint is signed.
        """
        if self._before is None or not self._pending_hashes:
            return
        self._before = integrate(
            self._connection, self._signers, self._edge, before=self._before, new_hashes=self._pending_hashes, at=at
        )
        self._pending_hashes = []
        self._signed = self._before.note

    @property
    def signed(self) -> str | None:
        """The checkpoint that this unit of work has signed; it may be released once the unit has committed."""
        return self._signed

    def add_key(self, vkey: str) -> None:
        """Let one more key sign, beginning with the checkpoint over what this unit of work appends."""
        before = self._locked()
        add_log_key(self._connection, vkey, from_size=before.size + self.pending)
        self._before = replace(before, key_changes=None)

    def retire_key(self, vkey: str) -> None:
        """Let a key sign no more: the checkpoint before this unit of work was its last."""
        before = self._locked()
        retire_log_key(self._connection, vkey, to_size=before.size)
        self._before = replace(before, key_changes=None)

    def tree_size(self) -> int:
        """Number of integrated entries this transaction sees."""
        return newest_checkpoint(self._connection, self._only_epoch).size

    def checkpoint(self) -> str:
        """The newest signed checkpoint (C2SP note); the empty log has one too."""
        note = newest_checkpoint(self._connection, self._only_epoch).note
        if self._remember is not None:
            # Another process may have committed it a moment ago and not have come to remembering it yet.
            self._remember(note)
        return note

    def add_cosignature(self, size: int, witness: str, line: str, *, at: datetime) -> None:
        """Keep what a witness signed beside the checkpoint of this size; what is kept already stays."""
        number = first_row(self._current_epoch()) + size
        kept = sa.exists().where(log_cosignature.c.size == number, log_cosignature.c.witness == witness)
        if not self._connection.execute(sa.select(kept)).scalar_one():
            row = {"size": number, "witness": witness, "line": line, "at": at}
            self._connection.execute(sa.insert(log_cosignature), row)

    def cosignatures(self, size: int) -> Sequence[str]:
        """Signature lines of witnesses on the checkpoint of this size."""
        number = first_row(self._current_epoch()) + size
        query = sa.select(log_cosignature.c.line).where(log_cosignature.c.size == number)
        return list(self._connection.execute(query.order_by(log_cosignature.c.witness)).scalars())

    def last_cosigned(self, witness: str) -> int | None:
        """Size of the newest checkpoint that a witness has cosigned, or None."""
        first = first_row(self._current_epoch())
        query = sa.select(sa.func.max(log_cosignature.c.size)).where(
            log_cosignature.c.witness == witness, log_cosignature.c.size >= first
        )
        number = self._connection.execute(query).scalar_one()
        return None if number is None else number - first

    def epoch(self) -> int:
        """Number of the epoch that is read."""
        return self._current_epoch()

    def of_epoch(self, epoch: int) -> "SqlLogStore | None":
        """An earlier epoch of the log, to be read; None where there is none of this number."""
        if not 0 <= epoch < newest_checkpoint(self._connection).epoch:
            return None
        return SqlLogStore(self._connection, self._signers, self._edge, None, epoch=epoch)

    def tiles(self) -> SqlTileReader:
        """Hashes of the tree as this transaction sees it."""
        return SqlTileReader(self._connection, self._current_epoch())

    def keys(self) -> Sequence[LogKeyRecord]:
        """Every key the log has had, oldest first, with the tree sizes it signs."""
        return log_keys(self._connection)

    def leaves(self, start: int, end: int) -> Sequence[bytes]:
        """Leaf bytes with start <= index < end."""
        first = first_row(self._current_epoch())
        rows = log_leaf.c.seq >= first + start, log_leaf.c.seq < first + end
        query = sa.select(log_leaf.c.leaf).where(*rows).order_by(log_leaf.c.seq)
        return list(self._connection.execute(query).scalars())

    def facts(self, start: int, end: int) -> Sequence[tuple[int, str, datetime, bytes | None]]:
        """Index, event, time and leaf (None where it was pruned) with start <= index < end, in order."""
        first = first_row(self._current_epoch())
        query = (
            sa.select(log_entry.c.seq % INDEXES, log_entry.c.event, log_entry.c.at, log_leaf.c.leaf)
            .outerjoin(log_leaf, log_leaf.c.seq == log_entry.c.seq)
            .where(log_entry.c.seq >= first + start, log_entry.c.seq < first + end)
            .order_by(log_entry.c.seq)
        )
        return [(row[0], row[1], row[2], row[3]) for row in self._connection.execute(query)]

    def records(self, indexes: Sequence[int]) -> Sequence[LogRecord]:
        """The entries at these indexes whose leaves are kept, newest first."""
        first = first_row(self._current_epoch())
        query = (
            _records().where(log_entry.c.seq.in_([first + index for index in indexes])).order_by(log_entry.c.seq.desc())
        )
        return [LogRecord(**row) for row in self._connection.execute(query).mappings()]

    def find(self, entry_id: str) -> LogRecord | None:
        """Return one entry, or None."""
        row = self._connection.execute(_records().where(log_entry.c.entry_id == entry_id)).one_or_none()
        return record_from(LogRecord, row)

    def sealed_part(self, entry_id: str) -> tuple[str, bytes] | None:
        """Key id and sealed private part of one entry, or None."""
        row = self._connection.execute(
            sa.select(log_sealed.c.key_id, log_sealed.c.sealed).where(log_sealed.c.entry_id == entry_id)
        ).one_or_none()
        return None if row is None else (row.key_id, row.sealed)

    def under_key(self, key_id: str) -> Sequence[tuple[LogRecord, bytes]]:
        """Entries whose private part is sealed under this key, oldest first, with that part."""
        query = (
            _records()
            .add_columns(log_sealed.c.sealed)
            .join(log_sealed, log_sealed.c.entry_id == log_entry.c.entry_id)
            .where(log_sealed.c.key_id == key_id)
            .order_by(log_entry.c.seq)
        )
        return [
            (LogRecord(**{name: value for name, value in row.items() if name != "sealed"}), row["sealed"])
            for row in self._connection.execute(query).mappings()
        ]

    def newest(
        self, *, limit: int, before: int | None = None, event: str | None = None, system: str | None = None
    ) -> Sequence[LogRecord]:
        """Entries that fit, newest first.

        Args:
            limit: At most so many.
            before: Only entries with a smaller index.
            event: Only entries of this event.
            system: Only entries of this register entry.

        Returns:
            The entries of one page of the list.
        """
        first = first_row(self._current_epoch())
        query = _records().where(log_entry.c.seq >= first).order_by(log_entry.c.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(log_entry.c.seq < first + before)
        if event is not None:
            query = query.where(log_entry.c.event == event)
        if system is not None:
            query = query.where(log_entry.c.system == system)
        return [LogRecord(**row) for row in self._connection.execute(query).mappings()]

    def last_of(self, event: str, *, system: str | None = None) -> LogRecord | None:
        """Newest entry of one event, or None."""
        found = self.newest(limit=1, event=event, system=system)
        return found[0] if found else None

    def _locked(self) -> StoredCheckpoint:
        if self._take_lock is None:
            raise RuntimeError("A read-only unit of work cannot append to the log; open one with writing()")
        if self._before is None:
            self._before = self._take_lock()
        return self._before

    def _current_epoch(self) -> int:
        if self._epoch is None:
            self._epoch = newest_checkpoint(self._connection).epoch
        return self._epoch


def _record(index: int, prepared: PreparedEntry) -> LogRecord:
    leaf = prepared.entry.leaf_bytes()
    check_leaf_size(leaf)
    return LogRecord(
        index=index,
        entry_id=prepared.entry.id,
        event=prepared.entry.t.value,
        at=prepared.at,
        system=prepared.entry.system,
        leaf=leaf,
        leaf_hash=leaf_hash(leaf),
    )


def _records() -> sa.Select[tuple[int, str, str, datetime, str | None, bytes, bytes]]:
    return sa.select(
        (log_entry.c.seq % INDEXES).label("index"),
        log_entry.c.entry_id,
        log_entry.c.event,
        log_entry.c.at,
        log_entry.c.system,
        log_leaf.c.leaf,
        log_entry.c.leaf_hash,
    ).join(log_leaf, log_leaf.c.seq == log_entry.c.seq)
