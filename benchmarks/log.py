"""The accountability log under load and in size, against pymerkle's tree in SQLite.

Ours signs a checkpoint over every batch and keeps the sealed part beside each entry; the peer keeps leaf and hash. Both
have the same leaves, which the equal root hashes show.
"""

import asyncio
import json
import os
import random
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.peers import PEERS, peer_environment
from explainer.storage.database import SqlDatabase
from explainer.transparency_log.checkpoint import open_checkpoint
from explainer.transparency_log.group_commit import GroupCommit
from explainer.transparency_log.log_entry import LogEvent, ModelFacts, build_entry
from explainer.transparency_log.signed_note import NoteSigner
from explainer.transparency_log.tree import Tree
from explainer.use_cases.decision_vault import OpenKey
from explainer.use_cases.finding_aid import FindingAid, LogFilter
from explainer.use_cases.records import LogRecord, PreparedEntry

CLIENTS = 32
ROUNDS = int(os.environ.get("BENCHMARK_ROUNDS", "3"))
ENTRIES_PER_ROUND = 9600
PEER_ENTRIES_PER_ROUND = 960
SIZES = tuple(int(size) for size in os.environ.get("BENCHMARK_LOG_SIZES", "100000,1000000").split(","))
PROOFS = 300
BULK = 5000
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

Write = Callable[[int], PreparedEntry]
Appending = tuple[float, float, float, float]
"""Entries a second; middle and 99th percentile of the waiting times, and processor time of an entry, in seconds."""


def compare_log() -> None:
    """Print throughput and waiting times at 32 clients, then proof times and bytes at each size."""
    peer = peer_environment("pymerkle")
    _print_appending(peer)
    for size in SIZES:
        _print_size(peer, size)


def _print_appending(peer: Path) -> None:
    rows: dict[str, list[Appending]] = {}
    for _ in range(ROUNDS):
        prebuilt = [_an_entry(place) for place in range(ENTRIES_PER_ROUND)]
        rows.setdefault("ours, entries made before", []).append(_appended(lambda place, ready=prebuilt: ready[place]))
        rows.setdefault("ours, made, committed to, sealed", []).append(_appended(_an_entry))
        for clients, found in _appended_by_peer(peer, prebuilt[:PEER_ENTRIES_PER_ROUND]):
            rows.setdefault(f"pymerkle append_entry, {clients} client(s)", []).append(found)
    medians = {name: np.median(found, axis=0) for name, found in rows.items()}
    best_of_peer = max(rate for name, (rate, *_) in medians.items() if name.startswith("pymerkle"))
    print(f"{CLIENTS} clients, SQLite, each waits until its entry is durable; medians of {ROUNDS} rounds.")
    print(f"{'what':>34} {'entries/s':>10} {'wait p50 ms':>12} {'wait p99 ms':>12} {'processor us':>13} {'ratio':>7}")
    for name, (rate, middle, slowest, processor) in medians.items():
        times = f"{middle * 1e3:>12.2f} {slowest * 1e3:>12.2f} {processor * 1e6:>13.0f}"
        print(f"{name:>34} {rate:>10,.0f} {times} {rate / best_of_peer:>6.1f}x", flush=True)


def _print_size(peer: Path, size: int) -> None:
    print(f"\n{size:,} entries on disk; {PROOFS} inclusion proofs of random entries.")
    with TemporaryDirectory() as folder, _database(Path(folder)) as database:
        shared = Path(folder) / "leaves"
        build_seconds = _fill(database, shared, size)
        leaf_bytes = shared.stat().st_size - 2 * size
        ours = _bytes_of_database(Path(folder))
        indexes = random.Random(1).sample(range(size), PROOFS)  # noqa: S311 - which entries, not a secret
        waits, root, root_seconds = _proven(database, indexes)
        answer = _peer(peer, "prove", shared, Path(folder) / "peer.db", indexes)
        if bytes.fromhex(answer["root"]) != root:
            raise SystemExit("the peer has another tree")
        print(f"{'':>26} {'p50 ms':>9} {'p99 ms':>9} {'root ms':>9} {'bytes/entry':>12}")
        _print_proofs("ours, nothing kept", waits, root_seconds, ours / size)
        _print_proofs("pymerkle, first pass", answer["passes"][0], answer["root_seconds"], answer["bytes"] / size)
        _print_proofs("pymerkle, second pass", answer["passes"][1], None, None)
        slow, fast = (float(np.percentile(times, 99)) for times in (answer["passes"][0], waits))
        print(
            f"Against pymerkle: first root {answer['root_seconds'] / root_seconds:,.0f}x, p99 of proofs "
            f"{slow / fast:.1f}x quicker. Leaves alone: {leaf_bytes / size:.0f} bytes an entry. Built in "
            f"{build_seconds:.0f} s."
        )
        _print_search(database)


def _print_proofs(name: str, waits: Sequence[float], root_seconds: float | None, size: float | None) -> None:
    middle, slowest = np.percentile(waits, [50, 99]) * 1e3
    root = "" if root_seconds is None else f"{root_seconds * 1e3:.2f}"
    print(f"{name:>26} {middle:>9.2f} {slowest:>9.2f} {root:>9} {'' if size is None else f'{size:.0f}':>12}")


