"""The small parts: which language, how numbers are written, how long bars are."""

from datetime import UTC, date, datetime

import pytest

from explainer.explanations.document import Contribution
from public_pages.explanation_view import bars_of
from public_pages.language_negotiation import language_in_path, wished_language, without_language
from public_pages.page_formats import clock_time, day, in_hundredths, moment, number, signed
from public_pages.typed_text import typed


def contribution(name: str, size: float) -> Contribution:
    return Contribution(
        feature=name,
        label=name,
        value=1,
        value_text="1",
        contribution=size,
        strength="clear",
        sentence=name,
        direction="raised" if size > 0 else "lowered",
    )


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "de"),
        ("en", "en"),
        ("en-US,en;q=0.9", "en"),
        ("fr-FR, fr;q=0.9", "de"),
        ("de;q=0.2, en;q=0.3", "en"),
        ("en;q=0", "de"),
        ("en;q=abc, de;q=0.1", "de"),
        (";;;,,q=1", "de"),
        ("EN-gb", "en"),
    ],
)
def test_browser_chooses_among_our_languages(header: str, language: str) -> None:
    assert wished_language(header, "de") == language


def test_language_is_the_first_part_of_the_address() -> None:
    assert [language_in_path(path) for path in ("/de", "/en/why", "/", "/design", "/register/de")] == [
        "de",
        "en",
        None,
        None,
        None,
    ]
    assert [without_language(path) for path in ("/de", "/en/why", "/design")] == ["/", "/why", "/design"]


def test_days_and_times_are_those_of_the_town_hall() -> None:
    evening = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert day(evening, "de") == "1. Januar 2027"
    assert day(date(2026, 12, 7), "en") == "7 December 2026"
    assert clock_time(evening, "de") == "00:30 Uhr"
    assert moment(evening, "en") == "1 January 2027, 00:30"


def test_numbers_are_written_as_people_do() -> None:
    assert number(1180, "de") == "1.180"
    assert number(1180, "en") == "1,180"
    assert in_hundredths(0.724, "de", 1) == "72,4"
    assert signed(-0.5, "de") == "\N{MINUS SIGN}0,500"
    assert signed(0, "en") == "0.000"


def test_bars_share_one_scale_and_never_vanish() -> None:
    bars = bars_of((contribution("strong", -2.0), contribution("half", 1.0), contribution("small", 0.0001)))
    assert [(bar.contribution.feature, bar.width) for bar in bars] == [
        ("strong", 100.0),
        ("half", 50.0),
        ("small", 1.0),
    ]
    assert bars_of(()) == ()
    assert [bar.width for bar in bars_of((contribution("none", 0.0),))] == [1.0]


def test_typed_text_loses_what_nobody_types() -> None:
    assert typed(" KB-1\x00\n ") == "KB-1"
    assert typed(None) == ""
    assert len(typed("x" * 1000)) == 500


def test_bars_keep_the_order_of_the_document_so_that_ties_stay_fair() -> None:
    bars = bars_of((contribution("first", 1.0), contribution("second", -1.0002)))
    assert [bar.contribution.feature for bar in bars] == ["first", "second"]
