"""Peer: pymerkle's tree in SQLite, told which leaves to take; prints one line of JSON.

``append``: one client and then 32 append leaves one after the other, each durable before the next, as ``append_entry``
is. ``prove``: all leaves in bulk, then a fresh tree over the same file gives a root and proofs.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

import pymerkle

CLIENTS = (1, 32)


def main() -> None:
    """Do what is asked and print the times."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["append", "prove"])
    parser.add_argument("leaves", type=Path)
    parser.add_argument("database", type=Path)
    parser.add_argument("indexes", type=json.loads)
    options = parser.parse_args()
    answer = append if options.what == "append" else prove
    print(json.dumps(answer(leaves_of(options.leaves), options.database, options.indexes)))


def append(leaves: Iterator[bytes], database: Path, _indexes: Sequence[int]) -> list[dict[str, Any]]:
    """Append with one client, then with many at once; each waits until its leaf is durable."""
    everything = list(leaves)
    return [append_with(clients, everything, database.with_suffix(f".{clients}")) for clients in CLIENTS]


def append_with(clients: int, leaves: Sequence[bytes], database: Path) -> dict[str, Any]:
    """Append all leaves with so many clients."""
    tree = pymerkle.SqliteTree(str(database))

    def client(own: Sequence[bytes]) -> list[float]:
        return [timed(tree.append_entry, leaf)[0] for leaf in own]

    processor = time.process_time()
    with ThreadPoolExecutor(clients) as pool:
        seconds, waits = timed(lambda: list(pool.map(client, (leaves[number::clients] for number in range(clients)))))
    processor = time.process_time() - processor
    every = [wait for own in waits for wait in own]
    return {"clients": clients, "seconds": seconds, "waits": every, "processor_seconds": processor}


def prove(leaves: Iterator[bytes], database: Path, indexes: Sequence[int]) -> dict[str, Any]:
    """Prove entries of a log that lies on disk already, as a process does that was just started."""
    tree = pymerkle.SqliteTree(str(database))
    tree.append_entries(leaves)
    tree.close()
    size_bytes = database.stat().st_size
    tree = pymerkle.SqliteTree(str(database))
    size = tree.get_size()
    root_seconds, root = timed(tree.get_state)
    passes = [[timed(tree.prove_inclusion, index + 1, size)[0] for index in indexes] for _ in range(2)]
    return {"root": root.hex(), "root_seconds": root_seconds, "passes": passes, "bytes": size_bytes}


def timed(function: Callable[..., Any], *arguments: object) -> tuple[float, Any]:
    """Seconds and result of one call."""
    begin = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - begin, result


def leaves_of(file: Path) -> Iterator[bytes]:
    """Leaves, each after its length in two bytes."""
    with file.open("rb") as stream:
        for _ in repeat(None):
            length = stream.read(2)
            if not length:
                return
            yield stream.read(int.from_bytes(length, "big"))


if __name__ == "__main__":
    main()
