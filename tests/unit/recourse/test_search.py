import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from explainer.decisions.decision import Value
from explainer.explanations.counterfactual import Change, Counterfactual, NoCounterfactual, Recourse
from explainer.explanations.model_outcome import outcome_of_row
from explainer.recourse import nearest
from explainer.recourse.action_set import SearchSpace
from explainer.recourse.search import find_recourse
from models.errors import InvalidInputError
from models.forest import Forest
from models.package import ModelPackage
from tests.conformance.small_forests import Split, forest, random_forest
from tests.conformance.small_packages import feature, small_package

NAMES = ("one", "two", "three")
EITHER = ("either", -4, 4, 0.5)


def package_of(
    trees: Forest, *actionable: Any, rules: Sequence[dict[str, Any]] = (), threshold: float = 0.5, **more: Any
) -> ModelPackage:
    """Make a package whose background has every value from -4 to 4 equally often."""
    features = [feature(name, actionable=way, decimals=1, **more) for name, way in zip(NAMES, actionable, strict=False)]
    column = np.linspace(-4, 4, 33)
    background = np.column_stack([column] * len(features))
    return small_package(features, trees, background, rules=rules, threshold=threshold)


def both_needed(value: float = 1.0) -> Forest:
    """Grant only where the first and the second feature both exceed the value."""
    return forest(Split(0, value, -1.0, Split(1, value, -1.0, 1.0)), n_features=2)


def changes(found: Counterfactual) -> dict[str, Value]:
    return {change.feature: change.after for change in found.changes}


def test_the_smallest_single_change_comes_first() -> None:
    trees = forest(Split(0, 2.0, Split(1, 1.0, -1.0, 1.0), 1.0), n_features=2)
    found = find_recourse(package_of(trees, EITHER, EITHER), {"one": 0, "two": 0})
    assert [changes(one) for one in found.counterfactuals] == [{"two": 1.5}, {"one": 2.5}]
    assert all(one.fewest_changes_proven and one.outcome == "granted" for one in found.counterfactuals)
    assert found.none is None


def test_changes_are_measured_in_typical_spreads_not_in_units() -> None:
    features = [
        feature("rent", actionable=("either", 0, 500, 1)),
        feature("assets", actionable=("either", 0, 90_000, 100)),
    ]
    trees = forest(Split(0, 140.0, Split(1, 20_000.0, -1.0, 1.0), 1.0), n_features=2)
    background = np.column_stack([np.linspace(50, 150, 21), np.linspace(0, 90_000, 21)])
    found = find_recourse(small_package(features, trees, background), {"rent": 100, "assets": 10_000})
    # 41 euros of rent are more unusual than 10,100 euros of assets.
    assert [changes(one) for one in found.counterfactuals] == [{"assets": 20_100}, {"rent": 141}]


def test_pairs_are_searched_where_no_single_change_helps() -> None:
    found = find_recourse(package_of(both_needed(), EITHER, EITHER), {"one": 0, "two": -1})
    assert [changes(one) for one in found.counterfactuals] == [{"one": 1.5, "two": 1.5}]
    assert found.counterfactuals[0].fewest_changes_proven
    assert found.counterfactuals[0].changes[0] == Change(feature="one", before=0, after=1.5)


def test_options_never_change_the_same_features() -> None:
    trees = random_forest(np.random.default_rng(5), n_features=3, n_trees=6, depth=3)
    trees = Forest(base_value=0.0, trees=trees.trees, n_features=3)
    package = package_of(trees, EITHER, EITHER, EITHER)
    for row in np.random.default_rng(6).uniform(-4, 4, (30, 3)):
        options = find_recourse(package, dict(zip(NAMES, row.tolist(), strict=True))).counterfactuals
        assert len({one.feature_names for one in options}) == len(options) <= 3


def test_directions_are_respected() -> None:
    trees = forest(Split(0, 1.0, -1.0, 1.0), n_features=1)
    found = find_recourse(package_of(trees, ("down", -4, 4, 0.5)), {"one": 0})
    assert found.counterfactuals == ()
    assert found.none is not None
    assert (found.none.reason, found.none.proven) == ("none_found", True)


def test_nothing_actionable_is_said_so_and_the_own_score_is_no_example() -> None:
    trees = forest(Split(0, 1.0, -1.0, 1.0), n_features=1)
    found = find_recourse(package_of(trees, None), {"one": 0})
    assert found.none == NoCounterfactual(reason="nothing_actionable", proven=True, closest_score=None)


def test_values_that_could_be_wrong_are_told_although_nobody_can_change_them() -> None:
    trees = forest(Split(0, 1.0, -1.0, 1.0), n_features=1)
    (found,) = find_recourse(package_of(trees, None), {"one": 0}).disputed
    assert changes(found) == {"one": 1.1}


