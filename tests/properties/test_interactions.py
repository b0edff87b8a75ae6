"""Leaf tables, the walk and every coalition give the same interactions, and these add up to the model's own scores."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from explainer.attribution_methods.black_boxes.coalition_game import CoalitionGame
from explainer.attribution_methods.interactions.deep_interactions import DeepInteractions
from explainer.attribution_methods.interactions.enumerated_interactions import EnumeratedInteractions
from explainer.attribution_methods.interactions.forest_interactions import ForestInteractions, InteractionValues
from explainer.attribution_methods.interactions.noticeable_interactions import agree_with_model
from tests.conformance.checks_attribution import TOLERANCE
from tests.conformance.small_forests import random_forest, random_rows

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=40, deadline=None)
@given(
    seed=seeds,
    n_features=st.integers(1, 8),
    depth=st.integers(0, 9),
    n_background=st.integers(1, 60),
    missing=st.sampled_from([0.0, 0.3]),
)
@example(seed=1, n_features=2, depth=9, n_background=1, missing=0.3)
@example(seed=2, n_features=1, depth=3, n_background=5, missing=0.0)
def test_all_computers_agree_and_add_up(
    seed: int, n_features: int, depth: int, n_background: int, missing: float
) -> None:
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=n_features, n_trees=3, depth=depth)
    background = random_rows(generator, n_background, n_features, missing=missing)
    weights = generator.uniform(0, 5, n_background)
    weights[generator.random(n_background) < 0.2] = 0
    weights[0] = 1
    row = random_rows(generator, 1, n_features, missing=missing)[0]
    game = CoalitionGame(trees.additive_score, background, weights)
    tables = ForestInteractions(trees, background, weights).of(row)
    walked = DeepInteractions(trees, background, weights).of(row)
    asked = EnumeratedInteractions(game).of(row)
    for other in (walked, asked):
        np.testing.assert_allclose(other.matrix, tables.matrix, rtol=0, atol=TOLERANCE)
    everyone = range(n_features)
    assert agree_with_model(tables, game, row, everyone, tolerance=TOLERANCE)
    if n_features > 1:
        pairs = tables.pairs + 1e-6 * (1 - np.eye(n_features))
        twin = InteractionValues(pairs=pairs, contributions=tables.contributions)
        assert not agree_with_model(twin, game, row, everyone, tolerance=TOLERANCE)


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_paths_longer_than_tables_allow_add_up(seed: int) -> None:
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=30, n_trees=2, depth=16)
    background, row = random_rows(generator, 20, 30, missing=0.1), random_rows(generator, 1, 30, missing=0.1)[0]
    game = CoalitionGame(trees.additive_score, background, np.ones(20))
    found = DeepInteractions(trees, background, np.ones(20)).of(row)
    assert agree_with_model(found, game, row, range(30), tolerance=TOLERANCE)
    expected = trees.additive_score(row[np.newaxis])[0] - game.expected_value
    assert abs(found.matrix.sum() - expected) <= TOLERANCE
