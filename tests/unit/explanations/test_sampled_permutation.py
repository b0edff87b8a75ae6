from dataclasses import replace

import numpy as np
import pytest

from explainer.attribution_methods.black_boxes.exact_enumeration import ExactEnumeration
from explainer.attribution_methods.black_boxes.sampled_permutation import (
    SampledContributions,
    SampledPermutation,
    StoppingRule,
)
from explainer.attribution_methods.choose import method_for_black_box
from explainer.attribution_methods.forests.exact_forest import ExactForest
from explainer.explanations.attribution import AttributionMethod
from models.errors import UnsupportedModelError
from models.row_tables import Background
from tests.conformance.black_boxes import Numbers, SmoothModel
from tests.conformance.small_forests import random_forest, random_rows
from tests.conformance.small_packages import WORDS

N_SEEDS = 150


def errors_in_standard_errors(kind: type[SampledPermutation]) -> float:
    """How far estimates with different seeds lie from the truth: root mean square, in their own standard errors."""
    generator = np.random.default_rng(1)
    forest = random_forest(generator, n_features=7, n_trees=10, depth=5)
    background, weights = random_rows(generator, 25, 7), generator.uniform(0.2, 4, 25)
    row = random_rows(generator, 1, 7)
    truth = ExactForest(forest, background, weights).contributions_of(row)[0]
    away = []
    for seed in range(N_SEEDS):
        estimate = kind(forest, background, weights, seed=seed, stopping=StoppingRule(target_share=0.02)).sample(row[0])
        away.append((estimate.contributions - truth) / estimate.standard_errors)
    return float(np.sqrt(np.mean(np.square(away))))


class CallsItselfTwiceAsSure(SampledPermutation):
    def sample(self, row: Numbers) -> SampledContributions:
        honest = super().sample(row)
        return replace(honest, standard_errors=honest.standard_errors / 2)


def test_standard_error_says_how_far_the_estimate_really_is() -> None:
    assert 0.85 < errors_in_standard_errors(SampledPermutation) < 1.2


def test_standard_error_told_too_small_is_caught() -> None:
    assert errors_in_standard_errors(CallsItselfTwiceAsSure) > 1.2


def test_sampling_stops_when_it_is_precise_enough() -> None:
    rows = np.random.default_rng(2).normal(size=(50, 15))
    model = SmoothModel(15)
    spread = model.additive_score(rows).std()
    computer = SampledPermutation(model, rows, np.ones(50), stopping=StoppingRule(target_share=0.005))
    prepared = model.evaluations
    found = computer.sample(rows[0] + 1)
    assert found.stopped_because == "precise_enough"
    assert found.standard_errors.max() <= 0.005 * spread
    assert found.evaluations == model.evaluations - prepared
    assert found.method == AttributionMethod(
        name="interventional_shapley_values",
        exact=False,
        engine_version="sampled-permutation/1",
        standard_error=float(found.standard_errors.max()),
        stopped_because="precise_enough",
    )


def test_sampling_stops_when_the_budget_is_used_and_says_so() -> None:
    rows = np.random.default_rng(3).normal(size=(50, 15))
    rule = StoppingRule(target_share=1e-9, max_evaluations=10_000)
    computer = SampledPermutation(SmoothModel(15), rows, np.ones(50), stopping=rule)
    found = computer.sample(rows[0] + 1)
    assert found.stopped_because == "budget_used"
    assert 10_000 - computer.evaluations_per_sweep < found.evaluations <= 10_000
    assert found.standard_errors.max() > 0


def test_more_evaluations_make_the_standard_error_smaller() -> None:
    rows = np.random.default_rng(4).normal(size=(20, 14))
    errors = []
    for budget in (10_000, 40_000):
        rule = StoppingRule(target_share=1e-9, max_evaluations=budget)
        sampled = SampledPermutation(SmoothModel(14), rows, np.ones(20), stopping=rule).sample(rows[0] + 1)
        errors.append(sampled.standard_errors.max())
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.2)


def test_budget_too_small_for_a_standard_error_is_refused_with_a_sentence() -> None:
    with pytest.raises(UnsupportedModelError, match="5601 evaluations of the model per case; 5000 are allowed"):
        SampledPermutation(
            SmoothModel(15), np.zeros((100, 15)), np.ones(100), stopping=StoppingRule(max_evaluations=5000)
        )


def test_background_of_one_row_is_sampled_often_enough_to_know_the_error() -> None:
    rows = np.random.default_rng(5).normal(size=(2, 6))
    rule = StoppingRule(max_evaluations=1_000)
    found = SampledPermutation(SmoothModel(6), rows[:1], np.ones(1), stopping=rule).sample(rows[1])
    truth = ExactEnumeration(SmoothModel(6), rows[:1], np.ones(1)).contributions_of(rows[1:])[0]
    assert found.evaluations > 30 * 2 * 5
    assert np.all(np.abs(found.contributions - truth) <= 5 * found.standard_errors)


def test_another_seed_draws_other_orders_and_stays_within_the_error() -> None:
    rows = np.random.default_rng(6).normal(size=(30, 13))
    one, other = (SampledPermutation(SmoothModel(13), rows, np.ones(30), seed=seed).sample(rows[0]) for seed in (0, 1))
    assert not np.array_equal(one.contributions, other.contributions)
    assert np.all(
        np.abs(one.contributions - other.contributions) <= 5 * np.hypot(one.standard_errors, other.standard_errors)
    )


def test_minus_zero_is_the_same_case_as_zero() -> None:
    rows = np.random.default_rng(7).normal(size=(30, 13))
    zero, minus_zero = rows[0].copy(), rows[0].copy()
    zero[3], minus_zero[3] = 0.0, -0.0
    computer = SampledPermutation(SmoothModel(13), rows, np.ones(30))
    assert np.array_equal(computer.sample(zero).contributions, computer.sample(minus_zero).contributions)


@pytest.mark.parametrize("rule", [{"target_share": 0}, {"target_share": float("nan")}, {"max_evaluations": 0}])
def test_stopping_rule_that_never_ends_is_refused(rule: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="above zero"):
        StoppingRule(**rule)


def test_exact_method_cannot_have_stopped_early() -> None:
    with pytest.raises(ValueError, match="does not stop early"):
        AttributionMethod(name="x", exact=True, engine_version="1", stopped_because="budget_used")


@pytest.mark.parametrize(("n_features", "kind"), [(12, ExactEnumeration), (13, SampledPermutation)])
def test_black_boxes_are_enumerated_up_to_twelve_features_and_sampled_beyond(n_features: int, kind: type) -> None:
    background = Background(
        rows=np.zeros((2, n_features)), weights=np.ones(2), name="x", origin=WORDS, mean_score_gap=0.0, sha256="0" * 64
    )
    assert isinstance(method_for_black_box(SmoothModel(n_features), background), kind)
