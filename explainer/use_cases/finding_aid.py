"""Finds entries among millions: what is public about each entry, as two small numbers in memory.

The log itself is never changed, and an index for every column would make every append slower. So each process reads
the leaves it has not seen yet and keeps for each entry its minute and its *kind*: event, system, model version, role
and outcome together, of which there are few. A question is then one pass over 8 bytes for each entry. What is shown is
always read from the log anew; the finding aid only says where to look.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from explainer.use_cases.stores import LogStore

_CHUNK = 8192
_SECONDS_PER_MINUTE = 60


@dataclass(frozen=True, kw_only=True)
class EntryKind:
    """What many entries have in common; the attributes are keys of the leaf, ``version`` is that of its model."""

    event: str
    system: str | None = None
    version: str | None = None
    role: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, kw_only=True)
class LogFilter:
    """Which entries a list shows; None means any.

    Attributes:
        event: Kind of event.
        system: Slug of the register entry.
        version: Model version.
        role: The program's role.
        outcome: Outcome slug.
        since: Entries of this minute or later (with time zone).
        until: Entries before this minute (with time zone).
    """

    event: str | None = None
    system: str | None = None
    version: str | None = None
    role: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def fits(self, kind: EntryKind) -> bool:
        """Whether entries of a kind are wanted, whatever their time."""
        wanted = (self.event, self.system, self.version, self.role, self.outcome)
        found = (kind.event, kind.system, kind.version, kind.role, kind.outcome)
        return all(one is None or one == other for one, other in zip(wanted, found, strict=True))


@dataclass(frozen=True, kw_only=True)
class FoundEntries:
    """One page of what was looked for.

    Attributes:
        indexes: Positions in the log, newest first.
        total: How many entries fit in all.
        by_event: Event to how many of them, most frequent first.
        has_newer: Whether newer entries fit that are not on this page.
        has_older: Whether older ones do.
    """

    indexes: tuple[int, ...]
    total: int
    by_event: tuple[tuple[str, int], ...]
    has_newer: bool
    has_older: bool


@dataclass(frozen=True)
class _Snapshot:
    """What is known of the first entries of the log; never changed, only replaced."""

    kinds: tuple[EntryKind, ...]
    kind_of: NDArray[np.uint32]
    minute_of: NDArray[np.uint32]


class FindingAid:
    """Minute and kind of every entry this process has read; threads may share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._snapshot = _Snapshot((), np.empty(0, np.uint32), np.empty(0, np.uint32))

    def catch_up(self, log: LogStore) -> None:
        """Read the entries that came since the last time.

        Args:
            log: The log as the current transaction sees it.
        """
        with self._lock:
            size, known = log.tree_size(), self._snapshot
            if len(known.kind_of) > size:
                known = _Snapshot((), np.empty(0, np.uint32), np.empty(0, np.uint32))
            if len(known.kind_of) < size:
                self._snapshot = _grown(known, log, size)

    def kinds(self) -> tuple[EntryKind, ...]:
        """Every kind there is, in the order in which they first came."""
        return self._snapshot.kinds

    def find(
        self, chosen: LogFilter, *, limit: int, before: int | None = None, after: int | None = None
    ) -> FoundEntries:
        """Find one page of entries.

        Args:
            chosen: Which ones.
            limit: At most so many.
            before: Only entries with a smaller index: the next older page.
            after: Only entries with a larger index, the oldest of them: the next newer page.

        Returns:
            The page, newest first, and how many fit in all.
        """
        known = self._snapshot
        fitting = np.flatnonzero(_mask(known, chosen))
        end = len(fitting) if before is None else int(np.searchsorted(fitting, before))
        start = max(end - limit, 0)
        if after is not None:
            start = int(np.searchsorted(fitting, after, side="right"))
            end = min(start + limit, len(fitting))
        counted = np.bincount(known.kind_of[fitting], minlength=len(known.kinds))
        by_event: dict[str, int] = {}
        for kind, count in zip(known.kinds, counted.tolist(), strict=True):
            by_event[kind.event] = by_event.get(kind.event, 0) + count
        return FoundEntries(
            indexes=tuple(fitting[start:end][::-1].tolist()),
            total=len(fitting),
            by_event=tuple(sorted(((name, n) for name, n in by_event.items() if n), key=lambda one: (-one[1], one[0]))),
            has_newer=end < len(fitting),
            has_older=start > 0,
        )


def _mask(known: _Snapshot, chosen: LogFilter) -> NDArray[np.bool_]:
    wanted = np.array([chosen.fits(kind) for kind in known.kinds], dtype=bool)
    fits = wanted[known.kind_of] if len(known.kinds) else np.zeros(0, dtype=bool)
    if chosen.since is not None:
        fits &= known.minute_of >= _minute(chosen.since)
    if chosen.until is not None:
        fits &= known.minute_of < _minute(chosen.until)
    return fits


def _grown(known: _Snapshot, log: LogStore, size: int) -> _Snapshot:
    kinds = list(known.kinds)
    number_of = {kind: number for number, kind in enumerate(kinds)}
    start = len(known.kind_of)
    kind_of, minute_of = np.empty(size - start, np.uint32), np.empty(size - start, np.uint32)
    read = _leaf_reader()
    for begin in range(start, size, _CHUNK):
        for index, (kind, minute) in enumerate(_read_chunk(log, begin, min(begin + _CHUNK, size), read), begin):
            number = number_of.get(kind)
            if number is None:
                number = number_of[kind] = len(kinds)
                kinds.append(kind)
            kind_of[index - start], minute_of[index - start] = number, minute
    return _Snapshot(
        tuple(kinds), np.concatenate([known.kind_of, kind_of]), np.concatenate([known.minute_of, minute_of])
    )


def _read_chunk(log: LogStore, begin: int, end: int, read: "_Reader") -> Iterator[tuple[EntryKind, int]]:
    leaves = log.leaves(begin, end)
    known: Sequence[tuple[EntryKind, int] | None] = [read(leaf) for leaf in leaves]
    if len(leaves) < end - begin or None in known:
        # A leaf is gone after its time, or somebody damaged it: what stays for ever still says when and what.
        known = [
            (None if leaf is None else read(leaf)) or (EntryKind(event=event), _minute(at))
            for _, event, at, leaf in log.facts(begin, end)
        ]
    yield from (one for one in known if one is not None)


_Reader = Callable[[bytes], tuple[EntryKind, int] | None]


def _leaf_reader() -> _Reader:
    @lru_cache(maxsize=4096)
    def minute_of(text: str) -> int:
        return _minute(datetime.strptime(text, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC))

    @lru_cache(maxsize=4096)
    def kind_of(
        event: str, system: str | None, version: str | None, role: str | None, outcome: str | None
    ) -> EntryKind:
        return EntryKind(event=event, system=system, version=version, role=role, outcome=outcome)

    def read(leaf: bytes) -> tuple[EntryKind, int] | None:
        try:
            entry = json.loads(leaf)
            model = entry["model"]
            version = None if model is None else model["version"]
            kind = kind_of(entry["t"], entry["system"], version, entry["role"], entry["outcome"])
            return kind, minute_of(entry["ts"])
        except (ValueError, KeyError, TypeError):
            return None

    return read


def _minute(moment: datetime) -> int:
    return int(moment.timestamp()) // _SECONDS_PER_MINUTE
