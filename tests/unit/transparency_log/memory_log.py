"""A log in memory, written as storage would write it: the tests' only reader of tiles."""

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from explainer.transparency_log.checkpoint import Checkpoint, sign_checkpoint
from explainer.transparency_log.merkle import leaf_hash
from explainer.transparency_log.signed_note import NoteSigner
from explainer.transparency_log.tiles import (
    TILE_WIDTH,
    encode_entries,
    entry_bundle_paths,
    hash_tile_paths,
    tile_root,
)
from explainer.transparency_log.tree import Tree, completed_tiles

ORIGIN = "log.example/city"


def signer(seed: int = 1, name: str = ORIGIN) -> NoteSigner:
    return NoteSigner(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


def leaves(count: int, *, prefix: str = "entry") -> list[bytes]:
    return [f"{prefix} {number}".encode() for number in range(count)]


class MemoryLog:
    """Leaves and stored full tiles; ``begin`` and ``roll_back`` act as a database transaction."""

    def __init__(self, first: Sequence[bytes] = ()) -> None:
        self.leaves: list[bytes] = []
        self.hashes: list[bytes] = []
        self.tiles: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        self._before: tuple[list[bytes], list[bytes], dict[tuple[int, int], tuple[bytes, bytes]]] | None = None
        self.append(first)

    def begin(self) -> None:
        self._before = (list(self.leaves), list(self.hashes), dict(self.tiles))

    def roll_back(self) -> None:
        assert self._before is not None
        self.leaves, self.hashes, self.tiles = self._before

    def append(self, new: Sequence[bytes]) -> None:
        old_size = len(self.leaves)
        self.leaves += new
        self.hashes += [leaf_hash(leaf) for leaf in new]
        tree = self.tree()
        for path in completed_tiles(old_size, len(self.leaves)):
            content = tree.tile(path.level, path.index)
            self.tiles[path.level, path.index] = (content, tile_root(content))

    def tree(self, size: int | None = None) -> Tree:
        return Tree(self, len(self.leaves) if size is None else size)

    # What a tree reads.

    def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        return self.hashes[start:end]

    def tile_roots(self, level: int, start: int, end: int) -> list[bytes]:
        return [self.tiles[level, n][1] for n in range(start, end) if (level, n) in self.tiles]

    def tile(self, level: int, n: int) -> bytes | None:
        stored = self.tiles.get((level, n))
        return stored[0] if stored is not None else None

    # What the outside sees.

    def checkpoint(self, *signers: NoteSigner, size: int | None = None) -> str:
        tree = self.tree(size)
        return sign_checkpoint(Checkpoint(ORIGIN, tree.size, tree.root()), signers or (signer(),))

    def served(self, *signers: NoteSigner) -> dict[str, bytes]:
        """Every file of the log as tlog-tiles names it."""
        size = len(self.leaves)
        tree = self.tree()
        files = {"checkpoint": self.checkpoint(*signers).encode()}
        for path in hash_tile_paths(size):
            files[str(path)] = tree.tile(path.level, path.index, path.width)
        for path in entry_bundle_paths(size):
            files[str(path)] = encode_entries(self.leaves[path.index * TILE_WIDTH : path.end])
        return files
