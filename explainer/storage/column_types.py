"""Column types that keep SQLite and PostgreSQL from giving different answers."""

import re
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.types import TypeDecorator

from models.errors import InputProblem, InvalidInputError

SEQUENCE_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""64-bit integer on both engines (SQLite knows only ``INTEGER`` as the row id)."""

_HALF_OF_A_PAIR = re.compile("[\ud800-\udfff]")


class NaiveDatetimeError(TypeError, DontWrapMixin):
    """A datetime without a time zone was to be stored; the caller must pass an aware one."""


class UnstorableTextError(InvalidInputError, DontWrapMixin):
    """A text holds a character that a database cannot keep."""


def refuse_unstorable(text: str) -> None:
    """Refuse a text that one of the engines could not keep.

    Raises:
        UnstorableTextError: It holds a NUL character or half of a surrogate pair.
    """
    # Nearly every text is a name or a number in ASCII, and Python knows that of a text without reading it.
    if "\x00" in text or (not text.isascii() and _HALF_OF_A_PAIR.search(text)):
        detail = "A text holds a NUL character or half of a surrogate pair; send it without."
        raise UnstorableTextError([InputProblem(pointer="", code="unstorable_text", detail=detail)])


class StorableText(TypeDecorator[str]):
    """Text of any length, refused on both engines where one of them would refuse it.

    PostgreSQL keeps no NUL character and neither engine keeps half of a surrogate pair. A look-up with such a text
    comes straight from a URL or a form, so it must end as the caller's mistake and not as a failure of the database.
    """

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Pass text on that both engines can keep.

        Args:
            value: The text, or None.
            dialect: The engine's dialect.

        Returns:
            The text unchanged.

        Raises:
            UnstorableTextError: It holds a NUL character or half of a surrogate pair.
        """
        if value is not None:
            refuse_unstorable(value)
        return value


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, stored in UTC with microseconds and returned as an aware datetime in UTC.

    SQLite forgets time zones; a naive datetime would silently mean local time on one engine and UTC on the other.
    So naive datetimes are refused on the way in, and UTC is restored on the way out.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware datetime into what the engine stores.

        Args:
            value: Aware datetime in any time zone, or None.
            dialect: The engine's dialect.

        Returns:
            The same moment in UTC; without its time zone for SQLite, whose text form has no place for one.

        Raises:
            NaiveDatetimeError: The datetime has no time zone.
        """
        if value is None:
            return None
        if value.utcoffset() is None:
            raise NaiveDatetimeError(f"{value.isoformat()} has no time zone; pass an aware datetime")
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn what the engine stored into an aware datetime in UTC.

        Args:
            value: As the driver returns it: naive on SQLite, in the session's time zone on PostgreSQL.
            dialect: The engine's dialect.

        Returns:
            The moment in UTC, or None.
        """
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)
