"""Trees over stored tiles: what is stored, what is derived, and that nothing uncommitted is remembered."""

import pytest

from explainer.errors import BadInclusionProofError, LogIntegrityError, LogTileNotFoundError, MalformedTileError
from explainer.transparency_log.merkle import leaf_hash, root_of, verify_inclusion
from explainer.transparency_log.tiles import TILE_WIDTH, TilePath, TileReader, decode_hashes, encode_hashes
from explainer.transparency_log.tree import Tree, completed_tiles
from tests.unit.transparency_log.memory_log import MemoryLog, leaves


class CachingTree:
    """Broken twin: remembers tiles across transactions, as a careless cache would."""

    def __init__(self, reader: TileReader) -> None:
        self._reader = reader
        self._tiles: dict[tuple[int, int], bytes] = {}

    def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        return self._reader.leaf_hashes(start, end)

    def tile_roots(self, level: int, start: int, end: int) -> list[bytes]:
        return self._reader.tile_roots(level, start, end)

    def tile(self, level: int, n: int) -> bytes | None:
        content = self._tiles.get((level, n)) or self._reader.tile(level, n)
        if content is not None:
            self._tiles[level, n] = content
        return content


def append_other_entries_after_a_rolled_back_append(log: MemoryLog, reader: TileReader) -> Tree:
    log.begin()
    log.append(leaves(200, prefix="never committed"))
    Tree(reader, len(log.leaves)).inclusion_proof(150)
    log.roll_back()
    log.append(leaves(300, prefix="committed"))
    return Tree(reader, len(log.leaves))


def test_a_rolled_back_append_does_not_poison_proofs() -> None:
    log = MemoryLog(leaves(100))
    tree = append_other_entries_after_a_rolled_back_append(log, log)
    root = tree.root()
    assert root == root_of(log.hashes)
    for index in range(len(log.leaves)):
        verify_inclusion(log.hashes[index], index, tree.size, tree.inclusion_proof(index), root)


def test_the_poison_test_catches_a_tree_that_remembers_uncommitted_tiles() -> None:
    log = MemoryLog(leaves(100))
    tree = append_other_entries_after_a_rolled_back_append(log, CachingTree(log))
    with pytest.raises(BadInclusionProofError):
        verify_inclusion(log.hashes[150], 150, tree.size, tree.inclusion_proof(150), root_of(log.hashes))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (0, 255, []),
        (0, 256, [TilePath(0, 0)]),
        (255, 256, [TilePath(0, 0)]),
        (256, 511, []),
        (200, 800, [TilePath(0, 0), TilePath(0, 1), TilePath(0, 2)]),
        (65_535, 65_536, [TilePath(0, 255), TilePath(1, 0)]),
        (65_536, 65_536, []),
    ],
)
def test_only_tiles_that_become_full_are_stored(old: int, new: int, expected: list[TilePath]) -> None:
    assert completed_tiles(old, new) == expected


def test_growing_in_any_steps_stores_the_same_tiles() -> None:
    at_once = MemoryLog(leaves(700))
    step_by_step = MemoryLog()
    for size in (0, 1, 1, 254, 1, 255, 1, 187):
        step_by_step.append(leaves(700)[len(step_by_step.leaves) : len(step_by_step.leaves) + size])
    assert step_by_step.tiles == at_once.tiles
    assert step_by_step.tree().root() == at_once.tree().root()


@pytest.mark.long
def test_two_levels_of_full_tiles_give_the_right_root_and_proofs() -> None:
    log = MemoryLog(leaves(65_800))
    assert (1, 0) in log.tiles
    for size in (65_535, 65_536, 65_537, 65_800):
        tree = log.tree(size)
        root = tree.root()
        assert root == root_of(log.hashes[:size])
        for index in (0, 255, 256, 65_534, size - 1):
            verify_inclusion(log.hashes[index], index, size, tree.inclusion_proof(index), root)


def test_nodes_above_the_first_level_of_tiles_come_from_tile_roots() -> None:
    """A reader that has only leaf hashes and roots of full tiles is enough for any proof."""
    log = MemoryLog(leaves(600))

    class WithoutTiles(CachingTree):
        def tile(self, level: int, n: int) -> bytes | None:
            del level, n
            return None

    assert Tree(WithoutTiles(log), 600).inclusion_proof(77) == log.tree().inclusion_proof(77)


def test_tiles_hold_leaf_hashes_and_roots_of_the_tiles_below() -> None:
    log = MemoryLog(leaves(600))
    tree = log.tree()
    assert decode_hashes(tree.tile(0, 2, 88), 88) == [leaf_hash(leaf) for leaf in log.leaves[512:]]
    assert tree.tile(0, 1) == encode_hashes(log.hashes[256:512])
    assert tree.tile(1, 0, 2) == root_of(log.hashes[:256]) + root_of(log.hashes[256:512])
    assert tree.tile(0, 0, 17) == tree.tile(0, 0)[: 17 * 32]


@pytest.mark.parametrize(
    ("level", "n", "width"), [(0, 2, 89), (0, 2, 256), (0, 3, 1), (1, 0, 3), (2, 0, 1), (-1, 0, 1)]
)
def test_a_tile_that_the_log_does_not_reach_is_not_found(level: int, n: int, width: int) -> None:
    with pytest.raises(LogTileNotFoundError):
        MemoryLog(leaves(600)).tree().tile(level, n, width)


@pytest.mark.parametrize(
    ("level", "n", "width"), [(64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, TILE_WIDTH + 1), (-2, 0, 1)]
)
def test_a_tile_that_no_log_has_is_refused(level: int, n: int, width: int) -> None:
    with pytest.raises(MalformedTileError):
        MemoryLog(leaves(600)).tree().tile(level, n, width)


def test_storage_that_lost_hashes_stops_the_log_instead_of_giving_a_wrong_root() -> None:
    log = MemoryLog(leaves(100))
    del log.hashes[40]
    with pytest.raises(LogIntegrityError):
        log.tree(100).root()


@pytest.mark.parametrize("index", [-1, 100, 101])
def test_asking_for_the_proof_of_an_entry_beyond_the_tree_is_a_mistake_of_the_caller(index: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        MemoryLog(leaves(100)).tree().inclusion_proof(index)
    with pytest.raises(ValueError, match="never one of"):
        MemoryLog(leaves(100)).tree().consistency_proof(101)
