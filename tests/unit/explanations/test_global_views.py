import numpy as np
import pytest

from explainer.attribution_methods.black_boxes.coalition_game import CoalitionGame
from explainer.attribution_methods.black_boxes.exact_enumeration import ExactEnumeration
from explainer.attribution_methods.forests.exact_forest import ExactForest
from explainer.attribution_methods.global_views import (
    GlobalEffect,
    background_grid,
    global_effects,
    partial_dependence,
    weighted_rank_correlation,
)
from tests.conformance.black_boxes import SmoothModel
from tests.conformance.small_forests import Split, forest, random_rows

GENERATOR = np.random.default_rng(1)
ONES = np.ones(400)
# Feature 0 raises in two steps, 1 lowers, 2 is a bump, 3 is ignored.
TREES = forest(
    Split(0, 0.0, -1.0, Split(0, 0.5, 1.0, 2.0)),
    Split(1, 0.0, 0.5, -0.5),
    Split(2, -0.5, 0.0, Split(2, 0.5, 3.0, 0.0)),
    n_features=4,
)
ROWS = random_rows(GENERATOR, 400, 4)


def test_directions_are_told_as_the_trees_go() -> None:
    effects = global_effects(ExactForest(TREES, ROWS, ONES), ROWS, ONES, has_order=[True] * 4)
    assert [effect.direction for effect in effects] == ["rising", "falling", "mixed", "none"]
    assert effects[3] == GlobalEffect(importance=0, rank_correlation=None)


def test_category_has_no_direction_but_an_importance() -> None:
    effects = global_effects(ExactForest(TREES, ROWS, ONES), ROWS, ONES, has_order=[False, True, True, True])
    assert effects[0].direction == "none"
    assert effects[0].importance > 0


def test_importance_is_the_weighted_importance() -> None:
    weights = GENERATOR.uniform(0.1, 5, 400)
    computer = ExactForest(TREES, ROWS, weights)
    contributions = computer.contributions_of(ROWS)
    effects = global_effects(computer, ROWS, weights, has_order=[True] * 4)
    expected = (np.abs(contributions) * weights[:, np.newaxis]).sum(axis=0) / weights.sum()
    assert [effect.importance for effect in effects] == pytest.approx(list(expected))
    unweighted = np.abs(contributions).mean(axis=0)
    assert [effect.importance for effect in effects] != pytest.approx(list(unweighted)), "weights must matter here"


def test_rank_correlation_is_spearmans() -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy comes with the development dependencies")
    one = GENERATOR.integers(0, 6, 60).astype(float)
    other = one + GENERATOR.integers(-3, 4, 60)
    expected = stats.spearmanr(one, other).statistic
    assert weighted_rank_correlation(one, other, np.ones(60)) == pytest.approx(expected)


def test_row_of_weight_two_counts_as_two_rows() -> None:
    one, other = GENERATOR.normal(size=(2, 20))
    times = GENERATOR.integers(1, 5, 20)
    repeated = weighted_rank_correlation(np.repeat(one, times), np.repeat(other, times), np.ones(times.sum()))
    assert weighted_rank_correlation(one, other, times.astype(float)) == pytest.approx(repeated)
    assert weighted_rank_correlation(one, other, np.ones(20)) != pytest.approx(repeated)


def test_missing_values_are_left_out_of_the_correlation() -> None:
    one = np.array([1.0, 2.0, np.nan, 3.0])
    assert weighted_rank_correlation(one, np.array([5.0, 6.0, 0.0, 7.0]), np.ones(4)) == pytest.approx(1)
    assert weighted_rank_correlation(np.full(3, np.nan), np.arange(3.0), np.ones(3)) is None
    assert weighted_rank_correlation(np.zeros(3), np.arange(3.0), np.ones(3)) is None


def test_partial_dependence_is_the_mean_with_one_value_for_all() -> None:
    model = SmoothModel(4)
    weights = GENERATOR.uniform(0.1, 5, 400)
    found = partial_dependence(CoalitionGame(model.additive_score, ROWS, weights), 2, np.array([-1.0, 0.0, 2.0]))
    for value, mean in zip(found.values, found.mean_scores, strict=True):
        everywhere = ROWS.copy()
        everywhere[:, 2] = value
        assert mean == pytest.approx(np.average(model.additive_score(everywhere), weights=weights))


def test_partial_dependence_of_a_feature_that_stands_alone_is_its_contribution() -> None:
    game = CoalitionGame(TREES.additive_score, ROWS, ONES)
    found = partial_dependence(game, 0, ROWS[:5, 0])
    contributions = ExactEnumeration(TREES, ROWS, ONES).contributions_of(ROWS[:5])[:, 0]
    np.testing.assert_allclose(found.mean_scores - game.expected_value, contributions, rtol=0, atol=1e-12)


def test_grid_holds_few_values_as_they_are_and_many_as_weighted_quantiles() -> None:
    few = np.array([2.0, 1.0, np.nan, 2.0])
    assert background_grid(few, np.ones(4)).tolist() == [1, 2]
    many = np.arange(1000.0)
    assert background_grid(many, np.ones(1000), most=5) == pytest.approx([0, 249, 499, 749, 999])
    heavy = np.where(many < 100, 100.0, 1.0)
    assert np.median(background_grid(many, heavy, most=21)) < 100


@pytest.mark.parametrize("wrong", [{"importance": -1.0}, {"importance": np.nan}, {"rank_correlation": 1.5}])
def test_effects_out_of_their_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"not negative|between -1 and 1"):
        GlobalEffect(**{"importance": 1.0, "rank_correlation": 0.5, **wrong})
