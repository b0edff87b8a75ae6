from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from explainer.attribution_methods.black_boxes import coalition_game
from explainer.attribution_methods.black_boxes.coalition_game import ScoreUnit
from explainer.attribution_methods.black_boxes.exact_enumeration import ExactEnumeration, shapley_values
from explainer.attribution_methods.black_boxes.sampled_permutation import SampledPermutation
from explainer.explanations.attribution import Attribution
from models.errors import ModelFeaturesMismatchError, UnsupportedModelError
from tests.conformance.black_boxes import Numbers, SmoothModel
from tests.conformance.checks_attribution import brute_force
from tests.conformance.small_forests import random_forest, random_rows
from tests.conformance.small_packages import feature, small_package


def test_glove_game_has_the_values_of_the_textbook() -> None:
    """Players 0 and 1 each hold a left glove, player 2 the right one; a pair is worth 1: 1/6, 1/6, 2/3."""
    worth = np.array([float(bool(c & 0b011) and bool(c & 0b100)) for c in range(8)])
    np.testing.assert_allclose(shapley_values(worth), [1 / 6, 1 / 6, 2 / 3], rtol=0, atol=1e-15)


class ItsScore(SmoothModel):
    """The same model without an additive unit."""

    def additive_score(self, rows: Numbers) -> Numbers:
        return 1 / (1 + np.exp(-super().additive_score(rows)))


@pytest.mark.parametrize(("unit", "explained"), [("additive", SmoothModel(5)), ("score", ItsScore(5))])
def test_smooth_model_is_explained_exactly_in_either_unit(unit: ScoreUnit, explained: SmoothModel) -> None:
    generator = np.random.default_rng(1)
    background, weights = generator.normal(size=(30, 5)), generator.uniform(1, 5, 30)
    rows = generator.normal(size=(4, 5))
    found = ExactEnumeration(SmoothModel(5), background, weights, unit=unit)
    expected = brute_force(explained, background, weights, rows)
    np.testing.assert_allclose(found.contributions_of(rows), expected, rtol=0, atol=1e-12)
    mean = np.average(explained.additive_score(background), weights=weights)
    assert found.expected_value == pytest.approx(mean, abs=1e-12)


def test_the_two_units_are_told_apart() -> None:
    rows = np.random.default_rng(2).normal(size=(20, 3))
    additive = ExactEnumeration(SmoothModel(3), rows, np.ones(20))
    score = ExactEnumeration(SmoothModel(3), rows, np.ones(20), unit="score")
    assert np.abs(additive.contributions_of(rows) - score.contributions_of(rows)).max() > 0.1


def test_model_run_by_the_runtime_adds_up_to_its_own_score() -> None:
    generator = np.random.default_rng(3)
    forest = random_forest(generator, n_features=4, n_trees=6, depth=3)
    forest = type(forest)(base_value=0.0, trees=forest.trees, n_features=4)
    background = random_rows(generator, 40, 4)
    package = small_package([feature(name) for name in "abcd"], forest, background)
    computer = ExactEnumeration(package.model, background, np.ones(40))
    row = random_rows(generator, 1, 4)
    attribution = Attribution(
        contributions=tuple(computer.contributions_of(row)[0]),
        expected_value=computer.expected_value,
        additive_score=float(package.model.additive_score(row)[0]),
        leaf_scale=computer.leaf_scale,
        method=computer.method,
    )
    assert abs(attribution.additivity_gap) < 1e-6
    assert attribution.method.exact


def test_cost_is_what_it_says_and_batches_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coalition_game, "BATCH_NUMBERS", 1000)
    model = SmoothModel(6)
    rows = np.random.default_rng(4).normal(size=(20, 6))
    computer = ExactEnumeration(model, rows, np.ones(20))
    prepared = model.evaluations
    computer.contributions_of(rows[:1])
    assert model.evaluations - prepared == computer.evaluations_per_row == 64 * 20
    assert model.largest_table * 6 <= 1000


