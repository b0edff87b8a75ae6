"""What every attribution method must do, whoever wrote it; each check is seen failing on the broken twins."""

import itertools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.black_boxes.sampled_permutation import SampledPermutation
from explainer.attribution_methods.forests.compiled_leaf_tables import CompiledLeafTables
from explainer.attribution_methods.method import AttributionComputer
from models.forest import Forest
from models.scoring_model import ScoringModel
from tests.conformance.small_forests import (
    OWNERS,
    Split,
    as_shap_dictionary,
    behind_preprocessing,
    forest,
    random_forest,
    random_rows,
)

Numbers = NDArray[np.float64]
Maker = Callable[[Forest, Numbers, Numbers], AttributionComputer]
"""Prepares a method for a forest, background rows (m, n_features) and their weights (m,)."""

TOLERANCE = 1e-10
"""A few hundred 64-bit additions of numbers around 1 lose at most about 1e-13; a wrong formula shows at 1e-3."""

SINGLE_TOLERANCE = 1e-6
"""Tables of 32-bit numbers round what each leaf adds by 6e-8 of it; the leaves here are around 1 and partly cancel."""

SHAP_TOLERANCE = 1e-6
"""shap's tree explainer stores parts of its sums in 32 bits."""

THREADS = 16

STANDARD_ERRORS = 5
"""A sampled contribution may miss the exact one by so many standard errors; by chance that is one in a million."""


def allowed(computer: AttributionComputer, rows: Numbers) -> Numbers:
    """How far contributions may lie from the exact ones: shape (n_rows, n_features)."""
    if not isinstance(computer, SampledPermutation):
        return np.full(rows.shape, rounding_of(computer))
    return np.array([STANDARD_ERRORS * computer.sample(row).standard_errors + TOLERANCE for row in rows])


def rounding_of(computer: AttributionComputer) -> float:
    """How far an exact method may lie from the truth because computers round."""
    return SINGLE_TOLERANCE if isinstance(computer, CompiledLeafTables) else TOLERANCE


def check_additivity(make: Maker, seed: int = 1) -> None:
    """Expected value and contributions add up to the additive score, also where values are missing."""
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=6, n_trees=12, depth=5)
    computer = make(trees, random_rows(generator, 40, 6, missing=0.1), generator.uniform(0.1, 5, 40))
    rows = random_rows(generator, 25, 6, missing=0.1)
    sums = computer.contributions_of(rows).sum(axis=1) + computer.expected_value
    np.testing.assert_allclose(sums, trees.additive_score(rows), rtol=0, atol=rounding_of(computer))


def check_efficiency(make: Maker, seed: int = 10) -> None:
    """Contributions add up to the score less the weighted mean score of the background, whatever the method says."""
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=5, n_trees=10, depth=4)
    background, weights = random_rows(generator, 60, 5), generator.uniform(0.1, 5, 60)
    rows = random_rows(generator, 20, 5)
    computer = make(trees, background, weights)
    expected = trees.additive_score(rows) - np.average(trees.additive_score(background), weights=weights)
    np.testing.assert_allclose(
        computer.contributions_of(rows).sum(axis=1), expected, rtol=0, atol=rounding_of(computer)
    )


def check_values_on_thresholds(make: Maker, seed: int = 11) -> None:
    """A value that equals a threshold goes left, in the case and in the background: up to, not below."""
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=4, n_trees=10, depth=4)
    # Thresholds are multiples of a quarter, and so is every value.
    background, rows = (generator.integers(-4, 5, (count, 4)) / 4 for count in (30, 15))
    weights = generator.uniform(0.1, 5, 30)
    computer = make(trees, background, weights)
    missed = np.abs(computer.contributions_of(rows) - brute_force(trees, background, weights, rows))
    assert np.all(missed <= allowed(computer, rows))


def check_missing_values(make: Maker, seed: int = 12) -> None:
    """A missing value takes the branch that its node says, in the case and in the background."""
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=4, n_trees=10, depth=4)
    background, rows = random_rows(generator, 30, 4, missing=0.4), random_rows(generator, 15, 4, missing=0.4)
    weights = generator.uniform(0.1, 5, 30)
    computer = make(trees, background, weights)
    missed = np.abs(computer.contributions_of(rows) - brute_force(trees, background, weights, rows))
    assert np.all(missed <= allowed(computer, rows))


