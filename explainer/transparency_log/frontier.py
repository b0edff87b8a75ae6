"""The right edge of a tree: all that an append needs to know of the leaves before it.

A tree of n leaves is made of one complete subtree for each 1 in the binary digits of n (RFC 6962 section 2.1). Their
roots give the root of the whole, and adding a leaf changes only the last of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from explainer.transparency_log.merkle import EMPTY_ROOT, node_hash


@dataclass(frozen=True)
class Frontier:
    """Roots of the complete subtrees of a tree.

    No other roots of the same sizes lead to the same root hash, short of a collision of SHA-256. So a frontier that was
    kept may be used wherever its size and root are those of the tree at hand, whatever happened in between.

    Attributes:
        size: Number of leaves.
        roots: Of the complete subtrees, largest first; one for each 1 in the binary digits of ``size``.
    """

    size: int
    roots: tuple[bytes, ...]

    def root(self) -> bytes:
        """Root hash of the tree, RFC 6962 section 2.1."""
        return self._root

    @cached_property
    def _root(self) -> bytes:
        if not self.roots:
            return EMPTY_ROOT
        *larger, whole = self.roots
        for root in reversed(larger):
            whole = node_hash(root, whole)
        return whole

    def with_leaves(self, leaf_hashes: Iterable[bytes]) -> "Frontier":
        """The frontier after these leaves were appended."""
        size, roots = self.size, list(self.roots)
        for leaf_hash in leaf_hashes:
            merged = leaf_hash
            # As in binary addition: each trailing 1 is a subtree as large as what is carried.
            height = size
            while height & 1:
                merged = node_hash(roots.pop(), merged)
                height >>= 1
            roots.append(merged)
            size += 1
        return Frontier(size, tuple(roots))
