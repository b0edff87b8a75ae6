"""A value may be missing where the original model says what that means, the card names it and the package shows it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import StringTensorType
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from models.card import ModelCard
from models.errors import (
    InvalidInputError,
    MalformedPackageError,
    ModelFeaturesMismatchError,
    ModelScoresDifferError,
    UnsupportedModelError,
)
from models.features import Feature, MissingValue, from_row, problems_with, to_row
from models.missing_values import MissingValueCheck
from models.onnx_model import OnnxModel
from models.package import load_package
from models.read_model import read_model
from tests.conformance.small_pipelines import one_hot_pipeline
from tests.exported_packages import NOT_STATED, exported, write_export
from tests.model_kinds import KINDS
from tests.unit.models.cards import card_data, card_with_features, feature_data

TRAINED_WITH_MISSING = ["lightgbm_binary", "hist_gradient_boosting_binary", "xgboost_binary", "catboost_missing"]
PIPELINES = ["one_hot_lightgbm"]

FEATURES = [
    Feature.model_validate(feature_data("income", may_be_missing=NOT_STATED)),
    Feature.model_validate(feature_data("people", "integer")),
    Feature.model_validate(feature_data("married", "boolean", may_be_missing=NOT_STATED)),
    Feature.model_validate(
        feature_data(
            "home",
            "category",
            categories=[{"value": one, "label": {"de": one, "en": one}} for one in ("rent", "own")],
            may_be_missing=NOT_STATED,
        )
    ),
]
ALL_MISSING = {"income": None, "people": 2, "married": None, "home": None}


def test_null_is_a_missing_value_where_the_card_says_so() -> None:
    assert problems_with(FEATURES, ALL_MISSING) == []
    row = to_row(FEATURES, ALL_MISSING)
    np.testing.assert_array_equal(row, [np.nan, 2, np.nan, np.nan])
    assert from_row(FEATURES, row) == ALL_MISSING


def test_null_elsewhere_and_absent_names_are_refused_all_at_once() -> None:
    found = problems_with(FEATURES, {"people": None, "married": None, "incom": 3, "home": "boat"})
    assert [(one.pointer, one.code) for one in found] == [
        ("/inputs/income", "missing"),
        ("/inputs/people", "missing"),
        ("/inputs/home", "unknown_category"),
        ("/inputs/incom", "unknown_feature"),
    ]
    assert 'or null, which means "not stated"' in found[0].detail
    assert "null" not in found[1].detail
    with pytest.raises(InvalidInputError):
        to_row(FEATURES, {**ALL_MISSING, "people": None})


def test_not_a_number_is_no_way_to_say_missing() -> None:
    assert [one.code for one in problems_with(FEATURES, {**ALL_MISSING, "income": float("nan")})] == ["not_finite"]


def test_a_missing_number_is_no_value_of_a_feature_that_must_have_one() -> None:
    with pytest.raises(ModelFeaturesMismatchError):
        from_row(FEATURES, np.array([1.0, np.nan, 1.0, 0.0]))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"may_be_missing": {"de": "fehlt", "en": "gone", "sent_as": "?"}}, "belongs to features of kind 'category'"),
        (
            {
                "kind": "category",
                "categories": [{"value": "?", "label": NOT_STATED}],
                "may_be_missing": {"de": "fehlt", "en": "gone", "sent_as": "?"},
            },
            "could not tell it from a missing value",
        ),
        ({"may_be_missing": {"de": "fehlt"}}, "en"),
    ],
)
def test_words_for_missing_that_make_no_sense_are_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Feature.model_validate({**feature_data(), **changes})


def test_what_a_rule_or_a_constraint_reads_cannot_be_missing() -> None:
    data = card_data()
    names = {name for rule in ModelCard.model_validate(data).rules for name in rule.feature_names}
    assert names
    for feature in data["features"]:
        if feature["name"] in names:
            feature["may_be_missing"] = NOT_STATED
    with pytest.raises(ValueError, match=r"reads '.*', which 'may_be_missing'"):
        ModelCard.model_validate(data)


@pytest.mark.parametrize("name", TRAINED_WITH_MISSING + PIPELINES)
def test_a_model_that_was_trained_with_missing_values_is_loaded_and_scores_them_as_its_framework(
    name: str, tmp_path: Path
) -> None:
    package = load_package(write_export(tmp_path, name))
    _, rows, scores, _ = exported(name)
    assert np.isnan(rows).any()
    assert np.isnan(package.background.rows).any()
    np.testing.assert_allclose(package.model.score(rows), scores, atol=1e-6)
    assert any(feature.may_be_missing for feature in package.card.features)


def test_a_missing_value_of_which_the_card_says_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFeaturesMismatchError, match=r"background.npz|reference.npz") as refusal:
        load_package(write_export(tmp_path, "lightgbm_binary", missing=()))
    assert "'n0' (row" in str(refusal.value)
    assert "may_be_missing" in str(refusal.value)


def test_a_forest_without_marks_for_missing_values_is_refused_with_which_and_how_to_mend_it(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError) as refusal:
        load_package(write_export(tmp_path, "random_forest_binary", missing=[1, 4], additive_unit="score"))
    sentence = str(refusal.value)
    assert "a missing 'n1'" in sentence
    assert "a missing 'n4'" in sentence
    assert "which way a missing value goes" in sentence
    assert "take 'may_be_missing' out of the card" in sentence


def test_a_forest_that_forgot_its_marks_scores_otherwise_than_its_framework(tmp_path: Path) -> None:
    """The exporter writes no marks for a random forest that was trained with missing values."""
    with pytest.raises((UnsupportedModelError, ModelScoresDifferError)):
        load_package(write_export(tmp_path, "random_forest_missing"))


def test_a_missing_value_that_no_reference_row_shows_is_refused(tmp_path: Path) -> None:
    _, rows, scores, _ = exported("lightgbm_binary")
    kept = ~np.isnan(rows[:, 1])
    part = {"rows": rows[kept], "scores": scores[kept]}
    with pytest.raises(UnsupportedModelError, match=r"Nothing shows that the original model defines .* missing 'n1'"):
        load_package(write_export(tmp_path, "lightgbm_binary", reference=part))


def pipeline_check(*may_be_missing: str) -> MissingValueCheck:
    """A pipeline that fills in numbers, encodes texts and reads "children" as whole numbers."""
    pipeline = one_hot_pipeline()
    features = [
        feature.model_copy(update={"may_be_missing": MissingValue(**NOT_STATED)})
        if feature.name in may_be_missing
        else feature
        for feature in pipeline.card.features
    ]
    card = pipeline.card.model_copy(update={"features": tuple(features)})
    rows = pipeline.rows[:20].copy()
    rows[3, [card.feature_names.index(name) for name in may_be_missing]] = np.nan
    return MissingValueCheck(
        card=card,
        read=read_model("model.onnx", pipeline.content, card),
        reference_rows=rows,
        model_file="model.onnx",
        content=pipeline.content,
    )


def test_what_the_file_itself_fills_in_may_be_missing() -> None:
    pipeline_check("income", "age").check()


def test_whole_number_inputs_cannot_hold_a_missing_value() -> None:
    with pytest.raises(UnsupportedModelError, match=r"nothing for a missing 'children': .* cannot hold missing"):
        pipeline_check("income", "children").check()


def _texts_with(missing: str) -> bytes:
    """A pipeline that was trained with a text of its own for "missing"."""
    texts = np.array([["rent"], ["own"], [missing], ["rent"], ["own"], [missing]] * 10, dtype=object)
    target = np.array([1, 0, 0, 1, 0, 1] * 10)
    encode = OneHotEncoder(categories=[sorted({"rent", "own", missing})], handle_unknown="ignore", sparse_output=False)
    model = make_pipeline(encode, LogisticRegression()).fit(texts, target)
    inputs = [("home", StringTensorType([None, 1]))]
    content: bytes = convert_sklearn(model, initial_types=inputs, options={"zipmap": False}).SerializeToString()
    return content


def _home(sent_as: str | None) -> ModelCard:
    words = {**NOT_STATED} if sent_as is None else {**NOT_STATED, "sent_as": sent_as}
    categories = [{"value": one, "label": {"de": one, "en": one}} for one in ("rent", "own")]
    return card_with_features([feature_data("home", "category", categories=categories, may_be_missing=words)])


def test_a_text_model_reads_the_text_that_the_card_names_for_missing() -> None:
    content, card = _texts_with("no answer"), _home("no answer")
    rows = np.array([[0.0], [np.nan], [1.0]])
    known = card_with_features(
        [
            feature_data(
                "home",
                "category",
                categories=[{"value": v, "label": NOT_STATED} for v in ("rent", "own", "no answer")],
            )
        ]
    )
    model = OnnxModel(content, card)
    np.testing.assert_array_equal(model.score(rows), OnnxModel(content, known).score(np.array([[0.0], [2.0], [1.0]])))
    np.testing.assert_array_equal(model.score(rows[1:2]), model.score(rows)[1:2])
    check = MissingValueCheck(
        card=card,
        read=read_model("model.onnx", content, card),
        reference_rows=rows,
        model_file="model.onnx",
        content=content,
    )
    check.check()


@pytest.mark.parametrize(
    ("sent_as", "problem"), [("nothing said", "does not know the text 'nothing said'"), (None, "names no text")]
)
def test_a_text_that_the_model_does_not_know_is_refused(sent_as: str | None, problem: str) -> None:
    content, card = _texts_with("no answer"), _home(sent_as)
    check = MissingValueCheck(
        card=card,
        read=read_model("model.onnx", content, card),
        reference_rows=np.array([[0.0], [np.nan]]),
        model_file="model.onnx",
        content=content,
    )
    with pytest.raises(UnsupportedModelError, match=problem):
        check.check()


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.model_file != "model.onnx"], ids=lambda kind: kind.slug
)
def test_tables_without_points_for_missing_are_refused(kind: Any, tmp_path: Path) -> None:
    features = [
        {**one, "may_be_missing": NOT_STATED} if one["name"] == "household_size" else one for one in kind.features
    ]
    with pytest.raises(UnsupportedModelError, match="defines nothing for a missing 'household_size'"):
        load_package(kind.write(tmp_path, features=features))


def test_an_infinite_number_is_still_refused(tmp_path: Path) -> None:
    _, rows, scores, _ = exported("lightgbm_binary")
    part = {"rows": np.where(np.isnan(rows), np.inf, rows), "scores": scores}
    with pytest.raises(MalformedPackageError, match="finite"):
        load_package(write_export(tmp_path, "lightgbm_binary", reference=part))


def test_a_card_keeps_its_bytes_if_nothing_may_be_missing() -> None:
    plain = Feature.model_validate(feature_data())
    assert "may_be_missing" not in plain.model_dump(mode="json")
    assert json.loads(FEATURES[0].model_dump_json())["may_be_missing"] == {**NOT_STATED, "sent_as": None}