def check_only_proportions_of_weights_count(make: Maker, seed: int = 13) -> None:
    """Weights that are all seven and a half times as large change nothing."""
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=4, n_trees=8, depth=4)
    background, weights = random_rows(generator, 40, 4), generator.uniform(0.1, 5, 40)
    rows = random_rows(generator, 10, 4)
    one, other = make(trees, background, weights), make(trees, background, 7.5 * weights)
    np.testing.assert_allclose(one.contributions_of(rows), other.contributions_of(rows), rtol=0, atol=TOLERANCE)
    assert abs(one.expected_value - other.expected_value) <= TOLERANCE


def check_weight_is_worth_copies(make: Maker, seed: int = 14) -> None:
    """A row of weight three is worth three copies of it."""
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=4, n_trees=8, depth=4)
    background, rows = random_rows(generator, 30, 4), random_rows(generator, 10, 4)
    times = generator.integers(1, 4, 30)
    weighted = make(trees, background, times.astype(np.float64))
    copied = make(trees, np.repeat(background, times, axis=0), np.ones(times.sum()))
    missed = np.abs(weighted.contributions_of(rows) - copied.contributions_of(rows))
    assert np.all(missed <= allowed(weighted, rows) + allowed(copied, rows))
    assert abs(weighted.expected_value - copied.expected_value) <= TOLERANCE


def check_threads_do_not_disturb_each_other(make: Maker, seed: int = 15) -> None:
    """Sixteen threads that ask about different cases at once all get their own case's numbers, to the last bit."""
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=4, n_trees=8, depth=4)
    computer = make(trees, random_rows(generator, 40, 4), generator.uniform(0.1, 5, 40))
    rows = random_rows(generator, 2 * THREADS, 4)
    alone = [computer.contributions_of(row[np.newaxis]) for row in rows]
    together = Barrier(THREADS)

    def ask(thread: int) -> list[Numbers]:
        together.wait()
        return [computer.contributions_of(rows[case][np.newaxis]) for case in range(thread, len(rows), THREADS)]

    with ThreadPoolExecutor(THREADS) as pool:
        for thread, found in enumerate(pool.map(ask, range(THREADS))):
            assert all(np.array_equal(*pair) for pair in zip(found, alone[thread::THREADS], strict=True))


def check_columns_of_one_feature_are_one_player(make: Maker, seed: int = 16) -> None:
    """Columns that preprocessing makes from one raw feature join and leave together; only for forests."""
    generator = np.random.default_rng(seed)
    trees = behind_preprocessing(random_forest(generator, n_features=len(OWNERS), n_trees=8, depth=6))
    background, rows = random_rows(generator, 30, 3, missing=0.1), random_rows(generator, 8, 3, missing=0.1)
    weights = generator.uniform(0.1, 5, 30)
    computer = make(trees, background, weights)
    missed = np.abs(computer.contributions_of(rows) - brute_force(trees, background, weights, rows))
    assert np.all(missed <= allowed(computer, rows))


def check_expected_value(make: Maker, seed: int = 2) -> None:
    """The expected value is the weighted mean over the background."""
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=5, n_trees=8, depth=4)
    background, weights = random_rows(generator, 150, 5), generator.uniform(0.1, 5, 150)
    expected = np.average(trees.additive_score(background), weights=weights)
    assert abs(make(trees, background, weights).expected_value - expected) <= TOLERANCE


def check_symmetry(make: Maker) -> None:
    """Two features that the score treats alike, with equal values everywhere, get equal contributions."""
    trees = forest(
        Split(0, 0.0, Split(1, 0.0, -1.0, 0.5), Split(1, 0.0, 0.5, 2.0)),
        Split(2, 0.5, -0.25, Split(0, 1.0, 0.0, Split(1, 1.0, 0.0, 3.0))),
        n_features=3,
    )
    generator = np.random.default_rng(3)
    background, rows = random_rows(generator, 30, 3), random_rows(generator, 20, 3)
    background[:, 1], rows[:, 1] = background[:, 0], rows[:, 0]
    computer = make(trees, background, generator.uniform(0.1, 5, 30))
    found = computer.contributions_of(rows)
    assert np.abs(found[:, 0]).max() > 0.1, "the check must have something to compare"
    assert np.all(np.abs(found[:, 0] - found[:, 1]) <= allowed(computer, rows)[:, :2].sum(axis=1))


def check_ignored_feature(make: Maker, seed: int = 4) -> None:
    """A feature the model ignores contributes exactly nothing."""
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=4, n_trees=10, depth=4)
    widened = Forest(base_value=trees.base_value, trees=trees.trees, n_features=5)
    background, rows = random_rows(generator, 30, 5), random_rows(generator, 20, 5)
    found = make(widened, background, np.ones(30)).contributions_of(rows)
    assert np.all(found[:, 4] == 0)


