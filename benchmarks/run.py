"""Benchmarks against public peers: every claim is a ratio measured in one run, peers in environments of their own."""

import json
import subprocess
import sys
import time
import venv
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from explainer.attribution_methods.choose import method_for
from models.catalogue import bundled_packages_folder
from models.package import ModelPackage, load_package

PEERS = Path(__file__).parent / "peers"
ENVIRONMENTS = Path("var/benchmarks")
ROWS = 200
ROUNDS = 3


def main() -> None:
    """Run every benchmark and print its ratios."""
    package = load_package(bundled_packages_folder() / "wohngeld")
    peer = peer_environment("shap_tree_explainer")
    print(f"One row, wohngeld ({len(package.forest.trees)} trees), exact interventional Shapley values")
    print(f"{'background':>12} {'ours ms':>10} {'shap ms':>10} {'ratio':>8} {'largest difference':>20}")
    for size in (100, len(package.background.rows)):
        measure_attribution(package, peer, size)


def measure_attribution(package: ModelPackage, peer: Path, size: int) -> None:
    """Time one row at a time, ours and the peer's alternating, and compare the values."""
    background = replace(
        package.background, rows=package.background.rows[:size], weights=np.ones(size, dtype=np.float64)
    )
    computer = method_for(replace(package, background=background))
    rows = package.reference_rows[:ROWS]
    ours, theirs = [], []
    difference = 0.0
    with TemporaryDirectory() as folder:
        _share(package, background.rows, rows, Path(folder))
        for _ in range(ROUNDS):
            seconds = []
            for row in rows:
                begin = time.perf_counter()
                computer.contributions_of(row[np.newaxis])
                seconds.append(time.perf_counter() - begin)
            ours.append(float(np.median(seconds)))
            answer = subprocess.run(  # noqa: S603 -- our own script in the peer's environment
                [peer, PEERS / "shap_tree_explainer" / "explain.py", folder], check=True, capture_output=True, text=True
            )
            result = json.loads(answer.stdout)
            theirs.append(result["median_seconds"])
            difference = float(np.abs(np.array(result["values"]) - computer.contributions_of(rows)).max())
    fast, slow = min(ours), min(theirs)
    print(f"{size:>12} {fast * 1e3:>10.3f} {slow * 1e3:>10.3f} {slow / fast:>7.1f}x {difference:>20.1e}")


def peer_environment(name: str) -> Path:
    """Make the pinned environment of a peer, once per lock file.

    Args:
        name: Folder below ``benchmarks/peers``.

    Returns:
        Its Python.
    """
    lock = PEERS / name / "requirements.lock"
    folder = ENVIRONMENTS / f"{name}-{sha256(lock.read_bytes()).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        print(f"Making the environment of {name} …", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run(  # noqa: S603 -- pinned by hashes
            [python, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "-r", lock], check=True
        )
        (folder / "complete").touch()
    return python


def _share(package: ModelPackage, background: np.ndarray, rows: np.ndarray, folder: Path) -> None:
    forest = package.forest
    arrays = {"n_trees": np.array(len(forest.trees)), "background": background, "rows": rows}
    arrays["base_value"] = np.array(forest.base_value)
    for number, tree in enumerate(forest.trees):
        for name in ("left", "right", "feature", "threshold", "value"):
            arrays[f"{name}_{number}"] = getattr(tree, name)
    np.savez(folder / "forest.npz", **arrays)


if __name__ == "__main__":
    main()
