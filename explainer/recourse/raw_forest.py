"""A forest behind preprocessing, written anew so that its trees compare the raw features themselves.

What a node asks of a column is then asked of the one feature that the column is made of. Of a feature with few values,
such as a category that became several columns, every value is put through the preprocessing once. Of a number that is
only moved and scaled, the preprocessing keeps or turns the order, so that one raw value divides those that go left from
those that go right; it is found by halving, in the runtime's own arithmetic. Nothing of the preprocessing is written
anew. Where a number goes another way, there is no such forest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explainer.recourse.forest_cells import Positions
from models.encoding import Encoding
from models.features import FLOAT32_MAX, Feature
from models.forest import Forest
from models.tree import NO_CHILD, Tree

MAX_LISTED = 1_000
"""Values of a whole number that are put through the preprocessing one by one."""

MAX_NODES = 200_000
"""A question about one of many categories becomes several; beyond this many nodes the model itself is asked."""

_BLOCK = 4_096
_LARGEST_RANK = int(np.float32(np.inf).view(np.int32)) - 1

Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]


@dataclass(frozen=True)
class _Question:
    """What a node asks, of the raw feature: ascending last values of ranges, and whether each range goes left.

    Attributes:
        feature: The raw feature.
        ends: The last value of each range but the last one, float32.
        left: One more: whether the values of each range go left.
    """

    feature: int
    ends: tuple[float, ...]
    left: tuple[bool, ...]


def raw_forest_of(forest: Forest, features: Sequence[Feature], row: Numbers) -> Forest | None:
    """Write a forest anew over raw features.

    Args:
        forest: The forest; its columns are made of raw features.
        features: The card's features.
        row: Any raw row without missing values, shape (n_features,).

    Returns:
        A forest that gives every raw row without missing values the same score; None where nobody knows which raw
        values a question of a tree divides, or the forest would be too large.
    """
    if forest.encoding is None:
        return forest
    if np.isnan(row).any():
        return None
    questions = _Questions(forest.encoding, features, row).of_nodes(forest.trees)
    if questions is None:
        return None
    trees, left = [], MAX_NODES
    for tree in forest.trees:
        written = _Written(tree, questions, left)
        try:
            if not written.add(0, {}):
                return None
        except RecursionError:  # a category of very many values
            return None
        left -= len(written.value)
        trees.append(written.as_tree())
    return replace(forest, trees=tuple(trees), encoding=None)


class _Questions:
    """Finds out which raw values go left, for all nodes of one column together."""

    def __init__(self, encoding: Encoding, features: Sequence[Feature], row: Numbers) -> None:
        self._encoding, self._features, self._row = encoding, features, row
        self._n_first = len(encoding.feature_of_column) - len(encoding.memberships)

    def of_nodes(self, trees: Sequence[Tree]) -> dict[tuple[int, float], _Question] | None:
        """Give the question of each column and threshold; None where one is not known."""
        asked: dict[int, set[float]] = {}
        for tree in trees:
            for column, threshold in zip(
                tree.feature[~tree.is_leaf].tolist(), tree.threshold[~tree.is_leaf].tolist(), strict=True
            ):
                asked.setdefault(column, set()).add(threshold)
        found: dict[tuple[int, float], _Question] = {}
        for column, thresholds in asked.items():
            ascending = np.array(sorted(thresholds), dtype=np.float32)
            questions = self._of_column(column, ascending)
            if questions is None:
                return None
            found |= {(column, float(one)): question for one, question in zip(ascending, questions, strict=True)}
        return found

    def _of_column(self, column: int, thresholds: NDArray[np.float32]) -> list[_Question] | None:
        feature = int(self._encoding.feature_of_column[column])
        values = _listed(self._features[feature])
        if values is not None:
            return self._of_listed(column, feature, values, thresholds)
        if column >= self._n_first or not self._keeps_order(feature):
            return None
        return self._of_ordered(column, feature, thresholds)

    def _keeps_order(self, feature: int) -> bool:
        return self._encoding.preprocessing is None or feature in self._encoding.ordered

    def _of_listed(
        self, column: int, feature: int, values: Numbers, thresholds: NDArray[np.float32]
    ) -> list[_Question] | None:
        encoded = self._columns(feature, values)[:, column]
        if np.isnan(encoded).any():
            return None
        questions = []
        for threshold in thresholds:
            left = encoded <= threshold
            changes = np.flatnonzero(left[1:] != left[:-1])
            sides = [bool(left[0]), *(bool(left[place + 1]) for place in changes)]
            questions.append(_Question(feature, tuple(values[changes].tolist()), tuple(sides)))
        return questions

    def _of_ordered(self, column: int, feature: int, thresholds: NDArray[np.float32]) -> list[_Question] | None:
        ends = self._columns(feature, np.array([-FLOAT32_MAX, FLOAT32_MAX]))[:, column]
        if np.isnan(ends).any():
            return None
        lowest, highest = ends[0] <= thresholds, ends[1] <= thresholds
        # The side of the lowest value goes from the first rank to the last before the change.
        low, high = np.full(len(thresholds), -_LARGEST_RANK), np.full(len(thresholds), _LARGEST_RANK)
        while (high - low > 1).any():
            middle = (low + high) // 2
            like_lowest = (self._columns(feature, _of_ranks(middle))[:, column] <= thresholds) == lowest
            low, high = np.where(like_lowest, middle, low), np.where(like_lowest, high, middle)
        last = _of_ranks(low)
        return [
            _Question(feature, (), (bool(below),))
            if below == above
            else _Question(feature, (float(end),), (bool(below), bool(above)))
            for below, above, end in zip(lowest, highest, last, strict=True)
        ]

    def _columns(self, feature: int, values: Numbers) -> NDArray[np.float32]:
        parts = []
        for start in range(0, len(values), _BLOCK):
            rows = np.tile(self._row, (len(values[start : start + _BLOCK]), 1))
            rows[:, feature] = values[start : start + _BLOCK]
            parts.append(self._encoding.encode(rows))
        return np.concatenate(parts)


class _Written:
    """One tree, written anew node by node.

    Args:
        tree: The tree.
        questions: What its nodes ask of raw features.
        at_most: Nodes that may be written.
    """

    def __init__(self, tree: Tree, questions: dict[tuple[int, float], _Question], at_most: int) -> None:
        self._tree, self._questions, self._at_most = tree, questions, at_most
        self._nodes: list[tuple[int, int, int, float]] = []
        self.value: list[NDArray[np.float64]] = []

    def add(self, node: int, known: dict[int, tuple[float, float]]) -> bool:
        """Write a node and what is below it, as far as rows get there.

        Args:
            node: Position in the old tree.
            known: For each raw feature between which values, the first left out, a row that gets here lies.

        Returns:
            False where the tree becomes too large.
        """
        tree = self._tree
        if tree.left[node] == NO_CHILD:
            self._write(tree.value[node])
            return len(self.value) <= self._at_most
        question = self._questions[int(tree.feature[node]), float(tree.threshold[node])]
        low, high = known.get(question.feature, (-np.inf, np.inf))
        inside = [place for place, end in enumerate(question.ends) if low < end < high]
        first = inside[0] if inside else int(np.searchsorted(question.ends, high))
        return self._add_ranges(node, question, range(first, first + len(inside) + 1), known)

    def _add_ranges(self, node: int, question: _Question, ranges: range, known: dict[int, tuple[float, float]]) -> bool:
        child = int((self._tree.left if question.left[ranges[0]] else self._tree.right)[node])
        if len(ranges) == 1:
            return self.add(child, known)
        low, high = known.get(question.feature, (-np.inf, np.inf))
        end = question.ends[ranges[0]]
        place = self._write(np.zeros_like(self._tree.value[node]))
        left = len(self.value)
        if not self.add(child, {**known, question.feature: (low, end)}):
            return False
        self._nodes[place] = (left, len(self.value), question.feature, end)
        return self._add_ranges(node, question, ranges[1:], {**known, question.feature: (end, high)})

    def _write(self, value: NDArray[np.float64]) -> int:
        self._nodes.append((NO_CHILD, NO_CHILD, 0, 0.0))
        self.value.append(value)
        return len(self.value) - 1

    def as_tree(self) -> Tree:
        """The tree as it was written."""
        left, right, feature, threshold = zip(*self._nodes, strict=True)
        return Tree(
            left=np.array(left, dtype=np.int32),
            right=np.array(right, dtype=np.int32),
            feature=np.array(feature, dtype=np.int32),
            threshold=np.array(threshold, dtype=np.float32),
            missing_left=np.zeros(len(left), dtype=np.bool_),
            value=np.array(self.value),
        )


def _listed(feature: Feature) -> Numbers | None:
    """All values of a feature that has few, ascending; None where it has many."""
    if feature.kind == "category":
        return np.arange(len(feature.categories), dtype=np.float64)
    if feature.kind == "boolean":
        return np.array([0.0, 1.0])
    if feature.kind != "integer" or feature.minimum is None or feature.maximum is None:
        return None
    low, high = np.ceil(feature.minimum), np.floor(feature.maximum)
    # Beyond these limits, 32-bit numbers no longer tell whole numbers apart.
    if not -(2**24) <= low <= high <= 2**24 or high - low >= MAX_LISTED:
        return None
    return np.arange(low, high + 1)


def _of_ranks(ranks: Positions) -> Numbers:
    """The 32-bit numbers that have these ranks in ascending order, zero has rank 0 (IEEE 754 section 3.4)."""
    magnitudes = np.abs(ranks).astype(np.int32).view(np.float32).astype(np.float64)
    return np.where(ranks < 0, -magnitudes, magnitudes)
