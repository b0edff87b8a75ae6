"""Leaves of a forest as boxes: which values of which features lead into them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from models.forest import Forest
from models.tree import Tree


@dataclass(frozen=True, slots=True)
class BoxSide:
    """What one leaf asks of one feature, all nodes of its path taken together.

    Attributes:
        feature: Position of the raw feature.
        above: Values must be greater than this (float32); minus infinity if there is no such limit.
        up_to: Values must not be greater than this (float32); plus infinity if there is no such limit.
        admits_missing: Whether a missing value takes this path at every node.
    """

    feature: int
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
        sides: One per distinct feature on its path; empty for a tree that is a single leaf.
    """

    value: float
    sides: tuple[BoxSide, ...]


def boxes_of(forest: Forest) -> list[LeafBox]:
    """List the leaves of all trees as boxes.

    Args:
        forest: The trees.

    Returns:
        All leaves, tree by tree.
    """
    return [box for tree in forest.trees for box in _boxes_of_tree(tree)]


def _boxes_of_tree(tree: Tree) -> Iterator[LeafBox]:
    waiting: list[tuple[int, dict[int, BoxSide]]] = [(0, {})]
    while waiting:
        node, sides = waiting.pop()
        if tree.left[node] < 0:
            yield LeafBox(value=float(tree.value[node]), sides=tuple(sides.values()))
            continue
        feature, threshold = int(tree.feature[node]), float(tree.threshold[node])
        missing_left = bool(tree.missing_left[node])
        side = sides.get(feature, BoxSide(feature))
        right = side.right_of(threshold, missing_goes_here=not missing_left)
        left = side.left_of(threshold, missing_goes_here=missing_left)
        waiting.append((int(tree.right[node]), {**sides, feature: right}))
        waiting.append((int(tree.left[node]), {**sides, feature: left}))
