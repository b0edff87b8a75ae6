"""An inclusion proof one hash at a time, so that a page can say what is done and a reader can do it too."""

from collections.abc import Sequence
from dataclasses import dataclass

from explainer.errors import BadInclusionProofError
from explainer.transparency_log.merkle import inclusion_ranges, node_hash


@dataclass(frozen=True)
class ProofStep:
    """One step from a leaf towards the root: SHA-256(0x01 || left || right), RFC 6962 §2.1.

    Attributes:
        sibling: 32-byte hash that the proof gives.
        sibling_is_right: Whether it stands to the right of what was computed before.
        first: First entry that the sibling stands for.
        last: Last entry that the sibling stands for.
        result: 32-byte hash of both.
    """

    sibling: bytes
    sibling_is_right: bool
    first: int
    last: int
    result: bytes


def proof_steps(leaf_hash: bytes, index: int, tree_size: int, proof: Sequence[bytes]) -> tuple[ProofStep, ...]:
    """Follow an inclusion proof.

    Args:
        leaf_hash: 32-byte hash of the leaf.
        index: Where it stands, 0 <= index < tree_size.
        tree_size: Number of leaves of the tree.
        proof: The leaf's sibling first.

    Returns:
        The steps; the last one's result is the root hash if the proof holds, which the caller compares.

    Raises:
        BadInclusionProofError: If the proof has another length than the path from the leaf to the root.
    """
    ranges = list(inclusion_ranges(index, tree_size))
    if len(ranges) != len(proof):
        raise BadInclusionProofError("The proof has another length than the path from the entry to the root.")
    steps: list[ProofStep] = []
    computed = leaf_hash
    for (start, end), sibling in zip(ranges, proof, strict=True):
        right = start > index
        computed = node_hash(computed, sibling) if right else node_hash(sibling, computed)
        steps.append(ProofStep(sibling, right, start, end - 1, computed))
    return tuple(steps)
