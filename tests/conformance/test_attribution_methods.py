"""Every attribution method passes every check, and every check catches a method that is broken on purpose."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from explainer.attribution_methods.black_boxes import exact_enumeration
from explainer.attribution_methods.black_boxes.exact_enumeration import ExactEnumeration
from explainer.attribution_methods.black_boxes.sampled_permutation import SampledPermutation, StoppingRule
from explainer.attribution_methods.forests.compiled_leaf_tables import CompiledLeafTables
from explainer.attribution_methods.forests.deep_forest import DeepForest
from explainer.attribution_methods.forests.exact_forest import ExactForest
from models.forest import Forest
from tests.conformance import checks_attribution as checks
from tests.conformance.broken_twins import TWINS, Broken, Check, Twin, UsesAHundredRows
from tests.conformance.checks_attribution import Maker
from tests.conformance.counted_by_weight import CountedByWeight
from tests.conformance.small_forests import random_forest, random_rows

Numbers = NDArray[np.float64]

FINE = StoppingRule(target_share=0.01, max_evaluations=100_000)
"""Standard errors so small that comparisons which allow a few of them mean something."""

EXACT_METHODS: dict[str, Maker] = {
    "exact_forest": ExactForest,
    "compiled_leaf_tables": CompiledLeafTables,
    "deep_forest": DeepForest,
    "counted_forest": CountedByWeight,
    "exact_enumeration": ExactEnumeration,
}


def sampled_finely(forest: Forest, background: Numbers, weights: Numbers) -> SampledPermutation:
    return SampledPermutation(forest, background, weights, stopping=FINE)


METHODS: dict[str, Maker] = {**EXACT_METHODS, "sampled_permutation": sampled_finely}

CHECKS: tuple[Check, ...] = (
    checks.check_additivity,
    checks.check_expected_value,
    checks.check_symmetry,
    checks.check_ignored_feature,
    checks.check_deterministic,
    checks.check_row_order_irrelevant,
    checks.check_input_not_mutated,
    checks.check_agrees_with_brute_force,
    checks.check_efficiency,
    checks.check_values_on_thresholds,
    checks.check_missing_values,
    checks.check_only_proportions_of_weights_count,
    checks.check_weight_is_worth_copies,
    checks.check_threads_do_not_disturb_each_other,
)

FOREST_CHECKS: tuple[Check, ...] = (checks.check_columns_of_one_feature_are_one_player,)
"""Only methods that know about preprocessing, or ask the whole model, can have columns of one feature."""


@pytest.mark.parametrize("check", [*CHECKS, *FOREST_CHECKS], ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", METHODS)
def test_every_method_passes_every_check(name: str, check: Check) -> None:
    check(METHODS[name])


@dataclass(frozen=True)
class OneColumn:
    """One of several scores as somebody else reads it: all are computed, and the others are dropped."""

    forest: Forest
    output: int

    @property
    def n_features(self) -> int:
        return self.forest.n_features

    def additive_score(self, rows: Numbers) -> Numbers:
        return np.asarray(self.forest.additive_score(rows)[:, self.output])

    def score(self, rows: Numbers) -> Numbers:
        return np.asarray(self.forest.score(rows)[:, self.output])


@pytest.mark.parametrize("name", METHODS)
def test_every_method_explains_each_of_several_outputs(name: str) -> None:
    generator = np.random.default_rng(12)
    plain = random_forest(generator, n_features=5, n_trees=8, depth=4)
    trees = [
        replace(tree, value=np.where(tree.is_leaf[:, np.newaxis], generator.normal(size=(len(tree.left), 3)), 0.0))
        for tree in plain.trees
    ]
    several = replace(plain, trees=tuple(trees), output_base_values=(0.5, -1.0, 0.25), link="softmax")
    background, weights = random_rows(generator, 40, 5, missing=0.05), generator.uniform(0.1, 5, 40)
    rows = random_rows(generator, 4, 5, missing=0.05)
    found = []
    for output in range(3):
        column = OneColumn(several, output)
        computer = METHODS[name](several.for_output(output), background, weights)
        found.append(computer.contributions_of(rows))
        truth = checks.brute_force(column, background, weights, rows)
        assert np.all(np.abs(found[-1] - truth) <= checks.allowed(computer, rows))
        sums = found[-1].sum(axis=1) + computer.expected_value
        np.testing.assert_allclose(sums, column.additive_score(rows), rtol=0, atol=checks.rounding_of(computer))
    assert np.abs(found[0] - found[1]).max() > 0.1, "one output taken for another would be seen"


@pytest.mark.parametrize("name", EXACT_METHODS)
def test_every_exact_method_agrees_with_shap(name: str) -> None:
    pytest.importorskip("shap", reason="shap is a development dependency")
    checks.check_agrees_with_shap(EXACT_METHODS[name])


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.broken.__name__)
def test_every_broken_twin_fails_exactly_the_checks_that_are_to_notice_it(twin: Twin) -> None:
    noticed = set()
    for check in (*CHECKS, *FOREST_CHECKS):
        try:
            check(twin.broken)
        except AssertionError:
            noticed.add(check)
    assert noticed == twin.noticed_by


def test_every_check_notices_some_twin_and_passes_the_unspoilt_one() -> None:
    assert frozenset().union(*(twin.noticed_by for twin in TWINS)) == {*CHECKS, *FOREST_CHECKS}
    for check in (*CHECKS, *FOREST_CHECKS):
        check(Broken)


def test_comparison_with_shap_catches_a_background_cut_to_a_hundred_rows() -> None:
    pytest.importorskip("shap", reason="shap is a development dependency")
    with pytest.raises(AssertionError):
        checks.check_agrees_with_shap(UsesAHundredRows)


def test_every_coalition_weighted_alike_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken twin of the enumeration: Banzhaf's weights, which do not add up to the score."""

    def banzhaf(worth: Numbers) -> Numbers:
        n_players = len(worth).bit_length() - 1
        pairs = [worth.reshape(-1, 2, 1 << player) for player in range(n_players)]
        return np.array([(pair[:, 1] - pair[:, 0]).mean() for pair in pairs])

    monkeypatch.setattr(exact_enumeration, "shapley_values", banzhaf)
    for check in (checks.check_additivity, checks.check_agrees_with_brute_force):
        with pytest.raises(AssertionError):
            check(ExactEnumeration)


