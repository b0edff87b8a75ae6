"""Exact pairwise Shapley interaction values of deep forests: no tables, so paths may ask about any number of features.

For one explained row and one background row a mixed row takes each feature from one of them. It reaches a leaf exactly
if it holds all of the features P on which the path needs the explained row and none of the features Q on which it needs
the background row. With p and q their numbers, the definition of Grabisch and Roubens (see ``interactions.py``) gives,
of all coalitions, one that counts for each two features:

    both in P:  (p - 2)! q! / (p + q - 1)!      one in each: -(p - 1)! (q - 1)! / (p + q - 1)!
    both in Q:  p! (q - 2)! / (p + q - 1)!

All leaves that some mixed row reaches are visited in one walk, as interventional TreeSHAP does for contributions
(Lundberg et al., Nature Machine Intelligence 2, 2020). A row costs such a walk for each tree and each background row.

Importing this module loads numba.
"""

from math import factorial

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.compiled import compiled, inlined
from explainer.attribution_methods.interactions import InteractionValues, Numbers
from models.forest import Forest
from models.scoring_model import Rows, Scores
from models.tree import NO_CHILD

FROM_ROW = 1
FROM_BACKGROUND = 2

Positions = NDArray[np.int64]


class DeepInteractions:
    """Computes exact interaction values; nothing changes after it is built, so threads may share it.

    Args:
        forest: The trees.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,), not negative, sum above zero; only their proportions count.
    """

    def __init__(self, forest: Forest, background_rows: Rows, background_weights: Scores) -> None:
        self._forest = forest
        self._background = forest.encode(background_rows)
        self._shares = background_weights / background_weights.sum()
        sizes = np.array([len(tree.left) for tree in forest.trees])
        self._roots = np.cumsum(sizes) - sizes
        offsets = np.repeat(self._roots, sizes)
        children = (np.concatenate([getattr(tree, side) for tree in forest.trees]) for side in ("left", "right"))
        self._left, self._right = (np.where(one == NO_CHILD, NO_CHILD, one + offsets) for one in children)
        self._column = np.concatenate([tree.feature for tree in forest.trees]).astype(np.int64)
        self._threshold = np.concatenate([tree.threshold for tree in forest.trees])
        self._missing_left = np.concatenate([tree.missing_left for tree in forest.trees])
        self._value = np.concatenate([tree.value for tree in forest.trees]).astype(np.float64)
        self._most = min(forest.n_features, _longest_path(self._left, self._right, self._roots))
        self._coefficients = _coefficients(self._most)

    def of(self, row: Scores) -> InteractionValues:
        """Compute the interactions of one case; see ``InteractionComputer.of``."""
        n_features = self._forest.n_features
        contributions, pairs = np.zeros(n_features), np.zeros((n_features, n_features))
        add_interactions(
            self._roots,
            self._left,
            self._right,
            self._column,
            self._threshold,
            self._missing_left,
            self._value,
            self._forest.feature_of_column.astype(np.int64),
            self._forest.encode(row[np.newaxis])[0],
            self._background,
            self._shares,
            self._coefficients,
            np.zeros(n_features, dtype=np.int64),
            np.zeros(self._most + 1, dtype=np.int64),
            np.zeros((self._most + 1, 4), dtype=np.int64),
            contributions,
            pairs,
        )
        pairs = np.triu(pairs + pairs.T, k=1)
        return InteractionValues(pairs=pairs + pairs.T, contributions=contributions)


def _longest_path(left: Positions, right: Positions, roots: Positions) -> int:
    """Largest number of inner nodes on one path."""
    level, length = roots, -1
    while len(level):
        inner = level[left[level] != NO_CHILD]
        level, length = np.concatenate([left[inner], right[inner]]), length + 1
    return length


def _coefficients(most: int) -> Numbers:
    """What a leaf worth 1 gives, by p and q: shape (5, most + 1, most + 1).

    The first two are contributions of a feature in P and in Q (p and q reduced by one where it stands), the others
    interactions of two in P, one in each, and two in Q.
    """
    found = np.zeros((5, most + 1, most + 1))
    for p in range(most + 1):
        for q in range(most + 1 - p):
            if p >= 1:
                found[0, p, q] = factorial(p - 1) * factorial(q) / factorial(p + q)
            if q >= 1:
                found[1, p, q] = -factorial(p) * factorial(q - 1) / factorial(p + q)
            if p >= 2:  # noqa: PLR2004 - two features
                found[2, p, q] = factorial(p - 2) * factorial(q) / factorial(p + q - 1)
            if p >= 1 and q >= 1:
                found[3, p, q] = -factorial(p - 1) * factorial(q - 1) / factorial(p + q - 1)
            if q >= 2:  # noqa: PLR2004 - two features
                found[4, p, q] = factorial(p) * factorial(q - 2) / factorial(p + q - 1)
    return found


