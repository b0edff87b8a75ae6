"""Nobody is shown what cannot be: dependencies between features that the card declares are respected."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from explainer.decisions.decision import Value
from explainer.errors import CounterfactualError
from explainer.explanations.counterfactual import Change, Counterfactual
from explainer.explanations.model_outcome import outcome_of_row
from explainer.recourse.case import Case
from explainer.recourse.search import find_recourse
from explainer.recourse.verification import Verification
from models.card import ModelCard
from models.constraints import moved_along
from models.features import Feature, to_row
from models.forest import Forest
from models.package import ModelPackage
from tests.conformance.small_forests import Split, forest, random_forest
from tests.conformance.small_packages import feature, small_package

WIDE = ("either", 0, 10, 1)
CHILDREN = {"at_most": {"feature": "children", "limit": "people", "plus": -1}}
RENTS = {"together": {"feature": "rent", "also": "warm_rent"}}
HOURS = {"fixed_sum": ["work", "care"]}


def verify_counterfactual(package: ModelPackage, inputs: Mapping[str, Value], counterfactual: Counterfactual) -> None:
    """Check one counterfactual as the search does."""
    row = to_row(package.card.features, inputs)
    Verification(package, inputs, row, outcome_of_row(package, row)).verify([counterfactual])


def package_of(features: Sequence[Feature], trees: Forest, *constraints: dict[str, Any]) -> ModelPackage:
    background = np.column_stack([np.linspace(0, 10, 21)] * len(features))
    package = small_package(features, trees, background)
    card = ModelCard.model_validate({**package.card.model_dump(mode="json"), "constraints": constraints})
    return replace(package, card=card)


def changes(found: Counterfactual) -> dict[str, Value]:
    return {change.feature: change.after for change in found.changes}


def family(*constraints: dict[str, Any], trees: Forest | None = None) -> ModelPackage:
    features = [feature(name, "integer", actionable=WIDE, disputable=False) for name in ("children", "people")]
    return package_of(features, trees or forest(Split(0, 2.5, -1.0, 1.0), n_features=2), *constraints)


def test_a_limit_between_two_features_is_raised_with_what_it_limits() -> None:
    inputs: dict[str, Value] = {"children": 1, "people": 2}
    assert changes(find_recourse(family(), inputs).counterfactuals[0]) == {"children": 3}
    (found,) = find_recourse(family(CHILDREN), inputs).counterfactuals
    assert changes(found) == {"children": 3, "people": 4}


def test_a_constraint_that_the_person_does_not_meet_says_nothing_about_the_person() -> None:
    found = find_recourse(family(CHILDREN), {"children": 2, "people": 2}).counterfactuals
    assert changes(found[0]) == {"children": 3}


def test_nothing_that_breaks_a_constraint_counts_as_a_way() -> None:
    trees = forest(Split(0, 2.5, -1.0, Split(1, 3.5, 1.0, -1.0)), n_features=2)
    none = find_recourse(family(CHILDREN, trees=trees), {"children": 1, "people": 2}).none
    assert none is not None
    assert none.proven, "three children need four people, and with four people it is refused"


def rents(*constraints: dict[str, Any], also: str = "warm_rent") -> ModelPackage:
    features = [
        feature("rent", actionable=("down", 0, 10, 1), disputable=False),
        feature(also, disputable=False, decimals=1),
    ]
    return package_of(features, forest(Split(1, 5.2, 1.0, -1.0), n_features=2), *constraints)


def test_what_moves_along_is_told_as_a_change_and_decides_with_the_rest() -> None:
    inputs: dict[str, Value] = {"rent": 6, "warm_rent": 7.1}
    assert find_recourse(rents(), inputs).counterfactuals == (), "alone the rent decides nothing"
    (found,) = find_recourse(rents(RENTS), inputs).counterfactuals
    assert changes(found) == {"rent": 4, "warm_rent": 5.1}
    assert found.fewest_changes_proven


def test_what_moves_along_stays_within_what_anybody_has() -> None:
    none = find_recourse(rents(RENTS), {"rent": 1, "warm_rent": 9.9}).none
    assert none is not None
    assert none.reason == "none_found"


def test_of_two_features_with_a_fixed_sum_one_falls_where_the_other_rises() -> None:
    features = [feature(name, actionable=WIDE, disputable=False) for name in ("work", "care")]
    trees = forest(Split(0, 4.5, Split(1, 4.5, 1.0, -1.0), -1.0), n_features=2)
    inputs: dict[str, Value] = {"work": 6, "care": 3}
    assert changes(find_recourse(package_of(features, trees), inputs).counterfactuals[0]) == {"work": 4}
    (found,) = find_recourse(package_of(features, trees, HOURS), {"work": 5, "care": 3}).counterfactuals
    assert changes(found) == {"work": 4, "care": 4}
    none = find_recourse(package_of(features, trees, HOURS), inputs | {"care": 5}).none
    assert none is not None
    assert none.proven, "together they are 11, so one is always above 4.5"


@pytest.mark.parametrize("seed", range(15))
def test_random_models_show_only_what_is_declared_possible(seed: int) -> None:
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=4, n_trees=5, depth=4)
    trees = Forest(base_value=0.0, trees=trees.trees, n_features=4)
    features = [feature(name, actionable=("either", -1, 1, 0.25), decimals=2) for name in "abcd"]
    limit = {"at_most": {"feature": "a", "limit": "b", "plus": 0.25}}
    along = {"together": {"feature": "c", "also": "d"}}
    package = small_package(features, trees, np.column_stack([np.linspace(-1, 1, 9)] * 4), threshold=0.7)
    card = ModelCard.model_validate({**package.card.model_dump(mode="json"), "constraints": [limit, along]})
    package = replace(package, card=card)
    for row in np.round(generator.uniform(-1, 1, (6, 4)) * 4) / 4:
        inputs: dict[str, Value] = dict(zip("abcd", row.tolist(), strict=True))
        for found in find_recourse(package, inputs).counterfactuals:
            after = to_row(card.features, {**inputs, **changes(found)})
            assert outcome_of_row(package, after).outcome == found.outcome
            assert after[0] <= after[1] + 0.25 or row[0] > row[1] + 0.25
            if after[2] != row[2]:
                assert after[3] - row[3] == pytest.approx(after[2] - row[2])


def test_a_search_that_forgets_the_constraints_is_caught_before_anything_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Case, "respects", lambda _, rows: np.ones(len(rows), dtype=np.bool_))
    with pytest.raises(CounterfactualError, match="'children' and 'people'"):
        find_recourse(family(CHILDREN), {"children": 1, "people": 2})


def test_a_counterfactual_in_which_nothing_moves_along_is_refused() -> None:
    package, inputs = rents(RENTS), {"rent": 6.0, "warm_rent": 7.0}
    for after in (7.0, 3.0):
        told = [Change(feature="rent", before=6.0, after=4.0)]
        told += [Change(feature="warm_rent", before=7.0, after=after)] if after != 7.0 else []
        claim = Counterfactual(changes=tuple(told), score=0.7, outcome="granted", fewest_changes_proven=False)
        with pytest.raises(CounterfactualError, match="does not move along"):
            verify_counterfactual(package, inputs, claim)


@pytest.mark.parametrize(
    ("constraint", "problem"),
    [
        ({}, "either 'at_most', 'together' or 'fixed_sum'"),
        ({**CHILDREN, **HOURS}, "either 'at_most', 'together' or 'fixed_sum'"),
        ({"fixed_sum": ["people", "people"]}, "'people' cannot depend on itself"),
        ({"fixed_sum": ["people", "income"]}, "no feature 'income'"),
        ({"at_most": {"feature": "kind", "limit": "people"}}, "'kind' is a category"),
        ({"together": {"feature": "people", "also": "age"}}, "protected feature 'age'"),
    ],
)
def test_a_constraint_that_does_not_fit_the_card_is_refused_at_its_place(
    constraint: dict[str, Any], problem: str
) -> None:
    features = [
        feature("people"),
        feature("age", protected=True),
        feature("kind", "category", categories=("a", "b")),
        feature("children"),
    ]
    good = {"at_most": {"feature": "children", "limit": "people"}}
    with pytest.raises(ValueError, match=problem) as refused:
        package_of(features, forest(Split(0, 1.0, -1.0, 1.0), n_features=4), good, constraint)
    assert refused.value.errors()[0]["loc"][:2] == ("constraints", 1)  # type: ignore[attr-defined]


def test_what_would_have_to_move_both_ways_is_refused() -> None:
    features = [feature(name) for name in ("work", "care")]
    both = {"together": {"feature": "work", "also": "care"}}
    with pytest.raises(ValueError, match="in both directions"):
        package_of(features, forest(Split(0, 1.0, -1.0, 1.0), n_features=2), HOURS, both)


def test_what_moves_along_moves_what_follows_it() -> None:
    features = [feature(name) for name in ("a", "b", "c")]
    chain = [{"together": {"feature": "a", "also": "b"}}, {"fixed_sum": ["b", "c"]}]
    package = package_of(features, forest(Split(0, 1.0, -1.0, 1.0), n_features=3), *chain)
    assert moved_along(package.card.constraints)["a"] == {"b": 1, "c": -1}
