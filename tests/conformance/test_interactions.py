"""Interactions of forests: brute force over all coalitions, rows that add up, and broken twins that are caught."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from explainer.attribution_methods.black_boxes.coalition_game import CoalitionGame
from explainer.attribution_methods.forests.exact_forest import ExactForest
from explainer.attribution_methods.interactions.deep_interactions import DeepInteractions
from explainer.attribution_methods.interactions.enumerated_interactions import EnumeratedInteractions
from explainer.attribution_methods.interactions.forest_interactions import (
    ForestInteractions,
    InteractionComputer,
    InteractionValues,
)
from models.encoding import Encoding, Membership
from models.errors import UnsupportedModelError
from models.forest import Forest, read_forest
from tests.conformance.black_boxes import SmoothModel
from tests.conformance.checks_attribution import TOLERANCE
from tests.conformance.small_forests import Split, forest, random_forest, random_rows
from tests.conformance.small_pipelines import one_hot_pipeline

Numbers = NDArray[np.float64]
Kind = Callable[[Forest, Numbers, Numbers], InteractionComputer]


def enumerated(trees: Forest, background: Numbers, weights: Numbers) -> EnumeratedInteractions:
    return EnumeratedInteractions(CoalitionGame(trees.additive_score, background, weights))


KINDS: tuple[Kind, ...] = (ForestInteractions, DeepInteractions, enumerated)


def brute_force_pairs(trees: Forest | SmoothModel, background: Numbers, weights: Numbers, row: Numbers) -> Numbers:
    """Interaction values by their definition (Grabisch and Roubens 1999): every coalition, every background row."""
    n = len(row)

    def worth(coalition: frozenset[int]) -> float:
        mixed = background.copy()
        mixed[:, list(coalition)] = row[list(coalition)]
        return float(np.average(trees.additive_score(mixed), weights=weights))

    value = {
        members: worth(members)
        for size in range(n + 1)
        for members in map(frozenset, itertools.combinations(range(n), size))
    }
    found = np.zeros((n, n))
    for i, j in itertools.permutations(range(n), 2):
        for others, without in value.items():
            if i in others or j in others:
                continue
            share = math.factorial(len(others)) * math.factorial(n - len(others) - 2) / math.factorial(n - 1)
            found[i, j] += share * (value[others | {i, j}] - value[others | {i}] - value[others | {j}] + without)
    return found


def check_pairs_agree_with_brute_force(kind: Kind) -> None:
    generator = np.random.default_rng(1)
    trees = random_forest(generator, n_features=6, n_trees=10, depth=5)
    background, weights = random_rows(generator, 60, 6, missing=0.05), generator.uniform(0.01, 5, 60)
    computer = kind(trees, background, weights)
    for row in random_rows(generator, 3, 6, missing=0.1):
        expected = brute_force_pairs(trees, background, weights, row)
        assert np.abs(expected).max() > 0.1, "the check must have something to compare"
        np.testing.assert_allclose(computer.of(row).pairs, expected, rtol=0, atol=TOLERANCE)


def check_columns_of_one_feature_are_one_player(kind: Kind) -> None:
    generator = np.random.default_rng(5)
    owners = np.array([0, 1, 1, 2, 0, 2, 3], dtype=np.int32)

    class Copies:
        """Each column is its feature, shifted by the column's number: a coarse kind of preprocessing."""

        def encode(self, rows: Numbers) -> NDArray[np.float32]:
            return (rows[:, owners] + np.arange(len(owners)) / 4 - 0.75).astype(np.float32)

    plain = random_forest(generator, n_features=len(owners), n_trees=8, depth=6)
    encoding = Encoding(n_features=4, feature_of_column=owners, preprocessing=Copies())
    trees = Forest(base_value=plain.base_value, trees=plain.trees, n_features=4, encoding=encoding)
    background, weights = random_rows(generator, 30, 4, missing=0.1), generator.uniform(0.1, 5, 30)
    computer = kind(trees, background, weights)
    for row in random_rows(generator, 4, 4, missing=0.1):
        expected = brute_force_pairs(trees, background, weights, row)
        np.testing.assert_allclose(computer.of(row).pairs, expected, rtol=0, atol=TOLERANCE)


def check_sets_of_values_belong_to_their_feature(kind: Kind) -> None:
    """Nodes that ask "is it one of these?" compare columns of their own, which are missing where the value is."""
    generator = np.random.default_rng(7)
    plain = random_forest(generator, n_features=5, n_trees=10, depth=5)
    encoding = Encoding(
        n_features=3,
        feature_of_column=np.array([0, 1, 2, 0, 1], dtype=np.int32),
        memberships=(Membership(0, (-0.5, 0.0, 0.25)), Membership(1, (0.5,))),
    )
    trees = Forest(base_value=0.0, trees=plain.trees, n_features=3, encoding=encoding)
    background = np.round(random_rows(generator, 40, 3, missing=0.2) * 2) / 4
    computer = kind(trees, background, np.ones(40))
    for row in np.round(random_rows(generator, 4, 3, missing=0.2) * 2) / 4:
        expected = brute_force_pairs(trees, background, np.ones(40), row)
        np.testing.assert_allclose(computer.of(row).pairs, expected, rtol=0, atol=TOLERANCE)


