"""Read the log: checkpoint and tiles for anyone's tools, and a recomputation for auditors' eyes."""

import base64
import time
from dataclasses import dataclass

from explainer.errors import (
    LogIntegrityError,
    LogTileNotFoundError,
    MalformedTileError,
    NotSignedInError,
)
from explainer.transparency_log.tiles import TilePath, encode_entries
from explainer.transparency_log.tree import Tree
from explainer.transparency_log.verify import NotVerifiedError, verify_log
from explainer.use_cases.callers import CASEWORK_ROLES, LOG_ROLES, Caller, require_role
from explainer.use_cases.note_log_reading import note_log_reading
from explainer.use_cases.service import Service
from explainer.use_cases.stores import UnitOfWork


@dataclass(frozen=True, kw_only=True)
class LogVerification:
    """Result of recomputing the whole tree from its entries.

    Attributes:
        ok: Whether everything held.
        problem: What did not, in one sentence.
        tree_size: Entries covered by the checkpoint.
        root_hash: Base64.
        entries_checked: Entries whose leaf hash was recomputed.
        took_seconds: Duration.
    """

    ok: bool
    problem: str | None
    tree_size: int
    root_hash: str
    entries_checked: int
    took_seconds: float


def checkpoint(service: Service) -> str:
    """The newest signed checkpoint, for anyone."""
    with service.database.reading() as work:
        return work.log.checkpoint()


def tile(service: Service, caller: Caller | None, path: str) -> bytes:
    """One tile of hashes, or one bundle of entries.

    Args:
        service: The installation.
        caller: Who asks; entries need an auditor unless the installation publishes them.
        path: Such as ``tile/0/000`` or ``tile/entries/000.p/5``.

    Returns:
        The bytes C2SP tlog-tiles defines.

    Raises:
        LogTileNotFoundError: If the log does not reach that far, or the path is no tile.
        NotSignedInError: If entries were asked for by nobody known.
        NotAllowedError: If entries were asked for by somebody who is no auditor.
    """
    try:
        wanted = TilePath.parse(path)
    except MalformedTileError as error:
        raise LogTileNotFoundError("The log has no such tile.") from error
    public = service.settings.demo or service.settings.public_log_entries
    if wanted.is_entry_bundle and not public:
        if caller is None:
            service.refused_attempts.count("log_entries")
            raise NotSignedInError("Log entries are for auditors: send a personal token.")
        note_log_reading(service, require_role(caller, *LOG_ROLES), "entries")
    with service.database.reading() as work:
        return _tile(work, wanted)


def verify_log_now(service: Service, caller: Caller) -> LogVerification:
    """Recompute every leaf hash, every tile and the root from the entries, with the verifier outsiders use.

    Args:
        service: The installation.
        caller: An auditor, administrator or caseworker.

    Returns:
        The result; a log that does not hold is a result, not an error.
    """
    require_role(caller, *LOG_ROLES, *CASEWORK_ROLES)
    begin = time.perf_counter()
    with service.database.reading() as work:

        def fetch(path: str) -> bytes:
            if path == "checkpoint":
                return work.log.checkpoint().encode()
            return _tile(work, TilePath.parse(path))

        try:
            verified = verify_log(fetch, service.log_vkey)
        except (NotVerifiedError, LogTileNotFoundError, LogIntegrityError) as error:
            return LogVerification(
                ok=False,
                problem=str(error),
                tree_size=work.log.tree_size(),
                root_hash="",
                entries_checked=0,
                took_seconds=time.perf_counter() - begin,
            )
    return LogVerification(
        ok=True,
        problem=None,
        tree_size=verified.tree_size,
        root_hash=base64.b64encode(verified.root_hash).decode(),
        entries_checked=verified.entries_checked,
        took_seconds=time.perf_counter() - begin,
    )


def _tile(work: UnitOfWork, wanted: TilePath) -> bytes:
    size = work.log.tree_size()
    if wanted.is_entry_bundle:
        if wanted.end > size:
            raise LogTileNotFoundError("The log does not reach that far yet.")
        return encode_entries(work.log.leaves(wanted.start, wanted.end))
    try:
        return Tree(work.log.tiles(), size).tile(wanted.level, wanted.index, wanted.width)
    except (MalformedTileError, ValueError) as error:
        raise LogTileNotFoundError("The log does not reach that far yet.") from error
