"""Shapley's axioms and all coalitions for random pipelines: preprocessing and trees as scikit-learn exports them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from explainer.attribution_methods.forests.compiled_leaf_tables import CompiledLeafTables
from explainer.attribution_methods.forests.deep_forest import DeepForest
from explainer.attribution_methods.forests.exact_forest import ExactForest
from models.forest import read_forest
from models.onnx_model import OnnxModel
from tests.conformance.broken_twins import SumsColumns
from tests.conformance.checks_attribution import Maker, brute_force, rounding_of
from tests.conformance.counted_by_weight import CountedByWeight
from tests.conformance.small_pipelines import Pipeline, random_pipeline

RUNTIME_TOLERANCE = 1e-5
"""The runtime adds leaves in 32 bits."""

METHODS: tuple[Maker, ...] = (ExactForest, CompiledLeafTables, DeepForest, CountedByWeight)


def check_pipeline(make: Maker, pipeline: Pipeline, seed: int) -> None:
    """Raw features are the players, the runtime's own scores are explained, and an encoded background is weighted."""
    forest, runtime = read_forest(pipeline.content, pipeline.card.features), OnnxModel(pipeline.content, pipeline.card)
    background, rows = pipeline.rows[:25], pipeline.rows[25:28]
    weights = np.random.default_rng(seed).uniform(0.1, 5, len(background))
    computer = make(forest, background, weights)
    found = computer.contributions_of(rows)
    truth = brute_force(runtime, background, weights, rows)
    np.testing.assert_allclose(found, truth, rtol=0, atol=RUNTIME_TOLERANCE)
    exact = brute_force(forest, background, weights, rows)
    np.testing.assert_allclose(found, exact, rtol=0, atol=rounding_of(computer))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_contributions_of_random_pipelines_are_those_of_all_coalitions_of_raw_features(seed: int) -> None:
    pipeline = random_pipeline(seed)
    for make in METHODS:
        check_pipeline(make, pipeline, seed)


def test_adding_up_columns_is_noticed_in_some_of_them() -> None:
    noticed = 0
    for seed in range(6):
        try:
            check_pipeline(SumsColumns, random_pipeline(seed), seed)
        except AssertionError:
            noticed += 1
    assert noticed >= 1, "a check that a wrong method always passes would prove nothing"