def check_rows_add_up_to_the_contributions(kind: Kind) -> None:
    """The contributions are those of the leaf tables, which were computed another way."""
    generator = np.random.default_rng(2)
    trees = random_forest(generator, n_features=8, n_trees=20, depth=6)
    background, weights = random_rows(generator, 80, 8, missing=0.05), generator.uniform(0.01, 5, 80)
    rows = random_rows(generator, 5, 8, missing=0.05)
    contributions = ExactForest(trees, background, weights).contributions_of(rows)
    computer = kind(trees, background, weights)
    sums = [computer.of(row).matrix.sum(axis=1) for row in rows]
    np.testing.assert_allclose(sums, contributions, rtol=0, atol=TOLERANCE)


def check_features_that_never_meet_do_not_interact(kind: Kind) -> None:
    generator = np.random.default_rng(3)
    alone = random_forest(generator, n_features=2, n_trees=5, depth=3)
    trees = Forest(
        base_value=0.0, trees=(*alone.trees, *forest(Split(2, 0.0, -1.0, 1.0), n_features=4).trees), n_features=4
    )
    background = random_rows(generator, 40, 4)
    found = kind(trees, background, np.ones(40)).of(random_rows(generator, 1, 4)[0])
    assert found.pairs[0, 1] != 0
    assert np.abs(found.pairs[2:]).max() < TOLERANCE, "feature 2 stands alone in its tree, feature 3 is ignored"


def check_same_again_and_nothing_written(kind: Kind) -> None:
    generator = np.random.default_rng(4)
    trees = random_forest(generator, n_features=5, n_trees=8, depth=4)
    background, weights, row = (
        random_rows(generator, 30, 5),
        generator.uniform(1, 5, 30),
        random_rows(generator, 1, 5)[0],
    )
    before = [array.copy() for array in (background, weights, row)]
    computer = kind(trees, background, weights)
    first = computer.of(row)
    computer.of(row + 1)
    assert np.array_equal(first.matrix, computer.of(row).matrix)
    for array, copy in zip((background, weights, row), before, strict=True):
        assert np.array_equal(array, copy)


CHECKS: tuple[Callable[[Kind], None], ...] = (
    check_pairs_agree_with_brute_force,
    check_columns_of_one_feature_are_one_player,
    check_sets_of_values_belong_to_their_feature,
    check_rows_add_up_to_the_contributions,
    check_features_that_never_meet_do_not_interact,
    check_same_again_and_nothing_written,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_interactions_pass_every_check(check: Callable[[Kind], None], kind: Kind) -> None:
    check(kind)


class ForgetsWeights(ForestInteractions):
    def __init__(self, forest: Forest, background: Numbers, weights: Numbers) -> None:
        super().__init__(forest, background, np.ones_like(weights))


class TakesTheWholeForHalf(ForestInteractions):
    def of(self, row: Numbers) -> InteractionValues:
        found = super().of(row)
        return InteractionValues(pairs=found.pairs / 2, contributions=found.contributions)


class SpreadsALittleOnEverything(ForestInteractions):
    def of(self, row: Numbers) -> InteractionValues:
        found = super().of(row)
        return InteractionValues(pairs=found.pairs + 1e-6 * (1 - np.eye(len(row))), contributions=found.contributions)


class LosesContributions(ForestInteractions):
    def of(self, row: Numbers) -> InteractionValues:
        found = super().of(row)
        return InteractionValues(pairs=found.pairs, contributions=found.contributions * 0.999)


class Wavers(ForestInteractions):
    calls = 0

    def of(self, row: Numbers) -> InteractionValues:
        self.calls += 1
        found = super().of(row)
        return InteractionValues(pairs=found.pairs, contributions=found.contributions + self.calls * 1e-9)


class MakesColumnsPlayers(ForestInteractions):
    """What is usually done with one-hot columns, and is another game."""

    def __init__(self, forest: Forest, background: Numbers, weights: Numbers) -> None:
        self.whole = forest
        apart = Forest(base_value=forest.base_value, trees=forest.trees, n_features=forest.n_columns)
        super().__init__(apart, forest.encode(background).astype(float), weights)

    def of(self, row: Numbers) -> InteractionValues:
        found = super().of(self.whole.encode(row[np.newaxis])[0].astype(float))
        belongs = (self.whole.feature_of_column == np.arange(self.whole.n_features)[:, np.newaxis]).astype(float)
        pairs = belongs @ found.pairs @ belongs.T
        pairs = (pairs + pairs.T) / 2
        np.fill_diagonal(pairs, 0)
        return InteractionValues(pairs=pairs, contributions=belongs @ found.contributions)


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (ForgetsWeights, check_pairs_agree_with_brute_force),
        (ForgetsWeights, check_rows_add_up_to_the_contributions),
        (TakesTheWholeForHalf, check_pairs_agree_with_brute_force),
        (SpreadsALittleOnEverything, check_features_that_never_meet_do_not_interact),
        (LosesContributions, check_rows_add_up_to_the_contributions),
        (MakesColumnsPlayers, check_columns_of_one_feature_are_one_player),
        (MakesColumnsPlayers, check_sets_of_values_belong_to_their_feature),
        (Wavers, check_same_again_and_nothing_written),
    ],
    ids=lambda one: one.__name__,
)
def test_interactions_that_are_broken_are_caught(broken: Kind, check: Callable[[Kind], None]) -> None:
    with pytest.raises(AssertionError):
        check(broken)


