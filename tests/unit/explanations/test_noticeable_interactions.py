"""Which interactions of a case are told, and that wrong ones are not."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from explainer.attribution_methods.black_boxes.coalition_game import CoalitionGame
from explainer.attribution_methods.forests.exact_forest import ExactForest
from explainer.attribution_methods.interactions.deep_interactions import DeepInteractions
from explainer.attribution_methods.interactions.enumerated_interactions import EnumeratedInteractions
from explainer.attribution_methods.interactions.forest_interactions import ForestInteractions, InteractionValues
from explainer.attribution_methods.interactions.noticeable_interactions import PreparedInteractions
from explainer.explanations.attribution import Attribution
from explainer.explanations.interactions import CaseInteractions, Interaction
from explainer.explanations.strength import Yardstick
from models.forest import Forest, read_forest
from models.onnx_model import OnnxModel
from tests.conformance.black_boxes import SmoothModel
from tests.conformance.small_forests import Split, forest, random_forest, random_rows
from tests.conformance.small_pipelines import one_hot_pipeline
from tests.conformance.test_interactions import brute_force_pairs

Numbers = NDArray[np.float64]

NAMES = ("a", "b", "c", "d", "e")
GENERATOR = np.random.default_rng(1)
TREES = random_forest(GENERATOR, n_features=5, n_trees=12, depth=4)
ROWS = random_rows(GENERATOR, 60, 5)
WEIGHTS = GENERATOR.uniform(0.1, 5, 60)
ROW = random_rows(GENERATOR, 1, 5)[0]
EXACT = ExactForest(TREES, ROWS, WEIGHTS)
GAME = CoalitionGame(TREES.additive_score, ROWS, WEIGHTS)
ATTRIBUTION = Attribution(
    contributions=tuple(EXACT.contributions_of(ROW[np.newaxis])[0].tolist()),
    expected_value=EXACT.expected_value,
    additive_score=float(TREES.additive_score(ROW[np.newaxis])[0]),
    leaf_scale=EXACT.leaf_scale,
    method=EXACT.method,
)
PREPARED = PreparedInteractions.of_forest(TREES, GAME)


def yardstick(spread: float) -> Yardstick:
    return Yardstick(spread=spread, distance_to_threshold=float("inf"))


def told(prepared: PreparedInteractions = PREPARED, spread: float = GAME.spread) -> CaseInteractions:
    return prepared.noticeable(ROW, ATTRIBUTION, yardstick(spread), NAMES)


def test_strongest_pairs_are_told_first_and_three_at_most() -> None:
    values = ForestInteractions(TREES, ROWS, WEIGHTS).of(ROW).pairs
    sizes = sorted(np.abs(values[np.triu_indices(5, k=1)]), reverse=True)
    found = told(spread=1e-6).noticeable
    assert [abs(one.value) for one in found] == pytest.approx(sizes[:3])
    for one in found:
        one_place, other_place = map(NAMES.index, one.features)
        assert one.value == pytest.approx(values[one_place, other_place])
        assert one_place < other_place, "in card order"


def test_only_what_the_published_cut_offs_call_slight_is_told() -> None:
    largest = max(abs(one.value) for one in told(spread=1e-6).noticeable)
    assert len(told(spread=largest / 0.08 * 0.999).noticeable) == 1
    assert told(spread=largest / 0.08 * 1.001) == CaseInteractions(none_because="none_noticeable")


class Spoilt:
    """Right interactions, spoilt by a function."""

    def __init__(self, spoil: Callable[[InteractionValues], InteractionValues]) -> None:
        self.right, self.spoil = ForestInteractions(TREES, ROWS, WEIGHTS), spoil

    def of(self, row: Numbers) -> InteractionValues:
        return self.spoil(self.right.of(row))


def forgets_the_weights(_values: InteractionValues) -> InteractionValues:
    return ForestInteractions(TREES, ROWS, np.ones(60)).of(ROW)


def halves_the_pairs(values: InteractionValues) -> InteractionValues:
    return replace(values, pairs=values.pairs / 2)


def leaves_out_all_pairs(values: InteractionValues) -> InteractionValues:
    return replace(values, pairs=np.zeros((5, 5)))


def is_no_number(values: InteractionValues) -> InteractionValues:
    return replace(values, contributions=values.contributions * np.nan)


def of_another_case(_values: InteractionValues) -> InteractionValues:
    return ForestInteractions(TREES, ROWS, WEIGHTS).of(ROWS[0])


@pytest.mark.parametrize(
    "spoil", [forgets_the_weights, halves_the_pairs, leaves_out_all_pairs, is_no_number, of_another_case]
)
@pytest.mark.parametrize("spread", [1e-6, GAME.spread, 1e6])
def test_wrong_interactions_are_not_told_and_nothing_is_claimed_from_them(
    spoil: Callable[[InteractionValues], InteractionValues], spread: float
) -> None:
    prepared = PreparedInteractions(computer=Spoilt(spoil), game=GAME)
    assert told(prepared, spread) == CaseInteractions(none_because="not_confirmed")
    unspoilt = PreparedInteractions(computer=Spoilt(lambda values: values), game=GAME)
    assert told(unspoilt, spread).none_because != "not_confirmed"


def deep_forest(n_features: int) -> Forest:
    path: Split | float = 1.0
    for feature in range(n_features):
        path = Split(feature, 0.0, 0.0, path)
    return forest(path, n_features=n_features)


def prepared(trees: Forest) -> object:
    rows = np.zeros((4, trees.n_features))
    return PreparedInteractions.of_forest(trees, CoalitionGame(trees.additive_score, rows, np.ones(4))).computer


def test_models_get_the_computer_that_fits_or_a_reason() -> None:
    assert isinstance(PREPARED.computer, ForestInteractions)
    assert isinstance(PreparedInteractions.of_black_box(GAME).computer, EnumeratedInteractions)
    assert isinstance(prepared(deep_forest(13)), DeepInteractions)
    thirteen = np.zeros((4, 13))
    wide = PreparedInteractions.of_black_box(CoalitionGame(SmoothModel(13).additive_score, thirteen, np.ones(4)))
    assert wide.computer == "too_many_details"
    many = SmoothModel(12)
    rows = np.zeros((1025, 12))
    asked_too_often = PreparedInteractions.of_black_box(CoalitionGame(many.additive_score, rows, np.ones(1025)))
    assert asked_too_often.computer == "takes_too_long"
    in_sums = PreparedInteractions.of_sum(GAME)
    assert told(in_sums) == CaseInteractions(none_because="details_add_up")


def test_interactions_behind_preprocessing_are_confirmed_by_the_runtime() -> None:
    pipeline = one_hot_pipeline()
    trees = read_forest(pipeline.content, pipeline.card.features)
    model = OnnxModel(pipeline.content, pipeline.card)
    background, row = pipeline.rows[:100], pipeline.rows[120]
    game = CoalitionGame(model.additive_score, background, np.ones(100))
    exact = ExactForest(trees, background, np.ones(100))
    attribution = Attribution(
        contributions=tuple(exact.contributions_of(row[np.newaxis])[0].tolist()),
        expected_value=exact.expected_value,
        additive_score=float(model.additive_score(row[np.newaxis])[0]),
        leaf_scale=exact.leaf_scale,
        method=exact.method,
    )
    small_steps = yardstick(1e-3 * game.spread)
    tables = PreparedInteractions.of_forest(trees, game)
    walked = PreparedInteractions(computer=DeepInteractions(trees, background, np.ones(100)), game=game)
    found = tables.noticeable(row, attribution, small_steps, pipeline.card.feature_names)
    assert len(found.noticeable) == 3
    expected = brute_force_pairs(trees, background, np.ones(100), row)
    for one in found.noticeable:
        first, second = map(pipeline.card.feature_names.index, one.features)
        assert one.value == pytest.approx(expected[first, second])
    again = walked.noticeable(row, attribution, small_steps, pipeline.card.feature_names)
    assert [one.features for one in again.noticeable] == [one.features for one in found.noticeable]
    other_case = PreparedInteractions.of_forest(
        trees, CoalitionGame(model.additive_score, background[:50], np.ones(50))
    )
    assert other_case.noticeable(row, attribution, small_steps, pipeline.card.feature_names) == CaseInteractions(
        none_because="not_confirmed"
    )


PAIR = Interaction(features=("a", "b"), value=0.5, strength="slight")


@pytest.mark.parametrize(
    "wrong",
    [
        CaseInteractions,
        lambda: CaseInteractions(noticeable=(PAIR,), none_because="none_noticeable"),
        lambda: CaseInteractions(noticeable=(PAIR,) * 4),
        lambda: CaseInteractions(noticeable=(PAIR, replace(PAIR, value=-0.6))),
        lambda: CaseInteractions(noticeable=(replace(PAIR, strength="negligible"),)),
        lambda: replace(PAIR, features=("a", "a")),
        lambda: replace(PAIR, value=float("nan")),
    ],
)
def test_interactions_that_contradict_themselves_cannot_be_made(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"reason why|worth a sentence|comes first|two different|finite"):
        wrong()
