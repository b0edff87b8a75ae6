"""Paths of tiles and the bytes of entry bundles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explainer.errors import LeafTooLargeError, MalformedTileError
from explainer.transparency_log.tiles import (
    MAX_LEAF_SIZE,
    TilePath,
    decode_entries,
    decode_hashes,
    encode_entries,
    entry_bundle_paths,
    hash_tile_paths,
    tile_root,
)


@pytest.mark.parametrize(
    ("path", "tile"),
    [
        ("tile/0/000", TilePath(0, 0)),
        ("tile/0/000.p/1", TilePath(0, 0, 1)),
        ("tile/63/999.p/255", TilePath(63, 999, 255)),
        ("tile/1/x001/000", TilePath(1, 1000)),
        ("tile/entries/x001/x234/067.p/12", TilePath(TilePath.ENTRIES, 1_234_067, 12)),
    ],
)
def test_a_tile_has_one_path(path: str, tile: TilePath) -> None:
    assert TilePath.parse(path) == tile
    assert str(tile) == path


@given(level=st.integers(TilePath.ENTRIES, 63), index=st.integers(0, 10**20), width=st.integers(1, 256))
def test_every_path_reads_back_as_the_same_tile(level: int, index: int, width: int) -> None:
    tile = TilePath(level, index, width)
    assert TilePath.parse(str(tile)) == tile


@pytest.mark.parametrize(
    "path",
    [
        "", "tile", "tile/0", "tile/0/", "/tile/0/000", "tile/0/000/", "tile/00/000", "tile/64/000", "tile/-1/000",
        "tile/0/0", "tile/0/0000", "tile/0/001/234", "tile/0/x001", "tile/0/x000/001", "tile/0/x000/x000/001",
        "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/", "tile/0/000.p/1/", "tile/0/000.p",
        "tile/0/000\n", "tile/0/\u0660\u0660\u0660", "tile/d/000", "tile/0/../000", "tile/0/000?x", "tile/0/X001/234",
    ],
)  # fmt: skip
def test_any_other_spelling_of_a_path_is_refused(path: str) -> None:
    with pytest.raises(MalformedTileError):
        TilePath.parse(path)


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_an_entry_bundle_gives_back_its_entries(entries: list[bytes]) -> None:
    assert decode_entries(encode_entries(entries), len(entries)) == entries


def test_the_largest_entry_fits_and_one_byte_more_is_refused() -> None:
    largest = bytes(MAX_LEAF_SIZE)
    assert decode_entries(encode_entries([largest, b""]), 2) == [largest, b""]
    with pytest.raises(LeafTooLargeError, match="65536"):
        encode_entries([bytes(MAX_LEAF_SIZE + 1)])


@pytest.mark.parametrize("bundle", [b"\x00", b"\x00\x02a", b"\x00\x01a\x00", b"\x00\x01a", b"\x00\x01a" * 3])
def test_a_bundle_that_is_cut_off_or_holds_another_number_of_entries_is_refused(bundle: bytes) -> None:
    with pytest.raises(MalformedTileError):
        decode_entries(bundle, 2)


@pytest.mark.parametrize("size", [0, 31, 33, 64, 8191])
def test_a_tile_of_the_wrong_length_is_refused(size: int) -> None:
    with pytest.raises(MalformedTileError):
        decode_hashes(bytes(size), 1)
    with pytest.raises(MalformedTileError):
        tile_root(bytes(size))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 70_000, 65_536])
def test_the_tiles_of_a_tree_hold_each_of_its_hashes_once(size: int) -> None:
    paths = list(hash_tile_paths(size))
    for level in range(4):
        assert sum(path.width for path in paths if path.level == level) == size >> 8 * level
    assert sum(path.width for path in entry_bundle_paths(size)) == size
    assert len(set(paths)) == len(paths)
