"""Migrations give both engines the schema that the program was written for, and a wrong one is refused."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from explainer.errors import LogIntegrityError, SettingsError
from explainer.storage.database import SqlDatabase
from explainer.storage.log_integration import start_epoch
from explainer.storage.schema import MIGRATIONS, REVISIONS
from explainer.storage.tables import metadata
from explainer.transparency_log.signed_note import NoteSigner
from tests.conformance.records import append_many, check_log, execute_raw
from tests.databases import LOG_SIGNER, MOMENT, TestDatabases, open_database


def differences(url: str, expected: sa.MetaData) -> list[object]:
    """What alembic would change to make the database fit."""
    engine = sa.create_engine(sa.make_url(url.replace("postgresql:", "postgresql+psycopg:")))
    with engine.connect() as connection:
        found: list[object] = compare_metadata(MigrationContext.configure(connection), expected)
    engine.dispose()
    return found


def test_migrations_give_the_tables_of_the_program(url: str) -> None:
    assert differences(url, metadata) == []


def test_drift_would_be_noticed(url: str) -> None:
    """The broken twin: a column that no migration makes."""
    drifted = sa.MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.sorted_tables:
        table.to_metadata(drifted)
    drifted.tables["decision"].append_column(sa.Column("forgotten", sa.Text))
    assert len(differences(url, drifted)) == 1


def test_migrating_again_changes_nothing(database: SqlDatabase) -> None:
    append_many(database, 2)
    database.migrate()
    database.check_schema()
    check_log(database, 2)


def test_database_objects_migrating_at_once_start_one_log(databases: TestDatabases) -> None:
    url = databases.empty()
    opened = [open_database(url) for _ in range(3)]
    with ThreadPoolExecutor(len(opened)) as threads:
        for migrated in [threads.submit(database.migrate) for database in opened]:
            migrated.result()
    for database in opened:
        database.check_schema()
        append_many(database, 1)
    check_log(opened[0], 3)
    for database in opened:
        database.dispose()


def test_database_without_migrations_is_refused_with_what_to_do(databases: TestDatabases) -> None:
    database = open_database(databases.empty())
    with pytest.raises(SettingsError, match=r"schema is empty.*explainer migrate"):
        database.check_schema()
    database.migrate()
    database.check_schema()
    database.dispose()


def test_database_of_a_newer_program_is_refused_and_left_alone(url: str, database: SqlDatabase) -> None:
    execute_raw(url, "UPDATE alembic_version SET version_num = '9999'")
    for refused in (database.check_schema, database.migrate):
        with pytest.raises(SettingsError, match=r"9999 is unknown.*newer"):
            refused()


def test_log_of_another_key_name_is_neither_served_nor_continued(url: str) -> None:
    signer = NoteSigner("log.example/other-city", Ed25519PrivateKey.generate())
    other = SqlDatabase(url, signer=signer, clock=lambda: MOMENT)
    with pytest.raises(SettingsError, match=r"test-city.*other-city"):
        other.check_schema()
    with pytest.raises(LogIntegrityError, match=r"test-city.*other-city"):
        append_many(other, 1)
    other.dispose()


def test_the_program_knows_every_migration_in_its_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    found = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(script.revision for script in reversed(list(found))) == REVISIONS


def test_what_an_earlier_version_recorded_is_there_after_the_upgrade(databases: TestDatabases) -> None:
    database = open_database(databases.empty())
    with database._backend.writing() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        start_epoch(connection, LOG_SIGNER, epoch=0, at=MOMENT)
        for statement in AS_RECORDED_BEFORE:
            connection.execute(sa.text(statement), {"at": MOMENT.replace(tzinfo=None), "bytes": b"\x00" * 32})
    database.migrate()
    database.check_schema()
    with database.reading() as unit:
        record = unit.decisions.get("KB-1")
        assert record is not None
        assert (record.key_id, record.sealed) == ("person-key", b"\x00" * 32)
        assert [one.reference for one in unit.decisions.of_subject("person-key")] == ["KB-1"]
        [told] = unit.explanations.of_decision("KB-1")
        assert (told.id, told.sealed) == ("e-1", b"\x00" * 32)
        assert unit.erasures.all_noted() == []
    database.dispose()


AS_RECORDED_BEFORE = (
    "INSERT INTO log_entry (seq, entry_id, event, at, leaf_hash) VALUES (0, 'l-1', 'decision.recorded', :at, :bytes)",
    (
        "INSERT INTO decision (reference, model_slug, model_version, model_sha256, register_version, status, role, "
        "model_outcome, fired_rule, diverted, near_threshold, recorded_at, access_code_digest, key_id, sealed, "
        "log_entry_id, issued_by) VALUES ('KB-1', 'wohngeld', '1', 'ab', 1, 'decided', 'sorts', 'refused', 'a_rule', "
        "false, true, :at, :bytes, 'person-key', :bytes, 'l-1', 'case_system:a')"
    ),
    (
        "INSERT INTO explanation (id, decision_reference, model_slug, audience, language, produced_at, sha256, key_id, "
        "sealed, log_entry_id, asked_by) VALUES ('e-1', 'KB-1', 'wohngeld', 'subject', 'de', :at, 'cd', 'person-key', "
        ":bytes, 'l-1', 'subject')"
    ),
)
"""Rows in the form of schema 0002."""
