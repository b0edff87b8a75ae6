"""Hashes of the stored tree, as one transaction sees them."""

import sqlalchemy as sa
from sqlalchemy import Connection

from explainer.storage.log_epochs import first_row, first_tile
from explainer.storage.tables import log_entry, log_tile
from explainer.transparency_log.tiles import TILE_WIDTH, TileReader

# Built once: putting a statement together costs more than SQLite needs to answer it.
_LEAF_HASHES = (
    sa.select(log_entry.c.leaf_hash)
    .where(log_entry.c.seq >= sa.bindparam("start"), log_entry.c.seq < sa.bindparam("end"))
    .order_by(log_entry.c.seq)
)
_TILE_ROOTS = (
    sa.select(log_tile.c.root)
    .where(
        log_tile.c.level == sa.bindparam("tile_level"),
        log_tile.c.n >= sa.bindparam("start"),
        log_tile.c.n < sa.bindparam("end"),
    )
    .order_by(log_tile.c.n)
)
_TILE = sa.select(log_tile.c.hashes).where(
    log_tile.c.level == sa.bindparam("tile_level"), log_tile.c.n == sa.bindparam("number")
)


class SqlTileReader:
    """Reads hashes for a ``Tree``; see ``transparency_log.tiles.TileReader``.

    It keeps nothing between calls: a cache that outlived a rolled-back transaction would give wrong roots.

    Args:
        connection: The unit of work's connection.
        epoch: Whose hashes.
    """

    def __init__(self, connection: Connection, epoch: int = 0) -> None:
        self._connection = connection
        self._epoch = epoch
        self._first_row = first_row(epoch)

    def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        """Leaf hashes with start <= index < end, in order."""
        rows = {"start": self._first_row + start, "end": self._first_row + end}
        return list(self._connection.execute(_LEAF_HASHES, rows).scalars().all())

    def tile_roots(self, level: int, start: int, end: int) -> list[bytes]:
        """Root hashes of the stored full tiles of a level with start <= number < end, in order."""
        first = first_tile(self._epoch, level)
        parameters = {"tile_level": level, "start": first + start, "end": first + end}
        return list(self._connection.execute(_TILE_ROOTS, parameters).scalars().all())

    def tile(self, level: int, n: int) -> bytes | None:
        """The 8,192 bytes of a stored full tile, or None when it is not stored."""
        parameters = {"tile_level": level, "number": first_tile(self._epoch, level) + n}
        return self._connection.execute(_TILE, parameters).scalar_one_or_none()


class RightEdgeReader:
    """Reads each partial tile once, for one root of one tree that nobody changes meanwhile.

    A root asks for up to eight parts of the partial tile on every level; one statement fetches them all.

    Args:
        reader: Where the hashes come from.
    """

    def __init__(self, reader: TileReader) -> None:
        self._reader = reader
        self._partial_tiles: dict[tuple[int, int], list[bytes]] = {}

    def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        """Leaf hashes with start <= index < end, in order, all of one tile."""
        first = start - start % TILE_WIDTH
        if (0, first) not in self._partial_tiles:
            self._partial_tiles[0, first] = self._reader.leaf_hashes(first, first + TILE_WIDTH)
        return self._partial_tiles[0, first][start - first : end - first]

    def tile_roots(self, level: int, start: int, end: int) -> list[bytes]:
        """Root hashes of the stored full tiles of a level with start <= number < end, all below one tile."""
        first = start - start % TILE_WIDTH
        if (level + 1, first) not in self._partial_tiles:
            self._partial_tiles[level + 1, first] = self._reader.tile_roots(level, first, first + TILE_WIDTH)
        return self._partial_tiles[level + 1, first][start - first : end - first]

    def tile(self, level: int, n: int) -> bytes | None:
        """The 8,192 bytes of a stored full tile, or None when it is not stored."""
        return self._reader.tile(level, n)
