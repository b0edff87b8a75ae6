"""All kernels for forests give what all coalitions give, on random forests of every kind that is read."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from explainer.attribution_methods.forests.compiled_leaf_tables import CompiledLeafTables
from explainer.attribution_methods.forests.counted_forest import CountedForest
from explainer.attribution_methods.forests.deep_forest import DeepForest
from explainer.attribution_methods.forests.exact_forest import ExactForest
from models.encoding import Encoding
from models.forest import Forest, read_forest
from tests.conformance.checks_attribution import SINGLE_TOLERANCE, TOLERANCE, Maker, Numbers, brute_force, rounding_of
from tests.conformance.counted_by_weight import CountedByWeight
from tests.conformance.small_forests import random_forest, random_rows
from tests.properties.test_forest_kinds import THRESHOLDS, row_tables, version_3, version_5

KERNELS: tuple[Maker, ...] = (ExactForest, CompiledLeafTables, DeepForest, CountedByWeight)
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(
    seed=seeds,
    n_features=st.integers(1, 12),
    depth=st.integers(0, 10),
    n_background=st.integers(1, 200),
    missing=st.sampled_from([0.0, 0.3]),
)
@example(seed=1, n_features=3, depth=10, n_background=64, missing=0.3)
@example(seed=2, n_features=12, depth=9, n_background=65, missing=0.3)
def test_all_exact_methods_agree(seed: int, n_features: int, depth: int, n_background: int, missing: float) -> None:
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=n_features, n_trees=3, depth=depth)
    # Rounded values meet thresholds exactly, and half of the weights are nothing or the same.
    background = random_rows(generator, n_background, n_features, missing=missing)
    weights = np.where(generator.random(n_background) < 0.5, 1.0, generator.uniform(0, 5, n_background))
    weights[generator.random(n_background) < 0.2] = 0
    weights[0] = 1
    rows = random_rows(generator, 3, n_features, missing=missing)
    tables, compiled, walk = (
        make(trees, background, weights).contributions_of(rows)
        for make in (ExactForest, CompiledLeafTables, DeepForest)
    )
    np.testing.assert_allclose(walk, tables, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(compiled, tables, rtol=0, atol=SINGLE_TOLERANCE)


@settings(max_examples=60, deadline=None)
@given(
    seed=seeds,
    n_features=st.integers(1, 30),
    depth=st.integers(0, 14),
    n_background=st.integers(1, 700),
    missing=st.sampled_from([0.0, 0.3]),
)
@example(seed=1, n_features=30, depth=14, n_background=128, missing=0.0)
@example(seed=2, n_features=30, depth=14, n_background=129, missing=0.3)
@example(seed=3, n_features=12, depth=9, n_background=512, missing=0.3)
@example(seed=4, n_features=12, depth=9, n_background=513, missing=0.0)
def test_rows_that_weigh_the_same_are_counted_exactly(
    seed: int, n_features: int, depth: int, n_background: int, missing: float
) -> None:
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=n_features, n_trees=3, depth=depth)
    background = random_rows(generator, n_background, n_features, missing=missing)
    weights = np.full(n_background, 2.5)
    weights[generator.random(n_background) < 0.2] = 0
    weights[0] = 2.5
    rows = random_rows(generator, 3, n_features, missing=missing)
    counted = CountedForest(trees, background, weights)
    expected = DeepForest(trees, background, weights)
    np.testing.assert_allclose(counted.contributions_of(rows), expected.contributions_of(rows), rtol=0, atol=TOLERANCE)
    assert counted.expected_value == pytest.approx(expected.expected_value, rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, n_features=st.integers(1, 6), n_trees=st.integers(1, 4), depth=st.integers(0, 9))
def test_contributions_are_those_of_all_coalitions(seed: int, n_features: int, n_trees: int, depth: int) -> None:
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=n_features, n_trees=n_trees, depth=depth)
    background, weights = random_rows(generator, 12, n_features, missing=0.1), generator.uniform(0.01, 10, 12)
    rows = random_rows(generator, 3, n_features, missing=0.1)
    found = DeepForest(trees, background, weights).contributions_of(rows)
    np.testing.assert_allclose(found, brute_force(trees, background, weights, rows), rtol=0, atol=TOLERANCE)


@settings(max_examples=60, deadline=None)
@given(content=st.one_of(version_3(), version_5()), rows=row_tables(THRESHOLDS), seed=seeds)
def test_every_kind_of_node_and_output_is_explained_exactly(content: bytes, rows: Numbers, seed: int) -> None:
    """Equality, membership, missing values on either side, weights, one output or several; one player per feature."""
    forest = read_forest(content)
    weights = np.random.default_rng(seed).uniform(0.1, 5, len(rows))
    for output in range(forest.n_outputs):
        one = forest.for_output(output)
        truth = brute_force(one, rows, weights, rows[:2])
        for make in KERNELS:
            computer = make(one, rows, weights)
            np.testing.assert_allclose(
                computer.contributions_of(rows[:2]), truth, rtol=0, atol=rounding_of(computer), err_msg=make.__name__
            )


@settings(max_examples=30, deadline=None)
@given(seed=seeds, depth=st.integers(1, 7))
def test_columns_made_from_one_feature_are_one_player(seed: int, depth: int) -> None:
    generator = np.random.default_rng(seed)
    owners = np.sort(generator.integers(0, 3, 7)).astype(np.int32)
    shift = generator.integers(-4, 5, 7) / 4

    class Shifted:
        """Each column is its feature, shifted: a coarse kind of preprocessing."""

        def encode(self, rows: Numbers) -> NDArray[np.float32]:
            return (rows[:, owners] + shift).astype(np.float32)

    plain = random_forest(generator, n_features=7, n_trees=4, depth=depth)
    encoding = Encoding(n_features=3, feature_of_column=owners, preprocessing=Shifted())
    trees = Forest(base_value=plain.base_value, trees=plain.trees, n_features=3, encoding=encoding)
    background, weights = random_rows(generator, 25, 3, missing=0.2), generator.uniform(0.1, 5, 25)
    rows = random_rows(generator, 12, 3, missing=0.2)
    truth = brute_force(trees, background, weights, rows)
    for make in KERNELS:
        computer = make(trees, background, weights)
        found = computer.contributions_of(rows)  # together, and below one by one
        np.testing.assert_allclose(found, truth, rtol=0, atol=rounding_of(computer), err_msg=make.__name__)
        assert np.array_equal(found[:1], computer.contributions_of(rows[:1]))


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_columns_of_one_player_join_and_leave_together(seed: int) -> None:
    """As if the columns were one: all coalitions of players, not the sum over columns."""
    generator = np.random.default_rng(seed)
    players = np.array([0, 1, 1, 2, 0, 1])
    trees = random_forest(generator, n_features=6, n_trees=3, depth=7)
    background, weights = random_rows(generator, 20, 6, missing=0.1), generator.uniform(0.1, 5, 20)
    rows = random_rows(generator, 3, 6, missing=0.1)
    for make in (DeepForest, CountedByWeight):
        found = make(trees, background, weights, column_to_player=players).contributions_of(rows)
        for row, contributions in zip(rows, found, strict=True):
            expected = brute_force_of_players(trees, background, weights, row, players)
            np.testing.assert_allclose(contributions, expected, rtol=0, atol=TOLERANCE)


def brute_force_of_players(
    trees: Forest, background: Numbers, weights: Numbers, row: Numbers, players: Numbers
) -> Numbers:
    """Shapley values of three players by all six orders in which they join."""
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]

    def worth(joined: set[int]) -> float:
        mixed = np.where(np.isin(players, list(joined)), row, background)
        return float(trees.additive_score(mixed) @ weights / weights.sum())

    found = np.zeros(3)
    for order in orders:
        for place, player in enumerate(order):
            found[player] += (worth(set(order[: place + 1])) - worth(set(order[:place]))) / len(orders)
    return found
