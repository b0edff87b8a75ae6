"""Writes the vectors of real exports, ``python -m benchmarks.export_vectors``; see tests/vectors/exports/README.md.

Small models of the same frameworks and exporters as :mod:`benchmarks.correctness`, with what the framework said about
some rows and contributions by brute force, so that the tests need none of the frameworks.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.coalition_oracle import WalkedScores
from benchmarks.correctness import compare, true_contributions, verdict_on
from benchmarks.exported_models import ExportedModel, exported_models

FOLDER = Path(__file__).parents[1] / "tests" / "vectors" / "exports"
N_TREES = 5
N_ROWS = 12
N_EXPLAINED = 3
N_BACKGROUND = 20
DIGITS = 12
LEFT_OUT = frozenset({"scaled_whole_numbers"})
"""Too few rows to see what is wrong."""


def main() -> None:
    """Write all vectors anew."""
    for old in [*FOLDER.glob("*.onnx"), *FOLDER.glob("*.json")]:
        old.unlink()
    FOLDER.mkdir(exist_ok=True)
    for exported in exported_models(N_TREES):
        if exported.name not in LEFT_OUT:
            write(_fewer_rows(exported))


def write(exported: ExportedModel) -> None:
    """Write the vectors of one model.

    Args:
        exported: The model.

    Raises:
        RuntimeError: If it is neither explained exactly nor refused as expected.
    """
    found = compare(exported, N_EXPLAINED)
    verdict = verdict_on(exported.name, found)
    if not verdict.startswith(("exact", "refused")):
        raise RuntimeError(f"{exported.name}: {verdict}")
    content: dict[str, Any] = {
        "framework": exported.framework,
        "exporter": exported.exporter,
        "refused": found.refused,
        "category_counts": exported.category_counts.tolist(),
        "background": _plain(exported.background),
        "rows": _plain(exported.rows),
        "scores": _plain(exported.scores),
    }
    if not found.refused:
        oracle = WalkedScores(exported.content, exported.category_counts)
        contributions = true_contributions(oracle, exported.rows[:N_EXPLAINED], exported.background)
        content["contributions"] = _plain(contributions)
    (FOLDER / f"{exported.name}.onnx").write_bytes(exported.content)
    lines = [f" {json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in content.items()]
    (FOLDER / f"{exported.name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _fewer_rows(exported: ExportedModel) -> ExportedModel:
    """Keep what is small enough for files; shap compared with the whole background, so its values go."""
    return replace(
        exported,
        background=exported.background[:N_BACKGROUND],
        rows=exported.rows[:N_ROWS],
        raw=exported.raw[:N_ROWS],
        scores=exported.scores[:N_ROWS],
        shap_values=None,
    )


def _plain(numbers: NDArray[np.float64]) -> Any:
    """Give numbers as lists, missing ones as null."""
    if numbers.ndim > 1:
        return [_plain(part) for part in numbers]
    return [None if np.isnan(number) else float(f"{number:.{DIGITS}g}") for number in numbers.tolist()]


if __name__ == "__main__":
    main()
