"""Tiles, entry bundles and their paths, as C2SP tlog-tiles defines them.

A tile holds up to 256 consecutive hashes of one level; each hash of a tile on level L + 1 is the root of a full tile on
level L. Full tiles never change, so they are stored; partial ones at the right edge are derived when asked for.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from explainer.errors import LeafTooLargeError, MalformedTileError
from explainer.transparency_log.merkle import HASH_SIZE, root_of

TILE_HEIGHT = 8
"""Tree levels that one tile spans."""

TILE_WIDTH = 1 << TILE_HEIGHT
"""Hashes of a full tile."""

MAX_LEAF_SIZE = 65_535
"""Largest entry in bytes: its length must fit the two bytes before it in a bundle."""

_MAX_LEVEL = 63
_LENGTH_BYTES = 2
_PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


@dataclass(frozen=True, order=True)
class TilePath:
    """Which tile or entry bundle, and where it is served.

    Attributes:
        level: 0 to 63 for hashes, :attr:`ENTRIES` for a bundle of entries.
        index: Number of the tile within its level.
        width: Hashes or entries it holds, 1 to 256; 256 is a full tile.
    """

    ENTRIES: ClassVar[int] = -1

    level: int
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if not self.ENTRIES <= self.level <= _MAX_LEVEL:
            raise MalformedTileError(f"Tiles have levels 0 to {_MAX_LEVEL}, not {self.level}.")
        if self.index < 0:
            raise MalformedTileError(f"Tiles are counted from 0, there is no number {self.index}.")
        if not 1 <= self.width <= TILE_WIDTH:
            raise MalformedTileError(f"A tile holds 1 to {TILE_WIDTH} hashes, not {self.width}.")

    @property
    def is_full(self) -> bool:
        """Whether the tile holds all 256 hashes and therefore never changes."""
        return self.width == TILE_WIDTH

    @property
    def is_entry_bundle(self) -> bool:
        """Whether this names entries rather than hashes."""
        return self.level == self.ENTRIES

    @property
    def start(self) -> int:
        """Position of the tile's first hash within its level (for bundles: index of the first entry)."""
        return self.index * TILE_WIDTH

    @property
    def end(self) -> int:
        """Position after the tile's last hash within its level."""
        return self.start + self.width

    @classmethod
    def parse(cls, path: str) -> "TilePath":
        """Read a path such as ``tile/0/x001/234`` or ``tile/entries/002.p/17``.

        Args:
            path: The path below the log's address, without a leading slash.

        Returns:
            The tile it names.

        Raises:
            MalformedTileError: If the path is not the one spelling of a tile.
        """
        match = _PATH.fullmatch(path)
        if match is None:
            raise MalformedTileError("This is not the path of a tile: tile/<level>/<number>[.p/<width>] is.")
        level = cls.ENTRIES if match["level"] == "entries" else int(match["level"])
        index = int(match["index"].replace("/", "").replace("x", ""))
        tile = cls(level, index, int(match["width"] or TILE_WIDTH))
        if str(tile) != path:
            raise MalformedTileError(f"This tile has one path only: {tile}.")
        return tile

    def __str__(self) -> str:
        """The path, without a leading slash."""
        digits = f"{self.index:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
        number = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        level = "entries" if self.is_entry_bundle else str(self.level)
        return f"tile/{level}/{number}" + ("" if self.is_full else f".p/{self.width}")


class TileReader(Protocol):
    """What a tree needs to read from storage, as the current transaction sees it."""

    def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        """Leaf hashes with start <= index < end, in order."""

    def tile_roots(self, level: int, start: int, end: int) -> list[bytes]:
        """Root hashes of the stored full tiles of a level with start <= number < end, in order."""

    def tile(self, level: int, n: int) -> bytes | None:
        """The 8,192 bytes of a stored full tile, or None when it is not stored."""


def tile_root(hashes: bytes) -> bytes:
    """Root hash of a full tile: the hash that stands for it one level up.

    Args:
        hashes: 8,192 bytes.

    Returns:
        32 bytes.

    Raises:
        MalformedTileError: If the tile is not full.
    """
    return root_of(decode_hashes(hashes, TILE_WIDTH))


def hash_tile_paths(tree_size: int) -> Iterator[TilePath]:
    """Every tile of hashes that a tree of this size has, level by level, partial ones included."""
    level, hashes = 0, tree_size
    while hashes > 0:
        yield from _paths_of_level(level, hashes)
        level, hashes = level + 1, hashes // TILE_WIDTH


def entry_bundle_paths(tree_size: int) -> Iterator[TilePath]:
    """Every entry bundle that a tree of this size has, the partial last one included."""
    return _paths_of_level(TilePath.ENTRIES, tree_size)


def _paths_of_level(level: int, hashes: int) -> Iterator[TilePath]:
    full, rest = divmod(hashes, TILE_WIDTH)
    for index in range(full):
        yield TilePath(level, index)
    if rest:
        yield TilePath(level, full, rest)


def encode_hashes(hashes: Sequence[bytes]) -> bytes:
    """Bytes of a tile: its hashes one after the other."""
    return b"".join(hashes)


def decode_hashes(tile: bytes, width: int) -> list[bytes]:
    """Split a tile into its hashes.

    Args:
        tile: The bytes of the tile.
        width: How many hashes it must hold.

    Returns:
        ``width`` hashes of 32 bytes.

    Raises:
        MalformedTileError: If the tile has another length.
    """
    if len(tile) != width * HASH_SIZE:
        raise MalformedTileError(f"A tile of {width} hashes has {width * HASH_SIZE} bytes, this one has {len(tile)}.")
    return [tile[i : i + HASH_SIZE] for i in range(0, len(tile), HASH_SIZE)]


def check_leaf_size(leaf: bytes) -> None:
    """Refuse an entry that no bundle could hold; call it before anything is appended.

    Args:
        leaf: The bytes of the entry.

    Raises:
        LeafTooLargeError: If it has more than 65,535 bytes.
    """
    if len(leaf) > MAX_LEAF_SIZE:
        raise LeafTooLargeError(f"A log entry may have at most {MAX_LEAF_SIZE} bytes, this one has {len(leaf)}.")


def encode_entries(leaves: Sequence[bytes]) -> bytes:
    """Bytes of an entry bundle: each entry after its length as two big-endian bytes.

    Args:
        leaves: Up to 256 entries.

    Returns:
        The bundle.

    Raises:
        LeafTooLargeError: If an entry has more than 65,535 bytes.
    """
    parts: list[bytes] = []
    for leaf in leaves:
        check_leaf_size(leaf)
        parts += [len(leaf).to_bytes(_LENGTH_BYTES, "big"), leaf]
    return b"".join(parts)


def decode_entries(bundle: bytes, width: int) -> list[bytes]:
    """Split an entry bundle into its entries.

    Args:
        bundle: The bytes of the bundle.
        width: How many entries it must hold.

    Returns:
        ``width`` entries.

    Raises:
        MalformedTileError: If the bundle is cut off, or holds more or fewer entries.
    """
    leaves: list[bytes] = []
    position = 0
    while position < len(bundle):
        start = position + _LENGTH_BYTES
        end = start + int.from_bytes(bundle[position:start], "big")
        if start > len(bundle) or end > len(bundle):
            raise MalformedTileError("The entry bundle is cut off in the middle of an entry.")
        leaves.append(bundle[start:end])
        position = end
    if len(leaves) != width:
        raise MalformedTileError(f"The entry bundle holds {len(leaves)} entries instead of {width}.")
    return leaves
