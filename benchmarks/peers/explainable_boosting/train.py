"""Trains a small explainable boosting machine with interpret, and writes it as a table of terms and as ONNX.

Runs in a pinned environment of its own. Data are synthetic and seeded; nothing is said about real cities. The files it
writes are kept in ``tests/vectors/explainable_boosting``, so that tests need no framework:

- ``terms.json``: the tables, in the format of ``docs/reference/term-tables.md``;
- ``model.onnx``: the same machine as ebm2onnx writes it;
- ``reference.json``: raw rows with interpret's probabilities, additive scores and scores of each term.
"""

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import ebm2onnx
import numpy as np
import pandas as pd
from interpret.glassbox import ExplainableBoostingClassifier

N_ROWS = 800
N_REFERENCE_ROWS = 60
SHARE_OF_MISSING_INCOMES = 0.05
HOUSING = ("rent", "own", "shelter")


def main() -> None:
    """Train, export twice and write down what interpret says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    warnings.simplefilter("ignore")
    frame, target = cases()
    machine = ExplainableBoostingClassifier(
        interactions=3, max_bins=16, max_interaction_bins=6, outer_bags=2, max_rounds=300, random_state=19, n_jobs=1
    )
    machine.fit(frame, target)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "terms.json").write_text(json.dumps(as_tables(machine), separators=(",", ":")) + "\n", encoding="utf-8")
    types = {name: "str" if name == "housing" else "double" for name in frame.columns}
    converted = ebm2onnx.to_onnx(machine, types, predict_proba=True, explain=True)
    (folder / "model.onnx").write_bytes(converted.SerializeToString(deterministic=True))
    shown = frame[:N_REFERENCE_ROWS]
    rows = shown.assign(housing=shown["housing"].map(HOUSING.index)).to_numpy(dtype=float)
    reference = {
        "features": list(frame.columns),
        "housing": list(HOUSING),
        "rows": [[None if np.isnan(value) else value for value in row] for row in rows.tolist()],
        "probabilities": machine.predict_proba(shown)[:, 1].tolist(),
        "additive_scores": machine.decision_function(shown).tolist(),
        "terms": [[machine.feature_names_in_[place] for place in places] for places in machine.term_features_],
        "term_scores": machine.eval_terms(shown).tolist(),
    }
    (folder / "reference.json").write_text(json.dumps(reference, separators=(",", ":")) + "\n", encoding="utf-8")


def cases() -> tuple[pd.DataFrame, np.ndarray]:
    """Make cases in which income and housing, and age and housing, act together; some incomes are missing."""
    generator = np.random.default_rng(19)
    frame = pd.DataFrame(
        {
            "income": np.round(generator.normal(1500, 400, N_ROWS)),
            "age": generator.integers(18, 90, N_ROWS).astype(float),
            "housing": generator.choice(HOUSING, N_ROWS),
            "children": generator.integers(0, 4, N_ROWS).astype(float),
        }
    )
    frame.loc[generator.random(N_ROWS) < SHARE_OF_MISSING_INCOMES, "income"] = np.nan
    odds = frame["income"].fillna(1000).lt(1300) * np.where(frame["housing"] == "own", 0.2, 1.8)
    odds += (frame["housing"].eq("rent") & frame["age"].gt(50)) * 1.5 - frame["children"] * 0.4
    return frame, (odds + generator.normal(0, 0.4, N_ROWS) > odds.median()).to_numpy().astype(int)


def as_tables(machine: ExplainableBoostingClassifier) -> dict[str, Any]:
    """Write a fitted machine of two classes as a table of terms.

    interpret's bin 0 is for missing values and its last bin for unknown ones; here both stand behind the named bins,
    and numbers have no unknown bin.
    """
    terms = []
    for places, their_scores in zip(machine.term_features_, machine.term_scores_, strict=True):
        axes, scores = [], their_scores
        for position, place in enumerate(places):
            # A feature may be cut finer alone than in pairs; the last binning counts for all larger terms.
            binnings = machine.bins_[place]
            binning = binnings[min(len(binnings), len(places)) - 1]
            axis: dict[str, Any] = {"feature": machine.feature_names_in_[place], "missing": True}
            named = list(range(1, scores.shape[position] - 1))
            if isinstance(binning, dict):
                axis |= {"categories": sorted(binning, key=binning.get), "unknown": True}
                order = [*named, 0, scores.shape[position] - 1]
            else:
                axis |= {"cuts": binning.tolist()}
                order = [*named, 0]
            scores = np.take(scores, order, axis=position)
            axes.append(axis)
        terms.append({"axes": axes, "scores": scores.tolist()})
    return {
        "format": "klarbescheid-terms/1",
        "link": "logistic",
        "intercepts": [float(machine.intercept_[0])],
        "terms": terms,
    }


if __name__ == "__main__":
    main()
