"""Small models as every framework's exporter writes them: trained once and kept below ``var/benchmarks``."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import ENVIRONMENTS, PEERS, peer_environment
from models.features import Category, Feature
from models.words import Words

EXPORTERS = PEERS / "exporters"


@dataclass(frozen=True, kw_only=True)
class ExportedModel:
    """A model as its exporter wrote it.

    Attributes:
        name: Function of ``benchmarks/peers/exporters`` that trained it.
        framework: Distribution and version that trained it.
        exporter: Distribution and version that exported it.
        note: Why there is nothing of shap, or empty.
        content: The ONNX file.
        background: Raw rows to compare with, shape (m, n_features); categories by their number.
        rows: Raw rows it has not seen, shape (n_rows, n_features).
        raw: The framework's raw scores of these, shape (n_rows, n_outputs).
        scores: The framework's scores of these, shape (n_rows, n_outputs).
        shap_values: shap's contributions of the first rows, shape (n_explained, n_features, n_outputs); None where
            shap does not know the model or explains something else.
        category_counts: Shape (n_features,), number of categories of each feature; 0 for numbers.
    """

    name: str
    framework: str
    exporter: str
    note: str
    content: bytes
    background: NDArray[np.float64]
    rows: NDArray[np.float64]
    raw: NDArray[np.float64]
    scores: NDArray[np.float64]
    shap_values: NDArray[np.float64] | None
    category_counts: NDArray[np.int64]

    def features(self) -> tuple[Feature, ...]:
        """Describe the features as a card does."""
        return features_of(self.category_counts)


def features_of(category_counts: NDArray[np.int64]) -> tuple[Feature, ...]:
    """Describe features as a card does: first the numbers, named n0 and so on, then the categories, w0 and so on."""
    n_numbers = int((category_counts == 0).sum())
    return tuple(
        Feature(
            name=name,
            label=_both(name),
            kind="category" if count else "number",
            categories=tuple(Category(value=f"c{one}", label=_both(f"c{one}")) for one in range(count)),
            source=_both("synthetic"),
        )
        for place, count in enumerate(category_counts.tolist())
        for name in [f"w{place - n_numbers}" if count else f"n{place}"]
    )


def exported_models(n_trees: int) -> Iterator[ExportedModel]:
    """Train and export all models, once per version of the scripts and their environment.

    Args:
        n_trees: Trees of most models; below 50 the trees are small as well.

    Yields:
        Each model.

    Raises:
        RuntimeError: If a framework or exporter failed.
    """
    files = sorted([*EXPORTERS.glob("*.py"), EXPORTERS / "requirements.lock"])
    version = sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
    folder = ENVIRONMENTS / "exports" / f"{n_trees}-trees-{version}"
    if not (folder / "complete").exists():
        command = [peer_environment("exporters"), EXPORTERS / "export.py", folder, "--trees", str(n_trees)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 -- our own script
        (folder / "complete").touch()
    for path in sorted(one for one in folder.iterdir() if one.is_dir()):
        yield _read(path)


def _read(folder: Path) -> ExportedModel:
    failed = folder / "failed.txt"
    if failed.exists():
        raise RuntimeError(f"{folder.name} could not be exported: {failed.read_text(encoding='utf-8')[:300]}")
    with np.load(folder / "rows.npz", allow_pickle=False) as kept:
        arrays = dict(kept)
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    n_rows, n_features = arrays["rows"].shape
    shap_values = arrays.get("shap")
    return ExportedModel(
        name=facts["name"],
        framework=facts["framework"],
        exporter=facts["exporter"],
        note=facts["note"],
        content=(folder / "model.onnx").read_bytes(),
        background=arrays["background"],
        rows=arrays["rows"],
        raw=arrays["raw"].reshape(n_rows, -1),
        scores=arrays["scores"].reshape(n_rows, -1),
        shap_values=None if shap_values is None else shap_values.reshape(len(shap_values), n_features, -1),
        category_counts=arrays["category_counts"],
    )


def _both(text: str) -> Words:
    return Words(de=text, en=text)
