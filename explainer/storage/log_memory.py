"""Holds the log in the database against what is remembered outside it."""

from sqlalchemy import Connection

from explainer.errors import AnchorError, LogIntegrityError, LogReadOnlyError, VerificationError
from explainer.storage.log_integration import StoredCheckpoint, newest_checkpoint
from explainer.storage.log_signers import log_keys
from explainer.storage.tile_reader import SqlTileReader
from explainer.transparency_log.anchor_file import Anchor, AnchorFile
from explainer.transparency_log.checkpoint import open_checkpoint
from explainer.transparency_log.signed_note import NoteVerifier
from explainer.transparency_log.tree import Tree

GO_ON = (
    "Put the database back that holds them. If it is lost for good, restore the newest backup with "
    "'explainer restore DIR --new-epoch': the log then goes on under a new name and says what it lost."
)


def contradiction(connection: Connection, anchors: AnchorFile) -> str | None:
    """Why the log in this database must not be continued; run at every start.

    Args:
        connection: A connection in a reading transaction.
        anchors: What is remembered.

    Returns:
        A sentence for the operator with how to go on, or None when database and memory agree.
    """
    try:
        stored = newest_checkpoint(connection)
        anchor = anchors.newest()
        _refuse_if_unsigned(anchor, [key.vkey for key in log_keys(connection)])
        refuse_if_behind(stored, anchor)
        reader = SqlTileReader(connection, stored.epoch)
        if Tree(reader, stored.size).root() != stored.root:
            return (
                f"The {stored.size} entries in the database do not lead to the root that was signed for them: rows "
                "were changed. Put an unchanged copy of the database back."
            )
        size = anchor.checkpoint.tree_size
        if Tree(reader, size).root() != anchor.checkpoint.root_hash:
            return (
                f"The first {size} entries in the database are not those of the checkpoint that was released: this is "
                f"another history. {GO_ON}"
            )
    except AnchorError as error:
        return (
            f"{error} Put the file back from a copy. If there is none, and you are sure that this database is the "
            "newest there was, 'explainer log begin-anchors' begins a new one."
        )
    except (LogIntegrityError, LogReadOnlyError) as error:
        return str(error)
    return None


def refuse_if_behind(stored: StoredCheckpoint, anchor: Anchor) -> None:
    """Refuse a log that is behind what was released, before anything is appended to it.

    Args:
        stored: The newest checkpoint, read *after* the anchor: what is remembered had been committed by then.
        anchor: The newest anchor.

    Raises:
        LogReadOnlyError: If the database was put back, or its log is another one.
    """
    remembered = anchor.checkpoint
    if remembered.origin != stored.origin:
        raise LogReadOnlyError(
            f"The database holds the log {stored.origin}, but the last checkpoint that was released is of the log "
            f"{remembered.origin}: this is another database, or one from before a restore. {GO_ON}"
        )
    if stored.size < remembered.tree_size:
        raise LogReadOnlyError(
            f"The database holds {stored.size} log entries, but a checkpoint over {remembered.tree_size} was released: "
            f"an older database was put back. {GO_ON}"
        )
    if stored.size == remembered.tree_size and stored.root != remembered.root_hash:
        raise LogReadOnlyError(
            f"The {stored.size} entries in the database are not those of the checkpoint that was released: this is "
            f"another history. {GO_ON}"
        )


def _refuse_if_unsigned(anchor: Anchor, vkeys: list[str]) -> None:
    try:
        open_checkpoint(anchor.note, [NoteVerifier.from_vkey(vkey) for vkey in vkeys])
    except VerificationError as error:
        raise LogReadOnlyError(
            "The last checkpoint in the anchor file was signed by none of the keys that the database lists: one of the "
            f"two belongs to another installation, or was changed. {GO_ON}"
        ) from error
