"""Replace the key of the log: both keys sign for a while, so that nobody who knows one of them is left behind."""

from explainer.errors import ConflictError
from explainer.transparency_log.log_entry import LogEvent
from explainer.transparency_log.log_key import LogKeyHolder
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.records import LogKeyRecord
from explainer.use_cases.service import Service
from explainer.use_cases.stores import UnitOfWork


def begin_key_rotation(service: Service, keys: LogKeyHolder) -> str:
    """Add a key; from the entry that says so on, checkpoints carry both signatures.

    Args:
        service: The installation; running processes notice the new key with their next entry.
        keys: Makes the key.

    Returns:
        The new key's vkey, to be published.

    Raises:
        ConflictError: If a key is being replaced already.
    """
    with service.database.reading() as work:
        _only_key(work)
    # Made before the lock is taken: others must not wait for a signer process.
    new = keys.new(service.log_vkey.partition("+")[0])
    with service.database.writing() as work:
        write_log_entry(service, work, LogEvent.KEY_ROTATED, caller=None, outcome="added", log_key=new.vkey)
        _only_key(work)
        work.log.add_key(new.vkey)
    return new.vkey


def end_key_rotation(service: Service) -> str:
    """Retire the older key; from the entry that says so on, checkpoints carry the new signature alone.

    Args:
        service: The installation.

    Returns:
        The retired key's vkey; keep it published, old checkpoints and receipts are checked with it.

    Raises:
        ConflictError: If no key is being replaced.
    """
    with service.database.reading() as work:
        older = _older_key(work)
    with service.database.writing() as work:
        write_log_entry(service, work, LogEvent.KEY_ROTATED, caller=None, outcome="retired", log_key=older.vkey)
        # Looked at again under the log's lock: two who retire at once must not retire both keys.
        _older_key(work)
        work.log.retire_key(older.vkey)
    return older.vkey


def current_log_keys(work: UnitOfWork) -> list[LogKeyRecord]:
    """Keys of the current epoch, oldest first, retired ones too."""
    keys = work.log.keys()
    origin = keys[-1].vkey.partition("+")[0]
    return [key for key in keys if key.vkey.partition("+")[0] == origin]


def _signing(work: UnitOfWork) -> list[LogKeyRecord]:
    return [key for key in current_log_keys(work) if key.to_size is None]


def _only_key(work: UnitOfWork) -> None:
    if len(_signing(work)) != 1:
        raise ConflictError("A key is being replaced already; end that first with explainer log rotate-key --finish.")


def _older_key(work: UnitOfWork) -> LogKeyRecord:
    older, *newer = _signing(work)
    if not newer:
        raise ConflictError("No key is being replaced; begin with explainer log rotate-key.")
    return older
