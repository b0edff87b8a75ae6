"""Our running service against a FastAPI service around shap: answers a second, latency, memory, start.

Ours does its whole duty for every answer: it checks the access code, opens what is sealed, writes the text, checks it
against the law's list, seals a copy and commits the log entry with a signed checkpoint. The peer computes contributions
and nothing else.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.http_load import raw_request
from benchmarks.peers import PEERS, peer_environment, share_forest
from explainer.demo.case_system import DemoCaseSystem
from explainer.demo.demo_cases import MODEL, DemoCase
from models.catalogue import bundled_packages_folder
from models.features import from_row
from models.package import ModelPackage, load_package

SERVER_CPU, LOAD_CPU = 0, 1
CLIENTS = (1, 16)
ROUNDS = 3
SECONDS = 3.0
WARM_UP = 0.7
DECISIONS = 200
PEER_BACKGROUND = 100
START_SECONDS = 90


@dataclass
class Contender:
    """One service under load.

    Attributes:
        name: As the table calls it.
        port: Where it listens.
        requests: File with its requests.
        start_seconds: From the start of the process to its first answer.
        process: The running server.
        rounds: What the load generator saw, by number of clients.
    """

    name: str
    port: int
    requests: Path
    start_seconds: float
    process: subprocess.Popen[bytes]
    rounds: dict[int, list[dict[str, float]]] = field(default_factory=dict)

    def resident_megabytes(self) -> float:
        """Resident memory of the server now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def compare_http() -> None:
    """Start all services, load them in alternating rounds, print the table."""
    package = load_package(bundled_packages_folder() / MODEL)
    peer = peer_environment("naive_fastapi_shap")
    with TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        stored, live = fill_city(package, folder)
        background = package.background.rows
        rows = [raw_request("/explain", {"values": row.tolist()}, {}) for row in package.reference_rows]
        peer_requests = _kept(folder / "peer.json", rows)
        serve = [peer, PEERS / "naive_fastapi_shap" / "serve.py"]
        (folder / "path").mkdir()
        path_file = share_forest(package, background, background[:1], folder / "path")
        few_file = share_forest(package, background[:PEER_BACKGROUND], background[:1], folder)
        services = []
        for title, command, requests in (
            ("ours, numbers stored", _our_command(folder), stored),
            ("shap, path-dependent", [*serve, path_file, "path"], peer_requests),
            (f"shap, background {PEER_BACKGROUND}", [*serve, few_file, "interventional"], peer_requests),
        ):
            services.append(running.enter_context(serving(title, command, requests)))
        ours = services[0]
        # The same process answers live questions; only what is asked differs.
        services.insert(1, Contender("ours, all live", ours.port, live, ours.start_seconds, ours.process))
        print(f"HTTP, {MODEL} ({len(package.forest.trees)} trees), {ROUNDS} rounds of {SECONDS:.0f} s, medians")
        for clients in CLIENTS:
            for _ in range(ROUNDS):
                for service in services:
                    service.rounds.setdefault(clients, []).append(put_under_load(service, clients))
        print_table(services)


def fill_city(package: ModelPackage, folder: Path) -> tuple[Path, Path]:
    """Make a demo city with decisions enough that requests do not repeat too soon.

    Args:
        package: The model.
        folder: Where the city and the files with requests go.

    Returns:
        Requests that explain recorded decisions, and requests that explain inputs nobody recorded.
    """
    port = free_port()
    with serving("filling", _our_command(folder), folder, port=port, wait_for=folder / "city" / "access.json"):
        access = json.loads((folder / "city" / "access.json").read_text(encoding="utf-8"))
        cases = DemoCaseSystem(f"http://127.0.0.1:{port}", access["api_key"])
        letters = [cases.decide(*_case(package, number)) for number in range(DECISIONS)]
    stored = [
        raw_request(
            f"/api/v1/decisions/{letter['reference']}/explanations",
            {"language": "de"},
            {"Authorization": f"AccessCode {letter['access_code']}"},
        )
        for letter in letters
    ]
    live = [
        raw_request(
            f"/api/v1/models/{MODEL}/explanations",
            {"inputs": from_row(package.card.features, row), "purpose": "benchmark", "legal_basis": "benchmark"}
            | {"language": "de"},
            {"Authorization": f"Bearer {access['api_key']}"},
        )
        for row in package.reference_rows
    ]
    return _kept(folder / "stored.json", stored), _kept(folder / "live.json", live)


