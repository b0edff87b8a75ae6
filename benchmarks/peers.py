"""Environments of peers: one each, pinned by hashes, below ``var/benchmarks``; nothing of them reaches our own."""

import subprocess
import sys
import venv
from hashlib import sha256
from pathlib import Path

import numpy as np

from models.package import ModelPackage
from models.tree import Tree

PEERS = Path(__file__).parent / "peers"
ENVIRONMENTS = Path("var/benchmarks")


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


def share_forest(package: ModelPackage, background: np.ndarray, rows: np.ndarray, folder: Path) -> Path:
    """Write our trees as plain arrays, so that a peer explains the very same model.

    Args:
        package: The model.
        background: Rows the peer compares with, shape (n, n_features).
        rows: Rows it explains, shape (m, n_features).
        folder: Where the file goes.

    Returns:
        The file.
    """
    forest = package.forest
    arrays = {"n_trees": np.array(len(forest.trees)), "background": background, "rows": rows}
    arrays["base_value"] = np.array(forest.base_value)
    for number, tree in enumerate(forest.trees):
        for name in ("left", "right", "feature", "threshold", "value"):
            arrays[f"{name}_{number}"] = getattr(tree, name)
        arrays[f"cover_{number}"] = cover_of(tree, background)
    path = folder / "forest.npz"
    np.savez(path, **arrays)
    return path


def cover_of(tree: Tree, rows: np.ndarray) -> np.ndarray:
    """Count how many rows reach each node: what path-dependent Shapley values need and ONNX does not keep.

    Args:
        tree: The tree.
        rows: Shape (n, n_features), without missing values.

    Returns:
        Shape (n_nodes,); a leaf that nothing reaches counts as reached once, so that nobody divides by zero.
    """
    cover = np.zeros(len(tree.left))
    position = np.zeros(len(rows), dtype=np.intp)
    everyone = np.arange(len(rows))
    while not tree.is_leaf[position].all():
        left = rows[everyone, tree.feature[position]].astype(np.float32) <= tree.threshold[position]
        below = np.where(left, tree.left[position], tree.right[position])
        position = np.where(tree.is_leaf[position], position, below)
    np.add.at(cover, position, 1.0)
    cover[tree.is_leaf] = np.maximum(cover[tree.is_leaf], 1.0)
    for node in reversed(range(len(cover))):  # children stand behind their parent
        if not tree.is_leaf[node]:
            cover[node] = cover[tree.left[node]] + cover[tree.right[node]]
    return cover
