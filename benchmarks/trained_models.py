"""Models that benchmarks explain: trained once in the frameworks' own environment and kept below ``var/benchmarks``."""

import subprocess
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import ENVIRONMENTS, PEERS, peer_environment
from models.features import Category, Feature
from models.forest import Forest, read_forest
from models.words import Words

FRAMEWORKS = PEERS / "frameworks"


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A model as its framework exported it.

    Attributes:
        onnx_bytes: The file.
        rows: Raw rows it has not seen, shape (n_rows, n_features); categories by their number.
        scores: The original framework's scores of these rows.
        category_counts: Shape (n_features,), number of categories ``c0``, ``c1`` … of each feature; 0 for numbers.
        feature_names: Names of the raw features, in the order of the columns.
    """

    onnx_bytes: bytes
    rows: NDArray[np.float64]
    scores: NDArray[np.float64]
    category_counts: NDArray[np.int64]
    feature_names: tuple[str, ...]

    def features(self) -> tuple[Feature, ...]:
        """Describe the features as a card does."""
        return tuple(
            Feature(
                name=name,
                label=_both(name),
                kind="category" if count else "number",
                categories=tuple(Category(value=f"c{place}", label=_both(f"c{place}")) for place in range(count)),
                source=_both("synthetic"),
            )
            for name, count in zip(self.feature_names, self.category_counts.tolist(), strict=True)
        )

    def forest(self) -> Forest:
        """Read the trees over raw features."""
        return read_forest(self.onnx_bytes, self.features())


def trained_model(name: str) -> TrainedModel:
    """Train a model, once per version of the training script and its environment.

    Args:
        name: One of the functions of ``benchmarks/peers/frameworks/train.py``.

    Returns:
        The model with rows and the original's scores.
    """
    script, lock = FRAMEWORKS / "train.py", FRAMEWORKS / "requirements.lock"
    version = sha256(script.read_bytes() + lock.read_bytes()).hexdigest()[:12]
    folder = ENVIRONMENTS / "models" / f"{name}-{version}"
    if not (folder / "rows.npz").exists():
        subprocess.run([peer_environment("frameworks"), script, name, folder], check=True)  # noqa: S603 -- our own script
    with np.load(folder / "rows.npz", allow_pickle=False) as kept:
        arrays = dict(kept)
    rows = arrays["rows"]
    counts = arrays.get("category_counts", np.zeros(rows.shape[1], dtype=np.int64))
    n_numbers = int((counts == 0).sum())
    names = [f"n{place}" for place in range(n_numbers)] + [f"w{place}" for place in range(len(counts) - n_numbers)]
    return TrainedModel(
        onnx_bytes=(folder / "model.onnx").read_bytes(),
        rows=rows,
        scores=arrays["scores"],
        category_counts=counts,
        feature_names=tuple(names),
    )


def _both(text: str) -> Words:
    return Words(de=text, en=text)
