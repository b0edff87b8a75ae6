"""Exact attributions against shap's tree explainer, in one run."""

import json
import os
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.peers import PEERS, peer_environment
from benchmarks.synthetic_forests import deep_forest
from explainer.attribution_methods.choose import prepare_method
from models.catalogue import bundled_packages_folder
from models.forest import Forest
from models.package import load_package

ROWS = 200
ROUNDS = 3
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def compare_attribution() -> None:
    """Print how our exact values compare with shap's, in time and in value."""
    package = load_package(bundled_packages_folder() / "wohngeld")
    background = package.background.rows
    peer = peer_environment("shap_tree_explainer")
    print("Exact interventional Shapley values, one thread, against a cached shap.TreeExplainer.")
    print("ms: median wall time of one call; ratio: of processor times, which other work on the machine moves less")
    heading = f"{'background':>12} {'rows':>6} {'ours ms':>10} {'shap ms':>10} {'ratio':>8}"
    print(f"{'':<24}{heading} {'largest difference':>20} {'MB':>6}  method")
    for size in (100, len(background)):
        measure("wohngeld", package.forest, background[:size], package.reference_rows[:ROWS], peer)
    for depth in (12, 16):
        synthetic = deep_forest(depth)
        for size, n_rows in ((100, 20), (1000, 6)):
            rows = synthetic.rows[-n_rows:]
            measure(f"200 trees, depth {depth}", synthetic.forest, synthetic.rows[:size], rows, peer)
    many = background[np.arange(10_000) % len(background)]
    measure("wohngeld, in one call", package.forest, background[:100], many, peer, together=True)
    measure("wohngeld, in one call", package.forest, background, many[:1000], peer, together=True)


def measure(
    name: str, forest: Forest, background: np.ndarray, rows: np.ndarray, peer: Path, *, together: bool = False
) -> None:
    """Time ours and the peer's alternating, each on one thread, and compare the values.

    Args:
        name: What is measured.
        forest: The trees.
        background: Shape (m, n_features), equal weights.
        rows: Rows to explain, shape (n_rows, n_features).
        peer: Python of the peer's environment.
        together: Whether all rows are explained in one call.
    """
    prepared = prepare_method(forest, background, np.ones(len(background)), many_rows=together, threads=1)
    computer = prepared.computer
    parts = [rows] if together else [row[np.newaxis] for row in rows]
    ours, theirs = [], []
    with TemporaryDirectory() as folder:
        _share(forest, background, rows, Path(folder))
        command = [peer, PEERS / "shap_tree_explainer" / "explain.py", folder, *(["--together"] if together else [])]
        for _ in range(ROUNDS):
            times = []
            for part in parts:
                begin, processor_begin = time.perf_counter(), time.process_time()
                computer.contributions_of(part)
                times.append((time.perf_counter() - begin, time.process_time() - processor_begin))
            ours.append(np.median(times, axis=0))
            answer = subprocess.run(command, check=True, capture_output=True, text=True, env=ONE_THREAD)  # noqa: S603 -- our own script in the peer's environment
            result = json.loads(answer.stdout)
            theirs.append((result["median_seconds"], result["median_processor_seconds"]))
        difference = float(np.abs(np.array(result["values"]) - computer.contributions_of(rows)).max())
    fast, slow = np.min(ours, axis=0), np.min(theirs, axis=0)
    print(
        f"{name:<24}{len(background):>12} {len(rows):>6} {fast[0] * 1e3:>10.3f} {slow[0] * 1e3:>10.3f} "
        f"{slow[1] / fast[1]:>7.1f}x {difference:>20.1e} {prepared.choice.memory_bytes / 2**20:>6.1f}  "
        f"{prepared.choice.name}",
        flush=True,
    )


def _share(forest: Forest, background: np.ndarray, rows: np.ndarray, folder: Path) -> None:
    arrays = {"n_trees": np.array(len(forest.trees)), "background": background, "rows": rows}
    arrays["base_value"] = np.array(forest.base_value)
    for number, tree in enumerate(forest.trees):
        for name in ("left", "right", "feature", "threshold", "value"):
            arrays[f"{name}_{number}"] = getattr(tree, name)
    np.savez(folder / "forest.npz", **arrays)
