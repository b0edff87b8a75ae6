"""Every kind of model that a package can hold is added from its own file, and known traps are refused by name."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from explainer.cli import app
from explainer.use_cases.explained_model import ExplainedModel
from models.features import Feature, from_row
from models.package import load_package
from tests.model_kinds import KINDS, PROBABILITY, Kind, with_threshold
from tests.unit.models.cards import card_bytes, card_data, feature_data

VECTORS = Path(__file__).parents[1] / "vectors"
SUFFIXES = {"scorecard.yaml": ".yaml", "terms.json": ".json", "model.onnx": ".onnx"}


def write_table(path: Path, features: list[dict[str, Any]], rows: np.ndarray, more: Mapping[str, Any]) -> Path:
    card = [Feature.model_validate(one) for one in features]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow([*(one.name for one in card), *more])
        for number, row in enumerate(rows):
            writer.writerow([*from_row(card, row).values(), *(values[number] for values in more.values())])
    return path


def add(folder: Path, model: Path, card: dict[str, Any], rows: np.ndarray, scores: Mapping[str, Any]) -> Result:
    (folder / "card.yaml").write_bytes(card_bytes(card))
    background = write_table(folder / "people.csv", card["features"], rows, {})
    reference = write_table(folder / "reference.csv", card["features"], rows, scores)
    tables = ["--background", str(background), "--reference", str(reference), "--into", str(folder / "packages")]
    return CliRunner().invoke(app, ["models", "add", str(model), "--card", str(folder / "card.yaml"), *tables])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_a_kind_is_added_and_explained(kind: Kind, tmp_path: Path) -> None:
    model = tmp_path / f"model{SUFFIXES[kind.model_file]}"
    model.write_bytes(kind.content)
    rows = kind.rows(120, seed=4).astype(np.float32).astype(np.float64)
    scores = kind.scores_of(rows)
    columns = {f"score_{name}": scores[:, place] for place, name in enumerate(kind.classes)} or {"score": scores}
    result = add(tmp_path, model, kind.card(), rows, columns)
    assert result.exit_code == 0, result.exception
    package = load_package(tmp_path / "packages" / kind.slug)
    inputs = from_row(package.card.features, package.background.rows[0])
    numbers = ExplainedModel.prepare(package).numbers_for(inputs).score_numbers
    assert numbers is not None
    tolerance = numbers.attribution.tolerance
    assert abs(numbers.attribution.additivity_gap) <= tolerance


def exported(name: str) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """Card, rows and scores of a vector of real exports."""
    kept = json.loads((VECTORS / "exports" / f"{name}.json").read_text(encoding="utf-8"))
    rows, scores = np.array(kept["rows"], dtype=float), np.array(kept["scores"], dtype=float)
    features = [feature_data(f"x{number}", decimals=6) for number in range(rows.shape[1])]
    card = {**card_data(), "rules": [], "features": features, **with_threshold(PROBABILITY, "log_odds", 0.5)}
    return {**card, "slug": "trap"}, rows, scores[:, -1] if scores.ndim > 1 else scores


def test_two_classes_with_base_values_are_refused_by_name(tmp_path: Path) -> None:
    card, rows, scores = exported("catboost_from_average")
    model = VECTORS / "exports" / "catboost_from_average.onnx"
    result = add(tmp_path, model, card, rows, {"score": scores})
    assert result.exit_code == 1
    assert "base_values, which onnxruntime 1.32 misreads for two classes" in str(result.exception)
    assert not (tmp_path / "packages").exists()


def test_the_same_exporter_without_base_values_is_added(tmp_path: Path) -> None:
    card, rows, scores = exported("catboost_binary")
    result = add(tmp_path, VECTORS / "exports" / "catboost_binary.onnx", card, rows, {"score": scores})
    assert result.exit_code == 0, result.exception


def test_a_table_that_lacks_columns_or_holds_strange_values_is_refused_with_all_of_them(tmp_path: Path) -> None:
    kind = KINDS[0]
    model = tmp_path / "model.onnx"
    model.write_bytes(kind.content)
    rows = kind.rows(30, seed=4)
    result = add(tmp_path, model, kind.card(), rows, {"points": kind.scores_of(rows)})
    assert "called score" in str(result.exception)
    table = tmp_path / "people.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    lines[2] = lines[2].replace(lines[2].split(";")[2], "castle")
    lines[5] = ";".join(["many", *lines[5].split(";")[1:]])
    table.write_text("\n".join(lines), encoding="utf-8")
    reference = write_table(tmp_path / "r.csv", kind.card()["features"], rows, {"score": kind.scores_of(rows)})
    command = ["models", "add", str(model), "--card", str(tmp_path / "card.yaml"), "--background", str(table)]
    said = str(CliRunner().invoke(app, [*command, "--reference", str(reference)]).exception)
    assert "people.csv has 2 problem(s)" in said
    assert "row 2: " in said
    assert "castle" in said
    assert "row 5: " in said
    assert "many" in said
