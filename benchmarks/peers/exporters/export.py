"""Trains a small model with every framework a city might use and writes it with the exporter its users would use.

Runs in a pinned environment of its own. For each model a folder is written: ``model.onnx``; ``rows.npz`` with the
background, held-out rows, the framework's own raw scores and scores of these and, where shap can and its answer is
exact, the contributions by shap's interventional explainer; ``facts.json`` with the versions. Where a framework or
exporter fails, the folder holds ``failed.txt`` instead of a model.
"""

import argparse
import json
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from boosting_libraries import BOOSTING_LIBRARIES
from pipelines import PIPELINES
from scikit_learn import SCIKIT_LEARN

EXPORTS = {**BOOSTING_LIBRARIES, **SCIKIT_LEARN, **PIPELINES}


def _without_booleans(value: Any) -> Any:
    """Give a list of whole numbers as such: skl2onnx 1.20 mixes booleans in, which protobuf 7 refuses."""
    if isinstance(value, list) and any(isinstance(one, bool | np.bool_) for one in value):
        return [int(one) for one in value]
    return value


def write(name: str, n_trees: int, folder: Path) -> None:
    """Train and export one model; what fails is written down as well."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        export = EXPORTS[name](n_trees)
    except Exception as error:  # noqa: BLE001 -- whatever the exporters raise is a finding
        (folder / "failed.txt").write_text(f"{type(error).__name__}: {error}\n", encoding="utf-8")
        return
    (folder / "model.onnx").write_bytes(export.content)
    arrays = {
        "background": export.table.rows[export.table.background],
        "rows": export.table.rows[export.table.held_out],
        "raw": np.asarray(export.raw, dtype=np.float64),
        "scores": np.asarray(export.scores, dtype=np.float64),
        "category_counts": np.array([0] * export.table.numbers.shape[1] + list(export.word_sizes)),
    }
    if export.contributions is not None:
        arrays["shap"] = export.contributions.astype(np.float64)
    np.savez(folder / "rows.npz", **arrays)
    facts = {
        "name": name,
        "framework": f"{export.framework} {version(export.framework)}",
        "exporter": f"{export.exporter} {version(export.exporter)}",
        "shap": f"shap {version('shap')}" if export.contributions is not None else "",
        "note": export.note,
        "n_trees": n_trees,
    }
    (folder / "facts.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    make_attribute = onnx.helper.make_attribute
    onnx.helper.make_attribute = lambda key, value, *more, **named: make_attribute(
        key, _without_booleans(value), *more, **named
    )
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    for one in given.names or EXPORTS:
        write(one, given.trees, given.folder / one)
