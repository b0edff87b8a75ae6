from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from explainer.explanations.model_outcome import outcome_of_row, reaches_outcome
from models.package import ModelPackage
from tests.conformance.small_forests import Split, forest, random_rows
from tests.conformance.small_packages import feature, small_package

TREES = forest(Split(0, 0.0, -2.0, 2.0), n_features=2)


def rule(name: str, comparison: str, value: float, outcome: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "condition": {comparison: [{"feature": "two"}, value]}, "outcome": outcome, **more}


def package_with(*rules: dict[str, Any], threshold: float = 0.5) -> ModelPackage:
    features: Sequence[Any] = [feature("one"), feature("two")]
    return small_package(features, TREES, np.zeros((3, 2)), rules=rules, threshold=threshold)


def test_without_rules_the_score_decides() -> None:
    package = package_with()
    granted, refused = (outcome_of_row(package, np.array([value, 0.0])) for value in (1.0, -1.0))
    assert (granted.outcome, refused.outcome) == ("granted", "refused")
    assert granted.score == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-6)
    assert granted.deciding_rule is None


def test_a_score_on_the_threshold_has_the_outcome_at_or_above_it() -> None:
    score = package_with().model.score(np.array([[1.0, 0.0]]))[0]
    assert outcome_of_row(package_with(threshold=float(score)), np.array([1.0, 0.0])).outcome == "granted"


def test_a_rule_before_the_score_keeps_the_model_from_being_asked() -> None:
    found = outcome_of_row(package_with(rule("much", "greater", 5, "refused")), np.array([1.0, 6.0]))
    assert (found.outcome, found.score, found.deciding_rule) == ("refused", None, "much")
    assert found.fired_rules == (("much", True),)


def test_a_rule_after_the_score_overrules_it_and_leaves_the_score_visible() -> None:
    found = outcome_of_row(
        package_with(rule("much", "greater", 5, "refused", when="after_score")), np.array([1.0, 6.0])
    )
    assert (found.outcome, found.deciding_rule) == ("refused", "much")
    assert found.score is not None
    assert found.score > 0.5


def test_rules_before_the_score_come_first_whatever_the_card_s_order() -> None:
    package = package_with(
        rule("late", "greater", 5, "refused", when="after_score"),
        rule("early", "greater", 5, "granted"),
        rule("idle", "greater", 50, "refused"),
    )
    found = outcome_of_row(package, np.array([-1.0, 6.0]))
    assert (found.outcome, found.deciding_rule) == ("granted", "early")
    assert found.fired_rules == (("early", True), ("idle", False), ("late", True))


def test_many_rows_at_once_give_the_same_outcomes_as_one_by_one() -> None:
    package = package_with(
        rule("late", "greater", 1, "granted", when="after_score"),
        rule("early", "greater", 0.5, "refused"),
        rule("earlier_in_card", "less", -1, "granted"),
        rule("second", "less", -0.5, "refused"),
    )
    rows = random_rows(np.random.default_rng(1), 200, 2) * 2
    expected = [outcome_of_row(package, row).outcome == "granted" for row in rows]
    assert 20 < sum(expected) < 180, "the check must see both outcomes"
    assert reaches_outcome(package.card, rows, package.model.score(rows), "granted").tolist() == expected
