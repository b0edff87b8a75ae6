"""Brings a database's schema up to date and says when it is not."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from explainer.errors import SettingsError

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> None:
    """Run every missing migration inside the connection's open transaction.

    Args:
        connection: A connection in a writing transaction; the caller commits.

    Raises:
        SettingsError: The database was written by a newer version of the program.
    """
    _refuse_unknown_revision(connection)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def check(connection: Connection) -> None:
    """Refuse a database whose schema is not the one this program was written for.

    Args:
        connection: A connection; nothing is written.

    Raises:
        SettingsError: Migrations are missing, or the database is newer than the program.
    """
    _refuse_unknown_revision(connection)
    present, needed = _revision(connection), _scripts().get_current_head()
    if present != needed:
        raise SettingsError(
            f"The database schema is {present or 'empty'}, this version of the program needs {needed}; "
            "run the migrations first (explainer migrate)"
        )


def _refuse_unknown_revision(connection: Connection) -> None:
    present = _revision(connection)
    if present is not None and present not in {script.revision for script in _scripts().walk_revisions()}:
        raise SettingsError(
            f"The database schema {present} is unknown to this version of the program: it was written by a newer one; "
            "install that version again, migrations never run backwards"
        )


def _revision(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return MigrationContext.configure(connection).get_current_revision()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config
