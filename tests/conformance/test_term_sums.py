"""Sums of terms pass the checks of every method, with tables and through a runtime, and broken twins are caught."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from explainer.attribution_methods.interactions.forest_interactions import ForestInteractions
from explainer.attribution_methods.sums.term_sums import TermSums
from models.errors import ModelFeaturesMismatchError, UnsupportedModelError
from models.forest import Forest
from models.onnx_terms import OnnxSum, read_onnx_terms
from models.term_file import read_term_file
from models.term_model import TermModel, check_terms
from models.term_tables import IntervalBins, TermTable, TermTables
from tests.conformance import checks_attribution as checks
from tests.conformance.small_forests import Split, forest, random_rows
from tests.conformance.small_terms import as_term_model, computed_elsewhere, random_forest_of_pairs
from tests.conformance.test_attribution_methods import CHECKS, Check
from tests.conformance.test_interactions import brute_force_pairs
from tests.unit.models.cards import card_with_features, feature_data

Numbers = NDArray[np.float64]

BRUTE_FORCE_TOLERANCE = 1e-9
RUNTIME_TOLERANCE = 1e-6
VECTORS = Path(__file__).parents[1] / "vectors" / "explainable_boosting"


def with_tables(pairs: Forest, background: Numbers, weights: Numbers) -> TermSums:
    return TermSums(as_term_model(pairs), background, weights)


def through_a_runtime(pairs: Forest, background: Numbers, weights: Numbers) -> TermSums:
    return TermSums(computed_elsewhere(as_term_model(pairs)), background, weights)


METHODS = {"tables": with_tables, "runtime": through_a_runtime}


@pytest.fixture(autouse=True)
def only_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every check work on forests of which no tree asks about more than two features."""

    def symmetric_pairs(*_: object, n_features: int) -> Forest:
        return forest(
            Split(0, 0.0, Split(1, 0.0, -1.0, 0.5), Split(1, 0.0, 0.5, 2.0)),
            Split(0, 0.75, 0.25, 1.0),
            Split(1, 0.75, 0.25, 1.0),
            Split(2, 0.5, Split(0, 1.0, 0.0, 3.0), -0.25),
            Split(2, 0.5, Split(1, 1.0, 0.0, 3.0), -0.25),
            n_features=n_features,
        )

    monkeypatch.setattr(checks, "random_forest", random_forest_of_pairs)
    monkeypatch.setattr(checks, "forest", symmetric_pairs)


def test_terms_made_of_a_forest_score_as_the_forest_does() -> None:
    generator = np.random.default_rng(1)
    pairs = random_forest_of_pairs(generator, n_features=6, n_trees=20, depth=5)
    rows = random_rows(generator, 200, 6, missing=0.1)
    np.testing.assert_allclose(
        as_term_model(pairs).additive_score(rows), pairs.additive_score(rows), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", METHODS)
def test_term_sums_pass_every_check(name: str, check: Check) -> None:
    check(METHODS[name])


class GivesPairsToTheFirstFeature(TermSums):
    """Still adds up."""

    def _contributions(self, both: Numbers, _first: Numbers, _second: Numbers) -> Numbers:
        return super()._contributions(both, both, np.broadcast_to(self._means, both.shape))


class TakesJointMeansForIndependent(TermSums):
    """Means over bins that are treated as if the features of the background did not go together."""

    def __init__(self, model: TermModel, background: Numbers, _weights: Numbers) -> None:
        generator = np.random.default_rng(1)
        shuffled = np.column_stack([generator.permutation(column) for column in background.T])
        super().__init__(model, shuffled, np.ones(len(background)))


class ForgetsWeights(TermSums):
    def __init__(self, model: TermModel, background: Numbers, weights: Numbers) -> None:
        super().__init__(model, background, np.ones_like(weights))


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (GivesPairsToTheFirstFeature, checks.check_agrees_with_brute_force),
        (GivesPairsToTheFirstFeature, checks.check_symmetry),
        (TakesJointMeansForIndependent, checks.check_agrees_with_brute_force),
        (TakesJointMeansForIndependent, checks.check_expected_value),
        (ForgetsWeights, checks.check_agrees_with_brute_force),
        (ForgetsWeights, checks.check_expected_value),
    ],
    ids=lambda one: one.__name__,
)
def test_term_sums_that_are_broken_are_caught(broken: type[TermSums], check: Check) -> None:
    def make(pairs: Forest, background: Numbers, weights: Numbers) -> TermSums:
        return broken(as_term_model(pairs), background, weights)

    with pytest.raises(AssertionError):
        check(make)


