"""Our running service against a FastAPI service around shap: answers a second, latency, memory, start.

Ours does its whole duty for every answer: it checks the access code, opens what is sealed, commits the log entry with
a signed checkpoint, and where nothing was computed before also finds the counterfactuals, writes the text and checks it
against the law's list. The peer computes contributions and nothing else.
"""

import base64
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from benchmarks.http_load import answered_about, raw_request
from benchmarks.peers import PEERS, peer_environment, share_forest
from benchmarks.synthetic_package import write_synthetic_package
from benchmarks.trained_models import trained_model
from models.catalogue import bundled_packages_folder
from models.features import from_row
from models.package import ModelPackage, load_package

SERVER_CPU, LOAD_CPU = 0, 1
CLIENTS = (1, 16)
ROUNDS = int(os.environ.get("BENCHMARK_ROUNDS", "3"))
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
    """Compare with the boosting model that a city's risk or triage model looks like, then with the bundled one."""
    with TemporaryDirectory() as name:
        compare_with(write_synthetic_package(trained_model("boosting_300x31"), Path(name), slug="boosting"))
    compare_with(bundled_packages_folder() / "wohngeld")


def compare_with(package_folder: Path) -> None:
    """Start all services around one model, load them in alternating rounds, print the table.

    Args:
        package_folder: The package.
    """
    package = load_package(package_folder)
    peer = peer_environment("naive_fastapi_shap")
    with TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        city = _City(package_folder, folder)
        stored, live = fill_city(package, city)
        background = package.background.rows
        rows = [raw_request("/explain", {"values": row.tolist()}, {}) for row in package.reference_rows]
        peer_requests = _kept(folder / "peer.json", rows)
        serve = [peer, PEERS / "naive_fastapi_shap" / "serve.py"]
        (folder / "path").mkdir()
        path_file = share_forest(package, background, background[:1], folder / "path")
        few_file = share_forest(package, background[:PEER_BACKGROUND], background[:1], folder)
        services = []
        for title, command, requests in (
            ("ours, already computed", city.command(), stored),
            ("ours, live", city.command(), live),
            ("shap, path-dependent", [*serve, path_file, "path"], peer_requests),
            (f"shap, background {PEER_BACKGROUND}", [*serve, few_file, "interventional"], peer_requests),
        ):
            environment = city.environment if title.startswith("ours") else None
            services.append(running.enter_context(serving(title, command, requests, environment=environment)))
        for service in services[:2]:
            look_up_answers(service)
        sizes = (
            f"{len(package.forest.trees)} trees, {len(package.card.features)} features, background {len(background)}"
        )
        print(f"HTTP, {package.card.slug} ({sizes}), {ROUNDS} rounds of {SECONDS:.0f} s, medians")
        for clients in CLIENTS:
            for _ in range(ROUNDS):
                for service in services:
                    service.rounds.setdefault(clients, []).append(put_under_load(service, clients))
        print_table(services)


class _City:
    """An installation of ours with one model; the same address for every process, whatever port it listens on.

    Args:
        package_folder: Its only package.
        folder: Where it keeps its data.
    """

    def __init__(self, package_folder: Path, folder: Path) -> None:
        self.folder = folder
        key_file = folder / "server.key"
        key_file.touch(mode=0o600)
        key_file.write_text(base64.b64encode(secrets.token_bytes(32)).decode(), encoding="ascii")
        given = {
            "DATABASE_URL": f"sqlite:///{folder / 'city.db'}",
            "DATA_FOLDER": folder / "data",
            "SERVER_KEY_FILE": key_file,
            "PACKAGE_FOLDERS": package_folder,
            "USE_BUNDLED_PACKAGES": False,
            "CITY_NAME": "Benchmarkstadt",
            "BASE_URL": "https://benchmark.example",
        }
        self.environment = {f"EXPLAINER_{name}": str(value) for name, value in given.items()}

    def command(self, *words: str) -> list[object]:
        """Our command line; the service takes its port from the environment."""
        return [sys.executable, "-m", "explainer.cli", *(words or ("serve",))]

    def add_case_system(self) -> str:
        """Give a case system access; its key."""
        done = subprocess.run(  # noqa: S603 -- our own command
            [str(word) for word in self.command("case-system", "add", "benchmark")],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | self.environment,
        )
        return done.stdout.rsplit(maxsplit=1)[-1]


