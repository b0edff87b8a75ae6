"""One SQLite connection per thread, opened anew wherever a kept one could see another file than a fresh one would."""

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path


class KeptConnections:
    """Keeps a connection for each thread; opening one costs more than what is asked over it.

    SQLite connections must not cross a fork, and one that was opened before its file was replaced goes on reading the
    old file. Both are looked at before every use.

    Args:
        path: The database file.
        connect: Opens and prepares a connection; it must allow closing from another thread.
    """

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection]) -> None:
        self._path = os.fspath(path)  # looked at before every use, and a Path is slower to look at
        self._connect = connect
        self._of_thread = threading.local()
        self._inherited: list[_Kept] = []

    def connection(self) -> sqlite3.Connection:
        """This thread's connection to the file that lies at the path now.

        Raises:
            sqlite3.Error: It cannot be opened.
            OSError: There is no such file.
        """
        kept: _Kept | None = getattr(self._of_thread, "kept", None)
        place = _place_of(self._path)
        if kept is not None and kept.place != place:
            if kept.place[0] != place[0]:
                # The parent's: closing it here could disturb the parent, so it stays open until this process ends.
                self._inherited.append(kept)
            kept = None
        if kept is None:
            kept = _Kept(self._connect(), place)
            self._of_thread.kept = kept
        return kept.connection

    def drop(self) -> None:
        """Close this thread's connection; SQLite rolls back what was not committed."""
        self._of_thread.kept = None


class _Kept:
    def __init__(self, connection: sqlite3.Connection, place: tuple[int, int, int]) -> None:
        self.connection = connection
        self.place = place

    def __del__(self) -> None:
        # Runs when the thread ends, too.
        if self.place[0] == os.getpid():
            self.connection.close()


def _place_of(path: str) -> tuple[int, int, int]:
    status = os.stat(path)  # noqa: PTH116 -- a text, see above
    return os.getpid(), status.st_dev, status.st_ino
