"""Hashes and proofs of the RFC 6962 Merkle tree, without any storage.

Hashing follows RFC 6962 §2.1; the two verification algorithms follow RFC 9162 §2.1.3.2 and §2.1.4.2, which work on the
bits of index and size and share no code with the definition that ``tree.py`` follows to make proofs.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256

from explainer.errors import BadConsistencyProofError, BadInclusionProofError

HASH_SIZE = 32
"""Bytes of a SHA-256 hash."""

EMPTY_ROOT = sha256(b"").digest()
"""Root hash of the tree without leaves: SHA-256 of nothing (RFC 6962 §2.1)."""

_LEAF_PREFIX = b"\x00"
_NODE_PREFIX = b"\x01"


def leaf_hash(leaf: bytes) -> bytes:
    """Hash one log entry: SHA-256(0x00 || leaf), RFC 6962 §2.1.

    Args:
        leaf: The bytes of the entry.

    Returns:
        32 bytes.
    """
    return sha256(_LEAF_PREFIX + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees: SHA-256(0x01 || left || right), RFC 6962 §2.1.

    Args:
        left: 32-byte hash of the left subtree.
        right: 32-byte hash of the right subtree.

    Returns:
        32 bytes.
    """
    return sha256(_NODE_PREFIX + left + right).digest()


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """Root hash over leaf hashes (or over the roots of equally high complete subtrees).

    Pairing neighbours level by level and carrying an odd last one up unchanged gives the tree of RFC 6962 §2.1, whose
    left subtree holds the largest power of two smaller than the number of leaves.

    Args:
        leaf_hashes: 32-byte hashes, oldest first; may be empty.

    Returns:
        32 bytes; :data:`EMPTY_ROOT` for no hashes.
    """
    if not leaf_hashes:
        return EMPTY_ROOT
    level = list(leaf_hashes)
    while len(level) > 1:
        parents = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            parents.append(level[-1])
        level = parents
    return level[0]


