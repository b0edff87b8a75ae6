"""The log's memory outside the database: every released checkpoint, appended to a file that is never rewritten.

A database can be put back to yesterday, and nothing in it would show that. The anchor file shows it: it lies elsewhere,
best on another volume, and a log that is behind it, or leads to other roots, is not continued.

Each line is a JSON object whose ``note`` is a signed checkpoint (C2SP). Sizes only grow within one origin; a new origin
begins where the log was restored on purpose.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from explainer.errors import AnchorError, VerificationError
from explainer.transparency_log.checkpoint import Checkpoint
from explainer.transparency_log.private_file import create_private_file, refuse_if_others_can_read
from explainer.transparency_log.signed_note import parse_note

_LONGEST_LINE = 65_536
_Stamp: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """One remembered checkpoint.

    Attributes:
        checkpoint: What it says; whether its signature holds is for the caller to verify.
        note: The signed note.
    """

    checkpoint: Checkpoint
    note: str

    @classmethod
    def of(cls, note: str) -> "Anchor":
        """Read a signed checkpoint without verifying it.

        Raises:
            VerificationError: If it is none.
        """
        return cls(checkpoint=Checkpoint.parse(parse_note(note).text), note=note)

    def covers(self, other: "Anchor") -> bool:
        """Whether this is a checkpoint of the same log that is at least as large."""
        ours, theirs = self.checkpoint, other.checkpoint
        return ours.origin == theirs.origin and ours.tree_size >= theirs.tree_size


class AnchorFile:
    """Appends checkpoints and reads the newest. Safe for several threads and processes.

    Args:
        path: The file, mode 0600; :meth:`begin` makes it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[_Stamp, Anchor] | None = None

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._path

    def exists(self) -> bool:
        """Whether the file has been begun."""
        return self._path.exists()

    def begin(self, note: str) -> None:
        """Make the file with a first checkpoint; does nothing where there is one already.

        Args:
            note: The signed checkpoint.

        Raises:
            AnchorError: If the file cannot be made.
        """
        try:
            create_private_file(self._path, _line(note))
        except OSError as error:
            raise AnchorError(f"The anchor file {self._path.name} cannot be made: {error.strerror}.") from error

    def newest(self) -> Anchor:
        """The checkpoint that was remembered last.

        Raises:
            AnchorError: If the file is missing, damaged, or readable by others.
        """
        seen = self._seen
        try:
            if seen is not None and seen[0] == _stamp(os.stat(self._path)):  # noqa: PTH116 -- before every batch
                return seen[1]
            # Without the lock: who asks holds the log's own lock and must not wait for another's write to the disk. A
            # line that is being written has no end yet and is passed over.
            with _opened(self._path, os.O_RDONLY) as descriptor:
                return self._newest_of(descriptor)[0]
        except OSError as error:
            raise AnchorError(f"The anchor file {self._path.name} cannot be read: {error.strerror}.") from error

    def remember(self, note: str) -> None:
        """Append a checkpoint, durable before this returns, unless it or a later one is remembered already.

        One write and one wait for the disk. A process that comes with an older checkpoint finds that a later one of the
        same log covers it; it needs no line of its own.

        Args:
            note: The signed checkpoint, committed.

        Raises:
            AnchorError: If it cannot be appended; then nothing that rests on it may leave.
        """
        anchor = Anchor.of(note)
        try:
            # Even the quick look waits for the lock: what another process has written, it has then also synced.
            with _opened(self._path, os.O_RDWR) as descriptor:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                newest, end = self._newest_of(descriptor)
                if not newest.covers(anchor):
                    self._append(descriptor, anchor, end)
        except OSError as error:
            raise AnchorError(f"The anchor file {self._path.name} cannot be written: {error.strerror}.") from error

    def _append(self, descriptor: int, anchor: Anchor, end: int) -> None:
        self._seen = None
        line = _line(anchor.note)
        if os.fstat(descriptor).st_size > end:
            # What a power cut, or a full disk, left of an unfinished line.
            os.ftruncate(descriptor, end)
        if os.pwrite(descriptor, line, end) != len(line):
            raise AnchorError(f"The anchor file {self._path.name} cannot be written: the disk is full.")
        os.fdatasync(descriptor)
        self._seen = (_stamp(os.fstat(descriptor)), anchor)

    def _newest_of(self, descriptor: int) -> tuple[Anchor, int]:
        """The last whole line, and where it ends."""
        status = os.fstat(descriptor)
        if self._seen is not None and self._seen[0] == _stamp(status):
            return self._seen[1], status.st_size
        refuse_if_others_can_read(self._path)
        start = max(0, status.st_size - 2 * _LONGEST_LINE)
        whole, newline, unfinished = os.pread(descriptor, 2 * _LONGEST_LINE, start).rpartition(b"\n")
        try:
            anchor = Anchor.of(json.loads(whole.rpartition(b"\n")[2])["note"])
        except (ValueError, KeyError, TypeError, VerificationError) as error:
            raise AnchorError(
                f"The anchor file {self._path.name} is damaged: its last line holds no checkpoint."
            ) from error
        if newline and not unfinished:
            self._seen = (_stamp(status), anchor)
        return anchor, status.st_size - len(unfinished)


@contextmanager
def _opened(path: Path, access: int) -> Iterator[int]:
    # Without O_CREAT: a file that has gone must be missed, not begun anew.
    descriptor = os.open(path, access | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _line(note: str) -> bytes:
    return json.dumps({"note": note}, ensure_ascii=False).encode() + b"\n"


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
