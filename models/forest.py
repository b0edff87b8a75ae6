"""A tree ensemble as plain arrays: the only place that reads trees out of ONNX.

Everything that explains a model works on a :class:`Forest`; :mod:`models.package` proves on the package's reference
and background rows that the forest and the runtime agree before anything is explained.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.encoding import Columns, Encoding
from models.errors import MalformedPackageError, ModelFeaturesMismatchError
from models.features import Feature
from models.links import Link, apply_link, link_of_one_output, logistic
from models.onnx_graph import ScoringGraph
from models.onnx_model import OnnxPreprocessing
from models.onnx_outputs import read_outputs
from models.onnx_provenance import Provenance
from models.onnx_trees import read_trees, says_where_missing_goes
from models.scoring_model import Rows, Scores
from models.tree import NO_CHILD, Tree
from models.tree_layout import ColumnsOfTrees

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
        link: How the score follows from the additive score.
        has_base_values: Whether the ONNX node carried ``base_values``, which some runtimes misread.
        encoding: How raw features become the columns that trees compare; none means they compare raw features.
        output_base_values: Where leaves add to several scores, what is added to each besides ``base_value``.
        has_missing_tracks: Whether the nodes say which way missing values go, see
            :func:`models.onnx_trees.says_where_missing_goes`.
    """

    base_value: float
    trees: tuple[Tree, ...]
    n_features: int
    link: Link = "logistic"
    has_base_values: bool = False
    encoding: Encoding | None = None
    output_base_values: tuple[float, ...] = ()
    has_missing_tracks: bool = True

    def __post_init__(self) -> None:
        if not self.trees:
            raise MalformedPackageError("The model has no trees.")
        if not np.all(np.isfinite([self.base_value, *self.output_base_values])):
            raise MalformedPackageError("The base value of the model is no number.")
        if {tree.n_outputs for tree in self.trees} != {len(self.output_base_values) or 1}:
            raise MalformedPackageError("The trees and the base values do not have the same number of outputs.")
        if self.encoding is not None and self.encoding.n_features != self.n_features:
            raise MalformedPackageError("The encoding has another number of features than the forest.")
        for tree in self.trees:
            if np.any(tree.feature < 0) or np.any(tree.feature >= self.n_columns):
                raise MalformedPackageError("A tree reads a feature that the model does not have.")

    @property
    def n_outputs(self) -> int:
        """Additive scores per row: 1, or one per class or target."""
        return len(self.output_base_values) or 1

    @property
    def n_columns(self) -> int:
        """Columns that the trees compare."""
        return self.n_features if self.encoding is None else len(self.encoding.feature_of_column)

    @cached_property
    def feature_of_column(self) -> NDArray[np.int32]:
        """Shape (n_columns,): the raw feature that each column depends on, and no other."""
        return self._encoding.feature_of_column

    @cached_property
    def columns_of_feature(self) -> tuple[NDArray[np.int64], ...]:
        """For each raw feature the columns that depend on it."""
        return tuple(np.flatnonzero(self.feature_of_column == feature) for feature in range(self.n_features))

    @cached_property
    def sum_of_largest_leaves(self) -> float:
        """Sum over the trees of the largest absolute leaf: the scale on which float32 runtimes round."""
        return float(sum(np.abs(tree.value[tree.is_leaf]).max() for tree in self.trees))

    @cached_property
    def features_used(self) -> frozenset[int]:
        """Raw features that at least one tree compares."""
        columns = {int(c) for tree in self.trees for c in np.unique(tree.feature[~tree.is_leaf])}
        return frozenset(int(self.feature_of_column[column]) for column in columns)

    def thresholds_of(self, feature: int) -> NDArray[np.float32] | None:
        """List the raw values of one feature between which the additive score can jump.

        Args:
            feature: Position of the raw feature.

        Returns:
            Ascending thresholds, each the largest value of its interval; none where preprocessing stands between the
            raw feature and the trees, so that nobody knows them.
        """
        if self.encoding is not None and self.encoding.preprocessing is not None:
            return None
        compared = [tree.threshold[~tree.is_leaf & (tree.feature == feature)] for tree in self.trees]
        members = [m.values for m in self._encoding.memberships if m.column == feature]
        values = np.array([value for group in members for value in group], dtype=np.float32)
        return np.unique(np.concatenate([*compared, values, np.nextafter(values, np.float32(-np.inf))]))

    def for_output(self, output: int) -> "Forest":
        """Give the forest of one of several outputs, as if it were the only one.

        Args:
            output: Position of the class or target.

        Returns:
            A forest with one additive score. A link over all outputs cannot be computed from one of them alone, so it
            becomes ``identity``.

        Raises:
            ModelFeaturesMismatchError: If there is no such output.
        """
        link = link_of_one_output(self.link, output, self.n_outputs)
        if self.n_outputs == 1:
            return self
        return replace(
            self,
            base_value=self.base_value + self.output_base_values[output],
            trees=_without_idle_trees([tree.for_output(output) for tree in self.trees]),
            link=link,
            output_base_values=(),
        )

    def encode(self, rows: Rows) -> Columns:
        """Turn raw rows into the columns that trees compare.

        Args:
            rows: Raw rows, shape (n_rows, n_features); NaN means missing.

        Returns:
            Shape (n_rows, n_columns), float32.

        Raises:
            ModelFeaturesMismatchError: If the rows do not have n_features columns.
        """
        if rows.ndim != 2 or rows.shape[1] != self.n_features:  # noqa: PLR2004 - a table has two dimensions
            raise ModelFeaturesMismatchError(f"Rows of shape {rows.shape} do not fit {self.n_features} features.")
        return self._encoding.encode(rows)

    def additive_score(self, rows: Rows) -> Scores:
        """Add up the leaves that rows reach.

        Args:
            rows: Raw rows, shape (n_rows, n_features); NaN means missing.

        Returns:
            Shape (n_rows,), or (n_rows, n_outputs) if there are several, in the additive unit; summed in 64 bits.

        Raises:
            ModelFeaturesMismatchError: If the rows do not have n_features columns.
        """
        columns = self.encode(rows)
        block = max(1, _MAX_ROW_TREE_PAIRS // len(self.trees))
        parts = [self._leaf_sums(columns[start : start + block]) for start in range(0, len(rows), block)]
        nothing = np.zeros((0, self.n_outputs) if self.output_base_values else 0)
        return np.concatenate([nothing, *parts])

    def score(self, rows: Rows) -> Scores:
        """Score rows; arguments and shape as :meth:`additive_score`, result after the link."""
        return apply_link(self.link, self.additive_score(rows))

    @cached_property
    def _encoding(self) -> Encoding:
        return Encoding.of_raw_features(self.n_features) if self.encoding is None else self.encoding

    def _leaf_sums(self, values: Columns) -> Scores:
        nodes = self._all_nodes
        row_numbers = np.arange(len(values))[:, np.newaxis]
        position = np.broadcast_to(nodes.roots, (len(values), len(nodes.roots))).copy()
        while True:
            inner = nodes.left[position] != position
            if not inner.any():
                break
            value = values[row_numbers, nodes.feature[position]]
            goes_left = (value <= nodes.threshold[position]) | (np.isnan(value) & nodes.missing_left[position])
            position = np.where(goes_left, nodes.left[position], nodes.right[position])
        sums: Scores = nodes.value[position].sum(axis=1)
        offsets = np.array(self.output_base_values) if self.output_base_values else 0.0
        return self.base_value + offsets + sums

    @cached_property
    def _all_nodes(self) -> "_AllNodes":
        return _AllNodes.of(self.trees)


def _without_idle_trees(trees: Sequence[Tree]) -> tuple[Tree, ...]:
    """Leave out trees that add nothing: where each tree belongs to one class, those of all others. One always stays."""
    return tuple(tree for tree in trees if tree.value.any()) or tuple(trees[:1])


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


def read_forest(onnx_bytes: bytes, features: Sequence[Feature] | Sequence[str] | None = None) -> Forest:
    """Read the trees of an ONNX model.

    Args:
        onnx_bytes: The model: one tree ensemble with any preprocessing that keeps features apart.
        features: The card's features, or their names where no input is text; needed where the graph has one named
            input per feature in another order.

    Returns:
        The forest over raw features.

    Raises:
        UnsupportedModelError: If the model is of a kind that is not yet read; the sentence names it.
        MalformedPackageError: If the bytes are not ONNX or the trees contradict themselves.
        ModelFeaturesMismatchError: If the model's inputs are not the card's features.
    """
    graph = ScoringGraph(onnx_bytes)
    names = None if features is None else tuple(f if isinstance(f, str) else f.name for f in features)
    provenance = Provenance(graph, graph.raw_positions(names), names or ())
    origins, n_features = provenance.columns, graph.n_raw_features
    preprocessing = None
    if provenance.values_are_raw:
        # Trees then compare raw features directly: what the graph does is to put them into another order.
        columns, owners = ColumnsOfTrees(origins, n_features), np.arange(n_features, dtype=np.int32)
    else:
        preprocessing = OnnxPreprocessing(graph, features, len(origins))
        columns, owners = ColumnsOfTrees(np.arange(len(origins), dtype=np.int32), len(origins)), origins
    outputs = read_outputs(graph)
    trees = read_trees(graph, outputs, columns)
    encoding = None
    if preprocessing is not None or columns.memberships:
        more = [owners[membership.column] for membership in columns.memberships]
        encoding = Encoding(
            n_features=n_features,
            feature_of_column=np.array([*owners, *more], dtype=np.int32),
            preprocessing=preprocessing,
            memberships=columns.memberships,
            ordered=frozenset() if preprocessing is None else provenance.ordered_features(),
        )
    several = outputs.n_outputs > 1
    return Forest(
        base_value=0.0 if several else float(outputs.base_values[0]),
        trees=trees,
        n_features=n_features,
        link=outputs.link,
        has_base_values=outputs.has_base_values,
        encoding=encoding,
        output_base_values=tuple(outputs.base_values.tolist()) if several else (),
        has_missing_tracks=says_where_missing_goes(graph),
    )
