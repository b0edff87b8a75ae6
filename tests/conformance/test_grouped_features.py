"""Columns made from one raw feature are one player: exact over all coalitions of raw features."""

import numpy as np
import pytest

from explainer.attribution_methods.forests.compiled_leaf_tables import CompiledLeafTables
from explainer.attribution_methods.forests.deep_forest import DeepForest
from explainer.attribution_methods.forests.exact_forest import ExactForest
from models.forest import Forest, read_forest
from models.onnx_model import OnnxModel
from tests.conformance.broken_twins import SumsColumns
from tests.conformance.checks_attribution import Maker, brute_force, rounding_of
from tests.conformance.counted_by_weight import CountedByWeight
from tests.conformance.small_forests import OWNERS, behind_preprocessing, random_forest, random_rows
from tests.conformance.small_pipelines import Pipeline, one_hot_pipeline


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return one_hot_pipeline()


@pytest.fixture(scope="module")
def forest(pipeline: Pipeline) -> Forest:
    return read_forest(pipeline.content, pipeline.card.features)


METHODS: tuple[Maker, ...] = (ExactForest, CompiledLeafTables, DeepForest, CountedByWeight)


@pytest.mark.parametrize("make", METHODS)
def test_contributions_of_a_one_hot_pipeline_are_those_of_all_coalitions(
    make: Maker, pipeline: Pipeline, forest: Forest
) -> None:
    background, rows = pipeline.rows[:40], pipeline.rows[40:55]
    weights = np.random.default_rng(1).uniform(0.1, 5, len(background))
    truth = brute_force(forest, background, weights, rows)
    computer = make(forest, background, weights)
    found = computer.contributions_of(rows)
    np.testing.assert_allclose(found, truth, rtol=0, atol=rounding_of(computer))
    twin = SumsColumns(forest, background, weights).contributions_of(rows)
    assert np.abs(twin - truth).max() > 1e-3, "adding up columns is another game"
    runtime = OnnxModel(pipeline.content, pipeline.card).additive_score(rows)
    np.testing.assert_allclose(found.sum(axis=1) + computer.expected_value, runtime, rtol=0, atol=1e-5)


@pytest.mark.parametrize("make", METHODS)
@pytest.mark.parametrize("seed", range(5))
def test_columns_of_one_feature_are_one_player_in_random_forests(make: Maker, seed: int) -> None:
    generator = np.random.default_rng(seed)
    trees = behind_preprocessing(random_forest(generator, n_features=len(OWNERS), n_trees=8, depth=6))
    background, rows = random_rows(generator, 30, 3, missing=0.1), random_rows(generator, 8, 3, missing=0.1)
    weights = generator.uniform(0.1, 5, 30)
    truth = brute_force(trees, background, weights, rows)
    computer = make(trees, background, weights)
    np.testing.assert_allclose(computer.contributions_of(rows), truth, rtol=0, atol=rounding_of(computer))
    assert np.abs(SumsColumns(trees, background, weights).contributions_of(rows) - truth).max() > 1e-3
