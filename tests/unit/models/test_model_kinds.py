"""Packages of every kind load, and each one's broken twin is refused by a sentence that says what differs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import (
    MalformedPackageError,
    ModelFeaturesMismatchError,
    ModelScoresDifferError,
    UnsupportedModelError,
)
from models.package import load_package
from tests import model_kinds as kinds
from tests.model_kinds import KINDS, Kind
from tests.unit.models.tree_models import Ensemble, Leaf


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_original_runtime_and_our_reading_agree(tmp_path: Path, kind: Kind) -> None:
    package = load_package(kind.write(tmp_path))
    rows = kind.rows(200, seed=3)
    scores = kind.scores_of(rows)
    assert scores.shape == ((200, len(kind.classes)) if kind.classes else (200,))
    np.testing.assert_allclose(package.model.score(rows), scores, rtol=0, atol=package.score_tolerance)
    if package.reading is not None:
        np.testing.assert_allclose(package.reading.score(rows), scores, rtol=0, atol=package.score_tolerance)
        additive = package.model.additive_score(rows)
        assert np.abs(package.reading.additive_score(rows) - additive).max() <= package.additive_tolerance


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_one_other_reference_score_is_refused_with_row_and_distance(tmp_path: Path, kind: Kind) -> None:
    scores = kind.scores_of(kind.rows(60, seed=2))
    scores[17] *= 0.99
    folder = kind.write(tmp_path, reference={"scores": scores})
    with pytest.raises(ModelScoresDifferError, match=r"row 17 of reference\.npz.*1 of 60 rows"):
        load_package(folder)


def test_a_points_table_that_differs_from_its_reference_is_refused(tmp_path: Path) -> None:
    table = kinds.scorecard().replace(b"points: 12.5", b"points: 13.5")
    with pytest.raises(ModelScoresDifferError, match=r"row \d+ of reference\.npz, the runtime's score is"):
        load_package(kinds.SCORECARD.write(tmp_path, model=table))


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (kinds.SCORECARD, kinds.scorecard(base_points=12)),
        (
            kinds.FOREST_OF_EUROS,
            Ensemble(
                trees=(*kinds.EUROS_TREES, Leaf((2.0,))), n_features=4, classifier=False, post_transform="NONE",
                base_values=(250.0,),
            ).to_onnx(),
        ),
    ],
    ids=["scorecard", "forest"],
)  # fmt: skip
def test_a_wrong_base_value_is_named_as_the_likely_cause(tmp_path: Path, kind: Kind, content: bytes) -> None:
    with pytest.raises(ModelScoresDifferError, match="Every row is off by 2: compare the model's base value"):
        load_package(kind.write(tmp_path, model=content))


@pytest.mark.parametrize("kind", [one for one in KINDS if one.classes], ids=lambda kind: kind.slug)
def test_swapped_classes_are_refused_with_the_order_that_would_fit(tmp_path: Path, kind: Kind) -> None:
    scores = kind.scores_of(kind.rows(60, seed=2))
    folder = kind.write(tmp_path, reference={"scores": scores[:, [0, 2, 1]]})
    with pytest.raises(ModelScoresDifferError, match="if the model's classes were 'no_help', 'full_help', 'some_help'"):
        load_package(folder)


@pytest.mark.parametrize("kind", [one for one in KINDS if one.classes], ids=lambda kind: kind.slug)
def test_a_card_with_another_order_of_classes_than_the_original_is_refused(tmp_path: Path, kind: Kind) -> None:
    folder = kind.write(tmp_path, outcome_of_class=["no_help", "full_help", "some_help"])
    with pytest.raises(ModelFeaturesMismatchError, match="in the order of the model's classes"):
        load_package(folder)


@pytest.mark.parametrize("name", ["one score for each row", "two classes"])
def test_a_reference_of_another_number_of_classes_is_refused(tmp_path: Path, name: str) -> None:
    kind = kinds.FOREST_OF_CLASS_SCORES
    scores = kind.scores_of(kind.rows(60, seed=2))
    classes = {"two classes": {"scores": scores[:, :2], "classes": np.array(kinds.CLASSES[:2])}}
    folder = kind.write(tmp_path, reference=classes.get(name, {"scores": scores[:, 0], "classes": np.array([])}))
    with pytest.raises((ModelFeaturesMismatchError, MalformedPackageError), match="classes"):
        load_package(folder)


@pytest.mark.parametrize(
    ("kind", "changes", "sentence"),
    [
        (
            kinds.FOREST_OF_LOG_ODDS,
            kinds.with_threshold(kinds.EUROS, "score", 400.5),
            "additive_unit: log_odds",
        ),
        (
            kinds.FOREST_OF_EUROS,
            kinds.with_threshold(kinds.PROBABILITY, "log_odds", 0.5),
            "additive_unit: score",
        ),
        (kinds.FOREST_OF_VOTES, kinds.with_classes(kinds.PROBABILITY, "class_score"), "additive_unit: score"),
        (
            kinds.FOREST_OF_CLASS_SCORES,
            {**kinds.with_threshold(kinds.PROBABILITY, "score", 0.5), "outcome_of_class": []},
            "two outcomes and one score, but the model gives 3 scores",
        ),
    ],
)
def test_a_card_of_another_kind_of_score_is_refused(
    tmp_path: Path, kind: Kind, changes: dict[str, Any], sentence: str
) -> None:
    other = Kind(
        slug=kind.slug, outcome_part=changes, content=kind.content, original=kind.original, link=lambda _: [0.5] * 3
    )
    with pytest.raises((UnsupportedModelError, ModelFeaturesMismatchError), match=sentence):
        load_package(other.write(tmp_path))


def test_two_classes_with_base_values_stay_refused_by_name(tmp_path: Path) -> None:
    kind = kinds.FOREST_OF_LOG_ODDS
    trees = Ensemble(trees=kinds.LOG_ODDS_TREES, n_features=4, base_values=(-0.25, 0.25)).to_onnx()
    rows = kinds.some_rows(60, seed=2)
    scores = np.array([kind.link([kind.original(row)[0] + 0.25])[0] for row in rows])
    with pytest.raises(ModelScoresDifferError, match="base_values"):
        load_package(kind.write(tmp_path, model=trees, reference={"scores": scores}))


def test_a_package_with_two_models_has_no_manifest(tmp_path: Path) -> None:
    kind = kinds.SCORECARD
    folder = kind.write(tmp_path)
    (folder / "model.onnx").write_bytes(b"another one")
    with pytest.raises(MalformedPackageError, match=r"one model.*model\.onnx and scorecard\.yaml"):
        kinds.write_manifest(folder)
