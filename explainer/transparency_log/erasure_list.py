"""The list of erasures, outside database and key store: a restored copy of either must not bring anybody back.

One line of JSON for each erasure, appended and durable before the first key is destroyed: when, on which basis, and
the names of the keys. Names of keys are random, so the list says nobody's name; it belongs beside the anchors of the
log, on another volume than database and keys.
"""

import fcntl
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from explainer.errors import SettingsError
from explainer.transparency_log.private_file import create_private_file, refuse_if_others_can_read

_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """Keys that were, or were about to be, destroyed together.

    Attributes:
        at: When (UTC).
        basis: Why, as the log says it.
        key_ids: Names of the keys.
    """

    at: datetime
    basis: str
    key_ids: tuple[str, ...]


class ErasureList:
    """The file; several processes may append to it.

    Args:
        path: Where; made when it is missing, mode 0600.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, erasure: Erasure) -> None:
        """Add an erasure; it is durable before this returns.

        Raises:
            SettingsError: If the file cannot be written; then no key may be destroyed.
        """
        line = json.dumps(
            {"v": _VERSION, "at": erasure.at.isoformat(), "basis": erasure.basis, "keys": erasure.key_ids}
        )
        try:
            create_private_file(self._path, b"")
            refuse_if_others_can_read(self._path)
            with self._path.open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.truncate(_length_of_whole_lines(file.read()))
                file.seek(0, os.SEEK_END)
                file.write(line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise SettingsError(f"The list of erasures {self._path} cannot be written: {error.strerror}.") from error

    def read(self) -> Sequence[Erasure]:
        """All erasures, oldest first; a last line that a crash cut off was never acted upon and is left out.

        Raises:
            SettingsError: If the file cannot be read or is damaged.
        """
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise SettingsError(f"The list of erasures {self._path} cannot be read: {error.strerror}.") from error
        lines = content[: _length_of_whole_lines(content)].splitlines()
        return tuple(self._erasure(number, line) for number, line in enumerate(lines, start=1))

    def _erasure(self, number: int, line: bytes) -> Erasure:
        try:
            said = json.loads(line)
            at = datetime.fromisoformat(said["at"]).astimezone(UTC)
            return {_VERSION: Erasure(at=at, basis=str(said["basis"]), key_ids=tuple(map(str, said["keys"])))}[
                said["v"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(
                f"Line {number} of the list of erasures {self._path} is damaged. Put a copy of the list back: without "
                "it, data that were erased could come back to life."
            ) from error


def _length_of_whole_lines(content: bytes) -> int:
    return content.rfind(b"\n") + 1
