"""What must hold for every tree: each leaf provable, each older tree a beginning, nothing else believed."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explainer.errors import BadConsistencyProofError, BadInclusionProofError
from explainer.transparency_log import merkle
from explainer.transparency_log.merkle import (
    EMPTY_ROOT,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.transparency_log.memory_log import MemoryLog, leaves

LOG = MemoryLog(leaves(600))
AROUND_TILE_BORDERS = (71, 127, 128, 255, 256, 257, 300, 511, 512, 513, 600)
sizes = st.one_of(st.sampled_from(AROUND_TILE_BORDERS), st.integers(1, 600))


def root_by_definition(hashes: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1, word for word, as a second opinion."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return sha256(b"\x01" + root_by_definition(hashes[:k]) + root_by_definition(hashes[k:])).digest()


def flip_bit(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8 % len(value)] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize("size", [*range(71), *AROUND_TILE_BORDERS])
def test_stored_tree_and_plain_list_and_the_rfc_definition_give_one_root(size: int) -> None:
    expected = root_by_definition(LOG.hashes[:size])
    assert LOG.tree(size).root() == expected
    assert root_of(LOG.hashes[:size]) == expected


@pytest.mark.parametrize("size", range(1, 71))
def test_every_leaf_is_provable_at_every_size(size: int) -> None:
    tree = LOG.tree(size)
    root = tree.root()
    for index in range(size):
        verify_inclusion(LOG.hashes[index], index, size, tree.inclusion_proof(index), root)


@given(size=sizes, data=st.data())
@settings(max_examples=300, deadline=None)
def test_any_leaf_is_provable_around_the_borders_of_tiles(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    tree = LOG.tree(size)
    verify_inclusion(LOG.hashes[index], index, size, tree.inclusion_proof(index), tree.root())


@given(size=sizes, data=st.data(), bit=st.integers(0, 255))
@settings(max_examples=400, deadline=None)
def test_a_flipped_bit_in_leaf_proof_or_root_is_refused(size: int, data: st.DataObject, bit: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    tree = LOG.tree(size)
    parts = [LOG.hashes[index], tree.root(), *tree.inclusion_proof(index)]
    hit = data.draw(st.integers(0, len(parts) - 1))
    parts[hit] = flip_bit(parts[hit], bit)
    leaf, root, *proof = parts
    with pytest.raises(BadInclusionProofError):
        verify_inclusion(leaf, index, size, proof, root)


@given(size=st.integers(2, 70), data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_proof_for_another_index_or_of_another_length_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(-1, size + 1).filter(lambda chosen: chosen != index))
    tree = LOG.tree(size)
    proof, root = tree.inclusion_proof(index), tree.root()
    for wrong_index, wrong_proof in [
        (other, proof),
        (index, proof[:-1]),
        (index, [*proof, root]),
        (index, [root, *proof]),
        (index, [*proof[:-1], proof[-1] + b"\x00"]),
    ]:
        with pytest.raises(BadInclusionProofError):
            verify_inclusion(LOG.hashes[index], wrong_index, size, wrong_proof, root)


def test_no_entry_is_in_the_empty_tree() -> None:
    with pytest.raises(BadInclusionProofError):
        verify_inclusion(EMPTY_ROOT, 0, 0, [], EMPTY_ROOT)


@pytest.mark.parametrize("new", range(41))
def test_every_older_tree_is_proven_to_be_a_beginning(new: int) -> None:
    tree = LOG.tree(new)
    for old in range(new + 1):
        verify_consistency(old, LOG.tree(old).root(), new, tree.root(), tree.consistency_proof(old))


@given(sizes=st.tuples(sizes, sizes).map(sorted))
@settings(max_examples=200, deadline=None)
def test_consistency_holds_across_the_borders_of_tiles(sizes: list[int]) -> None:
    old, new = sizes
    tree = LOG.tree(new)
    verify_consistency(old, LOG.tree(old).root(), new, tree.root(), tree.consistency_proof(old))


@given(sizes=st.tuples(sizes, sizes).map(sorted), data=st.data(), bit=st.integers(0, 255))
@settings(max_examples=400, deadline=None)
def test_a_flipped_bit_in_a_consistency_proof_or_a_root_is_refused(
    sizes: list[int], data: st.DataObject, bit: int
) -> None:
    old, new = sizes
    tree = LOG.tree(new)
    parts = [LOG.tree(old).root(), tree.root(), *tree.consistency_proof(old)]
    hit = data.draw(st.integers(0, len(parts) - 1))
    parts[hit] = flip_bit(parts[hit], bit)
    old_root, new_root, *proof = parts
    with pytest.raises(BadConsistencyProofError):
        verify_consistency(old, old_root, new, new_root, proof)


@given(sizes=st.tuples(st.integers(1, 70), st.integers(2, 70)).map(sorted))
@settings(max_examples=200, deadline=None)
def test_a_consistency_proof_of_another_length_or_a_shrunk_log_is_refused(sizes: list[int]) -> None:
    old, new = sizes
    tree = LOG.tree(new)
    old_root, new_root, proof = LOG.tree(old).root(), tree.root(), tree.consistency_proof(old)
    wrong = [[*proof, new_root], [new_root, *proof], [b"", *proof]]
    if old != new:
        wrong.append(proof[:-1])
        with pytest.raises(BadConsistencyProofError):
            verify_consistency(new, new_root, old, old_root, proof)
    for changed in wrong:
        with pytest.raises(BadConsistencyProofError):
            verify_consistency(old, old_root, new, new_root, changed)


@pytest.mark.parametrize(
    ("old", "old_root", "new", "proof"),
    [(0, b"\x00" * 32, 5, []), (0, EMPTY_ROOT, 5, [EMPTY_ROOT]), (5, b"\x00" * 32, 5, []), (-1, EMPTY_ROOT, 5, [])],
)
def test_the_short_cuts_for_empty_and_equal_trees_believe_nothing_wrong(
    old: int, old_root: bytes, new: int, proof: list[bytes]
) -> None:
    with pytest.raises(BadConsistencyProofError):
        verify_consistency(old, old_root, new, LOG.tree(new).root(), proof)


def test_a_rewritten_history_has_no_consistency_proof() -> None:
    rewritten = MemoryLog([*leaves(19), b"another entry", *leaves(60)[20:]])
    for old in range(20, 41):
        tree = rewritten.tree(60)
        with pytest.raises(BadConsistencyProofError):
            verify_consistency(old, LOG.tree(old).root(), 60, tree.root(), tree.consistency_proof(old))


def test_without_the_leaf_prefix_an_inner_node_would_pass_as_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken twin: why leaves and nodes are hashed differently, and that our check would notice."""
    a, b, c = (leaf_hash(leaf) for leaf in leaves(3))
    forged_entry = b"\x01" + a + b
    root = root_of([a, b, c])
    with pytest.raises(BadInclusionProofError):
        verify_inclusion(leaf_hash(forged_entry), 0, 2, [c], root)
    monkeypatch.setattr(merkle, "leaf_hash", lambda leaf: sha256(leaf).digest())
    assert merkle.leaf_hash(forged_entry) == node_hash(a, b)
    verify_inclusion(merkle.leaf_hash(forged_entry), 0, 2, [c], root)