def test_what_is_shown_as_an_option_is_not_repeated_as_a_dispute() -> None:
    trees = forest(Split(0, 1.0, -1.0, 1.0), Split(1, 1.0, -0.5, 0.9), n_features=2)
    found = find_recourse(package_of(trees, EITHER, None), {"one": 0, "two": 0})
    assert [changes(one) for one in found.counterfactuals] == [{"one": 1.5}]
    assert [changes(one) for one in found.disputed] == []


def test_protected_features_never_change() -> None:
    trees = forest(Split(0, 1.0, -1.0, 1.0), n_features=1)
    found = find_recourse(package_of(trees, None, protected=True), {"one": 0})
    assert found.disputed == ()
    assert found.counterfactuals == ()


def test_three_changes_are_found_although_none_alone_brings_the_score_nearer() -> None:
    trees = forest(Split(0, 1.0, -1.0, Split(1, 1.0, -1.0, Split(2, 1.0, -1.0, 1.0))), n_features=3)
    found = find_recourse(package_of(trees, EITHER, EITHER, EITHER), {"one": 0, "two": 0, "three": 0})
    assert [changes(one) for one in found.counterfactuals] == [{"one": 1.5, "two": 1.5, "three": 1.5}]
    assert found.counterfactuals[0].fewest_changes_proven


def test_the_closest_score_is_the_best_that_was_reached() -> None:
    trees = forest(Split(0, 1.0, -3.0, -1.0), Split(1, 1.0, -0.5, 0.5), n_features=2)
    package = package_of(trees, EITHER, EITHER)
    none = find_recourse(package, {"one": 0, "two": 0}).none
    assert none is not None
    assert none.proven
    assert none.closest_score == outcome_of_row(package, np.array([2.0, 2.0])).score


def test_no_score_is_called_closest_where_no_change_came_nearer() -> None:
    for other_leaf in (-1.0, -2.0):
        trees = forest(Split(0, 1.0, -1.0, other_leaf), n_features=1)
        none = find_recourse(package_of(trees, EITHER), {"one": 0}).none
        assert none == NoCounterfactual(reason="none_found", proven=True, closest_score=None)


def test_a_score_that_a_rule_keeps_from_being_told_is_not_the_closest() -> None:
    trees = forest(Split(1, 2.0, -1.0, -0.5), n_features=2)
    none = find_recourse(package_of(trees, EITHER, EITHER, rules=[RULE]), {"one": 0, "two": 0}).none
    assert none == NoCounterfactual(reason="none_found", proven=True, closest_score=None)


def test_a_search_cut_short_finds_less_and_shows_nothing_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    package, inputs = package_of(both_needed(), EITHER, EITHER, rules=[RULE]), {"one": 0, "two": 0}
    assert find_recourse(package_of(both_needed(), EITHER, EITHER), inputs).counterfactuals
    monkeypatch.setattr(nearest, "MAX_VALUE_PAIRS", 2)
    none = find_recourse(package, inputs).none
    assert none is not None
    assert not none.proven, "1.1 grants"


RULE = {"id": "rule", "condition": {"greater": [{"feature": "two"}, 1.2]}, "outcome": "refused"}


def test_a_change_that_makes_a_rule_fire_does_not_count() -> None:
    trees = forest(Split(1, 1.0, -1.0, 1.0), n_features=2)
    found = find_recourse(package_of(trees, EITHER, EITHER, rules=[RULE]), {"one": 0, "two": 0})
    assert found.counterfactuals == (), "1.5 passes the model's split but makes the rule fire"


def test_a_case_decided_by_a_rule_is_changed_where_the_rule_reads() -> None:
    trees = forest(Split(0, -9.0, -1.0, 1.0), n_features=2)
    found = find_recourse(package_of(trees, EITHER, EITHER, rules=[RULE]), {"one": 0, "two": 3})
    assert [changes(one) for one in found.counterfactuals] == [{"two": 1.0}]
    assert found.counterfactuals[0].score is not None


def test_a_rule_that_reads_nothing_actionable_leaves_only_the_dispute() -> None:
    trees = forest(Split(0, -1.0, -1.0, 1.0), n_features=2)
    found = find_recourse(package_of(trees, EITHER, None, rules=[RULE]), {"one": 0, "two": 3})
    assert found.none == NoCounterfactual(reason="nothing_actionable", proven=True)
    assert [changes(one) for one in found.disputed] == [{"two": 1.2}]


def test_a_rule_that_goes_before_the_deciding_one_matters_too() -> None:
    trees = forest(Split(0, -9.0, -1.0, 1.0), n_features=2)
    first = {"id": "first", "condition": {"greater": [{"feature": "one"}, 2]}, "outcome": "granted"}
    package = package_of(trees, EITHER, None, rules=[first, RULE])
    assert outcome_of_row(package, np.array([0.0, 3.0])).deciding_rule == "rule"
    found = find_recourse(package, {"one": 0, "two": 3})
    assert [changes(one) for one in found.counterfactuals] == [{"one": 2.5}]


def test_rule_and_score_are_changed_together() -> None:
    trees = forest(Split(0, 1.0, -1.0, 1.0), n_features=2)
    found = find_recourse(package_of(trees, EITHER, EITHER, rules=[RULE]), {"one": 0, "two": 3})
    assert [changes(one) for one in found.counterfactuals] == [{"one": 1.5, "two": 1.0}]


