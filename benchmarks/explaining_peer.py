"""A peer that explains the same trees in a process of its own, asked row by row in turn with ours."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.peers import PEERS, peer_environment
from models.forest import Forest

ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
NODE_ARRAYS = ("left", "right", "feature", "threshold", "value", "missing_left")


@dataclass(frozen=True)
class Answer:
    """What a peer said about some rows.

    Attributes:
        seconds: Wall time of its one call.
        processor_seconds: Processor time of it.
        values: Shape (n_rows, n_features).
    """

    seconds: float
    processor_seconds: float
    values: np.ndarray


class ExplainingPeer:
    """A running peer.

    Args:
        process: Reads lines "first last" and answers with a line of JSON.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def explain(self, first: int, last: int) -> Answer:
        """Let it explain some of the rows it was started with, in one call.

        Args:
            first: First row.
            last: Behind the last row.

        Returns:
            Times and values.

        Raises:
            RuntimeError: If the peer ended.
        """
        reader, writer = self._process.stdout, self._process.stdin
        if reader is None or writer is None:
            raise RuntimeError("The peer was started without pipes.")
        writer.write(f"{first} {last}\n")
        writer.flush()
        line = reader.readline()
        if not line:
            raise RuntimeError("The peer ended; see its last words above.")
        answer = json.loads(line)
        return Answer(answer["seconds"], answer["processor_seconds"], np.array(answer["values"]))


@contextmanager
def explaining_peer(name: str, forest: Forest, background: np.ndarray, rows: np.ndarray) -> Iterator[ExplainingPeer]:
    """Start a peer on one thread.

    Args:
        name: Folder below ``benchmarks/peers`` with a script ``explain.py``.
        forest: Trees that compare raw features.
        background: Shape (m, n_features), equal weights.
        rows: Rows it may be asked about, shape (n_rows, n_features).

    Yields:
        The peer.
    """
    with TemporaryDirectory() as folder:
        shared = Path(folder) / "forest.npz"
        arrays = {f"{part}_{n}": getattr(tree, part) for n, tree in enumerate(forest.trees) for part in NODE_ARRAYS}
        arrays |= {"n_trees": np.array(len(forest.trees)), "base_value": np.array(forest.base_value)}
        np.savez(shared, **arrays, background=background, rows=rows)
        command = [peer_environment(name), PEERS / name / "explain.py", shared]
        with subprocess.Popen(  # noqa: S603 -- our own script in the peer's environment
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ONE_THREAD
        ) as process:
            try:
                yield ExplainingPeer(process)
            finally:
                process.terminate()
