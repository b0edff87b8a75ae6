from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from explainer.decisions.decision import Value
from explainer.errors import CounterfactualError
from explainer.explanations.counterfactual import Change, Counterfactual
from explainer.explanations.model_outcome import outcome_of_row
from explainer.recourse import search
from explainer.recourse.nearest import Found
from explainer.recourse.search import find_recourse
from explainer.recourse.verification import Verification
from models.features import to_row
from models.package import ModelPackage
from tests.conformance.small_forests import Split, forest
from tests.conformance.small_packages import feature, small_package

INPUTS: dict[str, Value] = {"income": 1800, "rent": 600, "origin": 1}
RULE = {"id": "much", "condition": {"greater": [{"feature": "rent"}, 2000]}, "outcome": "refused"}


def verify_counterfactual(package: ModelPackage, inputs: Mapping[str, Value], counterfactual: Counterfactual) -> None:
    """Check one counterfactual as the search does."""
    row = to_row(package.card.features, inputs)
    Verification(package, inputs, row, outcome_of_row(package, row)).verify([counterfactual])


@pytest.fixture(scope="module")
def package() -> ModelPackage:
    features = [
        feature("income", actionable=("down", 0, 5000, 10), maximum=10_000),
        feature("rent"),
        feature("origin", protected=True),
    ]
    trees = forest(Split(0, 1000.0, 2.0, Split(2, 1.0, -3.0, 3.0)), n_features=3)
    return small_package(features, trees, np.array([[0.0, 0.0, 0.0], [5000.0, 3000.0, 2.0]]), rules=[RULE])


@pytest.fixture
def true_one(package: ModelPackage) -> Counterfactual:
    return find_recourse(package, INPUTS).counterfactuals[0]


def with_change(true_one: Counterfactual, **changes: Value) -> Counterfactual:
    return replace(true_one, changes=(replace(true_one.changes[0], **changes),))


def test_a_true_counterfactual_passes(package: ModelPackage, true_one: Counterfactual) -> None:
    verify_counterfactual(package, INPUTS, true_one)


def test_a_counterfactual_that_does_not_change_the_outcome_is_refused(
    package: ModelPackage, true_one: Counterfactual
) -> None:
    with pytest.raises(CounterfactualError, match="rules and model give 'refused'"):
        verify_counterfactual(package, INPUTS, with_change(true_one, after=1010.0))


def test_a_counterfactual_with_another_score_is_refused(package: ModelPackage, true_one: Counterfactual) -> None:
    for score in (0.9, None):
        with pytest.raises(CounterfactualError, match="score"):
            verify_counterfactual(package, INPUTS, replace(true_one, score=score))


def test_an_earlier_answer_stands_for_its_own_row_alone_and_for_no_other_claim(
    package: ModelPackage, true_one: Counterfactual
) -> None:
    row = to_row(package.card.features, INPUTS)
    changed = row.copy()
    changed[0] = true_one.changes[0].after
    now, then = outcome_of_row(package, row), outcome_of_row(package, changed)
    verification = Verification(package, INPUTS, row, now, {changed.tobytes(): then})
    verification.verify([true_one])
    with pytest.raises(CounterfactualError, match="score"):
        verification.verify([replace(true_one, score=0.9)])
    with pytest.raises(CounterfactualError, match="rules and model give 'refused'"):
        verification.verify([with_change(true_one, after=1010.0)])


def test_a_counterfactual_of_another_person_is_refused(package: ModelPackage, true_one: Counterfactual) -> None:
    with pytest.raises(CounterfactualError, match="another value of 'income'"):
        verify_counterfactual(package, {**INPUTS, "income": 1900}, true_one)


def test_a_counterfactual_in_which_a_rule_fires_has_the_outcome_of_the_rule(
    package: ModelPackage, true_one: Counterfactual
) -> None:
    more = Change(feature="rent", before=600, after=2500.0)
    with pytest.raises(CounterfactualError):
        verify_counterfactual(package, INPUTS, replace(true_one, changes=(*true_one.changes, more)))


def test_a_protected_or_unknown_feature_is_refused(package: ModelPackage, true_one: Counterfactual) -> None:
    for name in ("origin", "age"):
        change = Change(feature=name, before=1, after=2.0)
        with pytest.raises(CounterfactualError, match="must not change"):
            verify_counterfactual(package, INPUTS, replace(true_one, changes=(change,)))


def test_values_the_card_refuses_are_refused(package: ModelPackage, true_one: Counterfactual) -> None:
    with pytest.raises(CounterfactualError, match="card refuses"):
        verify_counterfactual(package, INPUTS, with_change(true_one, after=-1e300))
    with pytest.raises(CounterfactualError, match="card refuses"):
        verify_counterfactual(package, INPUTS, with_change(true_one, after="much"))


def test_a_search_that_lies_is_caught_before_anything_is_shown(
    package: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    lie = [Found(cost=0.0, values=((0, 1010.0),))]
    monkeypatch.setattr(search, "nearest_singles", lambda *_: lie)
    with pytest.raises(CounterfactualError):
        find_recourse(package, INPUTS)


def test_a_change_leads_to_another_value_and_a_counterfactual_to_changes() -> None:
    with pytest.raises(ValueError, match="another value"):
        Change(feature="income", before=1, after=1.0)
    change = Change(feature="income", before=1, after=2)
    for changes in ((), (change, change)):
        with pytest.raises(ValueError, match="at least one feature"):
            Counterfactual(changes=changes, score=0.5, outcome="granted", fewest_changes_proven=True)