def verify_inclusion(leaf_hash: bytes, index: int, tree_size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf stands at an index of a tree (RFC 9162 §2.1.3.2).

    Args:
        leaf_hash: 32-byte hash of the leaf.
        index: Where it should stand, counted from 0.
        tree_size: Number of leaves of the tree.
        proof: Inclusion proof, the leaf's sibling first.
        root: 32-byte root hash of the tree, taken from a verified checkpoint.

    Raises:
        BadInclusionProofError: If the proof does not lead from this leaf at this index to this root.
    """
    if not _all_hashes([leaf_hash, root, *proof]):
        raise BadInclusionProofError("The inclusion proof holds something that is not a 32-byte hash.")
    if not 0 <= index < tree_size:
        raise BadInclusionProofError(f"A tree of {tree_size} entries has no entry number {index}.")
    path, last, computed = index, tree_size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            raise BadInclusionProofError("The inclusion proof is longer than the path from the entry to the root.")
        if path & 1 or path == last:
            computed = node_hash(sibling, computed)
            path, last = _skip_levels_without_sibling(path, last)
        else:
            computed = node_hash(computed, sibling)
        path, last = path >> 1, last >> 1
    if last != 0:
        raise BadInclusionProofError("The inclusion proof is shorter than the path from the entry to the root.")
    if computed != root:
        raise BadInclusionProofError(f"Entry {index} is not in the tree of {tree_size} entries with this root hash.")


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that a newer tree begins with all entries of an older one (RFC 9162 §2.1.4.2).

    Args:
        old_size: Number of leaves of the older tree.
        old_root: 32-byte root hash of the older tree.
        new_size: Number of leaves of the newer tree.
        new_root: 32-byte root hash of the newer tree.
        proof: Consistency proof; empty when the sizes are equal or the older tree is empty.

    Raises:
        BadConsistencyProofError: If the newer tree is smaller, or the proof does not lead to both roots.
    """
    if not _all_hashes([old_root, new_root, *proof]):
        raise BadConsistencyProofError("The consistency proof holds something that is not a 32-byte hash.")
    if not 0 <= old_size <= new_size:
        raise BadConsistencyProofError(f"The log shrank from {old_size} to {new_size} entries.")
    if old_size in (0, new_size):
        _verify_without_proof(old_size, old_root, new_size, new_root, proof)
        return
    hashes = list(proof)
    if old_size & (old_size - 1) == 0:
        # A complete subtree is a node of the newer tree itself, so the proof leaves its hash out.
        hashes.insert(0, old_root)
    if not hashes:
        raise BadConsistencyProofError("The consistency proof is empty.")
    old_computed, new_computed = _roots_led_to(old_size, new_size, hashes)
    if old_computed != old_root or new_computed != new_root:
        raise BadConsistencyProofError(
            f"The tree of {new_size} entries does not begin with the tree of {old_size} entries seen before."
        )


def _roots_led_to(old_size: int, new_size: int, hashes: Sequence[bytes]) -> tuple[bytes, bytes]:
    path, last = old_size - 1, new_size - 1
    while path & 1:
        path, last = path >> 1, last >> 1
    old_computed = new_computed = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise BadConsistencyProofError("The consistency proof is longer than the path to the root.")
        if path & 1 or path == last:
            old_computed = node_hash(sibling, old_computed)
            new_computed = node_hash(sibling, new_computed)
            path, last = _skip_levels_without_sibling(path, last)
        else:
            new_computed = node_hash(new_computed, sibling)
        path, last = path >> 1, last >> 1
    if last != 0:
        raise BadConsistencyProofError("The consistency proof is shorter than the path to the root.")
    return old_computed, new_computed


def _verify_without_proof(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    if proof:
        raise BadConsistencyProofError("Between these sizes the consistency proof must be empty.")
    if old_size == 0 and old_root != EMPTY_ROOT:
        raise BadConsistencyProofError("The older root hash is not the one of an empty tree.")
    if old_size == new_size and old_root != new_root:
        raise BadConsistencyProofError(f"Two different trees of {new_size} entries are signed.")


def _skip_levels_without_sibling(path: int, last: int) -> tuple[int, int]:
    # A last node without a sibling is carried up unchanged, so those levels have no hash in the proof.
    while not path & 1 and path != 0:
        path, last = path >> 1, last >> 1
    return path, last


def _all_hashes(values: Sequence[bytes]) -> bool:
    return all(len(value) == HASH_SIZE for value in values)


def inclusion_ranges(index: int, tree_size: int) -> Iterator[tuple[int, int]]:
    """Leaf ranges whose subtree hashes make up an inclusion proof: PATH(m, D[n]) of RFC 6962 §2.1.1.

    Args:
        index: Leaf to prove, 0 <= index < tree_size.
        tree_size: Number of leaves.

    Returns:
        Half-open ranges ``(start, end)`` in the order of the proof, the leaf's sibling first.
    """
    start, end = 0, tree_size
    ranges: list[tuple[int, int]] = []
    while end - start > 1:
        split = start + largest_power_of_two_below(end - start)
        if index < split:
            ranges.append((split, end))
            end = split
        else:
            ranges.append((start, split))
            start = split
    return reversed(ranges)


def consistency_ranges(old_size: int, new_size: int) -> Iterator[tuple[int, int]]:
    """Leaf ranges whose subtree hashes make up a consistency proof: PROOF(m, D[n]) of RFC 6962 §2.1.2.

    Args:
        old_size: Number of leaves of the older tree, 0 <= old_size <= new_size.
        new_size: Number of leaves of the newer tree.

    Returns:
        Half-open ranges ``(start, end)`` in the order of the proof; none for equal sizes or an empty older tree.
    """
    if old_size in (0, new_size):
        return iter(())
    start, end = 0, new_size
    ranges: list[tuple[int, int]] = []
    while old_size != end:
        split = start + largest_power_of_two_below(end - start)
        if old_size <= split:
            ranges.append((split, end))
            end = split
        else:
            ranges.append((start, split))
            start = split
    if start != 0:
        ranges.append((start, end))
    return reversed(ranges)


def largest_power_of_two_below(number: int) -> int:
    """The largest power of two strictly smaller than a number of at least 2 (RFC 6962 §2.1)."""
    return 1 << ((number - 1).bit_length() - 1)
