"""Sets up the strangers' own environment: what they need must never be able to change what we run on."""

import fcntl
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from tests.strangers.verdicts import ENVIRONMENT

LOCK = Path(__file__).with_name("requirements.lock")
_MINUTES = 4


@pytest.fixture(scope="session")
def strangers() -> Path:
    """The environment with the verifiers of ``requirements.lock``; skips when it cannot be installed (offline)."""
    wanted = sha256(LOCK.read_bytes()).hexdigest()
    installed = ENVIRONMENT / "installed"
    ENVIRONMENT.parent.mkdir(exist_ok=True)
    with ENVIRONMENT.with_suffix(".lock").open("w") as gate:
        # Test processes that run at once must not install over each other.
        fcntl.flock(gate, fcntl.LOCK_EX)
        if not installed.is_file() or installed.read_text() != wanted:
            _install()
            installed.write_text(wanted)
    return ENVIRONMENT


def _install() -> None:
    pip = [ENVIRONMENT / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True, timeout=_MINUTES * 60)
        subprocess.run(
            [*pip, "--only-binary", ":all:", "--require-hashes", "--requirement", LOCK],
            check=True,
            timeout=_MINUTES * 60,
            capture_output=True,
        )
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"the independent verifiers cannot be installed here: {type(error).__name__}")
