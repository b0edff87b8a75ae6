"""Moments as the service writes them: UTC, to the second."""

from datetime import UTC, datetime


def utc_text(moment: datetime) -> str:
    """Write a moment, e.g. ``2026-11-23T04:15:00Z``.

    Args:
        moment: Aware, of any time zone.

    Returns:
        RFC 3339 text in UTC.
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
