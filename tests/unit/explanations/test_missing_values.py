"""Everything that explains one case copes with missing values: exactly, and without advising anybody to say less."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from explainer.attribution_methods.black_boxes.exact_enumeration import ExactEnumeration
from explainer.attribution_methods.black_boxes.sampled_permutation import SampledPermutation
from explainer.attribution_methods.forests.exact_forest import ExactForest
from explainer.attribution_methods.global_views import background_grid, weighted_rank_correlation
from explainer.decisions.decision import Value
from explainer.explanations.assess_reliability import assess_reliability
from explainer.explanations.counterfactual import Change
from explainer.explanations.similar_cases import ComparisonGroup
from explainer.narration.number_words import NumberWords
from explainer.narration.phrases import phrases_in
from explainer.use_cases.explained_model import ExplainedModel
from explainer.use_cases.summarise_model import overview_of
from models.features import from_row
from models.package import load_package
from tests.conformance.small_packages import feature
from tests.exported_packages import NOT_STATED, exported, write_export

NAMES = ["lightgbm_binary", "hist_gradient_boosting_binary", "xgboost_binary", "catboost_missing"]

RUNTIME_TOLERANCE = 2e-6
"""Brute force asks the runtime, which adds up in 32 bits."""


@pytest.fixture(scope="module")
def model_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ExplainedModel]:
    made: dict[str, ExplainedModel] = {}

    def model(name: str) -> ExplainedModel:
        if name not in made:
            made[name] = ExplainedModel.prepare(load_package(write_export(tmp_path_factory.mktemp(name), name)))
        return made[name]

    return model


def cases_of(model: ExplainedModel) -> NDArray[np.float64]:
    """Rows of the framework, those with missing values first."""
    rows = model.package.reference.rows
    return np.asarray(rows[np.argsort(-np.isnan(rows).sum(axis=1), kind="stable")], dtype=np.float64)


@pytest.mark.parametrize("name", NAMES)
def test_contributions_with_missing_values_are_those_of_all_coalitions(
    model_of: Callable[[str], ExplainedModel], name: str
) -> None:
    model = model_of(name)
    rows, background = cases_of(model)[:4], model.package.background
    assert np.isnan(rows[0]).any()
    assert np.isnan(background.rows).any()
    by_asking = ExactEnumeration(model.package.model, background.rows, background.weights)
    wanted = by_asking.contributions_of(rows)
    np.testing.assert_allclose(model.computer.contributions_of(rows), wanted, atol=RUNTIME_TOLERANCE)
    forest = model.package.forest
    trees = tuple(replace(tree, missing_left=~tree.missing_left) for tree in forest.trees)
    twin = ExactForest(replace(forest, trees=trees), background.rows, background.weights)
    assert np.abs(twin.contributions_of(rows) - wanted).max() > 1e-3, "a twin that confuses left and right is caught"


@pytest.mark.parametrize("name", [*NAMES, "one_hot_lightgbm"])
def test_numbers_of_a_case_with_missing_values_are_whole_and_its_own(
    model_of: Callable[[str], ExplainedModel], name: str
) -> None:
    model = model_of(name)
    _, rows, scores, _ = exported(name)
    n_told = 0
    for row, score in zip(rows, scores, strict=True):
        inputs = from_row(model.package.card.features, row)
        numbers = model.numbers_for(inputs)
        scored = numbers.score_numbers
        assert scored is not None
        assert scored.score == pytest.approx(score, abs=1e-6)
        assert np.isfinite(scored.attribution.contributions).all()
        assert abs(scored.attribution.additivity_gap) <= scored.attribution.tolerance
        assert scored.reliability.stability is not None
        told = numbers.recourse.counterfactuals + numbers.recourse.disputed
        assert all(change.after is not None for one in told for change in one.changes)
        n_told += len(told)
        stated = {name: 0.0 if value is None else value for name, value in inputs.items()}
        assert (model.input_digest(stated) == numbers.input_digest) == (stated == inputs)
    assert n_told, "some of these cases could be otherwise"


def test_sampled_contributions_with_missing_values_are_near_the_exact_ones(
    model_of: Callable[[str], ExplainedModel],
) -> None:
    model = model_of("lightgbm_binary")
    row, background = cases_of(model)[:1], model.package.background
    exact = ExactEnumeration(model.package.model, background.rows, background.weights).contributions_of(row)
    sampled = SampledPermutation(model.package.model, background.rows, background.weights)
    np.testing.assert_allclose(sampled.contributions_of(row), exact, atol=0.02)
    np.testing.assert_array_equal(sampled.contributions_of(row), sampled.contributions_of(row.copy()))


def test_interactions_of_a_case_with_missing_values_are_checked_against_the_model(
    model_of: Callable[[str], ExplainedModel],
) -> None:
    model = model_of("lightgbm_binary")
    inputs = from_row(model.package.card.features, cases_of(model)[0])
    scored = model.numbers_for(inputs).score_numbers
    assert scored is not None
    assert model.interactions_of(inputs, scored).none_because in (None, "none_noticeable")


def test_a_missing_value_is_unusual_only_where_nobody_lacks_it(model_of: Callable[[str], ExplainedModel]) -> None:
    package = model_of("lightgbm_binary").package
    names = np.array(package.card.feature_names)
    may_be_missing = np.array([one.may_be_missing is not None for one in package.card.features])
    row = package.background.rows[~np.isnan(package.background.rows).any(axis=1)][0]
    everything_missing = np.full(len(names), np.nan)
    assert assess_reliability(package, row, 0.5).outside_background == ()
    found = assess_reliability(package, everything_missing, 0.5).outside_background
    assert set(found) == set(names[~may_be_missing])
    low = np.where(np.arange(len(names)) == 0, -1e6, row)
    assert assess_reliability(package, low, 0.5).outside_background == (names[0],)


def group_of(rows: NDArray[np.float64], kind: str) -> ComparisonGroup:
    categories = {"categories": ("a", "b")} if kind == "category" else {}
    features = [feature("one", kind, may_be_missing=NOT_STATED, **categories), feature("two")]
    return ComparisonGroup(
        rows, np.ones(len(rows)), ["yes"] * len(rows), features=features, spreads=[2.0, 1.0], read={0, 1}
    )


@pytest.mark.parametrize("kind", ["number", "boolean", "category"])
def test_of_two_cases_that_lack_the_same_value_it_makes_no_difference(kind: str) -> None:
    generator = np.random.default_rng(4)
    rows = np.column_stack([generator.integers(0, 2, 400).astype(float), generator.uniform(-1, 1, 400)])
    rows[:200, 0] = np.nan
    group = group_of(rows, kind)
    like = group.similar_to(np.array([np.nan, 0.0]), "yes")
    assert like is not None
    assert not like.rare
    assert like.distance < 0.5
    none_lacks = group_of(np.where(np.isnan(rows), 1.0, rows), kind).similar_to(np.array([np.nan, 0.0]), "yes")
    assert none_lacks is not None
    assert none_lacks.distance >= 1, "that a value is missing counts like another category"
    assert none_lacks.rare


def test_global_views_leave_missing_values_out() -> None:
    values = np.array([3.0, np.nan, 1.0, 2.0])
    np.testing.assert_array_equal(background_grid(values, np.ones(4)), [1, 2, 3])
    assert weighted_rank_correlation(values, np.array([3.0, 99.0, 1.0, 2.0]), np.ones(4)) == pytest.approx(1)


def test_the_overview_says_what_the_model_makes_of_a_missing_value(
    model_of: Callable[[str], ExplainedModel],
) -> None:
    looked_at = 0
    for model in map(model_of, NAMES):
        overview, package = overview_of(model), model.package
        means = {one.feature: one.mean_scores for one in overview.features if one.mean_scores}
        for place, name in enumerate(package.card.feature_names):
            if name not in means or not package.background.has_missing[place]:
                continue
            everywhere = package.background.rows.copy()
            everywhere[:, place] = np.nan
            mean = np.average(package.model.score(everywhere), weights=package.background.weights)
            assert means[name][-1].value is None
            assert means[name][-1].score == pytest.approx(mean, abs=1e-6)
            assert all(one.value is not None for one in means[name][:-1])
            looked_at += 1
    assert looked_at


@pytest.mark.parametrize(("language", "words"), [("de", "nicht angegeben"), ("en", "not stated")])
def test_a_missing_value_is_written_with_the_card_s_words(language: str, words: str) -> None:
    phrases = phrases_in("de" if language == "de" else "en")
    numbers = NumberWords(phrases, phrases.voice_for("subject"))
    for kind, more in (("number", {}), ("boolean", {}), ("category", {"categories": ("a", "b")})):
        one = feature("one", kind, may_be_missing=NOT_STATED, **more)
        assert numbers.value(one, None) == words
    pair = numbers.value_pair(feature("one", may_be_missing=NOT_STATED, decimals=1), None, 2.5)
    assert pair[0] == words
    assert pair[1].startswith("2")
    with pytest.raises(TypeError):
        numbers.value(feature("one"), None)


def test_no_change_ever_makes_a_value_missing() -> None:
    before: Value = 3.0
    with pytest.raises(ValueError, match="not to a missing one"):
        Change(feature="one", before=before, after=None)
    assert Change(feature="one", before=None, after=3.0).before is None


def test_a_folder_may_be_copied(tmp_path: Path) -> None:
    """Two packages of one export are the same package."""
    one, two = (load_package(write_export(tmp_path / name, "lightgbm_binary")) for name in ("a", "b"))
    assert one.sha256 == two.sha256
