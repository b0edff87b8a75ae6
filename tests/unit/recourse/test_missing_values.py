"""A value that is missing may be supplied where people can, and nothing ever becomes missing."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from explainer.decisions.decision import Value
from explainer.explanations.counterfactual import Counterfactual, Recourse
from explainer.explanations.model_outcome import outcome_of_row
from explainer.recourse import missing_cells
from explainer.recourse.action_set import SearchSpace
from explainer.recourse.forest_cells import ForestCells
from explainer.recourse.missing_cells import asking_for_missing
from explainer.recourse.moves import COST_OF_SUPPLYING
from explainer.recourse.score_profile import ForestProfile
from explainer.recourse.search import find_recourse
from models.features import Feature, from_row
from models.forest import Forest
from models.package import ModelPackage
from tests.conformance.small_forests import Split, forest, random_forest
from tests.conformance.small_packages import feature, small_package
from tests.exported_packages import NOT_STATED

GRID = np.arange(-4, 4.25, 0.5)
EITHER: dict[str, Any] = {"actionable": ("either", -4, 4, 0.5)}


def features_of(*more: Mapping[str, Any]) -> list[Feature]:
    return [feature(f"f{place}", decimals=1, may_be_missing=NOT_STATED, **one) for place, one in enumerate(more)]


def package_of(trees: Forest, *more: Mapping[str, Any], threshold: float = 0.5) -> ModelPackage:
    generator = np.random.default_rng(2)
    background = generator.choice(GRID, (300, len(more)))
    background[0], background[1] = -4, 4
    background[2:][generator.random((298, len(more))) < 0.1] = np.nan
    return small_package(features_of(*more), trees, background, threshold=threshold)


def recourse_of(package: ModelPackage, row: NDArray[np.float64]) -> Recourse:
    return find_recourse(package, from_row(package.card.features, row))


def needs_a_value() -> Forest:
    """Missing values of the first feature go right, to the refusal; from 1 on it is granted."""
    return forest(Split(0, 3.0, Split(0, 0.75, -2.0, 2.0), -2.0), n_features=2)


def test_a_missing_value_may_be_supplied_where_people_can() -> None:
    found = recourse_of(package_of(needs_a_value(), EITHER, {}), np.array([np.nan, 0.0]))
    (option,) = found.counterfactuals
    (change,) = option.changes
    assert (change.feature, change.before) == ("f0", None)
    assert 0.75 < float(change.after or 0) <= 3
    assert option.outcome == "granted"
    assert option.fewest_changes_proven


def test_a_missing_value_that_people_cannot_change_is_only_disputed() -> None:
    found = recourse_of(package_of(needs_a_value(), {}, EITHER), np.array([np.nan, 0.0]))
    assert found.counterfactuals == ()
    assert found.none is not None
    assert found.none.proven
    (disputed,) = found.disputed
    assert disputed.changes[0].before is None
    assert isinstance(disputed.changes[0].after, float)


def test_a_missing_value_of_a_protected_trait_is_never_supplied() -> None:
    found = recourse_of(package_of(needs_a_value(), {"protected": True}, EITHER), np.array([np.nan, 0.0]))
    assert found.counterfactuals == found.disputed == ()


def test_the_value_that_is_proposed_is_the_most_usual_one_that_helps() -> None:
    package = package_of(forest(Split(0, 3.75, 2.0, -2.0), n_features=1), EITHER)
    usual = SearchSpace.of(package).usual_values[0]
    (option,) = recourse_of(package, np.array([np.nan])).counterfactuals
    assert -4 < usual < 3.75
    assert option.changes[0].after == usual
    assert naive(package, np.array([np.nan])) == 1


def helped_by_saying_nothing() -> Forest:
    """Whoever says nothing is granted; nobody is told so."""
    trees = needs_a_value().trees[0]
    return Forest(
        base_value=0.0,
        trees=(replace(trees, missing_left=np.zeros_like(trees.missing_left), value=-trees.value),),
        n_features=2,
    )


def test_nobody_is_advised_to_leave_a_value_out() -> None:
    package = package_of(helped_by_saying_nothing(), {}, EITHER)
    assert outcome_of_row(package, np.array([np.nan, 0.0])).outcome == "granted"
    assert outcome_of_row(package, np.array([2.0, 0.0])).outcome == "refused"
    found = recourse_of(package, np.array([2.0, 0.0]))
    told: tuple[Counterfactual, ...] = found.counterfactuals + found.disputed
    assert all(change.after is not None for one in told for change in one.changes)


def naive(package: ModelPackage, row: NDArray[np.float64]) -> int | None:
    """Fewest changes by trying all values of the grid; missing values may be supplied."""
    now = outcome_of_row(package, row).outcome
    for size in (1, 2):
        for positions in itertools.combinations(range(len(row)), size):
            for values in itertools.product(GRID, repeat=size):
                other = row.copy()
                other[list(positions)] = values
                if outcome_of_row(package, other).outcome != now:
                    return size
    return None


@pytest.mark.parametrize("seed", range(16))
def test_nobody_finds_fewer_changes_of_a_case_with_missing_values(seed: int) -> None:
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=3, n_trees=4, depth=3)
    trees = Forest(base_value=0.0, trees=trees.trees, n_features=3)
    package = package_of(trees, EITHER, EITHER, EITHER, threshold=0.75)
    row = generator.choice(GRID, 3)
    row[generator.random(3) < 0.5] = np.nan
    found, best = recourse_of(package, row), naive(package, row)
    if best is None:
        assert not found.counterfactuals or len(found.counterfactuals[0].changes) > 2
        return
    assert len(found.counterfactuals[0].changes) == best
    assert found.counterfactuals[0].fewest_changes_proven


@pytest.mark.parametrize("seed", range(10))
def test_cells_with_missing_values_give_the_forest_s_own_scores(seed: int) -> None:
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=4, n_trees=5, depth=4)
    asking = asking_for_missing(trees, [0, 2])
    assert asking is not None
    cells = ForestCells.of(asking)
    assert cells is not None
    rows = generator.normal(0, 2, (60, 4))
    for column in (0, 2):
        rows[generator.random(60) < 0.5, column] = np.nan
    found = [ForestProfile.of(cells, row).score for row in rows]
    np.testing.assert_allclose(found, trees.additive_score(rows), atol=1e-12)
    forgetful = ForestCells.of(trees)
    assert forgetful is not None
    twin = [ForestProfile.of(forgetful, row).score for row in rows]
    assert np.abs(np.array(twin) - found).max() > 1e-3, "a twin that forgets which way missing values go is caught"


def test_where_the_trees_would_become_too_many_the_model_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    package = package_of(needs_a_value(), EITHER, {})
    exact = recourse_of(package, np.array([np.nan, 0.0]))
    monkeypatch.setattr(missing_cells, "MAX_NODES", 1)
    asked = recourse_of(package, np.array([np.nan, 0.0]))
    assert asked.counterfactuals[0].changes == exact.counterfactuals[0].changes


def test_cells_for_missing_values_are_made_once() -> None:
    space = SearchSpace.of(package_of(needs_a_value(), EITHER, {}))
    missing = np.array([True, False])
    assert space.where_missing(missing) is space.where_missing(missing.copy())
    assert space.where_missing(~missing) is not space.where_missing(missing)
    assert space.where_missing(np.zeros(2, dtype=np.bool_)) is space


def test_a_feature_that_everybody_lacks_is_never_given_a_value() -> None:
    package = package_of(needs_a_value(), EITHER, EITHER)
    rows = package.background.rows.copy()
    rows[:, 0] = np.nan
    package = replace(package, background=replace(package.background, rows=rows))
    inputs: dict[str, Value] = {"f0": None, "f1": 0.0}
    found = find_recourse(package, inputs)
    assert found.counterfactuals == found.disputed == ()
    assert COST_OF_SUPPLYING > 0
