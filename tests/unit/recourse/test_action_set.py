from typing import Any

import numpy as np
import pytest

from explainer.recourse.action_set import Candidates, SearchSpace
from explainer.recourse.case import Case
from explainer.recourse.target import Target
from explainer.recourse.typical_values import typical_spread
from explainer.recourse.value_grid import MAX_VALUES, values_on_grid
from models.features import Feature
from tests.conformance.small_forests import Split, forest
from tests.conformance.small_packages import feature, small_package


def candidates(
    chosen: Feature, *, low: float, high: float, split: float = 50.0, rules: tuple[dict[str, Any], ...] = ()
) -> tuple[tuple[Candidates, ...], tuple[Candidates, ...]]:
    """List actions and disputable values of one feature, with a background from low to high."""
    trees = forest(Split(0, split, -1.0, 1.0), n_features=1)
    package = small_package([chosen], trees, np.array([[low], [high]]), rules=rules)
    space = SearchSpace.of(package)
    return tuple(space.actions.values()), tuple(space.disputable.values())


def action_values(chosen: Feature, own: float, *, low: float = 0, high: float = 100) -> list[float]:
    """List the values to which somebody may be shown to change a feature that a rule reads, so that all count."""
    trees = forest(Split(0, 50.0, -1.0, 1.0), n_features=1)
    rule = {"id": "rule", "condition": {"greater": [{"feature": "one"}, 1e6]}, "outcome": "refused"}
    package = small_package([chosen], trees, np.array([[low], [high]]), rules=[rule])
    case = Case(space=SearchSpace.of(package), row=np.array([own]), target=Target.other_than(package.card, "refused"))
    return case.space.action_moves.moves_from(case.row, case.own_cells).value.tolist()


@pytest.mark.parametrize(
    ("direction", "values"), [("up", [60, 80, 100]), ("down", [0, 20, 40]), ("either", [0, 20, 40, 60, 80, 100])]
)
def test_values_lie_on_the_step_in_the_direction_the_card_allows(direction: str, values: list[float]) -> None:
    assert action_values(feature("one", actionable=(direction, 0, 100, 20)), 50) == values


def test_the_own_value_is_no_change() -> None:
    assert action_values(feature("one", actionable=("either", 0, 40, 20)), 20) == [0, 40]


def test_bounds_of_the_card_hold() -> None:
    assert action_values(feature("one", actionable=("either", 25, 75, 20)), 50) == [40, 60]


def test_values_nobody_in_the_background_has_are_never_tried() -> None:
    assert action_values(feature("one", actionable=("either", 0, 100, 20)), 50, low=35, high=65) == [40, 60]


def test_values_of_integers_are_whole_numbers() -> None:
    assert action_values(feature("one", "integer", actionable=("up", 0, 4, 0.5)), 1, high=4) == [2, 3, 4]


def test_values_are_free_of_the_dust_of_binary_fractions() -> None:
    assert values_on_grid(0.1, 0.35, 0.1).tolist() == [0.1, 0.2, 0.3]
    assert values_on_grid(0.3, 0.3, 0.1).tolist() == [0.3]
    assert values_on_grid(0.31, 0.39, 0.1).tolist() == []
    assert values_on_grid(2, 1, 1).tolist() == []


def test_what_the_card_does_not_call_actionable_is_not_tried() -> None:
    found, disputed = candidates(feature("one"), low=0, high=100)
    assert found == ()
    assert len(disputed[0].values) == 101


def test_protected_and_undisputable_features_are_never_disputed() -> None:
    for chosen in (feature("one", protected=True), feature("one", disputable=False)):
        assert candidates(chosen, low=0, high=100)[1] == ()


def test_disputed_values_have_the_precision_people_see() -> None:
    _, disputed = candidates(feature("one", decimals=1), low=0.2, high=0.8)
    assert disputed[0].values.tolist() == [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]


