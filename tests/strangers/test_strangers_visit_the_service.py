"""Strangers visit a running service: they read checkpoint, tiles and entries over HTTP and believe or refuse them."""

import base64
import hashlib
import zipfile
from pathlib import Path

import pytest

from explainer.transparency_log.tiles import TilePath, decode_entries, entry_bundle_paths, hash_tile_paths
from explainer.transparency_log.tree import Tree
from explainer.use_cases.write_bundle import write_bundle
from tests.demo_city import RunningCity
from tests.strangers.verdicts import stranger_accepts, stranger_accepts_growth, stranger_accepts_tiles

pytestmark = pytest.mark.usefixtures("strangers")


def test_a_stranger_believes_the_log_a_running_service_serves(demo_city: RunningCity, tmp_path: Path) -> None:
    download(demo_city, tmp_path)
    assert stranger_accepts_tiles(tmp_path, demo_city.access["log_vkey"])


def test_a_stranger_refuses_it_when_one_entry_was_changed(demo_city: RunningCity, tmp_path: Path) -> None:
    download(demo_city, tmp_path)
    bundle = next(path for path in (tmp_path / "tile" / "entries").rglob("*") if path.is_file())
    content = bundle.read_bytes()
    assert b'"granted"' in content
    bundle.write_bytes(content.replace(b'"granted"', b'"refused"', 1))
    assert not stranger_accepts_tiles(tmp_path, demo_city.access["log_vkey"])


def test_a_stranger_believes_a_bundle_offline_and_refuses_a_changed_one(demo_city: RunningCity, tmp_path: Path) -> None:
    write_bundle(demo_city.service, tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        bundle.extractall(tmp_path / "bundle")
    vkey = demo_city.access["log_vkey"]
    assert stranger_accepts_tiles(tmp_path / "bundle", vkey)
    changed = next(path for path in (tmp_path / "bundle" / "tile" / "entries").rglob("*") if path.is_file())
    changed.write_bytes(changed.read_bytes().replace(b'"granted"', b'"refused"', 1))
    assert not stranger_accepts_tiles(tmp_path / "bundle", vkey)


def test_a_stranger_believes_the_inclusion_of_one_entry_with_a_proof_made_from_public_tiles(
    demo_city: RunningCity,
) -> None:
    """The proof is computed here from the served leaves with nothing but hashlib."""
    leaves, checkpoint, size = served_leaves(demo_city)
    index = size // 2
    proof = inclusion_proof([leaf_hash(leaf) for leaf in leaves], index)
    vkey = demo_city.access["log_vkey"]
    assert stranger_accepts(checkpoint, vkey, leaves[index], index, proof)
    assert not stranger_accepts(checkpoint, vkey, leaves[index] + b" ", index, proof)
    forged = checkpoint.replace(f"\n{size}\n", f"\n{size + 1}\n", 1)
    assert not stranger_accepts(forged, vkey, leaves[index], index, proof)


def test_a_stranger_believes_that_the_log_only_grew(demo_city: RunningCity) -> None:
    _, old, _ = served_leaves(demo_city)
    demo_city.explain(demo_city.access["letters"][0])
    _, new, size = served_leaves(demo_city)
    with demo_city.service.database.reading() as work:
        proof = Tree(work.log.tiles(), size).consistency_proof(int(old.splitlines()[1]))
    assert stranger_accepts_growth(old, new, demo_city.access["log_vkey"], proof)


def download(city: RunningCity, folder: Path) -> None:
    with city.client() as client:
        checkpoint = client.get("/log/checkpoint").content
        (folder / "checkpoint").write_bytes(checkpoint)
        size = int(checkpoint.splitlines()[1])
        for path in [*hash_tile_paths(size), *entry_bundle_paths(size)]:
            file = folder / str(path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(client.get(f"/log/{path}").content)


def served_leaves(city: RunningCity) -> tuple[list[bytes], str, int]:
    with city.client() as client:
        checkpoint = client.get("/log/checkpoint").text
        size = int(checkpoint.splitlines()[1])
        leaves: list[bytes] = []
        for start in range(0, size, 256):
            bundle = TilePath(TilePath.ENTRIES, start // 256, min(256, size - start))
            leaves += decode_entries(client.get(f"/log/{bundle}").content, bundle.width)
    assert base64.b64decode(checkpoint.splitlines()[2]) == root([leaf_hash(leaf) for leaf in leaves])
    return leaves, checkpoint, size


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def root(hashes: list[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + root(hashes[:split]) + root(hashes[split:])).digest()


def inclusion_proof(hashes: list[bytes], index: int) -> list[bytes]:
    if len(hashes) == 1:
        return []
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    if index < split:
        return [*inclusion_proof(hashes[:split], index), root(hashes[split:])]
    return [*inclusion_proof(hashes[split:], index - split), root(hashes[:split])]