@inlined
def _goes_left(number: np.float32, threshold: np.float32, missing_left: np.bool_) -> np.bool_:
    """Which branch a value takes; a missing value differs from itself."""
    return missing_left if number != number else number <= threshold  # noqa: PLR0124


@inlined
def _forget(n_settled: int, until: int, settled: Positions, source: Positions) -> int:
    """Unsettle the features that were settled last, so that ``until`` are left."""
    for place in range(until, n_settled):
        source[settled[place]] = 0
    return until


@inlined
def _add_leaf(  # noqa: PLR0917 - compiled functions take arrays one by one
    worth: float,
    settled: Positions,
    n_settled: int,
    source: Positions,
    coefficients: Numbers,
    contributions: Numbers,
    pairs: Numbers,
) -> None:
    """Add what one leaf gives to the settled features and to each two of them."""
    p = 0
    for place in range(n_settled):
        p += source[settled[place]] == FROM_ROW
    q = n_settled - p
    for place in range(n_settled):
        one = settled[place]
        contributions[one] += worth * coefficients[source[one] - FROM_ROW, p, q]
        for before in range(place):
            earlier = settled[before]
            pairs[earlier, one] += worth * coefficients[source[one] + source[earlier], p, q]


@compiled
def add_interactions(  # noqa: PLR0917 - compiled functions take arrays one by one
    roots: Positions,
    left: Positions,
    right: Positions,
    column: Positions,
    threshold: NDArray[np.float32],
    missing_left: NDArray[np.bool_],
    value: Numbers,
    feature_of_column: Positions,
    row: NDArray[np.float32],
    background: NDArray[np.float32],
    shares: Numbers,
    coefficients: Numbers,
    source: Positions,
    settled: Positions,
    waiting: Positions,
    contributions: Numbers,
    pairs: Numbers,
) -> None:
    """Add what all trees give to one row's contributions and interactions.

    Args:
        roots: Shape (n_trees,).
        left: Shape (n_nodes,), -1 at leaves; the others alike.
        right: See ``left``.
        column: What each node compares.
        threshold: Values up to it go left.
        missing_left: Whether missing values go left.
        value: Of the leaves.
        feature_of_column: Shape (n_columns,).
        row: Shape (n_columns,).
        background: Shape (m, n_columns).
        shares: Shape (m,), sum 1.
        coefficients: See ``_coefficients``.
        source: Shape (n_features,), zeros: working memory, from which row each feature comes.
        settled: Working memory, at least as long as a path can have features, and one more.
        waiting: Working memory of as many lines of four: node, features settled before it, feature, its source.
        contributions: Shape (n_features,), added to.
        pairs: Shape (n_features, n_features), added to; each two features on one side of the diagonal or the other.
    """
    for root in roots:
        for other in range(len(background)):
            n_settled = 0
            waiting[0, 0], waiting[0, 1], waiting[0, 3] = root, 0, 0
            n_waiting = 1
            while n_waiting > 0:
                n_waiting -= 1
                node, until, feature, comes_from = waiting[n_waiting]
                n_settled = _forget(n_settled, until, settled, source)
                if comes_from != 0:
                    settled[n_settled], source[feature] = feature, comes_from
                    n_settled += 1
                while left[node] >= 0:
                    at = column[node]
                    feature = feature_of_column[at]
                    row_left = _goes_left(row[at], threshold[node], missing_left[node])
                    background_left = _goes_left(background[other, at], threshold[node], missing_left[node])
                    if source[feature] == 0 and row_left != background_left:
                        waiting[n_waiting, 0] = left[node] if background_left else right[node]
                        waiting[n_waiting, 1], waiting[n_waiting, 2] = n_settled, feature
                        waiting[n_waiting, 3] = FROM_BACKGROUND
                        n_waiting += 1
                        settled[n_settled], source[feature] = feature, FROM_ROW
                        n_settled += 1
                    goes_left = background_left if source[feature] == FROM_BACKGROUND else row_left
                    node = left[node] if goes_left else right[node]
                worth = shares[other] * value[node]
                _add_leaf(worth, settled, n_settled, source, coefficients, contributions, pairs)
            _forget(n_settled, 0, settled, source)
