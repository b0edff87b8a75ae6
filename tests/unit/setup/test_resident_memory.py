"""What only the start needed is given back, and what is needed again is there again."""

import subprocess
import sys

import pytest

from explainer.resident_memory import code_of

COMPILES_AFTER_GIVING_BACK = """
from pathlib import Path
from explainer.numba_alone import numba
from explainer.resident_memory import COMPILER, code_of, give_back_what_only_the_start_needed

def resident(name):
    found, counts = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if line[:1] in "0123456789abcdef" and "-" in line.partition(" ")[0]:
            counts = " r-xp " in line and name in line
        elif counts and line.startswith("Rss:"):
            found += int(line.split()[1])
    return found

def compiled():
    return numba.njit(lambda number: number + 1)(1)

assert compiled() == 2
assert len(list(code_of(COMPILER))) == 1
before = resident(COMPILER)
give_back_what_only_the_start_needed()
after = resident(COMPILER)
assert compiled() == 2, "the compiler is read again"
print(before, after)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems give nothing back")
def test_the_compiler_s_code_is_given_back_and_still_works() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMPILES_AFTER_GIVING_BACK], check=True, capture_output=True, text=True
    )
    before, after = map(int, done.stdout.split())
    assert after < before / 10
    assert before > 10_000, "kilobytes: there was something to give back"


def test_a_library_that_is_not_loaded_has_no_code() -> None:
    assert list(code_of("libnobodyhasloaded")) == []
