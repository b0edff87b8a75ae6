"""Backups of an installation, and what may be put back: never an older log under the same name.

A backup of the database is a folder with the copy, the newest checkpoint and ``backup.json``; a backup of the keys is
another one, to be kept elsewhere and for a short time. ``docs/how-to/back-up-and-restore.md`` says how to use both.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

from explainer.app import (
    ANCHOR_FILE,
    KEY_STORE_FILE,
    anchor_folder,
    log_key_holder,
    open_vault,
    utc_now,
)
from explainer.errors import LogReadOnlyError, SettingsError
from explainer.settings import Settings
from explainer.storage.database import SqlDatabase, stored_checkpoint
from explainer.storage.database_copy import copy_database, copy_sqlite_file, is_sqlite, place_copy
from explainer.storage.log_epochs import epoch_of_origin, origin_of_epoch
from explainer.transparency_log.anchor_file import Anchor, AnchorFile
from explainer.transparency_log.checkpoint import Checkpoint
from explainer.transparency_log.log_entry import CheckpointFacts, LogEvent, build_entry
from explainer.transparency_log.log_key import FIRST_KEY_FILE
from explainer.use_cases.decision_vault import SERVICE_KEY_ID
from explainer.use_cases.records import PreparedEntry

LIST_FILE = "backup.json"
SERVING_FILE = "serving.lock"
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Backup:
    """What ``backup.json`` says.

    Attributes:
        kind: ``database`` or ``keys``.
        made_at: ISO 8601.
        engine: ``sqlite`` or ``postgresql``; empty for keys.
        checkpoint: The newest signed checkpoint in the copy; empty for keys.
        files: SHA-256 of every file, hex.
        version: Of this list.
    """

    kind: str
    made_at: str
    engine: str
    checkpoint: str
    files: dict[str, str]
    version: int = _VERSION


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What came of a restore.

    Attributes:
        kind: ``database`` or ``keys``.
        entries: Log entries in the database now; 0 for keys.
        new_origin: Name of the log that goes on from here, or None where the old one does.
        lost: How many released entries the copy does not hold.
    """

    kind: str
    entries: int
    new_origin: str | None
    lost: int


def back_up(settings: Settings, folder: Path, *, clock: Callable[[], datetime] = utc_now) -> Backup:
    """Copy the database, consistent while the service runs; no key is in the copy.

    Args:
        settings: The settings.
        folder: A new or empty folder.
        clock: Current time, UTC.

    Returns:
        What was copied.

    Raises:
        SettingsError: If the folder holds something, or the database cannot be copied.
    """
    _make_empty(folder)
    copy_database(settings.database_url, folder)
    engine = "sqlite" if is_sqlite(settings.database_url) else "postgresql"
    note = _checkpoint_in_copy(folder, engine)
    return _listed(folder, kind="database", engine=engine, checkpoint=note, clock=clock)


def back_up_keys(settings: Settings, folder: Path, *, clock: Callable[[], datetime] = utc_now) -> Backup:
    """Copy the key store and the log's key files, to be kept apart from the database and for a short time.

    Args:
        settings: The settings.
        folder: A new or empty folder, in no backup of the database.
        clock: Current time, UTC.

    Returns:
        What was copied.

    Raises:
        SettingsError: If the folder holds something, or lies in a backup of the database.
    """
    if any((parent / LIST_FILE).exists() for parent in folder.resolve().parents):
        raise SettingsError("Keys do not belong into a backup of the database: whoever has both can read everything.")
    _make_empty(folder)
    if settings.key_service_url is None:
        # Keys at a key service are backed up there.
        copy_sqlite_file(settings.data_folder / KEY_STORE_FILE, folder / Path(KEY_STORE_FILE).name)
    for path in _log_key_files(settings.data_folder):
        _write_private(folder / path.name, path.read_bytes())
    return _listed(folder, kind="keys", engine="", checkpoint="", clock=clock)


