"""A tree ensemble as plain arrays: the only place that reads trees out of ONNX.

Everything that explains a model works on a :class:`Forest`; :mod:`models.package` proves on the package's reference
and background rows that the forest and the runtime agree before anything is explained.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.errors import MalformedPackageError, ModelFeaturesMismatchError
from models.onnx_graph import TreeGraph, floats_of
from models.onnx_trees import Link, read_link, read_trees
from models.scoring_model import Rows, Scores
from models.tree import NO_CHILD, Tree

__all__ = ["NO_CHILD", "Forest", "Link", "Tree", "logistic", "read_forest"]

_MAX_ROW_TREE_PAIRS = 4_000_000
"""Rows are walked through the trees in blocks of this many row-tree pairs, to bound memory."""


@dataclass(frozen=True)
class Forest:
    """Trees whose leaves add up.

    Attributes:
        base_value: Added to the leaves of every row, in the additive unit.
        trees: The trees.
        n_features: Number of raw features.
        link: How the score follows from the additive score: ``logistic`` or ``identity``.
        has_base_values: Whether the ONNX node carried ``base_values``, which some runtimes misread.
    """

    base_value: float
    trees: tuple[Tree, ...]
    n_features: int
    link: Link = "logistic"
    has_base_values: bool = False

    def __post_init__(self) -> None:
        if not self.trees:
            raise MalformedPackageError("The model has no trees.")
        if not np.isfinite(self.base_value):
            raise MalformedPackageError("The base value of the model is no number.")
        for tree in self.trees:
            if np.any(tree.feature < 0) or np.any(tree.feature >= self.n_features):
                raise MalformedPackageError("A tree reads a feature that the model does not have.")

    @cached_property
    def sum_of_largest_leaves(self) -> float:
        """Sum over the trees of the largest absolute leaf: the scale on which float32 runtimes round."""
        return float(sum(np.abs(tree.value[tree.is_leaf]).max() for tree in self.trees))

    @cached_property
    def features_used(self) -> frozenset[int]:
        """Raw features that at least one tree compares."""
        return frozenset(int(f) for tree in self.trees for f in np.unique(tree.feature[~tree.is_leaf]))

    def additive_score(self, rows: Rows) -> Scores:
        """Add up the leaves that rows reach.

        Args:
            rows: Raw rows, shape (n_rows, n_features); NaN means missing.

        Returns:
            Shape (n_rows,), in the additive unit; summed in 64 bits.

        Raises:
            ModelFeaturesMismatchError: If the rows do not have n_features columns.
        """
        if rows.ndim != 2 or rows.shape[1] != self.n_features:  # noqa: PLR2004 - a table has two dimensions
            raise ModelFeaturesMismatchError(f"Rows of shape {rows.shape} do not fit {self.n_features} features.")
        block = max(1, _MAX_ROW_TREE_PAIRS // len(self.trees))
        parts = [self._leaf_sums(rows[start : start + block]) for start in range(0, len(rows), block)]
        return np.concatenate([np.zeros(0), *parts])

    def score(self, rows: Rows) -> Scores:
        """Score rows; arguments as :meth:`additive_score`, result after the link (a probability if logistic)."""
        additive = self.additive_score(rows)
        return logistic(additive) if self.link == "logistic" else additive

    def _leaf_sums(self, rows: Rows) -> Scores:
        nodes = self._all_nodes
        # Numbers beyond float32 become infinite, which every comparison below understands.
        with np.errstate(over="ignore"):
            values = rows.astype(np.float32)
        row_numbers = np.arange(len(rows))[:, np.newaxis]
        position = np.broadcast_to(nodes.roots, (len(rows), len(nodes.roots))).copy()
        while True:
            inner = nodes.left[position] != position
            if not inner.any():
                break
            value = values[row_numbers, nodes.feature[position]]
            goes_left = (value <= nodes.threshold[position]) | (np.isnan(value) & nodes.missing_left[position])
            position = np.where(goes_left, nodes.left[position], nodes.right[position])
        sums: Scores = nodes.value[position].sum(axis=1)
        return self.base_value + sums

    @cached_property
    def _all_nodes(self) -> "_AllNodes":
        return _AllNodes.of(self.trees)


@dataclass(frozen=True)
class _AllNodes:
    """The nodes of all trees in one row of arrays; leaves point to themselves, so that walks simply stay there."""

    roots: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    missing_left: NDArray[np.bool_]
    value: NDArray[np.float64]

    @classmethod
    def of(cls, trees: Sequence[Tree]) -> "_AllNodes":
        sizes = [len(tree.left) for tree in trees]
        roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        lefts, rights = [], []
        for tree, root in zip(trees, roots, strict=True):
            itself = np.arange(len(tree.left))
            lefts.append(np.where(tree.is_leaf, itself, tree.left) + root)
            rights.append(np.where(tree.is_leaf, itself, tree.right) + root)
        return cls(
            roots=roots,
            left=np.concatenate(lefts),
            right=np.concatenate(rights),
            feature=np.concatenate([tree.feature for tree in trees]),
            threshold=np.concatenate([tree.threshold for tree in trees]),
            missing_left=np.concatenate([tree.missing_left for tree in trees]),
            value=np.concatenate([tree.value for tree in trees]),
        )


def logistic(additive: Scores) -> Scores:
    """Turn log-odds into probabilities, 1 / (1 + exp(-x)), without overflow at either end."""
    small = np.exp(-np.abs(additive))
    return np.where(additive >= 0, 1.0, small) / (1.0 + small)


def read_forest(onnx_bytes: bytes, feature_names: Sequence[str] | None = None) -> Forest:
    """Read the trees of an ONNX model.

    Args:
        onnx_bytes: The model: a two-class classifier or a regressor with one target, leaves summed.
        feature_names: The card's features; needed where the graph has one named input per feature in another order.

    Returns:
        The forest over raw features.

    Raises:
        UnsupportedModelError: If the model is of a kind that is not yet read; the sentence names it.
        MalformedPackageError: If the bytes are not ONNX or the trees contradict themselves.
        ModelFeaturesMismatchError: If the model's inputs are not the card's features.
    """
    graph = TreeGraph(onnx_bytes)
    positions = graph.raw_positions(feature_names)
    raw_features = np.array([positions[column] for column in graph.columns], dtype=np.int32)
    base_values = floats_of(graph.attributes, "base_values")
    return Forest(
        # Two base values belong to the two classes; the last one is the class whose probability is the score.
        base_value=float(base_values[-1]) if len(base_values) else 0.0,
        trees=read_trees(graph, raw_features),
        n_features=graph.n_raw_features,
        link=read_link(graph),
        has_base_values=len(base_values) > 0,
    )
