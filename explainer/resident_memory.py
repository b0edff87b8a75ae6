"""Gives memory back to the system that a process needed to start and does not need to serve.

Verifying models leaves free places on the heap. Loading libraries, checking models and loading compiled functions run
through 100 MB of code and tables that lie in files, most of it in the compiler; they stay in memory although hardly
anybody looks at them again. Both are given back where the system is Linux; elsewhere nothing happens. A page that is
needed after all is mapped again when it is touched.
"""

import ctypes
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_MAPPINGS = Path("/proc/self/smaps")
_DONT_NEED = 4
"""MADV_DONTNEED, madvise(2): pages of a file that were never written to are read anew when they are touched."""

_MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ +(/.*)$")
"""First line of a mapping that has a file: addresses, permissions, path (proc_pid_smaps(5))."""

_CHANGED = "Anonymous:"
"""So much of a mapping is not what the file says, such as addresses that were filled in when the library was loaded."""


def give_back_what_only_the_start_needed() -> None:
    """Give back free places on the heap, and pages that can be read from their files again."""
    if sys.platform != "linux":
        return
    system = ctypes.CDLL(None)
    # Other C libraries than glibc have no such function.
    with suppress(AttributeError):
        system.malloc_trim(0)
    for start, length, _ in unchanged_mappings():
        system.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), _DONT_NEED)


def unchanged_mappings() -> Iterator[tuple[int, int, str]]:
    """Find what is mapped from files, cannot be written to, and holds exactly what the files say.

    Yields:
        Address and length of each mapping, and the path of its file.
    """
    mapping: re.Match[str] | None = None
    with suppress(OSError):
        for line in _MAPPINGS.read_text(encoding="utf-8", errors="replace").splitlines():
            mapping = _MAPPING.match(line) or mapping
            if mapping is None or not line.startswith(_CHANGED):
                continue
            start, end, permissions, path = mapping.groups()
            if "w" not in permissions and line.split()[1] == "0" and not path.endswith("(deleted)"):
                yield int(start, 16), int(end, 16) - int(start, 16), path
            mapping = None
