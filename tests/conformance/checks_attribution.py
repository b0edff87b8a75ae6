"""What every attribution method must do, whoever wrote it; each check is seen failing in test_attribution_methods."""

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.compiled_leaf_tables import CompiledLeafTables
from explainer.attribution_methods.method import AttributionComputer
from explainer.attribution_methods.sampled_permutation import SampledPermutation
from models.forest import Forest
from models.scoring_model import ScoringModel
from tests.conformance.small_forests import Split, as_shap_dictionary, forest, random_forest, random_rows

Numbers = NDArray[np.float64]
Maker = Callable[[Forest, Numbers, Numbers], AttributionComputer]
"""Prepares a method for a forest, background rows (m, n_features) and their weights (m,)."""

TOLERANCE = 1e-10
"""A few hundred 64-bit additions of numbers around 1 lose at most about 1e-13; a wrong formula shows at 1e-3."""

SINGLE_TOLERANCE = 1e-6
"""Tables of 32-bit numbers round what each leaf adds by 6e-8 of it; the leaves here are around 1 and partly cancel."""

SHAP_TOLERANCE = 1e-6
"""shap's tree explainer stores parts of its sums in 32 bits."""

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
