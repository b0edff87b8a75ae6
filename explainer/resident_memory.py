"""Gives memory back to the system that a process needed to start and does not need to serve.

Verifying models leaves free places on the heap. Loading compiled functions runs through 50 MB of the compiler's own
code, which stays mapped although nobody calls it again. Both are given back where the system is Linux; elsewhere
nothing happens. What is needed again after all is read from its file again.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

COMPILER = "libllvmlite"
"""File name of the compiler's library begins so."""

_MAPPINGS = Path("/proc/self/maps")
_DONT_NEED = 4
"""MADV_DONTNEED, madvise(2): of a file that is mapped and was never written to, pages are read anew when touched."""

_WITH_FILE = 6
"""Fields of a mapping that has a file: addresses, permissions, offset, device, inode, path (proc_pid_maps(5))."""

_CODE = "r-xp"
"""Permissions of code: only there is it certain that nothing was written, not even when the library was loaded."""


def give_back_what_only_the_start_needed() -> None:
    """Give back free places on the heap, and the code of the compiler."""
    if sys.platform != "linux":
        return
    system = ctypes.CDLL(None)
    # Other C libraries than glibc have no such function.
    with suppress(AttributeError):
        system.malloc_trim(0)
    for start, length in code_of(COMPILER):
        system.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), _DONT_NEED)


def code_of(library: str) -> Iterator[tuple[int, int]]:
    """Find where the code of a library is mapped.

    Args:
        library: How the name of its file begins.

    Yields:
        Address and length of each mapping.
    """
    with suppress(OSError):
        for line in _MAPPINGS.read_text(encoding="utf-8", errors="replace").splitlines():
            parts = line.split(maxsplit=5)
            if len(parts) == _WITH_FILE and parts[1] == _CODE and Path(parts[-1]).name.startswith(library):
                start, _, end = parts[0].partition("-")
                yield int(start, 16), int(end, 16) - int(start, 16)
