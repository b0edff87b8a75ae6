"""The closed form passes the checks of every method, on forests of one split per tree, which are tables of points."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from explainer.attribution_methods.sums.linear import ExactLinear
from models.errors import ModelFeaturesMismatchError
from models.forest import Forest
from models.linear_model import CategoryPoints, IntervalPoints, LinearModel, PointsTable
from models.onnx_linear import read_linear_model
from models.onnx_model import OnnxModel
from tests.conformance import checks_attribution as checks
from tests.conformance.small_forests import Split, forest, random_forest
from tests.conformance.small_pipelines import Pipeline, linear_pipeline
from tests.conformance.test_attribution_methods import CHECKS, Check

Numbers = NDArray[np.float64]


def as_points(stumps: Forest) -> PointsTable:
    """Write a forest of one split per tree as a table of points."""
    tables = []
    for feature in range(stumps.n_features):
        mine = [tree for tree in stumps.trees if len(tree.left) == 3 and tree.feature[0] == feature]
        limits = np.unique([np.nextafter(float(tree.threshold[0]), np.inf) for tree in mine])
        inside = [-np.inf, *limits]
        points = [sum(float(tree.value[1 if x <= tree.threshold[0] else 2]) for tree in mine) for x in inside]
        missing = sum(float(tree.value[1 if tree.missing_left[0] else 2]) for tree in mine)
        tables.append(IntervalPoints(limits=tuple(limits), points=tuple(points), missing=missing))
    return PointsTable(intercept=stumps.base_value, tables=tuple(tables))


def closed_form(stumps: Forest, background: Numbers, weights: Numbers) -> ExactLinear:
    return ExactLinear(as_points(stumps), background, weights)


@pytest.fixture
def only_stumps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every check work on forests in which no feature changes what another one does."""

    def stumps(generator: np.random.Generator, *, n_features: int, n_trees: int, depth: int) -> Forest:
        return random_forest(generator, n_features=n_features, n_trees=n_trees * depth, depth=1)

    def symmetric_stumps(*_: object, n_features: int) -> Forest:
        alike = [Split(feature, threshold, -1.0, 0.5) for feature in (0, 1) for threshold in (0.0, 0.75)]
        return forest(*alike, Split(2, 0.5, -0.25, 2.0), n_features=n_features)

    monkeypatch.setattr(checks, "random_forest", stumps)
    monkeypatch.setattr(checks, "forest", symmetric_stumps)


@pytest.mark.usefixtures("only_stumps")
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_closed_form_passes_every_check(check: Check) -> None:
    check(closed_form)


@pytest.mark.usefixtures("only_stumps")
def test_closed_form_agrees_with_the_tree_explainer_of_shap() -> None:
    pytest.importorskip("shap", reason="shap is a development dependency")
    checks.check_agrees_with_shap(closed_form)


class ComparesWithThePlainMean(ExactLinear):
    def __init__(self, stumps: Forest, background: Numbers, weights: Numbers) -> None:
        super().__init__(as_points(stumps), background, np.ones_like(weights))


class ComparesWithNothing(ExactLinear):
    """Takes the parts themselves for contributions, as weights times values in many a slide."""

    def __init__(self, stumps: Forest, background: Numbers, weights: Numbers) -> None:
        super().__init__(as_points(stumps), background, weights)
        self._mean_parts = np.zeros_like(self._mean_parts)


@pytest.mark.usefixtures("only_stumps")
@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (ComparesWithThePlainMean, checks.check_expected_value),
        (ComparesWithThePlainMean, checks.check_agrees_with_brute_force),
        (ComparesWithNothing, checks.check_additivity),
        (ComparesWithNothing, checks.check_agrees_with_brute_force),
    ],
    ids=lambda one: one.__name__,
)
def test_closed_form_that_is_broken_is_caught(broken: checks.Maker, check: Check) -> None:
    with pytest.raises(AssertionError):
        check(broken)


