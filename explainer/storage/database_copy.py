"""Takes a consistent copy of the database while it is used, and puts one into the place of a database.

SQLite is copied by its own backup interface, into one file. PostgreSQL is read table by table in one snapshot, each
into a file in the format of COPY: that needs no program besides the service and no particular version of the server.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from explainer.errors import SettingsError
from explainer.storage import schema
from explainer.storage.postgresql_backend import PostgresqlBackend
from explainer.storage.tables import log_checkpoint, metadata

SQLITE_COPY = "klarbescheid.db"
_CHUNK = 1 << 20


def is_sqlite(url: str) -> bool:
    """Whether an address names an SQLite file."""
    return sa.make_url(url).get_backend_name() == "sqlite"


def copy_database(url: str, folder: Path) -> None:
    """Copy the whole database, as it is at one moment, into an empty folder; writers go on.

    Args:
        url: Address of the database.
        folder: Where to; made for its owner alone.

    Raises:
        SettingsError: If the database cannot be read.
    """
    try:
        if is_sqlite(url):
            copy_sqlite_file(_sqlite_file(url), folder / SQLITE_COPY)
        else:
            _copy_tables(url, folder)
    except (DatabaseError, sqlite3.Error) as error:
        raise SettingsError(f"The database cannot be copied: {getattr(error, 'orig', error)}") from error


def copy_sqlite_file(source: Path, target: Path) -> None:
    """Copy an SQLite file as it is at one moment, durable before this returns.

    Args:
        source: A file that may be in use.
        target: A file that does not exist yet.
    """
    if not source.is_file():
        raise SettingsError(f"There is no database {source.name} to copy.")
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as read, closing(sqlite3.connect(target)) as copy:
        read.backup(copy)
        # One file and nothing beside it: a copy has no log of its own.
        copy.execute("PRAGMA journal_mode = DELETE").fetchall()
    with target.open("rb") as file:
        os.fsync(file.fileno())


def place_copy(folder: Path, url: str, *, aside: Path) -> None:
    """Make a copy the database. What was there before is moved aside, never deleted; nothing may be using it.

    Args:
        folder: As :func:`copy_database` left it.
        url: Address of the database: a file, or a PostgreSQL database without a log.
        aside: Folder that the replaced file is moved to.

    Raises:
        SettingsError: If the PostgreSQL database is not empty, or the copy does not fit it.
    """
    if is_sqlite(url):
        _place_file(folder / SQLITE_COPY, _sqlite_file(url), aside)
        return
    try:
        _place_tables(folder, url)
    except DatabaseError as error:
        raise SettingsError(f"The copy cannot be put into the database: {error.orig}") from error


def _place_file(copy: Path, file: Path, aside: Path) -> None:
    new = file.with_name(f"{file.name}.restored")
    new.unlink(missing_ok=True)
    copy_sqlite_file(copy, new)
    for suffix in ("", "-wal", "-shm"):
        there = file.with_name(file.name + suffix)
        if there.exists():
            aside.mkdir(mode=0o700, parents=True, exist_ok=True)
            there.rename(aside / there.name)
    new.rename(file)


def _copy_tables(url: str, folder: Path) -> None:
    backend = PostgresqlBackend(sa.make_url(url))
    try:
        with backend.reading() as connection:
            schema.check(connection)
            for table in metadata.sorted_tables:
                descriptor = os.open(folder / f"{table.name}.copy", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "wb") as file, _cursor(connection) as cursor:
                    with cursor.copy(f"COPY {_columns(table)} TO STDOUT") as rows:
                        for data in rows:
                            file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
    finally:
        backend.dispose()


def _place_tables(folder: Path, url: str) -> None:
    backend = PostgresqlBackend(sa.make_url(url))
    try:
        with backend.writing() as connection:
            schema.upgrade(connection)
            if connection.execute(sa.select(sa.exists(sa.select(log_checkpoint.c.size)))).scalar_one():
                raise SettingsError(
                    "The PostgreSQL database holds a log already. Make an empty database, set EXPLAINER_DATABASE_URL "
                    "to it and restore again; the old one stays as it is"
                )
            for table in metadata.sorted_tables:
                with (
                    (folder / f"{table.name}.copy").open("rb") as file,
                    _cursor(connection) as cursor,
                    cursor.copy(f"COPY {_columns(table)} FROM STDIN") as rows,
                ):
                    while data := file.read(_CHUNK):
                        rows.write(data)
    finally:
        backend.dispose()


def _cursor(connection: sa.Connection) -> Any:
    return connection.connection.cursor()


def _columns(table: sa.Table) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return f'"{table.name}" ({names})'


def _sqlite_file(url: str) -> Path:
    return Path(str(sa.make_url(url).database))
