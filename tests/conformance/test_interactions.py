"""Interactions of forests: brute force over all coalitions, rows that add up, and broken twins that are caught."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from explainer.attribution_methods.exact_forest import ExactForest
from explainer.attribution_methods.interactions import ForestInteractions, InteractionValues
from models.errors import UnsupportedModelError
from models.forest import Forest
from tests.conformance.checks_attribution import TOLERANCE
from tests.conformance.small_forests import Split, forest, random_forest, random_rows

Numbers = NDArray[np.float64]
Kind = type[ForestInteractions]


def brute_force_pairs(trees: Forest, background: Numbers, weights: Numbers, row: Numbers) -> Numbers:
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
    assert not found.pairs[2:].any(), "feature 2 stands alone in its tree, feature 3 is ignored"


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
    check_rows_add_up_to_the_contributions,
    check_features_that_never_meet_do_not_interact,
    check_same_again_and_nothing_written,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_interactions_pass_every_check(check: Callable[[Kind], None]) -> None:
    check(ForestInteractions)


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


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (ForgetsWeights, check_pairs_agree_with_brute_force),
        (ForgetsWeights, check_rows_add_up_to_the_contributions),
        (TakesTheWholeForHalf, check_pairs_agree_with_brute_force),
        (SpreadsALittleOnEverything, check_features_that_never_meet_do_not_interact),
        (LosesContributions, check_rows_add_up_to_the_contributions),
        (Wavers, check_same_again_and_nothing_written),
    ],
    ids=lambda one: one.__name__,
)
def test_interactions_that_are_broken_are_caught(broken: Kind, check: Callable[[Kind], None]) -> None:
    with pytest.raises(AssertionError):
        check(broken)


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
