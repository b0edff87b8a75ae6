"""Stands in for the training that your office has done already: a table, a model, and what the model said.

Run from the project's folder: ``python docs/tutorial/own-model/train.py var/own-model``. It needs the extras
``scikit-learn`` and ``parquet``. The households are made up; they come with the bundled Wohngeld package.
"""

import csv
import sys
from pathlib import Path

import skops.io
from pyarrow.parquet import read_table
from sklearn.ensemble import HistGradientBoostingClassifier

FEATURES = ["household_size", "income_eur_month", "gross_cold_rent_eur_month", "rent_level"]
N_LEARNED = 4000
N_REFERENCE = 200


def main() -> None:
    """Train, and write what an office would have: table, model, scores."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    households = read_table("models/packages/wohngeld/data/households.parquet").to_pylist()
    households = [one for one in households if one["assets_below_limit"]][: N_LEARNED + N_REFERENCE]
    rows = [[float(one[name]) for name in FEATURES] for one in households]
    entitled = [int(one["entitled"]) for one in households]
    model = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=12, random_state=1)
    model.fit(rows[:N_LEARNED], entitled[:N_LEARNED])
    skops.io.dump(model, folder / "model.skops")
    write(folder / "households.csv", [*FEATURES, "entitled"], rows[:N_LEARNED], entitled)
    scores = model.predict_proba(rows[N_LEARNED:])[:, 1].tolist()
    write(folder / "reference.csv", [*FEATURES, "score"], rows[N_LEARNED:], scores)


def write(path: Path, names: list[str], rows: list[list[float]], last: list[float]) -> None:
    """Write a table whose last column stands apart."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([*row, one] for row, one in zip(rows, last, strict=False))


if __name__ == "__main__":
    main()
