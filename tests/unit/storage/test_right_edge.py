"""What a process remembers of the tree is proven before it is used: roll-backs and other writers do no harm."""

from hashlib import sha256

import pytest

from explainer.errors import LogIntegrityError
from explainer.storage.right_edge import RightEdge
from explainer.transparency_log.merkle import root_of

HASHES = [sha256(b"%d" % number).digest() for number in range(40)]


class StoredHashes:
    """Leaf hashes as one transaction sees them; counts what is read."""

    def __init__(self, hashes: list[bytes]) -> None:
        self.hashes = hashes
        self.read = 0

    def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        found = self.hashes[start:end]
        self.read += len(found)
        return found

    def tile_roots(self, level: int, start: int, end: int) -> list[bytes]:
        raise AssertionError(f"a tree this small has no full tile {level, start, end}")

    def tile(self, level: int, n: int) -> bytes | None:
        raise AssertionError(f"a tree this small has no full tile {level, n}")


def grow(edge: RightEdge, hashes: list[bytes], old_size: int) -> tuple[bytes, int]:
    reader = StoredHashes(hashes[:old_size])
    grown = edge.append(reader, size=old_size, root=root_of(hashes[:old_size]), new_hashes=hashes[old_size:])
    return grown.root(), reader.read


def test_an_append_after_our_own_reads_nothing() -> None:
    edge = RightEdge()
    assert grow(edge, HASHES[:20], 0) == (root_of(HASHES[:20]), 0)
    assert grow(edge, HASHES[:21], 20) == (root_of(HASHES[:21]), 0)


def test_an_append_that_was_rolled_back_is_forgotten() -> None:
    edge = RightEdge()
    grow(edge, HASHES[:20], 0)
    grow(edge, [*HASHES[:20], b"lost".ljust(32)], 20)
    again = [*HASHES[:20], HASHES[30]]
    assert grow(edge, again, 20)[0] == root_of(again)
    after = [*again, HASHES[31]]
    assert grow(edge, after, 21)[0] == root_of(after)


def test_an_append_whose_place_another_process_took_is_forgotten() -> None:
    edge = RightEdge()
    grow(edge, [*HASHES[:20], b"lost".ljust(32)], 0)
    theirs = HASHES[:21]
    assert grow(edge, [*theirs, HASHES[35]], 21)[0] == root_of([*theirs, HASHES[35]])


def test_stored_hashes_that_do_not_lead_to_the_signed_root_are_not_built_upon() -> None:
    changed = [*HASHES[:5], bytes(32), *HASHES[6:11]]
    with pytest.raises(LogIntegrityError, match="second history"):
        RightEdge().append(StoredHashes(changed), size=10, root=root_of(HASHES[:10]), new_hashes=HASHES[10:11])
