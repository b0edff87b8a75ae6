"""Brings a database's schema up to date and says when it is not."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from explainer.errors import SettingsError

REVISIONS = ("0001", "0002", "0003")
"""Every revision there is, oldest first; a test compares them with the files in ``migrations/versions``."""

MIGRATIONS = Path(__file__).parent / "migrations"

_VERSION = sa.table("alembic_version", sa.column("version_num", sa.String))


def upgrade(connection: Connection) -> None:
    """Run every missing migration inside the connection's open transaction.

    Args:
        connection: A connection in a writing transaction; the caller commits.

    Raises:
        SettingsError: The database was written by a newer version of the program.
    """
    present = _known_revision(connection)
    if present == REVISIONS[-1]:
        return
    # Loaded only where there is something to migrate: it takes longer than all the rest of a start.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def check(connection: Connection) -> None:
    """Refuse a database whose schema is not the one this program was written for.

    Args:
        connection: A connection; nothing is written.

    Raises:
        SettingsError: Migrations are missing, or the database is newer than the program.
    """
    present, needed = _known_revision(connection), REVISIONS[-1]
    if present != needed:
        raise SettingsError(
            f"The database schema is {present or 'empty'}, this version of the program needs {needed}; "
            "run the migrations first (explainer migrate)"
        )


def _known_revision(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table(_VERSION.name):
        return None
    present = connection.execute(sa.select(_VERSION.c.version_num)).scalar_one_or_none()
    if present is not None and present not in REVISIONS:
        raise SettingsError(
            f"The database schema {present} is unknown to this version of the program: it was written by a newer one; "
            "install that version again, migrations never run backwards"
        )
    return present
