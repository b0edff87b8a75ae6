"""One row at a time: our exact Shapley values against a cached ``shap.TreeExplainer`` over the same trees."""

import json
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.peers import PEERS, peer_environment, share_forest
from explainer.attribution_methods.choose import method_for
from models.catalogue import bundled_packages_folder
from models.package import ModelPackage, load_package

ROWS = 200
ROUNDS = 3


def compare_attribution() -> None:
    """Print time per row and largest difference for two sizes of the background."""
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
        share_forest(package, background.rows, rows, Path(folder))
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
