"""A model in its library's own file becomes a package that explains, or a sentence and nothing at all."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from explainer.cli import app
from explainer.use_cases.explained_model import ExplainedModel
from models.catalogue import Catalogue
from models.errors import KlarbescheidError
from models.features import from_row
from models.package import load_package
from tests.unit.models.native_cards import (
    FEATURES,
    VECTORS,
    kept_of,
    outcome_part_of,
    score_columns,
    write_card,
    write_table,
)

FILES = sorted(path.name.removesuffix(".scores").replace(".cbm", ".json") for path in VECTORS.glob("*.scores"))


def scores_file(name: str) -> str:
    """CatBoost's models stand twice, their scores once."""
    return name if (VECTORS / f"{name}.scores").exists() else name.replace(".json", ".cbm")


def add(folder: Path, name: str, *more: str, **changes: Any) -> Result:
    """Run ``explainer models add`` on a vector; ``changes`` replace the reference's scores or the card's fields."""
    rows, scores = kept_of(scores_file(name), missing=changes.pop("missing", False))
    folder.mkdir(exist_ok=True)
    reference = changes.pop("scores", score_columns(scores))
    model = changes.pop("model", VECTORS / name)
    card = write_card(folder / "card.yaml", changes.pop("outcome_part", outcome_part_of(name)), **changes)
    people = write_table(folder / "people.csv", rows)
    table = write_table(folder / "reference.csv", rows, reference)
    return CliRunner().invoke(
        app,
        ["models", "add", str(model), "--card", str(card), "--background", str(people), "--reference", str(table),
         "--into", str(folder / "packages"), *more],
    )  # fmt: skip


def why(result: Result) -> str:
    assert result.exit_code == 1
    assert isinstance(result.exception, KlarbescheidError), result.exception
    return str(result.exception)


@pytest.mark.parametrize("name", FILES)
def test_a_model_is_added_and_explained(name: str, tmp_path: Path) -> None:
    result = add(tmp_path, name)
    assert result.exit_code == 0, result.exception
    package = load_package(tmp_path / "packages" / "grants")
    rows, scores = kept_of(scores_file(name))
    assert np.abs(package.model.score(rows) - scores).max() <= package.score_tolerance
    explained = ExplainedModel.prepare(package)
    numbers = explained.numbers_for(from_row(package.card.features, rows[0])).score_numbers
    assert numbers is not None
    attribution = numbers.attribution
    total = attribution.expected_value + sum(attribution.contributions)
    additive = np.atleast_1d(package.model.additive_score(rows[:1])[0])
    assert np.abs(additive - total).min() <= package.additive_tolerance


def test_rows_of_people_are_not_in_the_package(tmp_path: Path) -> None:
    assert add(tmp_path, "lightgbm_two_classes.txt").exit_code == 0
    rows, _ = kept_of("lightgbm_two_classes.txt")
    package = load_package(tmp_path / "packages" / "grants")
    people = {row.tobytes() for row in rows}
    assert not people & {row.tobytes() for row in package.background.rows}
    assert not people & {row.tobytes() for row in package.reference_rows}
    assert package.background.weights.min() >= 10
    assert package.background.weights.sum() == len(rows)
    assert abs(package.background.mean_score_gap) < 0.05


def test_rows_about_nobody_are_kept_if_somebody_says_so(tmp_path: Path) -> None:
    result = add(tmp_path, "lightgbm_two_classes.txt", "--complete-enumeration", "--keep-reference", "--json")
    rows, scores = kept_of("lightgbm_two_classes.txt")
    package = load_package(tmp_path / "packages" / "grants")
    assert json.loads(result.stdout)["background_rows"] == len(rows)
    np.testing.assert_array_equal(package.reference_scores, scores)


def test_other_scores_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    _, scores = kept_of("xgboost_two_classes.json")
    changed = scores.copy()
    changed[7] += 1e-4
    sentence = why(add(tmp_path, "xgboost_two_classes.json", scores=score_columns(changed)))
    assert "row 7" in sentence
    assert "1 of 120 rows differ" in sentence
    assert not (tmp_path / "packages").exists()