def test_a_counterfactual_decided_by_a_rule_states_no_score() -> None:
    trees = forest(Split(0, -9.0, -1.0, 1.0), n_features=2)
    found = find_recourse(package_of(trees, None, EITHER, rules=[RULE]), {"one": 0, "two": 0})
    assert [(changes(one), one.score, one.outcome) for one in found.counterfactuals] == [
        ({"two": 1.5}, None, "refused")
    ]


def test_the_nearest_disputed_value_is_exact_where_the_grid_was_thinned() -> None:
    features = [feature("assets")]
    rule = {"id": "rule", "condition": {"greater": [{"feature": "assets"}, 61_234]}, "outcome": "refused"}
    trees = forest(Split(0, -5.0, -1.0, 1.0), n_features=1)
    package = small_package(features, trees, np.array([[0.0], [9_000_000.0]]), rules=[rule])
    (found,) = find_recourse(package, {"assets": 100_000}).disputed
    assert changes(found) == {"assets": 61_234}
    (found,) = find_recourse(package, {"assets": 10}).disputed
    assert changes(found) == {"assets": 61_235}


def test_categories_and_truth_values_are_told_as_the_case_system_writes_them() -> None:
    features = [feature("kind", "category", categories=("a", "b", "c")), feature("renting", "boolean")]
    trees = forest(Split(0, 1.5, -0.1, 1.0), Split(1, 0.5, -0.5, 0.5), n_features=2)
    package = small_package(features, trees, np.array([[0.0, 0.0], [2.0, 1.0]]))
    found = find_recourse(package, {"kind": "a", "renting": False}).disputed
    assert [changes(one) for one in found] == [{"kind": "c"}, {"renting": True}]


def test_the_same_inputs_give_the_same_answer_with_and_without_a_prepared_space() -> None:
    package = package_of(both_needed(), EITHER, EITHER)
    inputs = {"one": 0.25, "two": -1.0}
    assert find_recourse(package, inputs) == find_recourse(package, inputs, SearchSpace.of(package))


def test_inputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidInputError):
        find_recourse(package_of(both_needed(), EITHER, EITHER), {"one": 0})


def naive(package: ModelPackage, row: np.ndarray, sizes: Sequence[int]) -> tuple[int, float] | None:
    """Try every combination of values one by one.

    Args:
        package: The package; all features may go to every multiple of 0.5 from -4 to 4.
        row: The person.
        sizes: How many features change.

    Returns:
        Fewest changes and their smallest cost, or None.
    """
    grid = np.arange(-4, 4.25, 0.5)
    spreads = SearchSpace.of(package).spreads
    now = outcome_of_row(package, row).outcome
    for size in sizes:
        costs = []
        for positions in itertools.combinations(range(len(row)), size):
            for values in itertools.product(grid, repeat=size):
                other = row.copy()
                other[list(positions)] = values
                changed = all(row[position] != other[position] for position in positions)
                if changed and outcome_of_row(package, other).outcome != now:
                    costs.append(sum(abs(row[p] - other[p]) / spreads[p] for p in positions))
        if costs:
            return size, min(costs)
    return None


RULES = [
    {
        "id": "sum",
        "condition": {"greater": [{"sum": [{"feature": "one"}, {"feature": "two"}]}, 3]},
        "outcome": "refused",
    },
    {"id": "low", "when": "after_score", "condition": {"less": [{"feature": "three"}, -3.2]}, "outcome": "granted"},
]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("with_rules", [False, True])
def test_nobody_finds_fewer_or_smaller_changes(seed: int, *, with_rules: bool) -> None:
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=3, n_trees=4, depth=3)
    trees = Forest(base_value=0.0, trees=trees.trees, n_features=3)
    package = package_of(trees, EITHER, EITHER, EITHER, rules=RULES if with_rules else (), threshold=0.75)
    row = generator.uniform(-4, 4, 3)
    found = find_recourse(package, dict(zip(NAMES, row.tolist(), strict=True)))
    best = naive(package, row, (1, 2))
    if best is None:
        assert found.none is not None
        return
    first = found.counterfactuals[0]
    spreads = dict(zip(NAMES, SearchSpace.of(package).spreads, strict=True))
    cost = sum(abs(float(one.after) - float(one.before)) / spreads[one.feature] for one in first.changes)
    assert (len(first.changes), cost) == (best[0], pytest.approx(best[1]))


def test_recourse_holds_options_or_a_reason_never_both() -> None:
    with pytest.raises(ValueError, match="reason"):
        Recourse(counterfactuals=(), none=None)
    option = Counterfactual(
        changes=(Change(feature="one", before=0, after=1),), score=0.6, outcome="granted", fewest_changes_proven=True
    )
    with pytest.raises(ValueError, match="reason"):
        Recourse(counterfactuals=(option,), none=NoCounterfactual(reason="none_found", proven=True))
