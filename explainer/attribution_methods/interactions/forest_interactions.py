"""Exact pairwise Shapley interaction values of a forest: what two features do together beyond what each does alone.

The definition is that of Grabisch and Roubens ("An axiomatic approach to the concept of interaction among players in
cooperative games", International Journal of Game Theory 28, 1999): for two features the mean, over the coalitions S of
the others, weighted with |S|! (n - |S| - 2)! / (n - 1)!, of v(S, i, j) - v(S, i) - v(S, j) + v(S). Half of it is taken
out of each of the two contributions; what remains of a contribution is the feature's main effect. So main effect plus
the halves of all its interactions is the contribution, as in the interaction matrix of Lundberg et al. (Nature Machine
Intelligence 2, 2020), here for the interventional game and a weighted background.

As a contribution is the integral over t from 0 to 1 of the first derivative of the game's multilinear extension (see
``exact_forest.py``), an interaction is the integral of the second one. Of a leaf with d features both are polynomials
of degree below d, which Gauss-Legendre nodes integrate exactly. Nothing but the background's share of each set of
features whose sides are met is kept, so a row costs a few passes over these shares: right for one case somebody looks
into, not for batches. As for contributions, all columns made from one raw feature are one player.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.forests.leaf_boxes import BoxSide, LeafBox, boxes_of
from models.encoding import Columns
from models.errors import UnsupportedModelError
from models.forest import Forest
from models.scoring_model import Rows, Scores

MAX_FEATURES_PER_LEAF = 12
"""A leaf's shares have 2^d entries."""

DEFAULT_TABLE_BYTES = 32 * 2**20
"""Memory all shares of one model may take; larger forests are walked (``deep_interactions.py``), quickly enough."""

_BLOCK_ELEMENTS = 2**20
"""Numbers worked on at once; bounds temporary memory, does not change what is computed."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class InteractionValues:
    """The interactions of one case.

    Attributes:
        pairs: Shape (n_features, n_features), symmetric, diagonal 0: the interaction of each two features, in the
            additive unit.
        contributions: Shape (n_features,), in the additive unit.

    Raises:
        ValueError: If the shapes do not fit, or the pairs are not symmetric.
    """

    pairs: Numbers
    contributions: Numbers

    def __post_init__(self) -> None:
        n_features = len(self.contributions)
        if self.pairs.shape != (n_features, n_features) or np.diagonal(self.pairs).any():
            raise ValueError("Interactions are a square table with zeros on its diagonal.")
        if not np.array_equal(self.pairs, self.pairs.T):
            raise ValueError("The interaction of two features is the same in either order.")

    @property
    def main_effects(self) -> Numbers:
        """What each feature does alone: its contribution less half of each of its interactions; shape (n_features,)."""
        return np.asarray(self.contributions - self.pairs.sum(axis=1) / 2, dtype=np.float64)

    @property
    def matrix(self) -> Numbers:
        """Main effects on the diagonal, half of each interaction on either side; rows add up to the contributions."""
        return self.pairs / 2 + np.diag(self.main_effects)


class InteractionComputer(Protocol):
    """Computes interactions for one model and background; threads may share it."""

    def of(self, row: Scores) -> InteractionValues:
        """Compute the interactions of one case.

        Args:
            row: Raw row, shape (n_features,); missing values as NaN.

        Returns:
            Interaction of each two features, and the contributions.
        """
        ...


@dataclass(frozen=True, eq=False)
class _Leaves:
    """Leaves with the same number d of features on their path.

    Attributes:
        feature: Shape (n_leaves, d), raw features of each leaf.
        column: Shape (n_sides,), column of each side; the sides of one feature of one leaf lie together.
        above: Shape (n_sides,), float32: values must be greater.
        up_to: Shape (n_sides,), float32: values must not be greater.
        admits_missing: Shape (n_sides,).
        first_side: Shape (n_leaves * d,), where the sides of each feature begin.
        value: Shape (n_leaves,), additive unit.
    """

    feature: NDArray[np.int64]
    column: NDArray[np.int64]
    above: NDArray[np.float32]
    up_to: NDArray[np.float32]
    admits_missing: NDArray[np.bool_]
    first_side: NDArray[np.int64]
    value: Numbers

    @classmethod
    def of(cls, boxes: list[LeafBox]) -> "_Leaves":
        sides = [side for box in boxes for side in box.sides]
        players = [[(feature, len(list(run))) for feature, run in groupby(box.sides, key=_owner)] for box in boxes]
        sides_of_player = np.array([count for leaf in players for _, count in leaf], dtype=np.int64)
        return cls(
            feature=np.array([[feature for feature, _ in leaf] for leaf in players], dtype=np.int64),
            column=np.array([side.column for side in sides], dtype=np.int64),
            above=np.array([side.above for side in sides], dtype=np.float32),
            up_to=np.array([side.up_to for side in sides], dtype=np.float32),
            admits_missing=np.array([side.admits_missing for side in sides], dtype=np.bool_),
            first_side=np.cumsum(sides_of_player) - sides_of_player,
            value=np.array([box.value for box in boxes], dtype=np.float64),
        )

    def met_by(self, columns: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether each feature of each leaf meets all its sides: shape (n_leaves, d).

        Args:
            columns: What the trees compare of one row, shape (n_columns,).
        """
        # Minus infinity lies above no limit, so it is taken as the lowest number.
        values = np.maximum(columns, np.finfo(np.float32).min)[self.column]
        met = (values > self.above) & (values <= self.up_to)
        met |= np.isnan(values) & self.admits_missing
        if len(self.first_side) < len(self.column):
            met = np.logical_and.reduceat(met, self.first_side)
        return met.reshape(self.feature.shape)

    def shares_of_patterns(self, columns: Columns, shares: Scores) -> Numbers:
        """Share of the background whose rows meet exactly each set of features: shape (n_leaves, 2^d), bit each."""
        n_leaves, depth = self.feature.shape
        found = np.zeros((n_leaves, 1 << depth))
        leaves = np.arange(n_leaves)
        for row, share in zip(columns, shares, strict=True):
            found[leaves, self.met_by(row) @ (1 << np.arange(depth))] += share
        return found


