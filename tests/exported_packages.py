"""Packages around the real exports of ``tests/vectors/exports`` that were trained with missing values."""

import io
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.manifest import write_manifest
from tests.model_kinds import ORIGIN, PROBABILITY, with_threshold
from tests.unit.models.cards import card_bytes, card_data, feature_data

EXPORTS = Path(__file__).parent / "vectors" / "exports"
NOT_STATED = {"de": "nicht angegeben", "en": "not stated"}
N_BACKGROUND = 120


def exported(name: str) -> tuple[bytes, NDArray[np.float64], NDArray[np.float64], list[int]]:
    """Give one export: the file, rows with the framework's own scores, and how many categories each feature has."""
    known: dict[str, Any] = json.loads((EXPORTS / f"{name}.json").read_text(encoding="utf-8"))
    rows, scores = (np.array(known[key], dtype=np.float64) for key in ("rows", "scores"))
    return (EXPORTS / f"{name}.onnx").read_bytes(), rows, scores.ravel(), known["category_counts"]


def features_of(
    counts: list[int], may_be_missing: Collection[int], actionable: Collection[int]
) -> list[dict[str, Any]]:
    """Describe the features of an export: numbers called n0 and so on, categories called w0 and so on."""
    described = []
    n_numbers = counts.count(0)
    for place, count in enumerate(counts):
        more: dict[str, Any] = {"may_be_missing": NOT_STATED} if place in may_be_missing else {}
        if count:
            words = [{"value": f"c{one}", "label": {"de": f"c{one}", "en": f"c{one}"}} for one in range(count)]
            described.append(feature_data(f"w{place - n_numbers}", kind="category", categories=words, **more))
            continue
        if place in actionable:
            more["actionable"] = {"direction": "up", "minimum": -1000, "maximum": 1000, "step": 0.01}
        described.append(feature_data(f"n{place}", decimals=2, **more))
    return described


def some_rows(rows: NDArray[np.float64], missing: Collection[int]) -> NDArray[np.float64]:
    """Mix the columns of real rows into new ones; of some features a fifth is missing, of all others nothing."""
    generator = np.random.default_rng(5)
    columns = []
    for place, column in enumerate(rows.T):
        drawn = generator.choice(column[~np.isnan(column)], N_BACKGROUND)
        if place in missing:
            drawn[generator.random(N_BACKGROUND) < 0.2] = np.nan
        columns.append(drawn)
    return np.column_stack(columns)


def write_export(parent: Path, name: str, *, missing: Collection[int] | None = None, **changes: Any) -> Path:
    """Write the package of an export with one score that is a probability.

    Args:
        parent: Folder that holds packages.
        name: Of the export.
        missing: Features that may be missing by the card; None for those that are missing in its rows.
        changes: Fields of the card that differ; ``actionable`` for positions of numbers that people can change,
            ``reference`` and ``background`` for other arrays.

    Returns:
        The package's folder.
    """
    content, rows, scores, counts = exported(name)
    in_rows = set(np.flatnonzero(np.isnan(rows).any(axis=0)).tolist())
    listed = in_rows if missing is None else set(missing)
    features = features_of(counts, listed, changes.pop("actionable", ()))
    reference = {"rows": rows, "scores": scores} | changes.pop("reference", {})
    background = some_rows(rows, listed)
    arrays = {"rows": background, "weights": np.linspace(1, 2, len(background))} | changes.pop("background", {})
    base = {key: value for key, value in card_data().items() if not key.startswith("outcome")}
    part = with_threshold(PROBABILITY, "log_odds", 0.5)
    card = {**base, **part, "slug": "exported", "features": features, "rules": [], "constraints": [], **changes}
    folder = parent / "exported"
    folder.mkdir(parents=True)
    (folder / "card.yaml").write_bytes(card_bytes(card))
    (folder / "model.onnx").write_bytes(content)
    words = {f"origin_{language}": np.array(text) for language, text in ORIGIN.items()}
    _save(folder / "background.npz", **arrays, name=np.array("made-up"), mean_score_gap=np.array(0.01), **words)
    _save(folder / "reference.npz", **reference)
    evaluation = {
        "schema_name": "evaluation/1", "model_version": card["version"], "as_of": "2026-10-01", "n": 400,
        "threshold": 0.5, "groups": [], "about": ORIGIN, "accuracy": 0.9,
    }  # fmt: skip
    (folder / "evaluation.json").write_text(json.dumps(evaluation), encoding="utf-8")
    write_manifest(folder)
    return folder


def _save(path: Path, **arrays: Any) -> None:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    path.write_bytes(stream.getvalue())
