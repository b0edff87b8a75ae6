"""The outcome of several classes, what is better than it, and how far away another one is."""

from typing import Any

import numpy as np
import pytest

from explainer.explanations.assess_reliability import NEAR_SHARE_OF_SPREAD, assess_reliability, near_distance
from explainer.explanations.model_outcome import (
    lead_of,
    outcome_of_row,
    outcomes_by_score,
    outcomes_looked_for,
    reaches_outcome,
)
from explainer.explanations.strength import additive_distance, additive_threshold
from explainer.recourse.target import Target
from models.card import ModelCard
from models.package import ModelPackage, load_package
from tests import model_kinds as kinds

SCORES = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1], [0.4, 0.4, 0.2], [0.1, 0.45, 0.45]])
OUTCOMES = ["full_help", "no_help", "no_help", "some_help"]


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return ModelCard.model_validate(kinds.FOREST_OF_CLASS_SCORES.card())


def test_the_highest_score_gives_the_outcome_and_of_equal_ones_the_first(card: ModelCard) -> None:
    assert outcomes_by_score(card, SCORES) == OUTCOMES


@pytest.mark.parametrize("wanted", [{"full_help"}, {"some_help", "full_help"}, {"no_help", "full_help"}])
def test_rows_that_reach_one_of_some_outcomes_are_those_whose_outcome_is_among_them(
    card: ModelCard, wanted: set[str]
) -> None:
    rows = np.zeros((len(SCORES), 4))
    reached = reaches_outcome(card, rows, SCORES, wanted)
    assert reached.tolist() == [outcome in wanted for outcome in OUTCOMES]
    lead = lead_of(card, SCORES, wanted)
    assert (lead[lead != 0] > 0).tolist() == reached[lead != 0].tolist()


def test_a_lead_is_the_best_wanted_score_less_the_best_other_one(card: ModelCard) -> None:
    np.testing.assert_allclose(lead_of(card, SCORES, {"some_help"}), [-0.2, -0.3, 0.0, 0.0])
    np.testing.assert_allclose(lead_of(card, SCORES, {"some_help", "full_help"}), [0.3, -0.3, 0.0, 0.35])


def test_better_outcomes_are_looked_for_and_of_the_best_any_other(card: ModelCard) -> None:
    assert outcomes_looked_for(card, "no_help") == {"some_help", "full_help"}
    assert outcomes_looked_for(card, "some_help") == {"full_help"}
    assert outcomes_looked_for(card, "full_help") == {"no_help", "some_help"}


def test_without_ranks_every_favourable_outcome_is_as_good_as_another() -> None:
    plain = [{key: value for key, value in one.items() if key != "rank"} for one in kinds.THREE_OUTCOMES]
    card = ModelCard.model_validate(kinds.FOREST_OF_CLASS_SCORES.card(outcomes=plain))
    assert outcomes_looked_for(card, "no_help") == {"some_help", "full_help"}
    assert outcomes_looked_for(card, "some_help") == {"no_help", "full_help"}


def test_a_target_falls_short_by_the_lead_of_what_is_not_wanted(card: ModelCard) -> None:
    target = Target.other_than(card, "some_help")
    np.testing.assert_allclose(target.short_of(target.leading(SCORES)), -lead_of(card, SCORES, {"full_help"}))
    enough = np.array([True, False, True, False])
    assert target.reached_where(np.zeros((4, 4)), enough).tolist() == enough.tolist()


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelPackage]:
    folder = tmp_path_factory.mktemp("packages")
    chosen = (kinds.FOREST_OF_CLASS_SCORES, kinds.FOREST_OF_EUROS, kinds.FOREST_OF_LOGARITHMS)
    return {kind.slug: load_package(kind.write(folder)) for kind in chosen}


def with_rule(package: ModelPackage, outcome: str) -> ModelPackage:
    sentence = {"de": "Eine Regel.", "en": "A rule."}
    rule: dict[str, Any] = {
        "id": "always", "when": "after_score", "condition": {"greater_or_equal": [{"feature": "household_size"}, 0]},
        "outcome": outcome, "citation": "§ 1", "sentence": sentence, "label": sentence,
    }  # fmt: skip
    card = ModelCard.model_validate({**package.card.model_dump(), "rules": [rule]})
    return ModelPackage(**{**{name: getattr(package, name) for name in package.__dataclass_fields__}, "card": card})


def test_the_class_that_won_is_explained_even_where_a_rule_goes_before_it(packages: dict[str, ModelPackage]) -> None:
    kind, package = kinds.FOREST_OF_CLASS_SCORES, packages["forest_class_scores"]
    row = np.array(kind.row_of(kind.inputs))
    free, ruled = outcome_of_row(package, row), outcome_of_row(with_rule(package, "no_help"), row)
    assert (free.outcome, free.of_outcome) == ("full_help", "full_help")
    assert (ruled.outcome, ruled.of_outcome, ruled.deciding_rule) == ("no_help", "full_help", "always")
    assert ruled.score == free.score == max(free.class_scores)


def test_distance_to_the_next_class_and_to_thresholds_in_their_own_unit(packages: dict[str, ModelPackage]) -> None:
    classes, euros, logarithms = (package.card for package in packages.values())
    assert additive_distance(classes, [0.5, 2.0, 1.25], 1) == 0.75
    assert additive_threshold(euros) == euros.threshold
    assert additive_threshold(logarithms) == pytest.approx(np.log(2.5))
    with pytest.raises(TypeError, match="no threshold"):
        additive_threshold(classes)


def test_near_is_measured_against_how_much_scores_differ(packages: dict[str, ModelPackage]) -> None:
    package = packages["forest_euros"]
    scores, weights = package.model.score(package.background.rows), package.background.weights
    spread = np.sqrt(np.average((scores - np.average(scores, weights=weights)) ** 2, weights=weights))
    near = near_distance(package)
    assert near == pytest.approx(NEAR_SHARE_OF_SPREAD * spread)
    row, threshold = package.background.rows[0], package.card.threshold or 0
    assert assess_reliability(package, row, threshold + 0.99 * near).near_threshold
    assert not assess_reliability(package, row, threshold + 1.01 * near).near_threshold


def test_a_score_is_near_another_class_where_the_second_best_is(packages: dict[str, ModelPackage]) -> None:
    package = packages["forest_class_scores"]
    row = package.background.rows[0]
    close = assess_reliability(package, row, 0.42, (0.38, 0.42, 0.2))
    assert close.near_threshold
    assert close.distance_to_threshold == pytest.approx(0.04)
    assert close.calibrated is None
    assert not assess_reliability(package, row, 0.5, (0.3, 0.5, 0.2)).near_threshold
