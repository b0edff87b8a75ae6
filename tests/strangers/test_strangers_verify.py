"""Verifiers that share nothing with our code accept what we make and refuse what was tampered with."""

from pathlib import Path

import pytest

from tests.strangers.verdicts import stranger_accepts, stranger_accepts_growth, stranger_accepts_tiles
from tests.unit.transparency_log.memory_log import MemoryLog, leaves, signer

pytestmark = pytest.mark.usefixtures("strangers")

CITY = signer(1)
SIZE = 600
LOG = MemoryLog(leaves(SIZE))
CHECKPOINT = LOG.checkpoint()
INDEX = 300
PROOF = LOG.tree().inclusion_proof(INDEX)


def write(log: MemoryLog, folder: Path) -> Path:
    for path, content in log.served().items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 600])
def test_strangers_accept_our_checkpoints_and_inclusion_proofs(size: int) -> None:
    tree = LOG.tree(size)
    for index in {0, size // 2, size - 1}:
        assert stranger_accepts(
            LOG.checkpoint(size=size), CITY.vkey, LOG.leaves[index], index, tree.inclusion_proof(index)
        )


def test_strangers_refuse_another_entry_another_index_or_another_proof() -> None:
    assert stranger_accepts(CHECKPOINT, CITY.vkey, LOG.leaves[INDEX], INDEX, PROOF)
    assert not stranger_accepts(CHECKPOINT, CITY.vkey, b"another entry", INDEX, PROOF)
    assert not stranger_accepts(CHECKPOINT, CITY.vkey, LOG.leaves[INDEX], INDEX + 1, PROOF)
    assert not stranger_accepts(CHECKPOINT, CITY.vkey, LOG.leaves[INDEX], INDEX, [*PROOF[:-1], bytes(32)])


def test_strangers_refuse_a_changed_checkpoint_and_an_unknown_key() -> None:
    smaller = CHECKPOINT.replace("\n600\n", "\n599\n")
    assert not stranger_accepts(smaller, CITY.vkey, LOG.leaves[INDEX], INDEX, PROOF)
    assert not stranger_accepts(CHECKPOINT, signer(2).vkey, LOG.leaves[INDEX], INDEX, PROOF)


def test_strangers_accept_either_key_while_the_log_key_is_replaced() -> None:
    both = LOG.checkpoint(CITY, signer(2))
    for known in (CITY, signer(2)):
        assert stranger_accepts(both, known.vkey, LOG.leaves[INDEX], INDEX, PROOF)


@pytest.mark.parametrize("old", [1, 255, 256, 257, 599])
def test_strangers_accept_our_consistency_proofs_and_refuse_a_fork(old: int) -> None:
    proof = LOG.tree().consistency_proof(old)
    assert stranger_accepts_growth(LOG.checkpoint(size=old), CHECKPOINT, CITY.vkey, proof)
    fork = MemoryLog(leaves(old, prefix="other history"))
    assert not stranger_accepts_growth(fork.checkpoint(), CHECKPOINT, CITY.vkey, proof)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537])
def test_strangers_find_their_own_proofs_in_our_tiles(tmp_path: Path, size: int) -> None:
    """Of the large trees every 509th entry is proven: proofs from all tiles, in little time."""
    folder = write(MemoryLog(leaves(size)), tmp_path)
    assert stranger_accepts_tiles(folder, CITY.vkey, every=1 if size < 1000 else 509)


def test_strangers_refuse_a_tile_with_a_flipped_bit(tmp_path: Path) -> None:
    tile = write(MemoryLog(leaves(300)), tmp_path) / "tile" / "0" / "000"
    content = bytearray(tile.read_bytes())
    content[3] ^= 1
    tile.write_bytes(bytes(content))
    # Tile 0 is complete, so the root comes from the tile above; only proofs that cross the tile notice.
    assert not stranger_accepts_tiles(tmp_path, CITY.vkey)