def test_size_of_batches_does_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(5).normal(size=(30, 5))
    found = []
    for numbers in (1, 700, 2**20):
        monkeypatch.setattr(coalition_game, "BATCH_NUMBERS", numbers)
        found.append(ExactEnumeration(SmoothModel(5), rows, np.ones(30)).contributions_of(rows[:3]))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_more_than_twelve_features_are_refused_with_a_sentence() -> None:
    ExactEnumeration(SmoothModel(12), np.zeros((1, 12)), np.ones(1))
    with pytest.raises(UnsupportedModelError, match="13 features; every coalition is asked about for at most 12"):
        ExactEnumeration(SmoothModel(13), np.zeros((1, 13)), np.ones(1))


class SilentAt(SmoothModel):
    """Gives no number for a large first with a small second value: never in the background, but in mixtures."""

    def additive_score(self, rows: Numbers) -> Numbers:
        scores = super().additive_score(rows)
        scores[(rows[:, 0] > 5) & (rows[:, 1] < 5)] = np.nan
        return scores


class BreaksDown(SmoothModel):
    """Answers while it is prepared, and no longer."""

    def additive_score(self, rows: Numbers) -> Numbers:
        if self.evaluations:
            raise UnsupportedModelError("The remote model does not answer.")
        return super().additive_score(rows)


class ThreeClasses(SmoothModel):
    def additive_score(self, rows: Numbers) -> Numbers:
        first = super().additive_score(rows)
        return np.stack([first, -first, first**2], axis=1)


METHODS = (ExactEnumeration, SampledPermutation)


@pytest.mark.parametrize("method", METHODS)
def test_model_that_gives_no_number_for_a_mixture_is_refused_with_a_sentence(method: type[ExactEnumeration]) -> None:
    rows = np.random.default_rng(6).normal(size=(40, 6))
    computer = method(SilentAt(6), rows, np.ones(40))
    assert np.isfinite(SilentAt(6).additive_score(rows + 10)).all()
    with pytest.raises(UnsupportedModelError, match="mixtures of the case and the background"):
        computer.contributions_of(rows[:1] + 10)
    with pytest.raises(UnsupportedModelError, match="no finite number"):
        method(SilentAt(6), rows + np.array([10.0, 0, 0, 0, 0, 0]), np.ones(40))


@pytest.mark.parametrize("method", METHODS)
def test_model_that_fails_half_way_gives_its_own_error_and_no_numbers(method: type[ExactEnumeration]) -> None:
    rows = np.random.default_rng(7).normal(size=(40, 6))
    computer = method(BreaksDown(6), rows, np.ones(40))
    with pytest.raises(UnsupportedModelError, match="does not answer"):
        computer.contributions_of(rows[:1])


@pytest.mark.parametrize("method", METHODS)
def test_model_of_several_outputs_is_refused_until_one_is_chosen(method: type[ExactEnumeration]) -> None:
    rows = np.random.default_rng(8).normal(size=(40, 6))
    with pytest.raises(UnsupportedModelError, match="one must be chosen"):
        method(ThreeClasses(6), rows, np.ones(40))


@pytest.mark.parametrize("method", METHODS)
def test_rows_of_another_width_are_refused(method: type[ExactEnumeration]) -> None:
    computer = method(SmoothModel(6), np.zeros((40, 6)), np.ones(40))
    with pytest.raises(ModelFeaturesMismatchError, match="do not fit 6 features"):
        computer.contributions_of(np.zeros((1, 5)))


@pytest.mark.parametrize("method", METHODS)
def test_sixteen_threads_get_the_numbers_of_one(method: type[ExactEnumeration]) -> None:
    """Both methods keep nothing between calls that another thread could see."""
    generator = np.random.default_rng(9)
    forest = random_forest(generator, n_features=7, n_trees=10, depth=4)
    background, rows = random_rows(generator, 30, 7), random_rows(generator, 32, 7)
    computer = method(forest, background, np.ones(30))
    alone = [computer.contributions_of(row[np.newaxis]) for row in rows]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda row: computer.contributions_of(row[np.newaxis]), rows))
    assert np.array_equal(alone, together)
