"""Leaves of a forest as boxes: which values of which features lead into them.

Trees may compare encoded columns, several of which can belong to one raw feature. A box then has several sides of one
feature, and the feature meets the leaf only if it meets all of them: it is one player, not several.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from models.forest import Forest
from models.tree import Tree


@dataclass(frozen=True, slots=True)
class BoxSide:
    """What one leaf asks of one column, all nodes of its path taken together.

    Attributes:
        feature: Position of the raw feature that the column belongs to.
        column: Position of the column; the feature itself where trees compare raw features.
        above: Values must be greater than this (float32); minus infinity if there is no such limit.
        up_to: Values must not be greater than this (float32); plus infinity if there is no such limit.
        admits_missing: Whether a missing value takes this path at every node.
    """

    feature: int
    column: int
    above: float = -np.inf
    up_to: float = np.inf
    admits_missing: bool = True

    def left_of(self, threshold: float, *, missing_goes_here: bool) -> "BoxSide":
        """The same side after one more node, in the branch of values up to the threshold."""
        return replace(
            self,
            up_to=min(self.up_to, threshold),
            admits_missing=self.admits_missing and missing_goes_here,
        )

    def right_of(self, threshold: float, *, missing_goes_here: bool) -> "BoxSide":
        """The same side after one more node, in the branch of values above the threshold."""
        return replace(
            self,
            above=max(self.above, threshold),
            admits_missing=self.admits_missing and missing_goes_here,
        )


@dataclass(frozen=True, slots=True)
class LeafBox:
    """One leaf.

    Attributes:
        value: What it adds to the score, in the additive unit.
        sides: One per distinct column on its path, those of one feature together; empty for a tree that is a single
            leaf.
    """

    value: float
    sides: tuple[BoxSide, ...]

    @property
    def n_features(self) -> int:
        """Distinct features on the path."""
        return len({side.feature for side in self.sides})


def boxes_of(forest: Forest) -> list[LeafBox]:
    """List the leaves of all trees as boxes.

    Args:
        forest: The trees.

    Returns:
        All leaves, tree by tree.
    """
    owners = [int(feature) for feature in forest.feature_of_column]
    return [box for tree in forest.trees for box in _boxes_of_tree(tree, owners)]


def _boxes_of_tree(tree: Tree, owners: list[int]) -> Iterator[LeafBox]:
    waiting: list[tuple[int, dict[int, BoxSide]]] = [(0, {})]
    while waiting:
        node, sides = waiting.pop()
        if tree.left[node] < 0:
            yield LeafBox(value=float(tree.value[node]), sides=_by_feature(sides.values()))
            continue
        column, threshold = int(tree.feature[node]), float(tree.threshold[node])
        missing_left = bool(tree.missing_left[node])
        side = sides.get(column, BoxSide(owners[column], column))
        right = side.right_of(threshold, missing_goes_here=not missing_left)
        left = side.left_of(threshold, missing_goes_here=missing_left)
        waiting.append((int(tree.right[node]), {**sides, column: right}))
        waiting.append((int(tree.left[node]), {**sides, column: left}))


def _by_feature(sides: Iterable[BoxSide]) -> tuple[BoxSide, ...]:
    """Put the sides of one feature together; features stand in the order in which the path first asks about them."""
    together: dict[int, list[BoxSide]] = {}
    for side in sides:
        together.setdefault(side.feature, []).append(side)
    return tuple(side for group in together.values() for side in group)
