"""Keeps leaf tables on disk, so that a restart reads them instead of making them anew.

A file is named after the fingerprint of everything its numbers depend on, among it the engine's version, so a changed
model, background or program finds no file rather than a wrong one. It is never trusted blindly: a digest over the whole
content is checked each time, and a file that is cut short, damaged or something else is made anew. The digest guards
against accidents, not against somebody who may write into the folder; the folder is made for the service's user alone,
and every explanation checks its sum anyway.
"""

import math
import os
import struct
import sys
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

N = TypeVar("N", bound=np.generic)

_MARK = b"klarbescheid leaf tables 1\n"
_DIGEST_BYTES = 32
_HEADER_BYTES = len(_MARK) + _DIGEST_BYTES
_SUFFIX, _PARTIAL = ".tables", ".partial"
_ABANDONED_SECONDS = 24 * 60 * 60

ANY_NUMBER = -1
"""As many lines as there are in the file."""

DEFAULT_LIMIT_BYTES = 4 * 2**30
"""Disk space all files of a folder may take together."""


def fingerprint_of(version: str, *arrays: NDArray[np.generic]) -> str:
    """Compute the fingerprint of what tables depend on.

    Args:
        version: Version of the program that makes the tables.
        arrays: Trees and background.

    Returns:
        SHA-256, hexadecimal; another version, shape, type or number gives another one.
    """
    whole = sha256(f"{version} {sys.byteorder}".encode())
    for array in arrays:
        whole.update(f"\0{array.dtype.descr}{array.shape}\0".encode())
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()


class TableCache:
    """A folder of files with tables; several processes may use it at once.

    Args:
        folder: Made if missing, readable and writable by this user only.
        limit_bytes: Disk space all files may take; those not used for longest go first.
    """

    def __init__(self, folder: Path, *, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes

    def load(self, key: str, shape: tuple[int, ...], dtype: np.dtype[N]) -> NDArray[N] | None:
        """Read tables that were kept.

        Args:
            key: Fingerprint of what they depend on.
            shape: Their shape; the number of lines may be :data:`ANY_NUMBER`.
            dtype: Type of their numbers.

        Returns:
            The numbers, read-only, or None if there is no such file or it is not whole.
        """
        path = self._path(key)
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size - _HEADER_BYTES
                line = dtype.itemsize * math.prod(shape[1:])
                n_lines = size // line if shape[0] == ANY_NUMBER else shape[0]
                if size != n_lines * line:
                    return None
                header = file.read(_HEADER_BYTES)
                # Read to where they are to stay: tables are large, and must be aligned.
                numbers: NDArray[N] = np.empty((n_lines, *shape[1:]), dtype)
                if file.readinto(_bytes_of(numbers)) != size:
                    return None
            os.utime(path)
        except OSError:
            return None
        if header != _header(key, _bytes_of(numbers)):
            return None
        numbers.flags.writeable = False
        return numbers

    def keep(self, key: str, table: NDArray[np.generic]) -> bool:
        """Write tables, at once or not at all.

        Args:
            key: Fingerprint of what they depend on.
            table: The numbers.

        Returns:
            Whether they are kept now. A full or read-only disk is no reason not to serve: the next start makes them
            anew.
        """
        numbers = memoryview(np.ascontiguousarray(table).tobytes())
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self._folder, suffix=_PARTIAL, delete=False) as partial:
                written = Path(partial.name)
                try:
                    partial.write(_header(key, numbers))
                    partial.write(numbers)
                    partial.flush()
                    os.fsync(partial.fileno())
                    written.replace(self._path(key))
                except OSError:
                    written.unlink(missing_ok=True)
                    raise
            self._remove_what_exceeds(self._path(key))
        except OSError:
            return False
        return True

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"

    def _remove_what_exceeds(self, newest: Path) -> None:
        for partial in self._folder.glob(f"*{_PARTIAL}"):
            # What a process that was killed left behind; others may be writing theirs.
            if newest.stat().st_mtime - partial.stat().st_mtime > _ABANDONED_SECONDS:
                partial.unlink(missing_ok=True)
        files = [(path.stat(), path) for path in self._folder.glob(f"*{_SUFFIX}") if path != newest]
        room = self._limit_bytes - newest.stat().st_size
        for status, path in sorted(files, key=lambda file: -file[0].st_mtime_ns):
            room -= status.st_size
            if room < 0:
                path.unlink(missing_ok=True)


def _bytes_of(numbers: NDArray[np.generic]) -> memoryview:
    return numbers.reshape(-1).view(np.uint8).data


def _header(key: str, numbers: memoryview) -> bytes:
    whole = sha256(key.encode())
    whole.update(struct.pack("<Q", numbers.nbytes))
    whole.update(numbers)
    return _MARK + whole.digest()