@pytest.mark.parametrize("name", METHODS)
def test_interactions_of_terms_are_those_of_all_coalitions_and_of_the_forest(name: str) -> None:
    generator = np.random.default_rng(4)
    pairs = random_forest_of_pairs(generator, n_features=6, n_trees=12, depth=4)
    background, weights = random_rows(generator, 60, 6, missing=0.05), generator.uniform(0.01, 5, 60)
    computer = METHODS[name](pairs, background, weights)
    of_the_forest = ForestInteractions(pairs, background, weights)
    for row in random_rows(generator, 3, 6, missing=0.1):
        found = computer.interactions_of(row)
        expected = brute_force_pairs(pairs, background, weights, row)
        assert np.abs(expected).max() > 0.1, "the check must have something to compare"
        np.testing.assert_allclose(found.pairs, expected, rtol=0, atol=BRUTE_FORCE_TOLERANCE)
        np.testing.assert_allclose(found.matrix, of_the_forest.of(row).matrix, rtol=0, atol=BRUTE_FORCE_TOLERANCE)
        np.testing.assert_array_equal(found.contributions, computer.contributions_of(row[np.newaxis])[0])


def test_interactions_without_the_joint_mean_are_caught() -> None:
    """The broken twin: of two features that go together in the background the last summand is not what it seems."""
    pairs = forest(Split(0, 0.0, Split(1, 0.0, 1.0, 0.0), Split(1, 0.0, 0.0, 1.0)), n_features=2)
    background = np.repeat(random_rows(np.random.default_rng(5), 40, 1), 2, axis=1)
    row, weights = np.array([1.0, 1.0]), np.ones(40)
    expected = brute_force_pairs(pairs, background, weights, row)
    np.testing.assert_allclose(with_tables(pairs, background, weights).interactions_of(row).pairs, expected, atol=1e-12)
    twin = TakesJointMeansForIndependent(as_term_model(pairs), background, weights)
    assert np.abs(twin.interactions_of(row).pairs - expected).max() > 0.1


def test_model_of_several_outputs_is_explained_for_one_of_them() -> None:
    generator = np.random.default_rng(6)
    table = TermTable(
        features=(0, 2),
        binnings=(IntervalBins((0.0,)), IntervalBins((-0.5, 0.5))),
        scores=generator.normal(size=(2, 3, 3)),
    )
    terms = TermTables(tables=(table,), n_features=3)
    model = TermModel(intercepts=np.array([0.5, -1.0, 2.0]), terms=terms, link="softmax")
    background, weights, rows = (
        generator.normal(size=(30, 3)),
        generator.uniform(1, 5, 30),
        generator.normal(size=(4, 3)),
    )
    with pytest.raises(UnsupportedModelError, match="one must be chosen"):
        TermSums(model, background, weights)
    for output in range(3):
        one = model.for_output(output)
        np.testing.assert_array_equal(one.additive_score(rows), model.additive_score(rows)[:, output])
        found = TermSums(one, background, weights).contributions_of(rows)
        truth = checks.brute_force(one, background, weights, rows)
        np.testing.assert_allclose(found, truth, rtol=0, atol=BRUTE_FORCE_TOLERANCE)


def test_scale_of_rounding_is_the_largest_terms_added_up() -> None:
    one = TermTable(features=(0,), binnings=(IntervalBins((0.0,)),), scores=np.array([[-3.0], [1.0]]))
    other = TermTable(features=(1,), binnings=(IntervalBins((0.0,)),), scores=np.array([[0.5], [9.0]]))
    model = TermModel(intercepts=np.array([-2.0]), terms=TermTables(tables=(one, other), n_features=2))
    assert TermSums(model, np.array([[-1.0, -1.0], [1.0, -1.0]]), np.ones(2)).leaf_scale == 2 + 3 + 0.5


# A machine that interpret trained and ebm2onnx exported; see tests/vectors/README.md.


@cache
def reference() -> dict[str, Any]:
    data: dict[str, Any] = json.loads((VECTORS / "reference.json").read_text("utf-8"))
    data["rows"] = np.array([[np.nan if value is None else value for value in row] for row in data["rows"]])
    categories = [{"value": value, "label": {"de": value, "en": value}} for value in data["housing"]]
    more = {"housing": {"kind": "category", "categories": categories}}
    data["card"] = card_with_features([feature_data(name, **more.get(name, {})) for name in data["features"]])
    return data


@cache
def trained(kind: str) -> TermModel:
    features = reference()["card"].features
    if kind == "tables":
        return read_term_file((VECTORS / "terms.json").read_bytes(), features)
    return read_onnx_terms((VECTORS / "model.onnx").read_bytes(), features)