def check_deterministic(make: Maker, seed: int = 5) -> None:
    """Asking again, and preparing again, gives the same bits."""
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=5, n_trees=8, depth=4)
    background, weights = random_rows(generator, 50, 5), generator.uniform(0.1, 5, 50)
    rows = random_rows(generator, 10, 5)
    computer = make(trees, background, weights)
    first = computer.contributions_of(rows)
    assert np.array_equal(first, computer.contributions_of(rows))
    assert np.array_equal(first, make(trees, background, weights).contributions_of(rows))


def check_row_order_irrelevant(make: Maker, seed: int = 6) -> None:
    """A row's numbers depend neither on its place nor on the rows around it, to the last bit."""
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=5, n_trees=8, depth=4)
    computer = make(trees, random_rows(generator, 50, 5), generator.uniform(0.1, 5, 50))
    rows = random_rows(generator, 30, 5)
    together = computer.contributions_of(rows)
    assert np.array_equal(computer.contributions_of(rows[::-1])[::-1], together)
    alone = np.concatenate([computer.contributions_of(row[np.newaxis]) for row in rows])
    assert np.array_equal(alone, together)
    assert computer.contributions_of(rows[:0]).shape == (0, 5)


def check_input_not_mutated(make: Maker, seed: int = 7) -> None:
    """Neither rows nor background nor weights are written to."""
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=4, n_trees=5, depth=3)
    background, weights, rows = random_rows(generator, 20, 4), generator.uniform(1, 5, 20), random_rows(generator, 9, 4)
    before = [array.copy() for array in (background, weights, rows)]
    make(trees, background, weights).contributions_of(rows)
    for array, copy in zip((background, weights, rows), before, strict=True):
        assert np.array_equal(array, copy)


def check_agrees_with_brute_force(make: Maker, seed: int = 8) -> None:
    """All coalitions enumerated give the same contributions, with a weighted background of more than 100 rows."""
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=6, n_trees=10, depth=5)
    background, weights = random_rows(generator, 130, 6, missing=0.05), generator.uniform(0.01, 5, 130)
    rows = random_rows(generator, 6, 6, missing=0.05)
    computer = make(trees, background, weights)
    missed = np.abs(computer.contributions_of(rows) - brute_force(trees, background, weights, rows))
    assert np.all(missed <= allowed(computer, rows)), f"the largest difference is {missed.max():.3g}"


def check_agrees_with_shap(make: Maker, seed: int = 9) -> None:
    """The tree explainer of shap gives the same numbers: same trees, interventional, whole background."""
    import shap

    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=8, n_trees=20, depth=5)
    background, rows = random_rows(generator, 150, 8), random_rows(generator, 15, 8)
    masker = shap.maskers.Independent(background, max_samples=len(background))
    peer = shap.TreeExplainer(as_shap_dictionary(trees), masker, feature_perturbation="interventional")
    theirs = np.asarray(peer.shap_values(rows)).reshape(rows.shape)
    ours = make(trees, background, np.ones(len(background))).contributions_of(rows)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=SHAP_TOLERANCE)


def brute_force(model: ScoringModel, background: Numbers, weights: Numbers, rows: Numbers) -> Numbers:
    """Shapley values by their definition: every coalition, every background row (Shapley 1953).

    Args:
        model: Its additive score is explained.
        background: Shape (m, n_features).
        weights: Shape (m,).
        rows: Shape (n_rows, n_features).

    Returns:
        Shape (n_rows, n_features).
    """
    n_features = rows.shape[1]
    coalitions = np.array(list(itertools.product([False, True], repeat=n_features)))
    sizes = coalitions.sum(axis=1)
    found = np.zeros(rows.shape)
    for number, row in enumerate(rows):
        mixed = np.where(coalitions[:, np.newaxis, :], row, background)
        scores = model.additive_score(mixed.reshape(-1, n_features)).reshape(len(coalitions), len(background))
        worth = scores @ weights / weights.sum()
        for feature in range(n_features):
            without = np.flatnonzero(~coalitions[:, feature])
            with_it = without + 2 ** (n_features - 1 - feature)
            shares = [
                math.factorial(s) * math.factorial(n_features - s - 1) / math.factorial(n_features)
                for s in sizes[without]
            ]
            found[number, feature] = np.array(shares) @ (worth[with_it] - worth[without])
    return found