class ForestInteractions:
    """Computes exact interaction values; nothing changes after it is built, so threads may share it.

    Args:
        forest: The trees.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,), not negative, sum above zero; only their proportions count.
        table_bytes: Memory the shares may take.

    Raises:
        UnsupportedModelError: If a path has too many features or the shares would need too much memory.
    """

    def __init__(
        self,
        forest: Forest,
        background_rows: Rows,
        background_weights: Scores,
        *,
        table_bytes: int = DEFAULT_TABLE_BYTES,
    ) -> None:
        boxes = sorted((box for box in boxes_of(forest) if box.sides), key=_depth)
        _refuse_what_does_not_fit(boxes, table_bytes)
        shares = background_weights / background_weights.sum()
        self._forest = forest
        columns = forest.encode(background_rows)
        self._parts: list[tuple[_Leaves, Numbers]] = []
        for leaves in _blocks_of_equal_depth(boxes):
            self._parts.append((leaves, leaves.shares_of_patterns(columns, shares)))

    def of(self, row: Scores) -> InteractionValues:
        """Compute the interactions of one case.

        Args:
            row: Raw row, shape (n_features,); missing values as NaN.

        Returns:
            Interaction of each two features, and the contributions.
        """
        contributions = np.zeros(self._forest.n_features)
        pairs = np.zeros((self._forest.n_features, self._forest.n_features))
        columns = self._forest.encode(row[np.newaxis])[0]
        for leaves, patterns in self._parts:
            first, second = _integrated(patterns, leaves.met_by(columns))
            np.add.at(contributions, leaves.feature.T, first * leaves.value)
            for (one, other), together in second.items():
                np.add.at(pairs, (leaves.feature[:, one], leaves.feature[:, other]), together * leaves.value)
        return InteractionValues(pairs=pairs + pairs.T, contributions=contributions)


def _depth(box: LeafBox) -> int:
    return box.n_features


def _owner(side: BoxSide) -> int:
    return side.feature


def _refuse_what_does_not_fit(boxes: list[LeafBox], table_bytes: int) -> None:
    most = max(map(_depth, boxes), default=0)
    if most > MAX_FEATURES_PER_LEAF:
        raise UnsupportedModelError(
            f"One path of a tree asks about {most} different features; interactions are computed for at most "
            f"{MAX_FEATURES_PER_LEAF}."
        )
    needed = sum(8 << _depth(box) for box in boxes)
    if needed > table_bytes:
        raise UnsupportedModelError(
            f"Interactions of this forest would need {needed / 2**20:.1f} MB; {table_bytes / 2**20:.1f} MB are allowed."
        )


def _blocks_of_equal_depth(boxes: list[LeafBox]) -> Iterable[_Leaves]:
    for depth, run in groupby(boxes, key=_depth):
        leaves = list(run)
        block = max(1, _BLOCK_ELEMENTS >> depth)
        for begin in range(0, len(leaves), block):
            yield _Leaves.of(leaves[begin : begin + block])


def _integrated(patterns: Numbers, met: NDArray[np.bool_]) -> tuple[Numbers, dict[tuple[int, int], Numbers]]:
    """Integrate the first and second derivatives of leaves worth 1.

    Args:
        patterns: Share of the background that meets each set of features, shape (n_leaves, 2^d).
        met: Which features the row meets, shape (n_leaves, d).

    Returns:
        First derivatives, shape (d, n_leaves), and second ones for every two features, shape (n_leaves,) each.
    """
    depth = met.shape[1]
    first = np.zeros((depth, len(met)))
    second = {(one, other): np.zeros(len(met)) for other in range(depth) for one in range(other)}
    nodes, weights = np.polynomial.legendre.leggauss((depth + 1) // 2)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        value, once = patterns, dict[int, Numbers]()
        twice = dict[tuple[int, int], Numbers]()
        for side in range(depth):
            mixed, changed = _factors(met[:, side], float(node))
            twice = {pair: _contracted(part, mixed) for pair, part in twice.items()}
            twice.update({(one, side): _contracted(part, changed) for one, part in once.items()})
            once = {one: _contracted(part, mixed) for one, part in once.items()}
            once[side] = _contracted(value, changed)
            value = _contracted(value, mixed)
        for side, part in once.items():
            first[side] += weight * part[:, 0]
        for pair, part in twice.items():
            second[pair] += weight * part[:, 0]
    return first, second


def _factors(met: NDArray[np.bool_], probability: float) -> tuple[Numbers, Numbers]:
    """What a side lets through where the background does not meet it, and where it does: shape (n_leaves, 2).

    Returns:
        If the feature comes from the row with some probability, else from the background; and the derivative of that.
    """
    row = met.astype(np.float64)
    mixed = np.stack([probability * row, probability * row + (1 - probability)], axis=1)
    changed = np.stack([row, row - 1], axis=1)
    return mixed, changed


def _contracted(patterns: Numbers, factors: Numbers) -> Numbers:
    """Sum out the side in the lowest bit: from shape (n_leaves, 2^k) to (n_leaves, 2^(k - 1))."""
    return patterns[:, 0::2] * factors[:, :1] + patterns[:, 1::2] * factors[:, 1:]
