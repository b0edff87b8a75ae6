"""A forest that asks first whether a value is missing, so that missing values are one more cell behind all others.

Which way a missing value goes is a mark of each node, and so the values that reach a leaf are a range and perhaps the
missing one, which is no range of cells. A tree that first asks "is there a value?" and then goes on as before, or as it
does without this value, has such ranges only.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from models.features import FLOAT32_MAX
from models.forest import Forest
from models.tree import NO_CHILD, Tree

MAX_NODES = 500_000
"""Each missing value can double the trees; beyond this the model itself is asked instead."""


def asking_for_missing(forest: Forest, missing: Iterable[int]) -> Forest | None:
    """Make the forest whose trees first ask whether some values are missing.

    Args:
        forest: Trees that compare raw features.
        missing: Positions of the features.

    Returns:
        A forest in which a missing value of these features counts as larger than every number; None if it would be too
        large.
    """
    trees: tuple[Tree, ...] = forest.trees
    for feature in missing:
        trees = tuple(_asking(tree, feature) for tree in trees)
        if sum(len(tree.left) for tree in trees) > MAX_NODES:
            return None
    return replace(forest, trees=trees)


def _asking(tree: Tree, feature: int) -> Tree:
    if not np.any(~tree.is_leaf & (tree.feature == feature)):
        return tree
    without = _without_value(tree, feature)
    there, gone = 1, 1 + len(tree.left)
    return Tree(
        left=np.concatenate([[there], _moved(tree.left, there), _moved(without.left, gone)]).astype(np.int32),
        right=np.concatenate([[gone], _moved(tree.right, there), _moved(without.right, gone)]).astype(np.int32),
        feature=np.concatenate([[feature], tree.feature, without.feature]).astype(np.int32),
        threshold=np.concatenate([[FLOAT32_MAX], tree.threshold, without.threshold]).astype(np.float32),
        missing_left=np.concatenate([[False], tree.missing_left, without.missing_left]),
        value=np.concatenate([np.zeros_like(tree.value[:1]), tree.value, without.value]),
    )


def _without_value(tree: Tree, feature: int) -> Tree:
    """The tree as it goes on where the value of one feature is missing."""
    kept: list[int] = []
    place_of: dict[int, int] = {}
    waiting = [0]
    children: dict[int, tuple[int, int]] = {}
    while waiting:
        node = _reached(tree, waiting.pop(), feature)
        place_of[node] = len(kept)
        kept.append(node)
        if tree.left[node] != NO_CHILD:
            children[node] = (_reached(tree, tree.left[node], feature), _reached(tree, tree.right[node], feature))
            waiting += reversed(children[node])
    ends = [[place_of[one] for one in children[node]] if node in children else [NO_CHILD] * 2 for node in kept]
    left, right = np.array(ends, dtype=np.int32).T
    return Tree(
        left=left.copy(),
        right=right.copy(),
        feature=tree.feature[kept],
        threshold=tree.threshold[kept],
        missing_left=tree.missing_left[kept],
        value=tree.value[kept],
    )


def _reached(tree: Tree, node: int, feature: int) -> int:
    while tree.left[node] != NO_CHILD and tree.feature[node] == feature:
        node = tree.left[node] if tree.missing_left[node] else tree.right[node]
    return int(node)


def _moved(children: np.ndarray[tuple[int], np.dtype[np.int32]], by: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.where(children == NO_CHILD, NO_CHILD, children + by)