def restore(
    settings: Settings, folder: Path, *, new_epoch: bool = False, clock: Callable[[], datetime] = utc_now
) -> Restored:
    """Put a backup back. The service must not be running.

    Args:
        settings: The settings.
        folder: A backup of the database or of the keys.
        new_epoch: Whether to accept that the log is behind what was released, and to go on as a new log that says so.
        clock: Current time, UTC.

    Returns:
        What came of it.

    Raises:
        SettingsError: If the backup is damaged or does not fit, or the service is running.
        LogReadOnlyError: If putting it back would be a silent rollback.
    """
    backup = read_backup(folder)
    with _nobody_serving(settings):
        if backup.kind == "keys":
            return _restore_keys(settings, folder)
        return _restore_database(settings, folder, backup, new_epoch=new_epoch, clock=clock)


def read_backup(folder: Path) -> Backup:
    """Read the list of a backup and check every file against it.

    Raises:
        SettingsError: If it is no backup, or a file is missing or changed.
    """
    try:
        content: dict[str, Any] = json.loads((folder / LIST_FILE).read_bytes())
        backup = Backup(**content)
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(f"{folder} is no backup: {LIST_FILE} is missing or cannot be read.") from error
    if backup.version != _VERSION or backup.kind not in {"database", "keys"}:
        raise SettingsError("The backup was made by another version of the program.")
    for name, digest in backup.files.items():
        if Path(name).name != name or not (folder / name).is_file() or _sha256(folder / name) != digest:
            raise SettingsError(f"The backup is damaged: {name} is not what was copied.")
    return backup


@contextmanager
def serving(settings: Settings) -> Iterator[None]:
    """Say, for as long as the block runs, that a process serves this installation."""
    descriptor = _serving_lock(settings)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _nobody_serving(settings: Settings) -> Iterator[None]:
    descriptor = _serving_lock(settings)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise SettingsError("The service is running; stop it first, then restore.") from error
    finally:
        os.close(descriptor)


