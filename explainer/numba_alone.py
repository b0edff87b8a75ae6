"""The one place that loads numba: as if scipy were not installed, because numba would load that too.

Where it finds scipy, numba loads its linear algebra, 20 MB and a tenth of a second that no function of ours uses.
"""

import sys
from importlib import import_module
from typing import Any

NUMBA, SCIPY = "numba", "scipy"
LOADS_LINEAR_ALGEBRA = "numba.np.arraymath"
"""The part of numba that looks for it, when the first function is compiled."""


def _load() -> None:
    modules: dict[str, Any] = sys.modules
    if SCIPY in modules:
        return
    modules[SCIPY] = None  # how Python is told that there is no such module
    try:
        import_module(LOADS_LINEAR_ALGEBRA)
    finally:
        del modules[SCIPY]


_load()
numba: Any = import_module(NUMBA)
types: Any = import_module("numba.core.types")
extending: Any = import_module("numba.extending")
intrinsic: Any = extending.intrinsic
"""Untyped: what it returns is called with other arguments than what it takes."""
