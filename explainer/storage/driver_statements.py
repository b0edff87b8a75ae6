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
        rows: Sequence[Sequence[Any]] = execute(connection, text.sql, text.values(parameters)).fetchall()
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
            execute(connection, text.sql(len(chunk)), text.values(chunk))

    def _text(self, dialect: Dialect) -> "_InsertText":
        values = {column.name: sa.bindparam(None, type_=column.type) for column in self._columns}
        compiled = str(self._insert.values(values).compile(dialect=_positional(dialect)))
        head, _, one_row = compiled.rpartition(" VALUES ")
        texts, converters = [], []
        for place, column in enumerate(self._columns):
            if isinstance(column.type, StorableText):
                texts.append(place)
            elif convert := column.type.dialect_impl(dialect).bind_processor(dialect):
                converters.append((place, convert))
        text = _InsertText(head, one_row, len(self._columns), texts, converters)
        self._texts[dialect.name] = text
        return text


@dataclass(frozen=True)
class _InsertText:
    head: str
    one_row: str
    width: int
    texts: Sequence[int]
    converters: Sequence[tuple[int, Callable[[Any], Any]]]

    def sql(self, rows: int) -> str:
        return f"{self.head} VALUES {', '.join([self.one_row] * rows)}"

    def values(self, rows: Sequence[Sequence[Any]]) -> list[Any]:
        # Texts are looked at together: what cannot be stored in one of them cannot be stored in all of them, joined.
        refuse_unstorable("\n".join([row[place] for row in rows for place in self.texts if row[place]]))
        values = list(chain.from_iterable(rows))
        if len(values) != len(rows) * self.width:
            raise ValueError(f"each row needs {self.width} values")
        for place, convert in self.converters:
            values[place :: self.width] = [convert(value) for value in values[place :: self.width]]
        return values


def _positional(dialect: Dialect) -> Dialect:
    return type(dialect)(paramstyle=_POSITIONAL[dialect.name])  # type: ignore[call-arg]


def execute(connection: sa.Connection, sql: str, values: Sequence[Any] = ()) -> Any:
    """Hand a statement to the driver.

    Args:
        connection: In whose transaction.
        sql: The statement, with the driver's marks for values.
        values: What the driver puts in their places.

    Returns:
        The driver's cursor.

    Raises:
        sqlalchemy.exc.DBAPIError: The engine refused it.
    """
    driver: Any = connection.connection.driver_connection
    dbapi = connection.dialect.loaded_dbapi
    try:
        return driver.execute(sql, values)
    except dbapi.Error as error:
        raise DBAPIError.instance(
            sql, None, error, dbapi.Error, hide_parameters=True, dialect=connection.dialect
        ) from error