def _serving_lock(settings: Settings) -> int:
    settings.data_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.open(settings.data_folder / SERVING_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _restore_keys(settings: Settings, folder: Path) -> Restored:
    store = settings.data_folder / KEY_STORE_FILE
    if store.exists():
        raise SettingsError(
            f"There is a key store already ({store.name}); an older one in its place would lose keys. Move it away "
            "first if it is damaged"
        )
    if (folder / store.name).exists():
        store.parent.mkdir(mode=0o700, exist_ok=True)
        copy_sqlite_file(folder / store.name, store)
    for path in _log_key_files(folder):
        if not (settings.data_folder / path.name).exists():
            _write_private(settings.data_folder / path.name, path.read_bytes())
    return Restored(kind="keys", entries=0, new_origin=None, lost=0)


def _restore_database(
    settings: Settings, folder: Path, backup: Backup, *, new_epoch: bool, clock: Callable[[], datetime]
) -> Restored:
    if (backup.engine == "sqlite") != is_sqlite(settings.database_url):
        raise SettingsError(f"The backup is of {backup.engine}; set EXPLAINER_DATABASE_URL to such a database.")
    copied = Anchor.of(backup.checkpoint).checkpoint
    anchors = AnchorFile(anchor_folder(settings) / ANCHOR_FILE)
    known = _last_known(settings, anchors)
    behind = known is None or known.origin != copied.origin or known.tree_size > copied.tree_size
    if behind and not new_epoch:
        raise LogReadOnlyError(_why_not(known, copied))
    if behind and settings.key_service_url is None and not (settings.data_folder / KEY_STORE_FILE).exists():
        raise SettingsError("The key store is missing; restore the backup of the keys first.")
    aside = settings.data_folder / f"replaced-{clock():%Y%m%dT%H%M%S}"
    place_copy(folder, settings.database_url, aside=aside)
    if not behind:
        return Restored(kind="database", entries=copied.tree_size, new_origin=None, lost=0)
    last = known or copied
    epochs = [epoch_of_origin(settings.origin, checkpoint.origin) for checkpoint in (last, copied)]
    origin = origin_of_epoch(settings.origin, max(epochs) + 1)
    holder = log_key_holder(settings)
    database = SqlDatabase(
        settings.database_url, signer=holder.first(origin), clock=clock, signer_of=holder.signer, anchors=anchors
    )
    try:
        database.bring_schema_up_to_date()
        database.begin_epoch(max(epochs) + 1, _entry_about(last, settings, database, clock()))
    finally:
        database.dispose()
    lost = last.tree_size - copied.tree_size if last.origin == copied.origin else last.tree_size
    return Restored(kind="database", entries=copied.tree_size, new_origin=origin, lost=lost)


def _last_known(settings: Settings, anchors: AnchorFile) -> Checkpoint | None:
    """The newest checkpoint that anything here remembers; None where nothing does."""
    known = [anchors.newest().checkpoint] if anchors.exists() else []
    if not is_sqlite(settings.database_url) or Path(settings.database_url.removeprefix("sqlite:///")).exists():
        stored = stored_checkpoint(settings.database_url)
        known += [Anchor.of(stored).checkpoint] if stored is not None else []
    if not known:
        return None
    return max(known, key=lambda one: (epoch_of_origin(settings.origin, one.origin), one.tree_size))


def _why_not(known: Checkpoint | None, copied: Checkpoint) -> str:
    if known is None:
        return (
            "Nothing here remembers how far the log had come, so this backup may be older than what people have seen. "
            "Put the anchor file back first. If it is lost, restore with --new-epoch: the log goes on under a new name."
        )
    return (
        f"The backup holds the log {copied.origin} with {copied.tree_size} entries, but a checkpoint of {known.origin} "
        f"over {known.tree_size} was released. Putting it back silently would be a second history. Restore a newer "
        "backup; if there is none, restore with --new-epoch: the log then goes on under a new name and says what it "
        "lost."
    )


def _entry_about(last: Checkpoint, settings: Settings, database: SqlDatabase, at: datetime) -> PreparedEntry:
    vault = open_vault(settings, database)
    entry, private = build_entry(
        LogEvent.LOG_RESTORED,
        at=at,
        random_bytes=secrets.token_bytes,
        private={"actor": "service"},
        checkpoint=CheckpointFacts(origin=last.origin, tree_size=last.tree_size, root_hash=last.root_hash.hex()),
    )
    sealed = vault.key_for_sealing(SERVICE_KEY_ID).seal_log_part(private, entry_id=entry.id)
    return PreparedEntry(entry=entry, sealed=sealed, key_id=SERVICE_KEY_ID, at=at)


def _checkpoint_in_copy(folder: Path, engine: str) -> str:
    """The newest checkpoint in the copy itself, which may be older than the database by now."""
    if engine == "sqlite":
        return stored_checkpoint(f"sqlite:///{folder / 'klarbescheid.db'}") or ""
    lines = (folder / "log_checkpoint.copy").read_text(encoding="utf-8").splitlines()
    newest = max((line.split("\t") for line in lines), key=lambda columns: int(columns[0]))
    return newest[2].replace("\\n", "\n").replace("\\\\", "\\")


def _make_empty(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SettingsError(f"The folder {folder} holds something already; name a new one.")


def _listed(folder: Path, *, kind: str, engine: str, checkpoint: str, clock: Callable[[], datetime]) -> Backup:
    files = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    backup = Backup(kind=kind, made_at=clock().isoformat(), engine=engine, checkpoint=checkpoint, files=files)
    _write_private(folder / LIST_FILE, json.dumps(asdict(backup), indent=2).encode() + b"\n")
    return backup


def _log_key_files(folder: Path) -> list[Path]:
    return [path for path in [folder / FIRST_KEY_FILE, *sorted(folder.glob("log-*.key"))] if path.exists()]


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
