"""Statements that every batch repeats, handed straight to the driver.

SQLAlchemy writes their text once, from the tables, and its types convert every value; but between SQLite and the caller
it takes four times as long as SQLite itself. Errors of the driver surface as SQLAlchemy's, so that callers
need not know which way a statement went.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from explainer.storage.column_types import StorableText, refuse_unstorable

ROWS_AT_ONCE = 64
"""Rows in one statement: both engines allow some ten thousand values in one."""

NO_PARAMETERS: Mapping[str, object] = MappingProxyType({})

_POSITIONAL = {"sqlite": "qmark", "postgresql": "format"}


class DriverSelect:
    """A query; types of its columns are not applied to what is read.

    Args:
        query: The query, with named parameters.
    """

    def __init__(self, query: sa.Select[Any]) -> None:
        self._query = query
        self._texts: dict[str, SelectText] = {}

    def rows(
        self, connection: sa.Connection, parameters: Mapping[str, object] = NO_PARAMETERS
    ) -> Sequence[Sequence[Any]]:
        """Run it in a connection's transaction.

        Args:
            connection: The connection.
            parameters: Values of its named parameters.

        Returns:
            All rows, as the driver gives them.

        Raises:
            sqlalchemy.exc.DBAPIError: The engine refused it.
        """
        text = self.text(connection.dialect)
        rows: Sequence[Sequence[Any]] = _executed(connection, text.sql, text.values(parameters)).fetchall()
        return rows

    def text(self, dialect: Dialect) -> "SelectText":
        """Its text for one engine; written at the first call."""
        if dialect.name not in self._texts:
            compiled = self._query.compile(dialect=_positional(dialect))
            self._texts[dialect.name] = SelectText(str(compiled), tuple(compiled.positiontup or ()), compiled.params)
        return self._texts[dialect.name]


@dataclass(frozen=True)
class SelectText:
    """A query as one driver takes it.

    Attributes:
        sql: The query, with a mark for each value.
        names: Names of its parameters, in the order of the marks.
        constants: Values of those parameters that are always the same.
    """

    sql: str
    names: Sequence[str]
    constants: Mapping[str, Any]

    def values(self, parameters: Mapping[str, object]) -> list[Any]:
        """Values in the order of the marks."""
        given = {**self.constants, **parameters}
        return [given[name] for name in self.names]


class DriverInsert:
    """Inserts rows of one table, many in one statement.

    Args:
        table: The table.
        columns: Names of the columns, in the order in which rows give their values.
    """

    def __init__(self, table: sa.Table, *columns: str) -> None:
        self._insert = sa.insert(table)
        self._columns = [table.c[name] for name in columns]
        self._texts: dict[str, _InsertText] = {}

    def insert(self, connection: sa.Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows in a connection's transaction.

        Args:
            connection: The connection.
            rows: Values of each row, in the order of the columns.

        Raises:
            sqlalchemy.exc.IntegrityError: A constraint refuses one of them.
            sqlalchemy.exc.DBAPIError: The engine refused it for another reason.
            UnstorableTextError: A text holds what no database can keep.
        """
        text = self._texts.get(connection.dialect.name) or self._text(connection.dialect)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            chunk = rows[start : start + ROWS_AT_ONCE]
            _executed(connection, text.sql(len(chunk)), text.values(chunk))

    def _text(self, dialect: Dialect) -> "_InsertText":
        values = {column.name: sa.bindparam(None, type_=column.type) for column in self._columns}
        compiled = str(self._insert.values(values).compile(dialect=_positional(dialect)))
        head, _, one_row = compiled.rpartition(" VALUES ")
        text = _InsertText(head, one_row, [_converter(column.type, dialect) for column in self._columns])
        self._texts[dialect.name] = text
        return text


@dataclass(frozen=True)
class _InsertText:
    head: str
    one_row: str
    converters: Sequence[Callable[[Sequence[Any]], Sequence[Any]] | None]

    def sql(self, rows: int) -> str:
        return f"{self.head} VALUES {', '.join([self.one_row] * rows)}"

    def values(self, rows: Sequence[Sequence[Any]]) -> list[Any]:
        # Column by column, because most columns need no look at each single value.
        columns = [
            values if convert is None else convert(values)
            for convert, values in zip(self.converters, zip(*rows, strict=True), strict=True)
        ]
        return list(chain.from_iterable(zip(*columns, strict=True)))


def _converter(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Sequence[Any]], Sequence[Any]] | None:
    if isinstance(kind, StorableText):
        return _storable_texts
    convert = kind.dialect_impl(dialect).bind_processor(dialect)
    return None if convert is None else lambda values: [convert(value) for value in values]


def _storable_texts(values: Sequence[str | None]) -> Sequence[str | None]:
    # A character that cannot be stored is one in the joined text, too.
    refuse_unstorable("\n".join(filter(None, values)))
    return values


def _positional(dialect: Dialect) -> Dialect:
    return type(dialect)(paramstyle=_POSITIONAL[dialect.name])  # type: ignore[call-arg]


def _executed(connection: sa.Connection, sql: str, values: list[Any]) -> Any:
    driver: Any = connection.connection.driver_connection
    dbapi = connection.dialect.loaded_dbapi
    try:
        return driver.execute(sql, values)
    except dbapi.Error as error:
        raise DBAPIError.instance(
            sql, None, error, dbapi.Error, hide_parameters=True, dialect=connection.dialect
        ) from error
