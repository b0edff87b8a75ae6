"""One decision tree as plain arrays."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.errors import MalformedPackageError

NO_CHILD = -1
"""Stands where a leaf has no children."""


@dataclass(frozen=True)
class Tree:
    """One binary tree; node 0 is the root and children stand behind their parent.

    A row goes left where its value, cast to float32, is at most the threshold, or where it is missing (NaN) and
    ``missing_left`` is set; else right.

    Attributes:
        left: Shape (n_nodes,), int32: position of the left child, -1 at leaves.
        right: Shape (n_nodes,), int32: position of the right child, -1 at leaves.
        feature: Shape (n_nodes,), int32: column that is compared, 0 at leaves. The raw feature itself where a forest
            has no encoding of its own, see :class:`models.encoding.Encoding`.
        threshold: Shape (n_nodes,), float32, 0 at leaves.
        missing_left: Shape (n_nodes,), bool.
        value: Shape (n_nodes,), float64: what a leaf adds to the additive score, 0 at inner nodes; shape
            (n_nodes, n_outputs) where leaves add to several scores.
    """

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    missing_left: NDArray[np.bool_]
    value: NDArray[np.float64]

    def __post_init__(self) -> None:
        for array in (self.left, self.right, self.feature, self.threshold, self.missing_left):
            if array.shape != self.left.shape:
                raise MalformedPackageError("The arrays of a tree do not have the same length.")
            array.flags.writeable = False
        if self.value.shape[:1] != self.left.shape or self.value.ndim > 2:  # noqa: PLR2004 - nodes and outputs
            raise MalformedPackageError("The arrays of a tree do not have the same length.")
        self.value.flags.writeable = False
        nodes = np.arange(len(self.left))
        inner = self.left != NO_CHILD
        if not np.array_equal(inner, self.right != NO_CHILD):
            raise MalformedPackageError("A node of a tree has only one child.")
        children = np.concatenate([self.left[inner], self.right[inner]])
        # One parent each and always in front: together they make a tree without loops.
        if not np.array_equal(np.sort(children), nodes[1:]) or np.any(children <= np.tile(nodes[inner], 2)):
            raise MalformedPackageError("The nodes of a tree do not form a tree.")
        if np.any(np.isnan(self.threshold)) or not np.all(np.isfinite(self.value)):
            raise MalformedPackageError("A tree has a threshold or leaf that is no number.")

    @property
    def is_leaf(self) -> NDArray[np.bool_]:
        """Shape (n_nodes,): which nodes are leaves."""
        return np.equal(self.left, NO_CHILD)

    @property
    def n_outputs(self) -> int:
        """Scores its leaves add to."""
        return 1 if self.value.ndim == 1 else int(self.value.shape[1])

    def for_output(self, output: int) -> "Tree":
        """Give the tree of one output alone."""
        return self if self.value.ndim == 1 else replace(self, value=self.value[:, output].copy())
