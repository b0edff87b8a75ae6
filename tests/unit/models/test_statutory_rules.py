from typing import Any

import numpy as np
import pytest

from models.features import Feature
from models.statutory_rules import StatutoryRule, condition_as_data, fired, fired_on_rows, parse_condition
from tests.unit.models.cards import card_data, card_with_numbers, feature_data

FEATURES = card_with_numbers(2).features
WORDS = {"de": "Regel", "en": "rule"}
X0, X1 = {"feature": "x0"}, {"feature": "x1"}


def rule(condition: object) -> StatutoryRule:
    data = {"id": "r", "when": "before_score", "condition": condition, "outcome": "refused", "citation": "§ 1"}
    return StatutoryRule.model_validate({**data, "sentence": WORDS, "label": WORDS})


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"greater": [X0, X1]}, [False, False, True]),
        ({"greater_or_equal": [X0, X1]}, [False, True, True]),
        ({"less": [X0, X1]}, [True, False, False]),
        ({"less_or_equal": [X0, X1]}, [True, True, False]),
        ({"equal": [X0, X1]}, [False, True, False]),
        ({"not": {"equal": [X0, X1]}}, [True, False, True]),
        ({"all": [{"greater": [X0, 0]}, {"less": [X0, X1]}]}, [True, False, False]),
        ({"any": [{"greater": [X0, X1]}, {"less": [X0, X1]}]}, [True, False, True]),
        ({"equal": [{"sum": [X0, {"product": [X1, -1]}, 1]}, 0]}, [True, False, False]),
        ({"greater": [1, 0]}, [True, True, True]),
        ({"all": [{"greater": [1, 0]}, {"less": [X0, X1]}]}, [True, False, False]),
    ],
)
def test_conditions_say_what_they_say(condition: dict[str, Any], expected: list[bool]) -> None:
    rows = np.array([[1.0, 2.0], [2.0, 2.0], [3.0, 2.0]])
    np.testing.assert_array_equal(fired_on_rows(rule(condition), FEATURES, rows), expected)
    assert condition_as_data(parse_condition(condition)) == condition
    assert parse_condition(condition_as_data(parse_condition(condition))) == parse_condition(condition)


def test_a_rule_reads_categories_by_position_and_booleans_as_numbers() -> None:
    labels = [{"value": value, "label": WORDS} for value in ("a", "b")]
    features = [
        Feature.model_validate(feature_data("kind", "category", categories=labels)),
        Feature.model_validate(feature_data("yes", "boolean")),
    ]
    both = rule({"all": [{"equal": [{"feature": "kind"}, 1]}, {"equal": [{"feature": "yes"}, 1]}]})
    assert fired(both, features, {"kind": "b", "yes": True})
    assert not fired(both, features, {"kind": "a", "yes": True})
    assert both.feature_names == {"kind", "yes"}


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"greater": [X0]},
        {"greater": [X0, X1, X0]},
        {"greater": X0},
        {"greater": [X0, "1"]},
        {"greater": [X0, True]},
        {"greater": [X0, float("nan")]},
        {"greater": [X0, {"feature": 1}]},
        {"greater": [X0, {"power": [1, 2]}]},
        {"greater": [X0, {"sum": []}]},
        {"all": []},
        {"eval": "1 > 0"},
        {"greater": [X0, X1], "less": [X0, X1]},
        "x0 > x1",
    ],
)
def test_what_is_not_in_the_grammar_is_refused(condition: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        rule(condition)


def test_endless_nesting_is_refused() -> None:
    condition: dict[str, Any] = {"greater": [X0, X1]}
    for _ in range(5000):
        condition = {"not": condition}
    with pytest.raises(ValueError, match="deep"):
        parse_condition(condition)


def test_limit_of_assets_applies_only_above_it() -> None:
    (limit,) = [StatutoryRule.model_validate(data) for data in card_data()["rules"]]
    features = [Feature.model_validate(data) for data in card_data()["features"]]
    inputs = {"income_eur_month": 1000, "gross_cold_rent_eur_month": 500, "rent_level": 3}
    for people, amount in ((1, 60_000), (2, 90_000), (7, 240_000)):
        assert not fired(limit, features, {**inputs, "household_size": people, "assets_eur": amount})
        assert fired(limit, features, {**inputs, "household_size": people, "assets_eur": amount + 0.01})