@pytest.mark.parametrize(("kind", "tolerance"), [("tables", 1e-12), ("onnx", RUNTIME_TOLERANCE)])
def test_trained_machine_scores_as_interpret_does(kind: str, tolerance: float) -> None:
    data, model = reference(), trained(kind)
    np.testing.assert_allclose(model.score(data["rows"]), data["probabilities"], rtol=0, atol=tolerance)
    np.testing.assert_allclose(model.additive_score(data["rows"]), data["additive_scores"], rtol=0, atol=tolerance)
    check_terms(model.terms, data["rows"], data["features"])
    found = model.terms.scores_of(data["rows"])[:, :, 0]
    for number, names in enumerate(data["terms"]):
        own = model.terms.features_of_terms.index(tuple(data["features"].index(name) for name in names))
        theirs = np.array(data["term_scores"])[:, number]
        np.testing.assert_allclose(found[:, own], theirs, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("kind", "tolerance"), [("tables", BRUTE_FORCE_TOLERANCE), ("onnx", BRUTE_FORCE_TOLERANCE)])
def test_trained_machine_is_explained_as_all_coalitions_do(kind: str, tolerance: float) -> None:
    data, model = reference(), trained(kind)
    background, rows = data["rows"][:40], data["rows"][40:50]
    weights = np.random.default_rng(7).uniform(0.1, 5, 40)
    computer = TermSums(model, background, weights)
    found = computer.contributions_of(rows)
    np.testing.assert_allclose(found, checks.brute_force(model, background, weights, rows), rtol=0, atol=tolerance)
    scores = found.sum(axis=1) + computer.expected_value
    np.testing.assert_allclose(scores, np.array(data["additive_scores"])[40:50], rtol=0, atol=RUNTIME_TOLERANCE)
    alone = np.concatenate([computer.contributions_of(row[np.newaxis]) for row in rows])
    assert np.array_equal(alone, found)


def test_both_files_of_the_trained_machine_are_explained_alike() -> None:
    data = reference()
    background, rows, weights = data["rows"][:40], data["rows"][40:], np.ones(40)
    one, other = (TermSums(trained(kind), background, weights) for kind in ("tables", "onnx"))
    np.testing.assert_allclose(one.contributions_of(rows), other.contributions_of(rows), rtol=0, atol=RUNTIME_TOLERANCE)
    for row in rows[:3]:
        pairs = [computer.interactions_of(row).pairs for computer in (one, other)]
        np.testing.assert_allclose(*pairs, rtol=0, atol=RUNTIME_TOLERANCE)


def test_runtime_and_reader_agree_about_the_trained_machine() -> None:
    data = reference()
    runtime = OnnxSum((VECTORS / "model.onnx").read_bytes(), data["card"].features)
    assert runtime.n_outputs == 1
    np.testing.assert_allclose(
        trained("onnx").additive_score(data["rows"]),
        runtime.additive_score(data["rows"]),
        rtol=0,
        atol=RUNTIME_TOLERANCE,
    )
    np.testing.assert_allclose(runtime.score(data["rows"]), data["probabilities"], rtol=0, atol=RUNTIME_TOLERANCE)
    assert runtime.score(data["rows"][:0]).shape == (0,)


def test_value_no_term_knows_is_refused() -> None:
    """This machine has bins for missing incomes; a table without them refuses instead of guessing."""
    model = trained("tables")
    assert isinstance(model.terms, TermTables)
    first, *others = model.terms.tables
    assert isinstance(first.binnings[0], IntervalBins)
    without = replace(first, binnings=(IntervalBins(first.binnings[0].cuts),), scores=first.scores[:-1].copy())
    strict = replace(model, terms=replace(model.terms, tables=(without, *others)))
    whole = reference()["rows"][~np.isnan(reference()["rows"]).any(axis=1)]
    missing = np.array([[np.nan, 40.0, 0.0, 1.0]])
    assert np.isfinite(TermSums(model, whole, np.ones(len(whole))).contributions_of(missing)).all()
    computer = TermSums(strict, whole, np.ones(len(whole)))
    with pytest.raises(ModelFeaturesMismatchError, match="a missing value of feature 0"):
        computer.contributions_of(missing)
    with pytest.raises(ModelFeaturesMismatchError, match="a missing value of feature 0"):
        TermSums(strict, missing, np.ones(1))
    with pytest.raises(ModelFeaturesMismatchError, match="the value 3 of feature 2"):
        computer.contributions_of(np.array([[1500.0, 40.0, 3.0, 1.0]]))


@pytest.mark.parametrize("kind", ["tables", "onnx"])
def test_sixteen_threads_get_the_numbers_of_one(kind: str) -> None:
    rows = reference()["rows"]
    computer = TermSums(trained(kind), rows, np.ones(len(rows)))
    alone = computer.contributions_of(rows)
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda row: computer.contributions_of(row[np.newaxis])[0], [*rows, *rows[::-1]]))
    assert np.array_equal(together, [*alone, *alone[::-1]])
