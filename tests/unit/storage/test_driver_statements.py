"""Statements that go straight to the driver keep the promises of those that SQLAlchemy runs."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.exc import IntegrityError

from explainer.storage.column_types import NaiveDatetimeError, UnstorableTextError
from explainer.storage.driver_statements import ROWS_AT_ONCE, DriverInsert, DriverSelect
from explainer.storage.sqlite_backend import SqliteBackend
from explainer.storage.tables import noted_reading, publication
from tests.databases import MOMENT, SqliteFiles

PUBLICATIONS = DriverInsert(publication, "slug", "version", "published_at", "sha256", "content")
BY_SLUG = DriverSelect(
    sa.select(publication.c.version).where(publication.c.slug == sa.bindparam("sought")).order_by(publication.c.version)
)


@pytest.fixture
def backend(tmp_path: Path) -> SqliteBackend:
    return SqliteBackend(sa.make_url(SqliteFiles(tmp_path).migrated()))


def a_row(version: int, slug: str = "wohngeld", at: datetime = MOMENT) -> tuple[object, ...]:
    return slug, version, at, "0" * 64, b"{}"


def test_more_rows_than_one_statement_holds_are_all_there(backend: SqliteBackend) -> None:
    number = 2 * ROWS_AT_ONCE + 1
    with backend.writing() as connection:
        PUBLICATIONS.insert(connection, [a_row(version) for version in range(number)])
    with backend.reading() as connection:
        assert [row[0] for row in BY_SLUG.rows(connection, {"sought": "wohngeld"})] == list(range(number))


def test_moments_are_kept_as_sqlalchemy_keeps_them(backend: SqliteBackend) -> None:
    summer = MOMENT.astimezone(timezone(timedelta(hours=2)))
    with backend.writing() as connection:
        PUBLICATIONS.insert(connection, [a_row(1, at=summer)])
        connection.execute(sa.insert(noted_reading), {"mark": b"x", "at": summer})
        raw = connection.exec_driver_sql("SELECT published_at, at FROM publication, noted_reading").one()
    assert raw[0] == raw[1]
    with backend.reading() as connection:
        assert connection.execute(sa.select(publication.c.published_at)).scalar_one() == MOMENT.astimezone(UTC)


@pytest.mark.parametrize("bad", ["a\x00b", "a\ud800", "ä\udfff"])
def test_what_cannot_be_stored_is_refused_wherever_it_stands(backend: SqliteBackend, bad: str) -> None:
    with backend.writing() as connection:
        with pytest.raises(UnstorableTextError):
            PUBLICATIONS.insert(connection, [a_row(1), a_row(2, slug=bad), a_row(3)])
        with pytest.raises(NaiveDatetimeError):
            PUBLICATIONS.insert(connection, [a_row(1, at=datetime(2026, 1, 1))])  # noqa: DTZ001 -- the point


def test_a_violated_constraint_is_sqlalchemys_error_and_shows_no_value(backend: SqliteBackend) -> None:
    with pytest.raises(IntegrityError) as refused, backend.writing() as connection:
        PUBLICATIONS.insert(connection, [a_row(1, slug="secret"), a_row(1, slug="secret")])
    assert "secret" not in str(refused.value)
    with backend.reading() as connection:
        assert not BY_SLUG.rows(connection, {"sought": "secret"})


def test_postgresql_is_told_the_type_of_every_value() -> None:
    text = PUBLICATIONS._text(psycopg.dialect())
    assert text.sql(2).count("(%s::VARCHAR, %s::INTEGER, %s::TIMESTAMP WITH TIME ZONE, %s::VARCHAR, %s)") == 2