def test_scores_of_the_other_outcome_are_named(tmp_path: Path) -> None:
    _, scores = kept_of("xgboost_two_classes.json")
    sentence = why(add(tmp_path, "xgboost_two_classes.json", scores=score_columns(1 - scores)))
    assert "1 minus the original's" in sentence


def test_a_new_version_stands_beside_the_old_one(tmp_path: Path) -> None:
    assert add(tmp_path, "lightgbm_two_classes.txt", version="1").exit_code == 0
    assert "already" in why(add(tmp_path, "lightgbm_two_classes.txt", version="1"))
    assert add(tmp_path, "xgboost_two_classes.json", version="2").exit_code == 0
    catalogue = Catalogue.load([tmp_path / "packages"])
    assert catalogue.packages["grants"].card.version == "2"
    assert sorted(one.card.version for one in catalogue.versions.values()) == ["1", "2"]
    assert not catalogue.failures
    assert "already" in why(add(tmp_path, "lightgbm_two_classes.txt", version="1"))


@pytest.mark.parametrize("suffix", ["pkl", "pickle", "joblib"])
def test_a_pickle_is_refused_unopened_with_what_to_do(suffix: str, tmp_path: Path) -> None:
    model = tmp_path / f"model.{suffix}"  # does not even exist: nobody looks
    sentence = why(add(tmp_path, "lightgbm_two_classes.txt", model=model))
    assert "skops.io.dump" in sentence
    assert not (tmp_path / "packages").exists()


def test_columns_the_card_does_not_know_are_all_named(tmp_path: Path) -> None:
    features = [{**feature, "name": f"{feature['name']}_x"} for feature in FEATURES]
    table_error = why(add(tmp_path, "lightgbm_two_classes.txt", features=features))
    assert "income, balance, children, district" in table_error


MISSING = [
    "lightgbm_missing.txt", "lightgbm_number.txt", "xgboost_two_classes_binary.ubj", "xgboost_number.json",
    "xgboost_three_classes.ubj", "catboost_missing.json", "catboost_missing_largest.json",
]  # fmt: skip


@pytest.mark.parametrize("name", MISSING)
def test_missing_values_are_scored_and_explained_as_the_library_does(name: str, tmp_path: Path) -> None:
    words = {"de": "nicht angegeben", "en": "not stated"}
    features = [{**one, "may_be_missing": words} if one["name"] == "income" else one for one in FEATURES]
    result = add(tmp_path, name, missing=True, features=features)
    assert result.exit_code == 0, result.exception
    package = load_package(tmp_path / "packages" / "grants")
    rows, scores = kept_of(scores_file(name), missing=True)
    without = np.flatnonzero(np.isnan(rows[:, 0]))
    assert len(without) > 3
    assert np.abs(package.model.score(rows) - scores).max() <= package.score_tolerance
    inputs = from_row(package.card.features, rows[without[0]])
    assert inputs["income"] is None
    numbers = ExplainedModel.prepare(package).numbers_for(inputs).score_numbers
    assert numbers is not None


def test_missing_values_the_card_does_not_speak_of_are_refused(tmp_path: Path) -> None:
    assert "'income' is missing" in why(add(tmp_path, "lightgbm_missing.txt", missing=True))


def test_a_package_that_stands_twice_is_not_overwritten(tmp_path: Path) -> None:
    assert add(tmp_path, "lightgbm_two_classes.txt", version="1").exit_code == 0
    shutil.copytree(tmp_path / "packages" / "grants", tmp_path / "packages" / "grants@1")
    assert "hold the same version" in why(add(tmp_path, "xgboost_two_classes.json", version="2"))
    assert load_package(tmp_path / "packages" / "grants").card.version == "1"
    assert [path.name for path in sorted((tmp_path / "packages").iterdir())] == ["grants", "grants@1"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    into = tmp_path / "file" / "packages"
    assert f"{into} cannot be written" in why(add(tmp_path, "lightgbm_two_classes.txt", "--into", str(into)))
