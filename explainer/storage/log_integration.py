"""Makes appended entries part of the tree: full tiles and one signed checkpoint, inside the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from explainer.errors import LogIntegrityError
from explainer.storage.driver_statements import DriverInsert, DriverSelect
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

_NEWEST = (
    sa.select(log_checkpoint.c.size, log_checkpoint.c.root, log_checkpoint.c.note)
    .order_by(log_checkpoint.c.size.desc())
    .limit(1)
)
_NEWEST_CHECKPOINT = DriverSelect(_NEWEST)
_NEWEST_CHECKPOINT_OF_EPOCH = DriverSelect(
    _NEWEST.where(log_checkpoint.c.size >= sa.bindparam("first"), log_checkpoint.c.size < sa.bindparam("past"))
)
_CHECKPOINT_AND_LAST_ENTRY = DriverSelect(
    _NEWEST.add_columns(
        sa.select(sa.func.max(log_entry.c.seq)).scalar_subquery().label("last_entry"), KEY_CHANGES.label("key_changes")
    )
)
_TILES = DriverInsert(log_tile, "level", "n", "hashes", "root")
_CHECKPOINTS = DriverInsert(log_checkpoint, "size", "root", "note", "at")


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
    if epoch is None:
        return _found(_NEWEST_CHECKPOINT.rows(connection))
    rows_of_epoch = {"first": first_row(epoch), "past": first_row(epoch + 1)}
    return _found(_NEWEST_CHECKPOINT_OF_EPOCH.rows(connection, rows_of_epoch))


def _found(rows: Sequence[Sequence[Any]], key_changes: int = 0) -> StoredCheckpoint:
    if not rows:
        raise LogIntegrityError("The log has no checkpoint, not even the one of the empty log: rows have been removed")
    number, root, note = rows[0][:3]
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
    rows = _CHECKPOINT_AND_LAST_ENTRY.rows(connection)
    last, key_changes = rows[0][3:] if rows else (None, 0)
    newest = _found(rows, key_changes)
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
    new_hashes: Sequence[bytes],
    at: datetime,
) -> StoredCheckpoint:
    """Store the tiles that became full and sign one checkpoint over everything.

    Args:
        connection: A connection that holds the log's lock and has inserted the entries.
        signers: The log's keys.
        edge: What this process remembers of the tree.
        before: The newest checkpoint.
        new_hashes: Leaf hashes of the entries, in their order.
        at: When the checkpoint is signed.

    Returns:
        The new checkpoint.

    Raises:
        LogIntegrityError: The hashes that the tree needs are not all there.
    """
    reader = SqlTileReader(connection, before.epoch)
    new_size = before.size + len(new_hashes)
    tree = Tree(reader, new_size)
    for path in completed_tiles(before.size, new_size):
        hashes = tree.tile(path.level, path.index)
        number = first_tile(before.epoch, path.level) + path.index
        _TILES.insert(connection, [(path.level, number, hashes, tile_root(hashes))])
    grown = edge.append(reader, size=before.size, root=before.root, new_hashes=new_hashes)
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
    _CHECKPOINTS.insert(connection, [(first_row(epoch) + stored.size, stored.root, stored.note, at)])
    return stored