def test_interactions_of_a_one_hot_pipeline_are_those_of_all_coalitions() -> None:
    pipeline = one_hot_pipeline()
    trees = read_forest(pipeline.content, pipeline.card.features)
    background, weights = pipeline.rows[:30], np.random.default_rng(1).uniform(0.1, 5, 30)
    computer = ForestInteractions(trees, background, weights)
    for row in pipeline.rows[40:45]:
        expected = brute_force_pairs(trees, background, weights, row)
        np.testing.assert_allclose(computer.of(row).pairs, expected, rtol=0, atol=TOLERANCE)


def test_model_without_trees_has_the_interactions_of_all_its_coalitions() -> None:
    model, generator = SmoothModel(5), np.random.default_rng(6)
    background, weights, row = random_rows(generator, 20, 5), generator.uniform(0.1, 5, 20), np.ones(5)
    found = EnumeratedInteractions(CoalitionGame(model.additive_score, background, weights)).of(row)
    assert np.abs(found.pairs).max() > 0.1
    np.testing.assert_allclose(found.pairs, brute_force_pairs(model, background, weights, row), rtol=0, atol=TOLERANCE)


def test_model_that_would_be_asked_too_often_is_refused() -> None:
    for n_features, n_rows in ((13, 1), (12, 1025)):
        rows = np.zeros((n_rows, n_features))
        game = CoalitionGame(SmoothModel(n_features).additive_score, rows, np.ones(n_rows))
        with pytest.raises(UnsupportedModelError, match=f"2\\^{n_features} times {n_rows} scores"):
            EnumeratedInteractions(game)


def test_two_features_that_count_only_together() -> None:
    """By hand: 1 if both are above 0, background at (-1, -1), row at (1, 1): all of it is interaction."""
    trees = forest(Split(0, 0.0, 0.0, Split(1, 0.0, 0.0, 1.0)), n_features=2)
    found = ForestInteractions(trees, np.array([[-1.0, -1.0]]), np.ones(1)).of(np.array([1.0, 1.0]))
    assert found.pairs[0, 1] == pytest.approx(1)
    assert found.contributions == pytest.approx([0.5, 0.5])
    assert found.main_effects == pytest.approx([0, 0])
    assert found.matrix == pytest.approx(np.array([[0, 0.5], [0.5, 0]]))


def test_forest_without_splits_has_no_interactions() -> None:
    found = ForestInteractions(forest(1.5, n_features=2), np.zeros((3, 2)), np.ones(3)).of(np.zeros(2))
    assert not found.matrix.any()


def test_paths_too_deep_and_tables_too_large_are_refused_with_a_sentence() -> None:
    path: Split | float = 1.0
    for feature in range(13):
        path = Split(feature, 0.0, 0.0, path)
    with pytest.raises(UnsupportedModelError, match="asks about 13 different features"):
        ForestInteractions(forest(path, n_features=13), np.zeros((1, 13)), np.ones(1))
    with pytest.raises(UnsupportedModelError, match=r"would need 0\.0 MB; 0\.0 MB are allowed"):
        ForestInteractions(forest(Split(0, 0.0, 0.0, 1.0), n_features=1), np.zeros((1, 1)), np.ones(1), table_bytes=31)


@pytest.mark.parametrize("pairs", [np.eye(2), np.array([[0.0, 1.0], [2.0, 0.0]]), np.zeros((3, 3))])
def test_tables_that_are_no_interactions_are_refused(pairs: Numbers) -> None:
    with pytest.raises(ValueError, match=r"square table|either order"):
        InteractionValues(pairs=pairs, contributions=np.zeros(2))