def fill_city(package: ModelPackage, city: _City) -> tuple[Path, Path]:
    """Record decisions enough that requests do not repeat too soon.

    Args:
        package: The model.
        city: The installation.

    Returns:
        Requests that explain recorded decisions, and requests that explain inputs nobody recorded.
    """
    slug, bearer = package.card.slug, {"Authorization": f"Bearer {city.add_case_system()}"}
    with serving("filling", city.command(), city.folder, environment=city.environment) as service:
        letters = [
            _post(service.port, "/api/v1/decisions", _case(package, number), bearer) for number in range(DECISIONS)
        ]
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
            f"/api/v1/models/{slug}/explanations",
            {"inputs": from_row(package.card.features, row), "purpose": "benchmark", "legal_basis": "benchmark"}
            | {"language": "de"},
            bearer,
        )
        for row in package.reference_rows
    ]
    return _kept(city.folder / "stored.json", stored), _kept(city.folder / "live.json", live)


def look_up_answers(service: Contender) -> None:
    """Ask every question once, alone, and note what its case is answered; under load it must be answered the same."""
    asked = json.loads(service.requests.read_text(encoding="ascii"))
    with socket.create_connection(("127.0.0.1", service.port)) as connection, connection.makefile("rb") as answers:
        for one in asked:
            connection.sendall(one["request"].encode("ascii"))
            length = 0
            while (line := answers.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            one["answered_about"] = answered_about(answers.read(length))
    service.requests.write_text(json.dumps(asked), encoding="ascii")


@contextmanager
def serving(
    name: str, command: Sequence[object], requests: Path, *, environment: Mapping[str, str] | None = None
) -> Iterator[Contender]:
    """Run one service on its own CPU until the block ends.

    Args:
        name: As the table calls it.
        command: Starts it; a peer's port comes last.
        requests: What it will be asked.
        environment: Settings of our service, which takes the port from them; None for a peer.
    """
    chosen = free_port()
    words, settings = [*map(str, command)], {}
    if environment is None:
        words.append(str(chosen))
    else:
        settings = {**environment, "EXPLAINER_PORT": str(chosen)}
    begin = time.perf_counter()
    with on_cpu(SERVER_CPU):
        process = subprocess.Popen(  # noqa: S603 -- our own
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | settings
        )
    try:
        wait_until_up(chosen, process)
        start_seconds = time.perf_counter() - begin
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
    print(f"{'service':<24}{'clients':>8}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'errors':>8}{'wrong/seen':>14}", end="")
    print(f"{'/ path-dep.':>13}{'/ bg ' + str(PEER_BACKGROUND):>11}{'p99 / path-dep.':>17}")
    for clients in CLIENTS:
        path, few = (_median_of(service, clients) for service in services[-2:])
        for service in services:
            seen = _median_of(service, clients)
            print(f"{service.name:<24}{clients:>8}{seen['per_second']:>9.0f}{seen['p50'] * 1e3:>9.2f}", end="")
            print(f"{seen['p99'] * 1e3:>9.1f}{seen['errors']:>8.0f}", end="")
            print(f"{seen['wrong']:>7.0f}/{seen['looked_at']:<6.0f}", end="")
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
        key: sum(seen[key] for seen in rounds) for key in ("errors", "wrong", "looked_at")
    }


def _case(package: ModelPackage, number: int) -> dict[str, Any]:
    row = package.reference_rows[number % len(package.reference_rows)]
    score = package.reference_scores[number % len(package.reference_rows)]
    card = package.card
    inputs = from_row(card.features, row)
    return {
        "model": card.slug,
        "case_reference": f"BENCH-{number:04d}",
        "subject_reference": f"benchmark-{number:04d}",
        "inputs": inputs,
        "sources": {name: {"source": "Ihr Antrag", "as_of": "2026-01-15"} for name in inputs},
        "unused_inputs": ["Name", "Anschrift"],
        "decided_by": "person",
        "outcome": card.outcome_of_score(score).id,
        "reasons": "Die Angaben stimmen mit den Nachweisen überein.",
        "decided_at": datetime.now(UTC).isoformat(),
    }


def _post(port: int, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    request = Request(
        f"http://127.0.0.1:{port}{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **headers},
        method="POST",
    )
    with urlopen(request, timeout=30) as response:  # noqa: S310 -- our own service
        answer: dict[str, Any] = json.load(response)
    return answer


def _kept(path: Path, requests: Sequence[str]) -> Path:
    asked = [{"request": request, "answered_about": None} for request in requests]
    path.write_text(json.dumps(asked), encoding="ascii")
    return path
