"""Makes appended entries part of the tree: full tiles and one signed checkpoint, inside the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from explainer.errors import LogIntegrityError
from explainer.storage.log_epochs import epoch_of_row, first_row, first_tile, index_of_row
from explainer.storage.log_signers import KEY_CHANGES, LogSigners
from explainer.storage.right_edge import RightEdge
from explainer.storage.tables import log_checkpoint, log_entry, log_key, log_tile
from explainer.storage.tile_reader import SqlTileReader
from explainer.transparency_log.checkpoint import Checkpoint, sign_checkpoint
from explainer.transparency_log.merkle import EMPTY_ROOT
from explainer.transparency_log.signed_note import NoteSigner
from explainer.transparency_log.tiles import tile_root
from explainer.transparency_log.tree import Tree, completed_tiles

_NEWEST_CHECKPOINT = (
    sa.select(log_checkpoint.c.size, log_checkpoint.c.root, log_checkpoint.c.note)
    .order_by(log_checkpoint.c.size.desc())
    .limit(1)
)
_INSERT_TILE = sa.insert(log_tile)
_INSERT_CHECKPOINT = sa.insert(log_checkpoint)
_CHECKPOINT_AND_LAST_ENTRY = _NEWEST_CHECKPOINT.add_columns(
    sa.select(sa.func.max(log_entry.c.seq)).scalar_subquery().label("last_entry"), KEY_CHANGES.label("key_changes")
)


@dataclass(frozen=True, kw_only=True)
class StoredCheckpoint:
    """A checkpoint as it lies in the database.

    Attributes:
        size: Number of leaves it is signed for.
        root: Root hash of their tree.
        note: The signed note.
        epoch: Which epoch of the log it belongs to; 0 unless the log was restored from a backup.
        key_changes: How often the log's keys had changed by then, where it was read to be appended to; None once this
            transaction has changed them.
    """

    size: int
    root: bytes
    note: str
    epoch: int = 0
    key_changes: int | None = 0

    @property
    def origin(self) -> str:
        """Name of the log: the first line of the note."""
        return self.note.partition("\n")[0]


def newest_checkpoint(connection: Connection, epoch: int | None = None) -> StoredCheckpoint:
    """The newest signed checkpoint this transaction sees.

    Args:
        connection: A connection in a transaction.
        epoch: Only of this epoch; the newest there is when None.

    Returns:
        The checkpoint.

    Raises:
        LogIntegrityError: There is none; even the empty log has one since the first migration.
    """
    query = _NEWEST_CHECKPOINT
    if epoch is not None:
        query = query.where(log_checkpoint.c.size >= first_row(epoch), log_checkpoint.c.size < first_row(epoch + 1))
    return _found(connection.execute(query).one_or_none())


def _found(row: Sequence[Any] | None, key_changes: int = 0) -> StoredCheckpoint:
    if row is None:
        raise LogIntegrityError("The log has no checkpoint, not even the one of the empty log: rows have been removed")
    number, root, note = row[:3]
    return StoredCheckpoint(
        size=index_of_row(number), root=root, note=note, epoch=epoch_of_row(number), key_changes=key_changes
    )


def checkpoint_to_append_to(connection: Connection, signers: LogSigners) -> StoredCheckpoint:
    """The newest checkpoint, for a writer that holds the lock; refuses a log that it must not go on writing.

    Args:
        connection: A connection that holds the log's lock.
        signers: The keys that will sign.

    Returns:
        The checkpoint over all entries there are.

    Raises:
        LogIntegrityError: Entries and newest checkpoint do not belong together, or the log belongs to another key
            name: signing would start a second history.
    """
    row = connection.execute(_CHECKPOINT_AND_LAST_ENTRY).one_or_none()
    newest, last = _found(row, row.key_changes if row else 0), row.last_entry if row else None
    if newest.origin != signers.origin:
        raise LogIntegrityError(
            f"The log in this database is {newest.origin}, but the signing key is named {signers.origin}; "
            "use the key of this log or an empty database"
        )
    entries = 0 if last is None or epoch_of_row(last) < newest.epoch else index_of_row(last) + 1
    if entries != newest.size:
        raise LogIntegrityError(
            f"The log holds {entries} entries, but its newest checkpoint is signed for {newest.size}"
        )
    return newest


def integrate(
    connection: Connection,
    signers: LogSigners,
    edge: RightEdge,
    *,
    before: StoredCheckpoint,
    new_size: int,
    at: datetime,
) -> StoredCheckpoint:
    """Store the tiles that became full and sign one checkpoint over everything.

    Args:
        connection: A connection that holds the log's lock and has inserted the entries.
        signers: The log's keys.
        edge: What this process remembers of the tree.
        before: The newest checkpoint.
        new_size: Number of leaves now.
        at: When the checkpoint is signed.

    Returns:
        The new checkpoint.

    Raises:
        LogIntegrityError: The hashes that the tree needs are not all there.
    """
    reader = SqlTileReader(connection, before.epoch)
    tree = Tree(reader, new_size)
    for path in completed_tiles(before.size, new_size):
        hashes = tree.tile(path.level, path.index)
        connection.execute(
            _INSERT_TILE,
            {
                "level": path.level,
                "n": first_tile(before.epoch, path.level) + path.index,
                "hashes": hashes,
                "root": tile_root(hashes),
            },
        )
    grown = edge.append(reader, size=before.size, root=before.root, new_size=new_size)
    signing = signers.signing(connection, key_changes=before.key_changes, size=new_size)
    return _store_checkpoint(
        connection, signing, Checkpoint(signers.origin, new_size, grown.root()), epoch=before.epoch, at=at
    )


def start_log(connection: Connection, signer: NoteSigner, *, at: datetime) -> str | None:
    """Sign the checkpoint of the empty log, unless the log has been started already.

    Args:
        connection: A connection that holds the log's lock.
        signer: The log's key.
        at: When the checkpoint is signed.

    Returns:
        The signed checkpoint, or None where the log had been started.
    """
    begun = None if log_has_started(connection) else start_epoch(connection, signer, epoch=0, at=at)
    if not connection.execute(sa.select(sa.exists(sa.select(log_key.c.number)))).scalar_one():
        add_log_key(connection, signer.vkey, from_size=0)
    return begun


def log_has_started(connection: Connection) -> bool:
    """Whether there is a checkpoint or an entry."""
    started = sa.select(sa.exists(sa.select(log_checkpoint.c.size)) | sa.exists(sa.select(log_entry.c.seq)))
    return bool(connection.execute(started).scalar_one())


def start_epoch(connection: Connection, signer: NoteSigner, *, epoch: int, at: datetime) -> str:
    """Sign the checkpoint of an epoch's empty log.

    Args:
        connection: A connection that holds the log's lock.
        signer: The key of this epoch, named like its origin.
        epoch: 0 for the first.
        at: When the checkpoint is signed.

    Returns:
        The signed checkpoint.
    """
    empty = Checkpoint(signer.name, 0, EMPTY_ROOT)
    return _store_checkpoint(connection, [signer], empty, epoch=epoch, at=at).note


def retire_log_key(connection: Connection, vkey: str, *, to_size: int) -> None:
    """Let a key sign no more.

    Args:
        connection: A connection that holds the log's lock.
        vkey: Its public half.
        to_size: Largest tree it has signed.
    """
    connection.execute(sa.update(log_key).where(log_key.c.vkey == vkey).values(to_size=to_size))


def retire_all_log_keys(connection: Connection, size: int) -> None:
    """Let no key of an epoch that ends here sign any more.

    Args:
        connection: A connection that holds the log's lock.
        size: Number of entries the epoch ends with.
    """
    connection.execute(sa.update(log_key).where(log_key.c.to_size.is_(None)).values(to_size=size))


def add_log_key(connection: Connection, vkey: str, *, from_size: int) -> None:
    """List a key as one that signs, from a tree size on.

    Args:
        connection: A connection that holds the log's lock.
        vkey: Its public half.
        from_size: Smallest tree it signs.
    """
    next_number = sa.select(sa.func.coalesce(sa.func.max(log_key.c.number) + 1, 0)).scalar_subquery()
    connection.execute(sa.insert(log_key).values(number=next_number, vkey=vkey, from_size=from_size))


def _store_checkpoint(
    connection: Connection, signers: Sequence[NoteSigner], checkpoint: Checkpoint, *, epoch: int, at: datetime
) -> StoredCheckpoint:
    stored = StoredCheckpoint(
        size=checkpoint.tree_size, root=checkpoint.root_hash, note=sign_checkpoint(checkpoint, signers), epoch=epoch
    )
    row = {"size": first_row(epoch) + stored.size, "root": stored.root, "note": stored.note, "at": at}
    connection.execute(_INSERT_CHECKPOINT, row)
    return stored
