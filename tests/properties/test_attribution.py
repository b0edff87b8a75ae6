"""Shapley's axioms for random small forests, backgrounds and rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explainer.attribution_methods.forests.exact_forest import ExactForest
from models.forest import Forest
from tests.conformance.checks_attribution import TOLERANCE, brute_force, rounding_of
from tests.conformance.small_forests import random_forest, random_rows
from tests.conformance.test_attribution_methods import EXACT_METHODS

seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("name", EXACT_METHODS)
@settings(max_examples=20, deadline=None)
@given(seed=seeds, n_features=st.integers(1, 5), n_trees=st.integers(1, 6), depth=st.integers(0, 6))
def test_contributions_are_those_of_all_coalitions(
    name: str, seed: int, n_features: int, n_trees: int, depth: int
) -> None:
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=n_features, n_trees=n_trees, depth=depth)
    background = random_rows(generator, 12, n_features, missing=0.1)
    weights = generator.uniform(0.01, 10, 12)
    rows = random_rows(generator, 3, n_features, missing=0.1)
    computer = EXACT_METHODS[name](trees, background, weights)
    truth = brute_force(trees, background, weights, rows)
    np.testing.assert_allclose(computer.contributions_of(rows), truth, rtol=0, atol=rounding_of(computer))


@settings(max_examples=30, deadline=None)
@given(seed=seeds, n_features=st.integers(6, 12), depth=st.integers(6, 9))
def test_contributions_add_up_where_paths_ask_about_many_features(seed: int, n_features: int, depth: int) -> None:
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=n_features, n_trees=2, depth=depth)
    computer = ExactForest(trees, random_rows(generator, 20, n_features), generator.uniform(0.1, 5, 20))
    rows = random_rows(generator, 4, n_features, missing=0.1)
    sums = computer.contributions_of(rows).sum(axis=1) + computer.expected_value
    np.testing.assert_allclose(sums, trees.additive_score(rows), rtol=0, atol=TOLERANCE)


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_contributions_to_a_sum_of_forests_are_the_sum_of_contributions(seed: int) -> None:
    generator = np.random.default_rng(seed)
    one = random_forest(generator, n_features=4, n_trees=3, depth=4)
    other = random_forest(generator, n_features=4, n_trees=3, depth=4)
    both = Forest(base_value=one.base_value + other.base_value, trees=one.trees + other.trees, n_features=4)
    background, weights, rows = (
        random_rows(generator, 15, 4),
        generator.uniform(0.1, 5, 15),
        random_rows(generator, 5, 4),
    )
    parts = [ExactForest(trees, background, weights).contributions_of(rows) for trees in (one, other, both)]
    np.testing.assert_allclose(parts[0] + parts[1], parts[2], rtol=0, atol=TOLERANCE)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, times=st.integers(2, 5))
def test_a_weight_is_worth_as_many_copies_of_the_row(seed: int, times: int) -> None:
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=4, n_trees=4, depth=4)
    background, rows = random_rows(generator, 10, 4), random_rows(generator, 4, 4)
    weights = np.ones(10)
    weights[0] = times
    copied = np.concatenate([background, np.repeat(background[:1], times - 1, axis=0)])
    weighted = ExactForest(trees, background, weights)
    repeated = ExactForest(trees, copied, np.ones(len(copied)))
    np.testing.assert_allclose(weighted.contributions_of(rows), repeated.contributions_of(rows), rtol=0, atol=TOLERANCE)


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_a_row_that_is_the_whole_background_has_no_contributions(seed: int) -> None:
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=4, n_trees=4, depth=4)
    row = random_rows(generator, 1, 4, missing=0.2)
    np.testing.assert_allclose(ExactForest(trees, row, np.ones(1)).contributions_of(row), 0, rtol=0, atol=TOLERANCE)
