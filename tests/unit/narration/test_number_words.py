"""Numbers are written as people write them, and rounding never contradicts the threshold."""

from datetime import UTC, date, datetime

import pytest
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

from explainer.decisions.decision import Value
from explainer.narration.number_words import NumberWords
from explainer.narration.phrases import phrases_in
from models.features import Feature
from tests.builders import a_card

OF_100 = a_card().score


def _words(language: str) -> NumberWords:
    phrases = phrases_in(language)
    return NumberWords(phrases, phrases.subject)


def _feature(name: str) -> Feature:
    return next(feature for feature in a_card().features if feature.name == name)


@pytest.mark.parametrize(
    ("name", "value", "german", "english"),
    [
        ("rent_eur_month", 1180.0, "1.180 Euro im Monat", "1,180 euros a month"),
        ("rent_eur_month", 1180, "1.180 Euro im Monat", "1,180 euros a month"),
        ("rent_eur_month", 1180.4, "1.180 Euro im Monat", "1,180 euros a month"),
        ("rent_eur_month", -0.2, "0 Euro im Monat", "0 euros a month"),
        ("income_eur_month", 1842.5, "1.842,50 Euro im Monat", "1,842.50 euros a month"),
        ("income_eur_month", 1842.0, "1.842 Euro im Monat", "1,842 euros a month"),
        ("income_eur_month", 1999.999, "2.000 Euro im Monat", "2,000 euros a month"),
        ("household_size", 3, "3", "3"),
        ("home", "rented", "zur Miete", "rented home"),
        ("gets_child_benefit", True, "ja", "yes"),
        ("gets_child_benefit", False, "nein", "no"),
    ],
)
def test_values_are_written_as_people_write_them(name: str, value: Value, german: str, english: str) -> None:
    assert _words("de").value(_feature(name), value) == german
    assert _words("en").value(_feature(name), value) == english


def test_two_values_that_differ_never_look_the_same() -> None:
    before, after = _words("de").value_pair(_feature("rent_eur_month"), 1180.04, 1180.0)
    assert (before, after) == ("1.180,04 Euro im Monat", "1.180 Euro im Monat")
    same = _words("de").value_pair(_feature("rent_eur_month"), 1180.0, 1180.0)
    assert same == ("1.180 Euro im Monat", "1.180 Euro im Monat")


def test_dates_are_those_of_the_place_people_live_in() -> None:
    assert _words("de").date(date(2026, 12, 7)) == "7. Dezember 2026"
    assert _words("en").date(date(2026, 12, 7)) == "7 December 2026"
    late = datetime(2026, 6, 30, 22, 30, tzinfo=UTC)
    assert _words("de").date(late) == "1. Juli 2026"
    assert _words("de").time(late) == "0:30"


def test_contributions_carry_their_sign() -> None:
    assert _words("de").signed(0.41, 3) == "+0,410"
    assert _words("en").signed(-1234.5, 1) == "-1,234.5"
    assert _words("de").signed(-0.0001, 3) == "+0,000"


@pytest.mark.parametrize(
    ("score", "threshold", "german", "english"),
    [
        (0.72, 0.6, "72", "72"),
        (0.597, 0.6, "knapp unter 60", "just under 60"),
        (0.594, 0.6, "59", "59"),
        (0.6, 0.6, "60", "60"),
        (0.6004, 0.6, "60", "60"),
        (0.6045, 0.604, "knapp über 60,4", "just over 60.4"),
        (0.604, 0.604, "60,4", "60.4"),
        (0.57, 0.57, "57", "57"),
        (0.0004, 0.6, "weniger als 1", "less than 1"),
        (0.9983, 0.6, "mehr als 99", "more than 99"),
        (0.0, 0.6, "0", "0"),
        (1.0, 0.6, "100", "100"),
    ],
)
def test_score_is_a_whole_number_that_does_not_contradict_the_threshold(
    score: float, threshold: float, german: str, english: str
) -> None:
    assert _words("de").score(score, threshold, OF_100) == german
    assert _words("en").score(score, threshold, OF_100) == english


def test_threshold_is_whole_where_it_is_whole() -> None:
    assert _words("de").threshold(0.57, OF_100) == "57"
    assert _words("de").threshold(0.605, OF_100) == "60,5"


@given(score=st.floats(0, 1), threshold=st.floats(0.01, 0.99))
def test_no_shown_number_lies_on_the_other_side_of_the_threshold(score: float, threshold: float) -> None:
    shown = _words("en").score(score, threshold, OF_100)
    limit = round(threshold * 100, 6)
    if shown.isdigit():
        assert (int(shown) >= limit) == (score >= threshold)
    elif shown in ("less than 1", "more than 99"):
        assert (shown == "more than 99") == (score >= threshold)
        assert 1 <= limit <= 99
    elif score != threshold:
        assert shown.startswith("just under" if score < threshold else "just over")


@given(number=st.floats(-1e12, 1e12), decimals=st.integers(0, 6), language=st.sampled_from(["de", "en"]))
def test_numbers_are_written_as_babel_writes_them(number: float, decimals: int, language: str) -> None:
    phrases = phrases_in(language)
    words = NumberWords(phrases, phrases.subject)
    digits = "#,##0" + ("." + "0" * decimals if decimals else "")
    rounded = round(number, decimals) + 0.0
    assert words.decimal(number, decimals) == format_decimal(rounded, format=digits, locale=phrases.locale)
    signed = format_decimal(rounded, format=f"+{digits};-{digits}", locale=phrases.locale)
    assert words.signed(number, decimals) == signed