@contextmanager
def serving(
    name: str, command: Sequence[object], requests: Path, *, port: int | None = None, wait_for: Path | None = None
) -> Iterator[Contender]:
    """Run one service on its own CPU until the block ends.

    Args:
        name: As the table calls it.
        command: Starts it; the port comes last.
        requests: What it will be asked.
        port: Where it listens; a free one by default.
        wait_for: A file that must be there too before the block begins.
    """
    chosen = port or free_port()
    begin = time.perf_counter()
    with on_cpu(SERVER_CPU):
        process = subprocess.Popen([*map(str, command), str(chosen)], stdout=subprocess.DEVNULL)  # noqa: S603 -- our own
    try:
        wait_until_up(chosen, process)
        start_seconds = time.perf_counter() - begin
        while wait_for is not None and not wait_for.exists():
            time.sleep(0.1)
        yield Contender(name, chosen, requests, start_seconds, process)
    finally:
        process.terminate()
        process.wait()


def wait_until_up(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait for the first healthy answer.

    Raises:
        TimeoutError: If none comes, or the process has ended.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.02)
    raise TimeoutError(f"The service on port {port} did not start.")


def put_under_load(service: Contender, clients: int) -> dict[str, float]:
    """Let the load generator ask for one round, in a process and on a CPU of its own."""
    arguments = [str(value) for value in (service.requests, service.port, clients, SECONDS, WARM_UP)]
    with on_cpu(LOAD_CPU):
        answer = subprocess.run(  # noqa: S603 -- our own module
            [sys.executable, "-m", "benchmarks.http_load", *arguments], check=True, capture_output=True, text=True
        )
    seen: dict[str, float] = json.loads(answer.stdout)
    return seen


def print_table(services: Sequence[Contender]) -> None:
    """Print medians over the rounds; ratios are ours to a peer's in the same run, above 1 is more."""
    print(f"{'service':<24}{'clients':>8}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'errors':>8}", end="")
    print(f"{'/ path-dep.':>13}{'/ bg ' + str(PEER_BACKGROUND):>11}{'p99 / path-dep.':>17}")
    for clients in CLIENTS:
        path, few = (_median_of(service, clients) for service in services[-2:])
        for service in services:
            seen = _median_of(service, clients)
            print(f"{service.name:<24}{clients:>8}{seen['per_second']:>9.0f}{seen['p50'] * 1e3:>9.2f}", end="")
            print(f"{seen['p99'] * 1e3:>9.1f}{seen['errors']:>8.0f}", end="")
            print(
                f"{seen['per_second'] / path['per_second']:>12.2f}x{seen['per_second'] / few['per_second']:>10.2f}x",
                end="",
            )
            print(f"{seen['p99'] / path['p99']:>16.2f}x")
    print(f"{'service':<24}{'start s':>9}{'RSS MB after load':>20}")
    for service in services:
        print(f"{service.name:<24}{service.start_seconds:>9.2f}{service.resident_megabytes():>20.0f}")


@contextmanager
def on_cpu(cpu: int) -> Iterator[None]:
    """Let processes that are started in the block have this CPU alone, where the machine has two and allows it."""
    before = os.sched_getaffinity(0)
    if {SERVER_CPU, LOAD_CPU} <= before:
        os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _median_of(service: Contender, clients: int) -> dict[str, float]:
    rounds = service.rounds[clients]
    return {key: median(seen[key] for seen in rounds) for key in rounds[0]} | {
        "errors": sum(seen["errors"] for seen in rounds)
    }


def _our_command(folder: Path) -> list[object]:
    return [sys.executable, "-m", "explainer.cli", "demo", "--folder", folder / "city", "--port"]


def _case(package: ModelPackage, number: int) -> tuple[DemoCase, str]:
    row = package.reference_rows[number % len(package.reference_rows)]
    score = package.reference_scores[number % len(package.reference_rows)]
    suggested = package.card.outcome_at_or_above if score >= package.card.threshold else package.card.outcome_below
    inputs = from_row(package.card.features, row)
    application: dict[str, Any] = {
        "model": MODEL,
        "case_reference": f"BENCH-{number:04d}",
        "subject_reference": f"benchmark-{number:04d}",
        "inputs": inputs,
        "sources": {name: {"source": "Ihr Antrag auf Wohngeld", "as_of": "2026-01-15"} for name in inputs},
        "unused_inputs": ["Name", "Anschrift"],
        "decided_by": "person",
        "decided_at": datetime.now(UTC).isoformat(),
    }
    return DemoCase(application=application), suggested


def _kept(path: Path, requests: Sequence[str]) -> Path:
    path.write_text(json.dumps(requests), encoding="ascii")
    return path