class CreditsTheWrongFeature(SampledPermutation):
    """Still adds up, because a walk telescopes whoever is given its steps."""

    def __init__(self, forest: Forest, background: Numbers, weights: Numbers) -> None:
        super().__init__(forest, background, weights, stopping=FINE)

    def _gains(self, row: Numbers, row_score: float, ranks: NDArray[np.int64]) -> Numbers:
        right = super()._gains(row, row_score, ranks)
        return np.take_along_axis(right, ranks, axis=1)


class ForgetsWeightsWhenSampling(SampledPermutation):
    def __init__(self, forest: Forest, background: Numbers, weights: Numbers) -> None:
        super().__init__(forest, background, np.ones_like(weights), stopping=FINE)


class DrawsFromOneStream(SampledPermutation):
    """Orders depend on what was asked before."""

    def __init__(self, forest: Forest, background: Numbers, weights: Numbers) -> None:
        super().__init__(forest, background, weights, stopping=FINE)
        self.stream = np.random.default_rng(1)

    def _generator_for(self, _row: Numbers) -> np.random.Generator:
        return self.stream


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (CreditsTheWrongFeature, checks.check_agrees_with_brute_force),
        (CreditsTheWrongFeature, checks.check_ignored_feature),
        (ForgetsWeightsWhenSampling, checks.check_agrees_with_brute_force),
        (ForgetsWeightsWhenSampling, checks.check_expected_value),
        (DrawsFromOneStream, checks.check_deterministic),
        (DrawsFromOneStream, checks.check_row_order_irrelevant),
    ],
    ids=lambda one: one.__name__,
)
def test_sampling_that_is_broken_is_caught(broken: Maker, check: Check) -> None:
    with pytest.raises(AssertionError):
        check(broken)


def test_sampling_and_the_permutation_explainer_of_shap_agree() -> None:
    """Where at most two features act together, both are exact after one sweep; beyond, within their errors."""
    shap = pytest.importorskip("shap", reason="shap is a development dependency")
    generator = np.random.default_rng(11)
    background, row = random_rows(generator, 40, 14), random_rows(generator, 1, 14)
    masker = shap.maskers.Independent(background, max_samples=len(background))
    for depth, sweeps in ((2, 1), (5, 80)):
        trees = random_forest(generator, n_features=14, n_trees=15, depth=depth)
        peer = shap.PermutationExplainer(trees.additive_score, masker, seed=0)
        theirs = peer(row, max_evals=sweeps * (2 * 14 + 1), silent=True).values[0]
        sampled = sampled_finely(trees, background, np.ones(40)).sample(row[0])
        missed = np.abs(sampled.contributions - theirs)
        if depth == 2:
            assert missed.max() <= checks.SHAP_TOLERANCE
        else:
            # Theirs draws one order for all background rows, 80 in all, so most of the difference is theirs.
            assert 0 < missed.max() <= 0.05 * trees.additive_score(background).std()
