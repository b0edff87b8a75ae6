"""What `make` says and does on machines that lack something."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
_COMMANDS = ("sh", "bash", "env", "make", "awk", "grep", "touch", "rm", "mkdir", "dirname", "id", "cat", "timeout")
_FILES_OF_A_CHECKOUT = (
    "Makefile",
    "pyproject.toml",
    "hatch_build.py",
    "build_assets.py",
    "package.json",
    "package-lock.json",
    ".npmrc",
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-build.lock",
    "requirements-node.lock",
)

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A PATH with a shell, make and small tools, and with no Python, no browser and no npm."""
    folder = tmp_path / "commands"
    folder.mkdir()
    for name in _COMMANDS:
        found = shutil.which(name)
        if found is not None:
            (folder / name).symlink_to(found)
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A fresh checkout, as far as make looks at it before anything is installed."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    shutil.copytree(PROJECT / ".ci", folder / ".ci")
    for path in [PROJECT / name for name in _FILES_OF_A_CHECKOUT]:
        shutil.copyfile(path, folder / path.name)
    return folder


def run(command: Sequence[str], *, folder: Path, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with nothing in the environment but PATH and what is named."""
    return subprocess.run(
        command,
        cwd=folder,
        env={"PATH": str(path), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def script(path: Path, text: str) -> Path:
    """Write an executable shell script."""
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_help_names_every_target_others_rely_on(checkout: Path, commands: Path) -> None:
    answer = run(["make"], folder=checkout, path=commands)
    assert answer.returncode == 0
    listed = set(re.findall(r"^make ([a-z-]+)", answer.stdout, re.MULTILINE))
    assert {"run", "test", "test-long", "check", "bench", "clean-demo", "assets", "lock", "help"} <= listed


def test_machine_without_python_is_told_what_to_install(checkout: Path, commands: Path) -> None:
    answer = run(["make", "run"], folder=checkout, path=commands)
    assert answer.returncode != 0
    assert "No Python 3.11 or newer" in answer.stderr
    assert "make run PYTHON=" in answer.stderr


def test_names_that_hide_an_old_or_broken_python_are_passed_over(checkout: Path, commands: Path) -> None:
    script(commands / "python3.13", "exit 127")  # a version manager's shim with nothing behind it
    script(commands / "python3.12", "exit 1")  # any Python that is too old leaves with 1
    real = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    asked = f'echo "$@" >> {commands}/asked'
    script(commands / "python3", f'{asked}\n[ "$1" = -m ] && mkdir -p .venv && exit 0\n{real} "$@"')
    answer = run(["make", ".venv/pyvenv.cfg"], folder=checkout, path=commands)
    assert answer.returncode == 0, answer.stderr
    assert "[1/4]" in answer.stdout
    assert "-m venv .venv" in (commands / "asked").read_text(encoding="utf-8")


def test_clean_demo_removes_the_demo_city_and_nothing_else(checkout: Path, commands: Path) -> None:
    for name in ("var/demo/access.json", "var/klarbescheid.db"):
        path = checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", encoding="utf-8")
    assert run(["make", "clean-demo"], folder=checkout, path=commands).returncode == 0
    assert not (checkout / "var" / "demo").exists()
    assert (checkout / "var" / "klarbescheid.db").exists()


class TestFindChromium:
    """The browser tests' Chromium: taken, installed, or its lack explained."""

    def test_takes_the_one_that_is_named(self, checkout: Path, commands: Path, tmp_path: Path) -> None:
        browser = script(tmp_path / "my-chromium", "exit 0")
        answer = run([".ci/find_chromium.sh", "false"], folder=checkout, path=commands, CHROMIUM=str(browser))
        assert (answer.returncode, answer.stdout.strip()) == (0, str(browser))

    def test_takes_the_one_on_path(self, checkout: Path, commands: Path) -> None:
        browser = script(commands / "google-chrome", "exit 0")
        answer = run([".ci/find_chromium.sh", "false"], folder=checkout, path=commands)
        assert (answer.returncode, answer.stdout.strip()) == (0, str(browser))

    def test_installs_the_distributions(self, checkout: Path, commands: Path) -> None:
        script(commands / "id", "echo 0")
        script(commands / "chmod", f'{shutil.which("chmod")} "$@"')
        script(
            commands / "apt-get",
            f'[ "$1" = install ] || exit 0\nprintf "#!/bin/sh\\n" > {commands}/chromium; chmod 755 {commands}/chromium',
        )
        answer = run([".ci/find_chromium.sh", "false"], folder=checkout, path=commands, CI="true")
        assert (answer.returncode, answer.stdout.strip()) == (0, str(commands / "chromium"))

    def test_says_why_browser_tests_are_skipped(self, checkout: Path, commands: Path) -> None:
        script(commands / "id", "echo 1000")
        answer = run([".ci/find_chromium.sh", "false"], folder=checkout, path=commands)
        assert (answer.returncode, answer.stdout) == (0, "")
        assert "Browser tests are skipped" in answer.stderr

    def test_lack_of_a_browser_is_an_error_in_ci(self, checkout: Path, commands: Path) -> None:
        script(commands / "id", "echo 1000")
        answer = run([".ci/find_chromium.sh", "false"], folder=checkout, path=commands, CI="true")
        assert answer.returncode != 0
        assert "No Chromium could be installed" in answer.stderr


def test_ci_runs_what_a_person_runs() -> None:
    path = PROJECT / ".ci" / "run"
    assert os.access(path, os.X_OK)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert "set -euo pipefail" in lines
    assert lines.index("make check") < lines.index("make test")
