"""Records to rows and back: a record's fields and its table's columns have the same names."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from explainer.errors import ConflictError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RecordT = TypeVar("RecordT")

_POSTGRESQL_UNIQUE_VIOLATION = "23505"
"""SQLSTATE of a violated unique constraint (PostgreSQL, appendix A); its driver is loaded only where it is used."""

_SQLITE_DUPLICATE_ERRORS = frozenset({"SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE"})


def row_from(record: "DataclassInstance") -> dict[str, Any]:
    """Return a record as column name to value.

    Args:
        record: One of the records of ``use_cases.stores``.

    Returns:
        Its fields, not copied.
    """
    return {field.name: getattr(record, field.name) for field in fields(record)}


def record_from(kind: type[RecordT], row: sa.Row[Any] | None) -> RecordT | None:
    """Return a row as a record.

    Args:
        kind: The record's class.
        row: A row with a column per field, or None.

    Returns:
        The record, or None where there is no row.
    """
    return None if row is None else kind(**row._mapping)  # noqa: SLF001 - public, named so to keep clear of columns


@contextmanager
def refusing_duplicates(connection: sa.Connection, sentence: str) -> Iterator[None]:
    """Turn a violated primary key or unique constraint into a ConflictError that the unit of work survives.

    The block runs in a savepoint: PostgreSQL would otherwise refuse every further statement of the transaction, and
    a use case may well want to read what it collided with.

    Args:
        connection: The unit of work's connection.
        sentence: What is there already.

    Raises:
        ConflictError: The block collided; nothing of it remains.
    """
    try:
        with connection.begin_nested():
            yield
    except IntegrityError as error:
        if not _is_duplicate(error):
            raise
        raise ConflictError(sentence) from error


def _is_duplicate(error: IntegrityError) -> bool:
    cause = error.orig
    if getattr(cause, "sqlstate", None) == _POSTGRESQL_UNIQUE_VIOLATION:
        return True
    return getattr(cause, "sqlite_errorname", "") in _SQLITE_DUPLICATE_ERRORS
