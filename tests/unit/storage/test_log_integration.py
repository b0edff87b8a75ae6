"""Tiles of the second level: a log of more than 65,536 entries, written without the stores to be quick."""

from itertools import pairwise
from pathlib import Path

import sqlalchemy as sa

from explainer.storage.log_integration import integrate, newest_checkpoint
from explainer.storage.right_edge import RightEdge
from explainer.storage.sqlite_backend import SqliteBackend
from explainer.storage.tables import log_tile
from explainer.storage.tile_reader import SqlTileReader
from explainer.transparency_log.checkpoint import open_checkpoint
from explainer.transparency_log.merkle import root_of
from explainer.transparency_log.tiles import tile_root
from explainer.transparency_log.tree import Tree
from tests.databases import LOG_SIGNER, MOMENT, SqliteFiles

SECOND_LEVEL = 256 * 256

INSERT_ENTRIES = """
WITH RECURSIVE number(n) AS (SELECT ? UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ?)
INSERT INTO log_entry (seq, entry_id, event, at, leaf_hash)
SELECT n, printf('%032d', n), 'log.read', '2026-11-23 09:30:15.000000', CAST(printf('%032d', n) AS BLOB) FROM number
"""
"""Entries whose leaf hash is simply their index in 32 digits: what is tested begins above the leaf hashes."""


def test_full_tiles_of_the_second_level_are_stored_and_lead_to_the_signed_root(tmp_path: Path) -> None:
    backend = SqliteBackend(sa.make_url(SqliteFiles(tmp_path).migrated()))
    steps = (0, SECOND_LEVEL - 1, SECOND_LEVEL + 257)
    hashes = [b"%032d" % index for index in range(steps[-1])]
    for old_size, new_size in pairwise(steps):
        with backend.writing() as connection:
            connection.exec_driver_sql(INSERT_ENTRIES, (old_size, new_size))
            before = newest_checkpoint(connection)
            integrate(
                connection, LOG_SIGNER, RightEdge(), before=before, new_hashes=hashes[old_size:new_size], at=MOMENT
            )
    with backend.reading() as connection:
        counted = sa.select(log_tile.c.level, sa.func.count()).group_by(log_tile.c.level).order_by(log_tile.c.level)
        assert connection.execute(counted).all() == [(0, 257), (1, 1)]
        reader = SqlTileReader(connection)
        of_second_level = reader.tile(1, 0)
        assert of_second_level is not None
        assert tile_root(of_second_level) == root_of(hashes[:SECOND_LEVEL])
        assert reader.tile_roots(1, 0, 5) == [tile_root(of_second_level)]
        for size in (SECOND_LEVEL - 1, SECOND_LEVEL, SECOND_LEVEL + 1, SECOND_LEVEL + 257):
            assert Tree(reader, size).root() == root_of(hashes[:size])
        note = connection.exec_driver_sql("SELECT note FROM log_checkpoint ORDER BY size DESC").scalars().first()
        assert open_checkpoint(str(note), [LOG_SIGNER.verifier]).root_hash == root_of(hashes)
    backend.dispose()
