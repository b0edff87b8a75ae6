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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.interactions.forest_interactions import InteractionValues, Numbers
from explainer.compiled import compiled, inlined
from models.forest import Forest
from models.scoring_model import Rows, Scores
from models.tree import NO_CHILD

FROM_ROW = 1
FROM_BACKGROUND = 2

Positions = NDArray[np.int64]


class Trees(NamedTuple):
    """All nodes of all trees, and whose columns they compare.

    Attributes:
        root: Shape (n_trees,), position of each tree's first node.
        left: Shape (n_nodes,), position of the child for values up to the threshold; -1 at leaves.
        right: Shape (n_nodes,), position of the other child.
        column: Shape (n_nodes,), what is compared.
        threshold: Shape (n_nodes,).
        missing_left: Shape (n_nodes,), whether missing values go left.
        value: Shape (n_nodes,), of leaves, in the additive unit.
        feature_of_column: Shape (n_columns,).
    """

    root: Positions
    left: Positions
    right: Positions
    column: Positions
    threshold: NDArray[np.float32]
    missing_left: NDArray[np.bool_]
    value: Numbers
    feature_of_column: Positions

    @classmethod
    def of(cls, forest: Forest) -> "Trees":
        """Put the nodes of all trees into one row."""
        sizes = np.array([len(tree.left) for tree in forest.trees])
        roots = np.cumsum(sizes) - sizes
        children = (np.concatenate([getattr(tree, side) for tree in forest.trees]) for side in ("left", "right"))
        left, right = (np.where(one == NO_CHILD, NO_CHILD, one + np.repeat(roots, sizes)) for one in children)
        return cls(
            root=roots,
            left=left,
            right=right,
            column=np.concatenate([tree.feature for tree in forest.trees]).astype(np.int64),
            threshold=np.concatenate([tree.threshold for tree in forest.trees]),
            missing_left=np.concatenate([tree.missing_left for tree in forest.trees]),
            value=np.concatenate([tree.value for tree in forest.trees]).astype(np.float64),
            feature_of_column=forest.feature_of_column.astype(np.int64),
        )

    @property
    def longest_path(self) -> int:
        """Largest number of inner nodes on one path."""
        level, length = self.root, -1
        while len(level):
            inner = level[self.left[level] != NO_CHILD]
            level, length = np.concatenate([self.left[inner], self.right[inner]]), length + 1
        return length


class Compared(NamedTuple):
    """The explained row and the background.

    Attributes:
        row: Shape (n_columns,).
        background: Shape (m, n_columns).
        shares: Shape (m,), sum 1.
    """

    row: NDArray[np.float32]
    background: NDArray[np.float32]
    shares: Numbers


class Walk(NamedTuple):
    """Working memory of one walk.

    Attributes:
        coefficients: See ``_coefficients``.
        source: Shape (n_features,), from which row each feature comes: none (0), the explained one, the background's.
        settled: Features whose source is settled on the way to the node, in this order.
        waiting: Lines of four: a node to go on from, how many features were settled before it, the feature that is
            settled by going there, and its source.
    """

    coefficients: Numbers
    source: Positions
    settled: Positions
    waiting: Positions


class Found(NamedTuple):
    """What is added to.

    Attributes:
        contributions: Shape (n_features,).
        pairs: Shape (n_features, n_features); each two features on one side of the diagonal or the other.
    """

    contributions: Numbers
    pairs: Numbers


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
        self._trees = Trees.of(forest)
        self._most = min(forest.n_features, self._trees.longest_path)
        self._coefficients = _coefficients(self._most)

    def of(self, row: Scores) -> InteractionValues:
        """Compute the interactions of one case; see ``InteractionComputer.of``."""
        n_features = self._forest.n_features
        found = Found(contributions=np.zeros(n_features), pairs=np.zeros((n_features, n_features)))
        walk = Walk(
            coefficients=self._coefficients,
            source=np.zeros(n_features, dtype=np.int64),
            settled=np.zeros(self._most + 1, dtype=np.int64),
            waiting=np.zeros((self._most + 1, 4), dtype=np.int64),
        )
        compared = Compared(
            row=self._forest.encode(row[np.newaxis])[0], background=self._background, shares=self._shares
        )
        add_interactions(self._trees, compared, walk, found)
        pairs = np.triu(found.pairs + found.pairs.T, k=1)
        return InteractionValues(pairs=pairs + pairs.T, contributions=found.contributions)


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
def _forget(walk: Walk, n_settled: int, until: int) -> int:
    """Unsettle the features that were settled last, so that ``until`` are left."""
    for place in range(until, n_settled):
        walk.source[walk.settled[place]] = 0
    return until


@inlined
def _add_leaf(walk: Walk, n_settled: int, worth: float, found: Found) -> None:
    """Add what one leaf gives to the settled features and to each two of them."""
    p = 0
    for place in range(n_settled):
        p += walk.source[walk.settled[place]] == FROM_ROW
    q = n_settled - p
    for place in range(n_settled):
        one = walk.settled[place]
        found.contributions[one] += worth * walk.coefficients[walk.source[one] - FROM_ROW, p, q]
        for before in range(place):
            other = walk.settled[before]
            found.pairs[other, one] += worth * walk.coefficients[walk.source[one] + walk.source[other], p, q]


@compiled
def add_interactions(trees: Trees, compared: Compared, walk: Walk, found: Found) -> None:
    """Add what all trees give to one row's contributions and interactions.

    Args:
        trees: All trees.
        compared: The explained row and the background.
        walk: Working memory; every source none.
        found: Added to.
    """
    row, background = compared.row, compared.background
    source, settled, waiting = walk.source, walk.settled, walk.waiting
    for root in trees.root:
        for other in range(len(background)):
            n_settled = 0
            waiting[0, 0], waiting[0, 1], waiting[0, 3] = root, 0, 0
            n_waiting = 1
            while n_waiting > 0:
                n_waiting -= 1
                node, until, feature, comes_from = waiting[n_waiting]
                n_settled = _forget(walk, n_settled, until)
                if comes_from != 0:
                    settled[n_settled], source[feature] = feature, comes_from
                    n_settled += 1
                while trees.left[node] >= 0:
                    at, threshold, missing_left = trees.column[node], trees.threshold[node], trees.missing_left[node]
                    feature = trees.feature_of_column[at]
                    row_left = _goes_left(row[at], threshold, missing_left)
                    background_left = _goes_left(background[other, at], threshold, missing_left)
                    if source[feature] == 0 and row_left != background_left:
                        waiting[n_waiting, 0] = trees.left[node] if background_left else trees.right[node]
                        waiting[n_waiting, 1], waiting[n_waiting, 2] = n_settled, feature
                        waiting[n_waiting, 3] = FROM_BACKGROUND
                        n_waiting += 1
                        settled[n_settled], source[feature] = feature, FROM_ROW
                        n_settled += 1
                    goes_left = background_left if source[feature] == FROM_BACKGROUND else row_left
                    node = trees.left[node] if goes_left else trees.right[node]
                _add_leaf(walk, n_settled, compared.shares[other] * trees.value[node], found)
            _forget(walk, n_settled, 0)
