"""Roots, proofs and tiles of a stored tree.

A :class:`Tree` lives within one transaction and remembers nothing: what it answers is always what its reader sees, so
an append that is rolled back cannot leave hashes behind that later proofs would be built from.
"""

from collections.abc import Sequence

from explainer.errors import LogIntegrityError, LogTileNotFoundError
from explainer.transparency_log.frontier import Frontier
from explainer.transparency_log.merkle import (
    EMPTY_ROOT,
    HASH_SIZE,
    consistency_ranges,
    inclusion_ranges,
    largest_power_of_two_below,
    node_hash,
    root_of,
)
from explainer.transparency_log.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    TilePath,
    TileReader,
    decode_hashes,
    encode_hashes,
)


def completed_tiles(old_size: int, new_size: int) -> list[TilePath]:
    """Full tiles that come to be when a tree grows, and so must be stored in the same transaction.

    They are in the order in which to store them: a tile's hashes are the roots of tiles that come before it.

    Args:
        old_size: Number of leaves before.
        new_size: Number of leaves after.

    Returns:
        Full tiles, level by level; none when no tile became full.
    """
    tiles: list[TilePath] = []
    level, before, after = 0, old_size // TILE_WIDTH, new_size // TILE_WIDTH
    while before != after:
        tiles += [TilePath(level, index) for index in range(before, after)]
        level, before, after = level + 1, before // TILE_WIDTH, after // TILE_WIDTH
    return tiles


class Tree:
    """The first ``size`` leaves of a stored log as an RFC 6962 tree.

    Args:
        reader: Storage as the current transaction sees it.
        size: Number of leaves; the reader must have at least that many.
    """

    def __init__(self, reader: TileReader, size: int) -> None:
        if size < 0:
            raise ValueError("a tree cannot have fewer than 0 leaves")
        self._reader = reader
        self._size = size

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    def root(self) -> bytes:
        """Root hash, RFC 6962 §2.1.

        Returns:
            32 bytes.

        Raises:
            LogIntegrityError: If storage does not hold the hashes this tree needs.
        """
        return self._subtree_hash(0, self._size) if self._size else EMPTY_ROOT

    def frontier(self) -> Frontier:
        """Roots of the complete subtrees this tree is made of.

        Raises:
            LogIntegrityError: If storage does not hold the hashes this tree needs.
        """
        roots, start = [], 0
        for height in reversed(range(self._size.bit_length())):
            if self._size >> height & 1:
                roots.append(self._complete_subtree_hash(start, height))
                start += 1 << height
        return Frontier(self._size, tuple(roots))

    def inclusion_proof(self, index: int) -> list[bytes]:
        """Proof that the leaf at an index is in this tree, RFC 6962 §2.1.1.

        Args:
            index: 0 <= index < size.

        Returns:
            32-byte hashes, the leaf's sibling first.

        Raises:
            ValueError: If the tree has no such leaf.
            LogIntegrityError: If storage does not hold the hashes this tree needs.
        """
        if not 0 <= index < self._size:
            raise ValueError(f"a tree of {self._size} leaves has no leaf {index}")
        return [self._subtree_hash(start, end) for start, end in inclusion_ranges(index, self._size)]

    def consistency_proof(self, old_size: int) -> list[bytes]:
        """Proof that this tree begins with all leaves of an older one, RFC 6962 §2.1.2.

        Args:
            old_size: 0 <= old_size <= size.

        Returns:
            32-byte hashes; none for an empty older tree or the same size.

        Raises:
            ValueError: If the older tree would be larger.
            LogIntegrityError: If storage does not hold the hashes this tree needs.
        """
        if not 0 <= old_size <= self._size:
            raise ValueError(f"a tree of {self._size} leaves was never one of {old_size}")
        return [self._subtree_hash(start, end) for start, end in consistency_ranges(old_size, self._size)]

    def tile(self, level: int, n: int, width: int = TILE_WIDTH) -> bytes:
        """Bytes of a tile of hashes, full or partial.

        Args:
            level: 0 for leaf hashes, L + 1 for roots of full tiles on level L.
            n: Number of the tile within its level.
            width: How many of its hashes, 1 to 256.

        Returns:
            ``width`` times 32 bytes.

        Raises:
            MalformedTileError: If no tree has such a tile.
            LogTileNotFoundError: If this tree does not reach as far.
            LogIntegrityError: If storage does not hold the hashes this tree needs.
        """
        path = TilePath(level, n, width)
        if path.is_entry_bundle or path.end > self._hashes_on(level):
            raise LogTileNotFoundError(f"The log of {self._size} entries has no {path}.")
        return encode_hashes(self._hashes(level, path.start, path.end))

    def _hashes_on(self, level: int) -> int:
        return self._size >> (TILE_HEIGHT * level)

    def _subtree_hash(self, start: int, end: int) -> bytes:
        """Hash over leaves [start, end), where start is a multiple of the next power of two >= end - start."""
        leaves = end - start
        if leaves & (leaves - 1) == 0:
            return self._complete_subtree_hash(start, leaves.bit_length() - 1)
        left = largest_power_of_two_below(leaves)
        return node_hash(
            self._complete_subtree_hash(start, left.bit_length() - 1), self._subtree_hash(start + left, end)
        )

    def _complete_subtree_hash(self, start: int, height: int) -> bytes:
        level, height_in_tile = divmod(height, TILE_HEIGHT)
        first = start >> (TILE_HEIGHT * level)
        return root_of(self._hashes(level, first, first + (1 << height_in_tile)))

    def _hashes(self, level: int, start: int, end: int) -> Sequence[bytes]:
        """Hashes of a level at positions [start, end), which lie within one tile."""
        index, offset = divmod(start, TILE_WIDTH)
        stored = self._reader.tile(level, index) if (index + 1) * TILE_WIDTH <= self._hashes_on(level) else None
        if stored is not None:
            hashes = decode_hashes(stored, TILE_WIDTH)[offset : offset + end - start]
        elif level == 0:
            hashes = self._reader.leaf_hashes(start, end)
        else:
            hashes = self._reader.tile_roots(level - 1, start, end)
        if len(hashes) != end - start or any(len(value) != HASH_SIZE for value in hashes):
            raise LogIntegrityError(
                f"Storage holds {len(hashes)} of the {end - start} hashes on level {level} from position {start} on."
            )
        return hashes
