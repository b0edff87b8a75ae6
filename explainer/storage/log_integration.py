"""Makes appended entries part of the tree: full tiles and one signed checkpoint, inside the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from explainer.errors import LogIntegrityError
from explainer.storage.driver_statements import DriverInsert, DriverSelect
from explainer.storage.right_edge import RightEdge
from explainer.storage.tables import log_checkpoint, log_entry, log_tile
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
_NEWEST_CHECKPOINT = DriverSelect(_NEWEST.add_columns(sa.null().label("last_entry")))
_CHECKPOINT_AND_LAST_ENTRY = DriverSelect(
    _NEWEST.add_columns(sa.select(sa.func.max(log_entry.c.seq)).scalar_subquery().label("last_entry"))
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
    """

    size: int
    root: bytes
    note: str

    @property
    def origin(self) -> str:
        """Name of the log: the first line of the note."""
        return self.note.partition("\n")[0]


def newest_checkpoint(connection: Connection) -> StoredCheckpoint:
    """The newest signed checkpoint this transaction sees.

    Args:
        connection: A connection in a transaction.

    Returns:
        The checkpoint.

    Raises:
        LogIntegrityError: There is none; even the empty log has one since the first migration.
    """
    return _found(_NEWEST_CHECKPOINT.rows(connection))[0]


def _found(rows: Sequence[Sequence[Any]]) -> tuple[StoredCheckpoint, int | None]:
    if not rows:
        raise LogIntegrityError("The log has no checkpoint, not even the one of the empty log: rows have been removed")
    size, root, note, last_entry = rows[0]
    return StoredCheckpoint(size=size, root=root, note=note), last_entry


def checkpoint_to_append_to(connection: Connection, signer: NoteSigner) -> StoredCheckpoint:
    """The newest checkpoint, for a writer that holds the lock; refuses a log that it must not go on writing.

    Args:
        connection: A connection that holds the log's lock.
        signer: The key that will sign.

    Returns:
        The checkpoint over all entries there are.

    Raises:
        LogIntegrityError: Entries and newest checkpoint do not belong together, or the log belongs to another key
            name: signing would start a second history.
    """
    newest, last = _found(_CHECKPOINT_AND_LAST_ENTRY.rows(connection))
    if newest.origin != signer.name:
        raise LogIntegrityError(
            f"The log in this database is {newest.origin}, but the signing key is named {signer.name}; "
            "use the key of this log or an empty database"
        )
    entries = 0 if last is None else last + 1
    if entries != newest.size:
        raise LogIntegrityError(
            f"The log holds {entries} entries, but its newest checkpoint is signed for {newest.size}"
        )
    return newest


def integrate(
    connection: Connection,
    signer: NoteSigner,
    edge: RightEdge,
    *,
    before: StoredCheckpoint,
    new_hashes: Sequence[bytes],
    at: datetime,
) -> StoredCheckpoint:
    """Store the tiles that became full and sign one checkpoint over everything.

    Args:
        connection: A connection that holds the log's lock and has inserted the entries.
        signer: The log's key.
        edge: What this process remembers of the tree.
        before: The newest checkpoint.
        new_hashes: Leaf hashes of the entries, in their order.
        at: When the checkpoint is signed.

    Returns:
        The new checkpoint.

    Raises:
        LogIntegrityError: The hashes that the tree needs are not all there.
    """
    reader = SqlTileReader(connection)
    new_size = before.size + len(new_hashes)
    tree = Tree(reader, new_size)
    for path in completed_tiles(before.size, new_size):
        hashes = tree.tile(path.level, path.index)
        _TILES.insert(connection, [(path.level, path.index, hashes, tile_root(hashes))])
    grown = edge.append(reader, size=before.size, root=before.root, new_hashes=new_hashes)
    return _store_checkpoint(connection, signer, Checkpoint(signer.name, new_size, grown.root()), at)


def start_log(connection: Connection, signer: NoteSigner, *, at: datetime) -> None:
    """Sign the checkpoint of the empty log, unless the log has been started already.

    Args:
        connection: A connection that holds the log's lock.
        signer: The log's key.
        at: When the checkpoint is signed.
    """
    started = sa.select(sa.exists(sa.select(log_checkpoint.c.size)) | sa.exists(sa.select(log_entry.c.seq)))
    if not connection.execute(started).scalar_one():
        _store_checkpoint(connection, signer, Checkpoint(signer.name, 0, EMPTY_ROOT), at)


def _store_checkpoint(
    connection: Connection, signer: NoteSigner, checkpoint: Checkpoint, at: datetime
) -> StoredCheckpoint:
    stored = StoredCheckpoint(
        size=checkpoint.tree_size, root=checkpoint.root_hash, note=sign_checkpoint(checkpoint, [signer])
    )
    _CHECKPOINTS.insert(connection, [(stored.size, stored.root, stored.note, at)])
    return stored
