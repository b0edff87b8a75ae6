"""Days as people type them into our forms."""

import re
from datetime import date, datetime, time, timedelta

from public_pages.page_formats import CITY_TIME

_GERMAN = re.compile(r"(?P<day>[0-9]{1,2})\.\s?(?P<month>[0-9]{1,2})\.\s?(?P<year>[0-9]{4})", re.ASCII)
_ISO = re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})", re.ASCII)


def typed_day(text: str) -> date | None:
    """Read a day such as ``25.11.2026`` or ``2026-11-25``.

    Args:
        text: As typed.

    Returns:
        The day, or None where the text is none.
    """
    match = _GERMAN.fullmatch(text) or _ISO.fullmatch(text)
    if match is None:
        return None
    try:
        return date(int(match["year"]), int(match["month"]), int(match["day"]))
    except ValueError:
        return None


def begin_of(day: date) -> datetime:
    """The first moment of a day by the city's clocks."""
    return datetime.combine(day, time(), CITY_TIME)


def end_of(day: date) -> datetime:
    """The moment after the last one of a day by the city's clocks."""
    return begin_of(day + timedelta(days=1))
