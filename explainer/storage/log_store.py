"""The log in SQL, as one transaction sees it."""

from collections.abc import Callable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from explainer.storage.driver_statements import DriverInsert
from explainer.storage.log_integration import StoredCheckpoint, checkpoint_to_append_to, integrate, newest_checkpoint
from explainer.storage.right_edge import RightEdge
from explainer.storage.rows import record_from
from explainer.storage.tables import log_entry, log_leaf, log_sealed
from explainer.storage.tile_reader import SqlTileReader
from explainer.transparency_log.log_entry import LogEntry
from explainer.transparency_log.merkle import leaf_hash
from explainer.transparency_log.signed_note import NoteSigner
from explainer.transparency_log.tiles import check_leaf_size
from explainer.use_cases.records import LogRecord, PreparedEntry

_ENTRIES = DriverInsert(log_entry, "seq", "entry_id", "event", "system", "at", "leaf_hash")
_LEAVES = DriverInsert(log_leaf, "seq", "leaf")
_SEALED = DriverInsert(log_sealed, "entry_id", "key_id", "sealed")


class SqlLogStore:
    """The log as one unit of work sees it; see ``use_cases.stores.LogStore``.

    Appended entries are *pending* until the unit of work ends: the unit itself can find them, but ``tree_size`` and
    ``checkpoint`` still describe the log that was there before.

    Args:
        connection: The unit of work's connection.
        signer: The log's key.
        edge: What this process remembers of the tree.
        take_lock: Waits for other writers of the log; None in a read-only unit of work.
    """

    def __init__(
        self, connection: Connection, signer: NoteSigner, edge: RightEdge, take_lock: Callable[[], None] | None
    ) -> None:
        self._connection = connection
        self._signer = signer
        self._edge = edge
        self._take_lock = take_lock
        self._before: StoredCheckpoint | None = None
        self._pending_hashes: list[bytes] = []

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
        first = self._size_when_locked() + self.pending
        records = [_record(first + place, prepared) for place, prepared in enumerate(entries)]
        _ENTRIES.insert(
            self._connection,
            [(one.index, one.entry_id, one.event, one.system, one.at, one.leaf_hash) for one in records],
        )
        _LEAVES.insert(self._connection, [(one.index, one.leaf) for one in records])
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
            self._connection, self._signer, self._edge, before=self._before, new_hashes=self._pending_hashes, at=at
        )
        self._pending_hashes = []

    def tree_size(self) -> int:
        """Number of integrated entries this transaction sees."""
        return newest_checkpoint(self._connection).size

    def checkpoint(self) -> str:
        """The newest signed checkpoint (C2SP note); the empty log has one too."""
        return newest_checkpoint(self._connection).note

    def tiles(self) -> SqlTileReader:
        """Hashes of the tree as this transaction sees it."""
        return SqlTileReader(self._connection)

    def leaves(self, start: int, end: int) -> Sequence[bytes]:
        """Leaf bytes with start <= index < end."""
        query = sa.select(log_leaf.c.leaf).where(log_leaf.c.seq >= start, log_leaf.c.seq < end).order_by(log_leaf.c.seq)
        return list(self._connection.execute(query).scalars())

    def facts(self, start: int, end: int) -> Sequence[tuple[int, str, datetime, bytes | None]]:
        """Index, event, time and leaf (None where it was pruned) with start <= index < end, in order."""
        query = (
            sa.select(log_entry.c.seq, log_entry.c.event, log_entry.c.at, log_leaf.c.leaf)
            .outerjoin(log_leaf, log_leaf.c.seq == log_entry.c.seq)
            .where(log_entry.c.seq >= start, log_entry.c.seq < end)
            .order_by(log_entry.c.seq)
        )
        return [(row[0], row[1], row[2], row[3]) for row in self._connection.execute(query)]

    def records(self, indexes: Sequence[int]) -> Sequence[LogRecord]:
        """The entries at these indexes whose leaves are kept, newest first."""
        query = _records().where(log_entry.c.seq.in_(indexes)).order_by(log_entry.c.seq.desc())
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
        query = _records().order_by(log_entry.c.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(log_entry.c.seq < before)
        if event is not None:
            query = query.where(log_entry.c.event == event)
        if system is not None:
            query = query.where(log_entry.c.system == system)
        return [LogRecord(**row) for row in self._connection.execute(query).mappings()]

    def last_of(self, event: str, *, system: str | None = None) -> LogRecord | None:
        """Newest entry of one event, or None."""
        found = self.newest(limit=1, event=event, system=system)
        return found[0] if found else None

    def _size_when_locked(self) -> int:
        if self._take_lock is None:
            raise RuntimeError("A read-only unit of work cannot append to the log; open one with writing()")
        if self._before is None:
            self._take_lock()
            self._before = checkpoint_to_append_to(self._connection, self._signer)
        return self._before.size


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
        log_entry.c.seq.label("index"),
        log_entry.c.entry_id,
        log_entry.c.event,
        log_entry.c.at,
        log_entry.c.system,
        log_leaf.c.leaf,
        log_entry.c.leaf_hash,
    ).join(log_leaf, log_leaf.c.seq == log_entry.c.seq)
