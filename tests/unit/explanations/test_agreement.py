from dataclasses import replace

import numpy as np
import pytest

from explainer.attribution_methods.agreement import (
    EveryCoalition,
    MeanOfBlocks,
    OtherKernel,
    SampledOrders,
    check_agreement,
    sample_rows,
    second_ways,
)
from explainer.attribution_methods.black_boxes.exact_enumeration import ExactEnumeration
from explainer.attribution_methods.blocks.choose_blocks import blocks_for_forest
from explainer.attribution_methods.forests import exact_forest
from explainer.attribution_methods.forests.counted_forest import CountedForest
from explainer.attribution_methods.forests.deep_forest import DeepForest
from explainer.attribution_methods.forests.exact_forest import ExactForest
from explainer.attribution_methods.method_choice import MethodName
from explainer.use_cases.explained_model import ExplainedModel
from models.errors import MethodsDisagreeError
from models.forest import Forest
from models.package import ModelPackage
from tests.conformance.black_boxes import SmoothModel
from tests.conformance.small_forests import random_forest, random_rows
from tests.conformance.small_packages import feature, small_package

NAMES = ("one", "two", "three", "four")


@pytest.fixture(scope="module")
def package() -> ModelPackage:
    generator = np.random.default_rng(1)
    trees = random_forest(generator, n_features=4, n_trees=8, depth=4)
    plain = Forest(base_value=0.0, trees=trees.trees, n_features=4)
    return small_package([feature(name) for name in NAMES], plain, random_rows(generator, 160, 4))


class SwapsTwoFeatures(ExactForest):
    """Adds up as before."""

    def contributions_of(self, rows: np.ndarray) -> np.ndarray:
        return super().contributions_of(rows)[:, [1, 0, 2, 3]]


def test_right_methods_agree_and_say_how_well(package: ModelPackage) -> None:
    reliability = ExplainedModel.prepare(package).case_reliability
    assert [one.second_way for one in reliability.agreements] == ["mean_of_blocks", "every_coalition"]
    for one in reliability.agreements:
        assert one.rows == 5
        assert one.largest_difference <= one.tolerance
        assert one.second_way in str(one)


@pytest.mark.parametrize("way", ["mean_of_blocks", "every_coalition", "sampled_orders"])
def test_contributions_given_to_the_wrong_feature_are_refused_by_name(package: ModelPackage, way: str) -> None:
    background = package.background
    broken = SwapsTwoFeatures(package.forest, background.rows, background.weights)
    blocks = blocks_for_forest(package.forest, background.rows, background.weights, budget_bytes=10**9).computer
    ways = {
        one.name: one
        for given in (blocks, None)
        for one, _ in second_ways(
            broken if given else ExactEnumeration(package.model, background.rows, background.weights),
            package.model,
            background,
            given,
        )
    }
    rows = sample_rows(background, package.model.additive_score(background.rows))
    right = ExactForest(package.forest, background.rows, background.weights)
    assert check_agreement(right, ways[way], rows, NAMES).rows == 5
    with pytest.raises(MethodsDisagreeError, match=r"sample case 0, the contribution of '(one|two)'.*apart"):
        check_agreement(broken, ways[way], rows, NAMES)


def test_a_package_whose_method_is_broken_rests(package: ModelPackage, monkeypatch: pytest.MonkeyPatch) -> None:
    right = exact_forest.ExactForest.contributions_of

    def swapped(self: ExactForest, rows: np.ndarray) -> np.ndarray:
        return right(self, rows)[:, [1, 0, 2, 3]]

    monkeypatch.setattr(exact_forest.ExactForest, "contributions_of", swapped)
    with pytest.raises(MethodsDisagreeError):
        ExplainedModel.prepare(package)


def test_numbers_that_are_none_are_refused(package: ModelPackage) -> None:
    class SaysNothing(ExactForest):
        def contributions_of(self, rows: np.ndarray) -> np.ndarray:
            return super().contributions_of(rows) * np.nan

    background = package.background
    broken = SaysNothing(package.forest, background.rows, background.weights)
    enumeration = ExactEnumeration(package.model, background.rows, background.weights)
    with pytest.raises(MethodsDisagreeError):
        check_agreement(broken, EveryCoalition(enumeration=enumeration), background.rows[:1], NAMES)


def test_a_method_is_never_its_own_second_way(package: ModelPackage) -> None:
    background, model = package.background, package.model
    enumeration = ExactEnumeration(model, background.rows, background.weights)
    ways = second_ways(enumeration, model, background, None)
    assert [type(way) for way, _ in ways] == [SampledOrders]


def test_counted_rows_are_held_against_a_walk_with_every_row(package: ModelPackage) -> None:
    generator = np.random.default_rng(6)
    deep = random_forest(generator, n_features=30, n_trees=3, depth=14)
    rows = generator.normal(size=(120, 30))
    background = replace(package.background, rows=rows, weights=np.ones(120))
    counted = CountedForest(deep, rows, background.weights)
    ways = second_ways(counted, SmoothModel(30), background, None, forest=deep, chosen=MethodName.COUNTED_FOREST)
    ((way, count),) = ways
    assert isinstance(way, OtherKernel)
    assert check_agreement(counted, way, rows[:count], tuple(f"f{i}" for i in range(30))).largest_difference < 1e-9
    broken = CountedForest(replace(deep, trees=deep.trees[1:]), rows, background.weights)
    with pytest.raises(MethodsDisagreeError):
        check_agreement(broken, way, rows[:count], tuple(f"f{i}" for i in range(30)))


def test_walked_blocks_alone_are_no_second_way(package: ModelPackage) -> None:
    generator = np.random.default_rng(6)
    deep = random_forest(generator, n_features=16, n_trees=2, depth=14)
    rows, weights = generator.normal(size=(120, 16)), generator.uniform(1, 1.4, 120)
    background = replace(package.background, rows=rows, weights=weights)
    blocks = blocks_for_forest(deep, rows, weights, budget_bytes=10**9).computer
    walk = DeepForest(deep, rows, weights)
    ways = second_ways(walk, SmoothModel(16), background, blocks, forest=deep, chosen=MethodName.DEEP_FOREST)
    assert [type(way) for way, _ in ways] == [MeanOfBlocks, SampledOrders]


def test_what_would_take_too_long_is_left_out(package: ModelPackage) -> None:
    generator = np.random.default_rng(2)
    wide = replace(package.background, rows=generator.normal(size=(3000, 11)), weights=np.ones(3000))
    model = SmoothModel(11)
    computer = ExactForest(
        random_forest(generator, n_features=11, n_trees=2, depth=3), wide.rows[:20], wide.weights[:20]
    )
    assert second_ways(computer, model, wide, None) == ()
    assert model.evaluations <= 3000


def test_sample_cases_are_the_highest_and_the_lowest_score_first(package: ModelPackage) -> None:
    scores = package.model.additive_score(package.background.rows)
    rows = sample_rows(package.background, scores)
    assert len(rows) == 5
    assert package.model.additive_score(rows[:1])[0] == scores.max()
    assert package.model.additive_score(rows[1:2])[0] == scores.min()


def test_the_mean_of_blocks_allows_for_its_rounding() -> None:
    class Rounded:
        shares = np.full(10, 0.1)
        rounding = 0.25
        memory_bytes = 0

        def contributions_of(self, row: np.ndarray) -> np.ndarray:
            return np.tile(row, (10, 1))

    found, error = MeanOfBlocks(blocks=Rounded()).contributions_of(np.array([1.0, 2.0]))
    assert found.tolist() == [1.0, 2.0]
    assert error.tolist() == [0.25, 0.25]
