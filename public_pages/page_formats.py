"""How pages write days, times and numbers: as people in that language do."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from babel.numbers import format_decimal

from explainer.explanations.document import Language
from models.outcomes import ScoreMeaning

CITY_TIME = ZoneInfo("Europe/Berlin")
"""Clock on the wall of the town hall; everything is kept in UTC."""

_LOCALES: Mapping[Language, str] = {"de": "de_DE", "en": "en_GB"}


def day(value: date | datetime, language: Language) -> str:
    """Write a day, such as ``7. Dezember 2026``."""
    if isinstance(value, datetime):
        value = value.astimezone(CITY_TIME).date()
    return format_date(value, format="d. MMMM y" if language == "de" else "d MMMM y", locale=_LOCALES[language])


def iso_day(value: str, language: Language) -> str:
    """Write the day of a moment that comes as ISO 8601 text."""
    return day(datetime.fromisoformat(value), language)


def clock_time(value: datetime, language: Language) -> str:
    """Write a time of day, such as ``14:35 Uhr``."""
    written = format_time(value.astimezone(CITY_TIME), format="HH:mm", locale=_LOCALES[language])
    return f"{written} Uhr" if language == "de" else written


def moment(value: datetime, language: Language) -> str:
    """Write a day and a time of day."""
    return f"{day(value, language)}, {clock_time(value, language)}"


def number(value: float, language: Language, decimals: int = 0) -> str:
    """Write a number with a fixed count of decimals and grouped thousands."""
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    return format_decimal(value, format=pattern, locale=_LOCALES[language])


def signed(value: float, language: Language, decimals: int = 3) -> str:
    """Write a number with its sign, as caseworkers see contributions; the minus is a real minus."""
    sign = "+" if value > 0 else "\N{MINUS SIGN}" if value < 0 else ""
    return sign + number(abs(value), language, decimals)


def in_hundredths(score: float, language: Language, decimals: int = 0) -> str:
    """Write a score from 0 to 1 as people see it, from 0 to 100."""
    return number(score * 100, language, decimals)


def in_unit(score: float, language: Language, meaning: ScoreMeaning | None, more_decimals: int = 1) -> str:
    """Write a score as people see it.

    Args:
        score: In the card's score unit.
        language: Language of the page.
        meaning: What the score is; None where nobody knows any more, and it is written as it is.
        more_decimals: Digits beyond those the card asks for.

    Returns:
        From 0 to 100 for probabilities, else with the unit behind it.
    """
    if meaning is None:
        return number(score, language, more_decimals)
    shown = number(score * meaning.scale, language, meaning.decimals + more_decimals)
    unit = meaning.unit_for(shown, language)
    return shown if unit is None else f"{shown} {unit}"


def filters(language: Language) -> Mapping[str, Callable[..., Any]]:
    """Template filters of one language."""

    def bound(function: Callable[..., str]) -> Callable[..., str]:
        def write(value: Any, *arguments: Any) -> str:
            return function(value, language, *arguments)

        return write

    named: Mapping[str, Callable[..., str]] = {
        "day": day,
        "iso_day": iso_day,
        "clock_time": clock_time,
        "moment": moment,
        "number": number,
        "signed": signed,
        "in_hundredths": in_hundredths,
        "in_unit": in_unit,
    }
    return {name: bound(function) for name, function in named.items()}