def test_linear_model_agrees_with_brute_force_and_the_linear_explainer_of_shap() -> None:
    shap = pytest.importorskip("shap", reason="shap is a development dependency")
    generator = np.random.default_rng(1)
    model = LinearModel(intercepts=np.array([0.5]), coefficients=generator.normal(size=(1, 6)))
    background, rows = generator.normal(2, 3, (120, 6)), generator.normal(size=(5, 6))
    weights = generator.uniform(0.1, 5, 120)
    found = ExactLinear(model, background, weights).contributions_of(rows)
    np.testing.assert_allclose(found, checks.brute_force(model, background, weights, rows), rtol=0, atol=1e-10)
    masker = shap.maskers.Independent(background, max_samples=len(background))
    theirs = shap.LinearExplainer((model.coefficients[0], model.intercept), masker).shap_values(rows)
    unweighted = ExactLinear(model, background, np.ones(120)).contributions_of(rows)
    np.testing.assert_allclose(unweighted, theirs, rtol=0, atol=1e-10)


def test_scale_of_rounding_is_the_largest_parts_added_up() -> None:
    model = LinearModel(intercepts=np.array([-2.0]), coefficients=np.array([[3.0, 0.5]]))
    background = np.array([[1.0, 8.0], [-4.0, 2.0]])
    assert ExactLinear(model, background, np.ones(2)).leaf_scale == 2 + 12 + 4


@pytest.mark.parametrize("value", [np.nan, 2.0])
def test_value_a_scorecard_says_nothing_about_is_refused(value: float) -> None:
    table = PointsTable(intercept=0.0, tables=(CategoryPoints(points=(1.0, 2.0)),))
    computer = ExactLinear(table, np.array([[0.0], [1.0]]), np.ones(2))
    with pytest.raises(ModelFeaturesMismatchError, match="says nothing about"):
        computer.contributions_of(np.array([[value]]))
    with pytest.raises(ModelFeaturesMismatchError, match="says nothing about"):
        ExactLinear(table, np.array([[0.0], [value]]), np.ones(2))
    with_bin = PointsTable(intercept=0.0, tables=(CategoryPoints(points=(1.0, 2.0), missing=-3.0),))
    found = ExactLinear(with_bin, np.array([[0.0], [1.0]]), np.ones(2)).contributions_of(np.array([[np.nan]]))
    assert found.tolist() == [[-4.5]]


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return linear_pipeline()


def test_contributions_of_a_linear_pipeline_are_those_of_all_coalitions_of_raw_features(pipeline: Pipeline) -> None:
    model = read_linear_model(pipeline.content, pipeline.card.features)
    runtime = OnnxModel(pipeline.content, pipeline.card)
    background, rows = pipeline.rows[:40], pipeline.rows[40:50]
    weights = np.random.default_rng(1).uniform(0.1, 5, 40)
    assert runtime.n_outputs == model.n_outputs == 3
    for output in range(3):
        one = model.for_output(output)
        computer = ExactLinear(one, background, weights)
        found = computer.contributions_of(rows)
        np.testing.assert_allclose(found, checks.brute_force(one, background, weights, rows), rtol=0, atol=1e-10)
        sums = found.sum(axis=1) + computer.expected_value
        np.testing.assert_allclose(sums, runtime.additive_score(rows)[:, output], rtol=0, atol=1e-5)
        backwards = computer.contributions_of(rows[::-1])[::-1]
        alone = np.concatenate([computer.contributions_of(row[np.newaxis]) for row in rows])
        assert np.array_equal(found, backwards)
        assert np.array_equal(found, alone)


def test_columns_given_to_the_wrong_feature_are_caught(pipeline: Pipeline) -> None:
    """The broken twin: still additive, but another game."""
    model = read_linear_model(pipeline.content, pipeline.card.features).for_output(1)
    assert model.encoding is not None
    shifted = np.roll(model.encoding.feature_of_column, 1)
    twin = replace(model, encoding=replace(model.encoding, feature_of_column=shifted))
    background, rows, weights = pipeline.rows[:40], pipeline.rows[40:50], np.ones(40)
    truth = checks.brute_force(model, background, weights, rows)
    assert np.abs(ExactLinear(twin, background, weights).contributions_of(rows) - truth).max() > 0.01
