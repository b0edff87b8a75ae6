import json
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from models.errors import InvalidInputError, ModelFeaturesMismatchError
from models.features import Feature, from_row, problems_with, to_row
from models.words import Words
from tests.unit.models.cards import feature_data

LABELS = [{"value": value, "label": {"de": value, "en": value}} for value in ("rent", "own")]
FEATURES = [
    Feature.model_validate(feature_data("people", "integer", minimum=1, maximum=7)),
    Feature.model_validate(feature_data("income", minimum=0, maximum=5000.5)),
    Feature.model_validate(feature_data("home", "category", categories=LABELS)),
    Feature.model_validate(feature_data("heated", "boolean")),
]
GOOD: dict[str, Any] = {"people": 2, "income": 1200.5, "home": "own", "heated": True}


def codes(**changes: Any) -> list[tuple[str, str]]:
    return [(p.pointer, p.code) for p in problems_with(FEATURES, {**GOOD, **changes})]


def test_good_inputs_have_no_problems() -> None:
    assert problems_with(FEATURES, GOOD) == []


def test_all_problems_are_reported_at_once_in_the_order_of_the_card() -> None:
    found = problems_with(FEATURES, {"people": 9, "income": "1200", "home": "boat", "weight": 3})
    assert [(p.pointer, p.code) for p in found] == [
        ("/inputs/people", "out_of_range"),
        ("/inputs/income", "wrong_type"),
        ("/inputs/home", "unknown_category"),
        ("/inputs/heated", "missing"),
        ("/inputs/weight", "unknown_feature"),
    ]
    assert all(p.detail.endswith((".", "?")) for p in found)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("people", True, "wrong_type"),
        ("people", 2.5, "wrong_type"),
        ("people", None, "missing"),
        ("people", 10**400, "out_of_range"),
        ("income", "1200", "wrong_type"),
        ("income", [1], "wrong_type"),
        ("income", {"a": 1}, "wrong_type"),
        ("income", float("nan"), "not_finite"),
        ("income", float("inf"), "not_finite"),
        ("income", 5000.51, "out_of_range"),
        ("income", -0.01, "out_of_range"),
        ("income", "9" * 1001, "too_long"),
        ("home", 1, "wrong_type"),
        ("home", "x" * 1001, "too_long"),
        ("heated", 1, "wrong_type"),
        ("heated", "true", "wrong_type"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: object, code: str) -> None:
    assert codes(**{name: value}) == [(f"/inputs/{name}", code)]


@pytest.mark.parametrize(("name", "value"), [("people", 2.0), ("income", 0), ("income", 5000.5), ("heated", False)])
def test_values_at_the_edge_are_fine(name: str, value: object) -> None:
    assert codes(**{name: value}) == []


def test_a_number_without_a_range_must_still_fit_into_32_bits() -> None:
    feature = Feature.model_validate(feature_data("x"))
    assert [p.code for p in problems_with([feature], {"x": 3.5e38})] == ["out_of_range"]
    assert problems_with([feature], {"x": 3e38}) == []


def test_quoted_values_are_cut_and_control_characters_escaped() -> None:
    (problem,) = problems_with(FEATURES, {**GOOD, "home": "\x1b[31m\n" + "ü" * 500})
    assert "\x1b" not in problem.detail
    assert "\n" not in problem.detail
    assert len(problem.detail) < 600


def test_pointers_are_escaped_and_near_misses_get_a_hint() -> None:
    found = problems_with(FEATURES, {**GOOD, "a/b~c": 1, "incom": 2})
    assert [p.pointer for p in found] == ["/inputs/a~1b~0c", "/inputs/incom"]
    assert "did you mean 'income'" in found[1].detail


def test_rows_follow_the_card_and_lead_back() -> None:
    row = to_row(FEATURES, GOOD)
    np.testing.assert_array_equal(row, [2, 1200.5, 1, 1])
    assert row.dtype == np.float64
    back = from_row(FEATURES, row)
    assert back == GOOD
    assert json.loads(json.dumps(back)) == GOOD


def test_wrong_inputs_never_become_a_row() -> None:
    with pytest.raises(InvalidInputError) as caught:
        to_row(FEATURES, {"people": 0})
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize("row", [[2, 1, 1], [2.5, 1, 1, 1], [2, 1, 2, 1], [2, 1, 0, -1], [np.nan, 1, 1, 1]])
def test_a_row_that_no_case_can_have_is_refused(row: list[float]) -> None:
    with pytest.raises(ModelFeaturesMismatchError):
        from_row(FEATURES, np.array(row))


@pytest.mark.parametrize(
    "changes",
    [
        {"minimum": 2, "maximum": 1},
        {"kind": "category"},
        {"categories": LABELS},
        {"kind": "category", "categories": LABELS * 2},
        {"kind": "boolean", "minimum": 0},
        {"minimum": float("nan")},
        {"name": "a/b"},
        {"protected": True, "actionable": {"direction": "up", "minimum": 0, "maximum": 1, "step": 1}},
        {"maximum": 5, "actionable": {"direction": "up", "minimum": 0, "maximum": 6, "step": 1}},
        {"actionable": {"direction": "up", "minimum": 3, "maximum": 2, "step": 1}},
        {"actionable": {"direction": "up", "minimum": 0, "maximum": 2, "step": 0}},
        {"surprise": 1},
    ],
)
def test_a_feature_that_contradicts_itself_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Feature.model_validate({**feature_data("x"), **changes})


def test_one_of_a_thing_has_its_own_word() -> None:
    size = Feature(
        name="household_size",
        label=Words(de="Ihre Haushaltsgröße", en="Your household size"),
        kind="integer",
        unit=Words(de="Personen", en="people"),
        unit_one=Words(de="Person", en="person"),
        source=Words(de="Ihr Antrag", en="your application"),
    )
    assert [size.unit_for(number, "de") for number in (1, 2)] == ["Person", "Personen"]
    assert size.model_copy(update={"unit_one": None}).unit_for(1, "en") == "people"


YOURS = {"de": "Ihre Miete", "en": "Your rent"}
RENT = {"de": "Miete", "en": "Rent"}


@pytest.mark.parametrize("field", ["label", "source"])
@pytest.mark.parametrize(
    "words",
    [
        YOURS,
        {"de": "So wohnen Sie", "en": "Kind of home"},
        {"de": "Angaben von Ihnen", "en": "Details"},
        {"de": "Deine Miete", "en": "Rent"},
        {"de": "Miete", "en": "the rent you pay"},
    ],
)
def test_words_that_speak_to_the_person_need_others_for_everybody_else(field: str, words: dict[str, str]) -> None:
    plain = {"name": "rent", "label": RENT, "kind": "number", "source": RENT}
    with pytest.raises(ValueError, match=f"the {field} speaks to the person .*write 'public_{field}'"):
        Feature.model_validate({**plain, field: words})
    feature = Feature.model_validate({**plain, field: words, f"public_{field}": RENT})
    assert getattr(feature, f"{field}_for_all")("de") == "Miete"
    assert getattr(feature, field)("de") == words["de"]
    with pytest.raises(ValueError, match=f"'public_{field}' speaks to the person"):
        Feature.model_validate({**plain, field: words, f"public_{field}": YOURS})


def test_words_that_only_look_like_an_address_are_left_alone() -> None:
    words = {"de": "Wohnung und ihr Zustand, sieben Siege", "en": "Youth centre, yourt"}
    feature = Feature.model_validate({"name": "home", "label": words, "kind": "number", "source": words})
    assert feature.label_for_all("en") == words["en"]
