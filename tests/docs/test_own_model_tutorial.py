"""The tutorial "Your own model" does what it says: its commands run as they stand, in their order."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial" / "own-model.md"
SERVE = "explainer serve"


def blocks() -> list[str]:
    return re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the commands read of a checkout."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "models").symlink_to(ROOT / "models")
    return tmp_path


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def environment(port: int) -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith("EXPLAINER_")}
    ours = str(Path(sys.executable).parent)
    more = {"EXPLAINER_PORT": str(port), "EXPLAINER_BASE_URL": f"http://127.0.0.1:{port}"}
    return {**known, **more, "PATH": f"{ours}{os.pathsep}{known.get('PATH', '')}"}


def run(commands: str, checkout: Path, port: int) -> str:
    program = f"set -eu\n{commands}".replace(":8000", f":{port}")
    result = subprocess.run(
        ["bash", "-c", program], cwd=checkout, env=environment(port), capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.fixture
def served(checkout: Path, port: int) -> Iterator[str]:
    """Run everything up to the service, and start it; gives what the commands before said."""
    before = "\n".join(blocks()[: [SERVE in block for block in blocks()].index(True)])
    said = run(before, checkout, port)
    serve = next(block for block in blocks() if SERVE in block).replace(SERVE, f"exec {SERVE}")
    with (checkout / "serve.txt").open("w") as output:
        server = subprocess.Popen(
            ["bash", "-c", serve], cwd=checkout, env=environment(port), stdout=output, stderr=subprocess.STDOUT
        )
        try:
            wait_until_up(port, server, checkout)
            yield said
        finally:
            server.terminate()
            server.wait(timeout=20)


def wait_until_up(port: int, server: subprocess.Popen[bytes], checkout: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert server.poll() is None, (checkout / "serve.txt").read_text()
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.3)
    raise AssertionError((checkout / "serve.txt").read_text())


def test_the_commands_lead_to_an_explained_decision(served: str, checkout: Path, port: int) -> None:
    assert "name.de: still to be filled in" in served
    assert "Not yet." in served
    assert "Added rent_check 1 (scikit-learn (skops)) in var/own-model/packages/rent_check." in served
    after = blocks()[[SERVE in block for block in blocks()].index(True) + 1 :]
    said = run("\n".join(after), checkout, port)
    explanation = json.loads((checkout / "var" / "own-model" / "explanation.json").read_text())
    assert explanation["model"]["slug"] == "rent_check"
    assert len(explanation["contributions"]) == 4
    assert explanation["text"]["sections"][0]["heading"] in said
    entry = httpx.get(f"http://127.0.0.1:{port}/en/register/rent_check", timeout=30).text
    assert "Nobody has yet counted how often the program is right." in entry
    assert "Last check of quality" not in entry


def test_a_command_that_fails_would_be_noticed(checkout: Path, port: int) -> None:
    with pytest.raises(AssertionError, match="No such option"):
        run("explainer models new nothing.csv --no-such-option", checkout, port)
