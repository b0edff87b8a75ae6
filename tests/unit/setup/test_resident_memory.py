"""What only the start needed is given back, and what is needed again is there again."""

import json
import subprocess
import sys

import pytest

WORKS_AFTER_GIVING_BACK = """
import json
from pathlib import Path
from explainer.numba_alone import numba
from explainer.resident_memory import give_back_what_only_the_start_needed, unchanged_mappings

def resident():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssFile:")[2].split()[0])

def compiled():
    return numba.njit(lambda number: number + 1)(1)

def permissions_of(addresses):
    lines = Path("/proc/self/maps").read_text().splitlines()
    return {line.split()[1] for line in lines if int(line.partition("-")[0], 16) in addresses}

assert compiled() == 2
mappings = list(unchanged_mappings())
permissions = permissions_of({start for start, _, _ in mappings})
before = resident()
give_back_what_only_the_start_needed()
after = resident()
assert compiled() == 2, "the compiler is read again"
print(json.dumps({"before": before, "after": after, "permissions": sorted(permissions),
    "paths": [path for _, _, path in mappings]}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems give nothing back")
def test_pages_of_files_are_given_back_and_come_back_when_they_are_needed() -> None:
    command = [sys.executable, "-c", WORKS_AFTER_GIVING_BACK]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert found["after"] < found["before"] / 3
    assert found["before"] > 50_000, "kilobytes: there was something to give back"
    assert any("libllvmlite" in path for path in found["paths"])
    assert all("w" not in permissions for permissions in found["permissions"])
    assert "r-xp" in found["permissions"]