def _print_search(database: SqlDatabase) -> None:
    """How long auditors wait: for the first look after a start, and for pages of what fits a filter of three parts."""
    aid, waits = FindingAid(), []
    chosen = LogFilter(system="parken", outcome="refused", until=BEGIN + timedelta(days=2000))
    with database.reading() as work:
        begin = time.perf_counter()
        aid.catch_up(work.log)
        read, before = time.perf_counter() - begin, None
        for _ in range(20):
            begin = time.perf_counter()
            found = aid.find(chosen, limit=50, before=before)
            work.log.records(found.indexes)
            waits.append(time.perf_counter() - begin)
            before = found.indexes[-1] if found.has_older else None
    page = float(np.median(waits)) * 1e3
    print(f"Console: all entries read once in {read:.1f} s, then a page in {page:.1f} ms (median).", flush=True)


def _appended(entry_at: Write) -> Appending:
    """Let 32 clients append, each one entry after the other."""
    with TemporaryDirectory() as folder, _database(Path(folder)) as database:

        def keep(batch: Sequence[PreparedEntry]) -> Sequence[LogRecord]:
            with database.writing() as work:
                return work.log.append_all(batch)

        commits: GroupCommit[PreparedEntry, LogRecord] = GroupCommit(keep)
        waits: list[float] = []

        async def client(number: int) -> None:
            for place in range(number, ENTRIES_PER_ROUND, CLIENTS):
                begin = time.perf_counter()
                await commits.keep(entry_at(place))
                waits.append(time.perf_counter() - begin)

        async def everybody() -> None:
            await asyncio.gather(*(client(number) for number in range(CLIENTS)))

        begin, processor = time.perf_counter(), time.process_time()
        asyncio.run(everybody())
        took, processor = time.perf_counter() - begin, time.process_time() - processor
        commits.close()
        with database.reading() as work:
            if work.log.tree_size() != ENTRIES_PER_ROUND:
                raise SystemExit("entries were lost")
    middle, slowest = np.percentile(waits, [50, 99])
    return ENTRIES_PER_ROUND / took, float(middle), float(slowest), processor / ENTRIES_PER_ROUND


def _appended_by_peer(peer: Path, entries: Sequence[PreparedEntry]) -> Iterator[tuple[int, Appending]]:
    with TemporaryDirectory() as folder:
        shared = Path(folder) / "leaves"
        shared.write_bytes(b"".join(_with_length(one.entry.leaf_bytes()) for one in entries))
        for found in _peer(peer, "append", shared, Path(folder) / "peer.db", []):
            middle, slowest = np.percentile(found["waits"], [50, 99])
            each = found["processor_seconds"] / len(entries)
            yield found["clients"], (len(entries) / found["seconds"], float(middle), float(slowest), each)


def _peer(peer: Path, what: str, leaves: Path, database: Path, indexes: Sequence[int]) -> Any:
    command = [peer, PEERS / "pymerkle" / "append_and_prove.py", what, leaves, database, json.dumps(indexes)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 -- our own script in the peer's environment
    return json.loads(answer.stdout)


def _fill(database: SqlDatabase, shared: Path, size: int) -> float:
    entries = (_an_entry(place) for place in range(size))
    begin = time.perf_counter()
    with shared.open("wb") as file:
        while batch := list(islice(entries, BULK)):
            with database.writing() as work:
                for record in work.log.append_all(batch):
                    file.write(_with_length(record.leaf))
    return time.perf_counter() - begin


def _proven(database: SqlDatabase, indexes: Sequence[int]) -> tuple[list[float], bytes, float]:
    """How long each proof takes, from opening a unit of work on; nothing is kept from one to the next."""
    waits = []
    for index in indexes:
        begin = time.perf_counter()
        with database.reading() as work:
            Tree(work.log.tiles(), work.log.tree_size()).inclusion_proof(index)
        waits.append(time.perf_counter() - begin)
    begin = time.perf_counter()
    with database.reading() as work:
        root = Tree(work.log.tiles(), work.log.tree_size()).root()
    took = time.perf_counter() - begin
    with database.reading() as work:
        if open_checkpoint(work.log.checkpoint(), [SIGNER.verifier]).root_hash != root:
            raise SystemExit("the tree is not the one that was signed")
    return waits, root, took


SIGNER = NoteSigner("benchmark.example/log", Ed25519PrivateKey.generate())
_KEY = OpenKey(os.urandom(32), os.urandom)


def _an_entry(place: int) -> PreparedEntry:
    """A whole entry: salted commitments, and their values sealed under the person's key."""
    at = BEGIN + timedelta(seconds=20 * place)
    entry, private = build_entry(
        (LogEvent.EXPLANATION_DELIVERED, LogEvent.DECISION_RECORDED, LogEvent.DECISION_READ)[place % 3],
        at=at,
        random_bytes=os.urandom,
        private={"actor": "case_system:x", "subject": "p-4711", "decision": "KB-XXXX-XXXX", "purpose": ["a", "b"]},
        system=("wohngeld", "parken", "kita", "bautempo")[place % 4],
        model=ModelFacts(version="1.0.0", sha256="ab" * 32),
        role="sorts",
        basis="ai-act-86",
        outcome=("granted", "refused", "check")[place // 7 % 3],
    )
    return PreparedEntry(entry=entry, sealed=_KEY.seal_log_part(private, entry_id=entry.id), key_id="k" * 32, at=at)


def _with_length(leaf: bytes) -> bytes:
    return len(leaf).to_bytes(2, "big") + leaf


def _bytes_of_database(folder: Path) -> int:
    """Bytes of the database once everything was written into its file."""
    connection = sqlite3.connect(folder / "log.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return (folder / "log.db").stat().st_size


@contextmanager
def _database(folder: Path) -> Iterator[SqlDatabase]:
    database = SqlDatabase(f"sqlite:///{folder / 'log.db'}", signer=SIGNER, clock=lambda: datetime.now(UTC))
    database.migrate()
    try:
        yield database
    finally:
        database.dispose()