def test_every_category_and_truth_value_that_somebody_has_may_be_disputed() -> None:
    _, disputed = candidates(feature("one", "category", categories=("a", "b", "c")), low=0, high=2, split=0.5)
    assert disputed[0].values.tolist() == [0, 2]
    _, disputed = candidates(feature("one", "boolean"), low=0, high=1, split=0.5)
    assert disputed[0].values.tolist() == [0, 1]


def test_only_the_categories_that_the_card_names_and_somebody_has_are_actions() -> None:
    actionable = {"categories": ["a", "b", "d"]}
    one = Feature.model_validate(
        {**feature("one", "category", categories=("a", "b", "c", "d")).model_dump(), "actionable": actionable}
    )
    trees = forest(Split(0, 0.5, -1.0, 1.0), n_features=1)
    space = SearchSpace.of(small_package([one], trees, np.array([[0.0], [2.0], [3.0]])))
    assert space.actions[0].values.tolist() == [0, 3]


def test_truth_values_change_in_the_direction_the_card_allows() -> None:
    trees = forest(Split(0, 0.5, -1.0, 1.0), n_features=1)
    for direction, after in (("up", [1.0]), ("down", [])):
        one = Feature.model_validate({**feature("one", "boolean").model_dump(), "actionable": {"direction": direction}})
        space = SearchSpace.of(small_package([one], trees, np.array([[0.0], [1.0]])))
        row = np.array([0.0])
        case = Case(space=space, row=row, target=Target.other_than(space.package.card, "refused"))
        assert space.action_moves.moves_from(row, case.own_cells).value.tolist() == after


def test_features_that_neither_model_nor_rules_read_are_not_tried() -> None:
    trees = forest(Split(0, 0.0, -1.0, 1.0), n_features=3)
    features = [feature(name, actionable=("either", 0, 5, 1)) for name in ("one", "two", "three")]
    rule = {"id": "rule", "condition": {"greater": [{"feature": "three"}, 4]}, "outcome": "refused"}
    package = small_package(features, trees, np.array([[0.0] * 3, [5.0] * 3]), rules=[rule])
    space = SearchSpace.of(package)
    assert list(space.actions) == list(space.disputable) == [0, 2]


def test_fine_grids_are_thinned_to_round_values_and_those_next_to_splits() -> None:
    _, disputed = candidates(feature("one"), low=0, high=1_000_000, split=123_456.5)
    (found,) = disputed
    assert len(found.values) <= MAX_VALUES + 4
    assert {123_456, 123_457, 100, 999_900} <= set(found.values.tolist())
    assert 123_455 not in found.values
    assert found.complete, "between these values nothing can change, as no rule reads the feature"
    assert found.step == 1


def test_thinned_grids_are_not_complete_where_a_rule_reads_the_feature() -> None:
    rule = {"id": "rule", "condition": {"greater": [{"feature": "one"}, 4]}, "outcome": "refused"}
    _, disputed = candidates(feature("one"), low=0, high=1_000_000, rules=(rule,))
    assert not disputed[0].complete


def test_cells_are_those_the_model_distinguishes() -> None:
    threshold = float(np.float32(0.1))
    trees = forest(Split(0, threshold, -1.0, 1.0), n_features=1)
    cells = SearchSpace.of(small_package([feature("one")], trees, np.array([[0.0], [1.0]]))).cells
    assert cells is not None
    values = np.array([0.0, threshold, np.nextafter(threshold, 1), 0.2])
    assert cells.cells_of_values(0, values).tolist() == [0, 0, 0, 1]
    assert [int(cells.cells_of(np.array([value]))[0]) for value in values] == [0, 0, 0, 1]


def test_spread_is_the_weighted_median_deviation() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 100.0])
    assert typical_spread(values, np.ones(5)) == pytest.approx(1.4826)
    assert typical_spread(values, np.array([1.0, 1, 1, 1, 100])) == pytest.approx(
        np.std(np.repeat(values, [1, 1, 1, 1, 100]))
    )


def test_spread_of_a_feature_that_never_differs_is_one() -> None:
    assert typical_spread(np.full(4, 7.0), np.ones(4)) == 1
