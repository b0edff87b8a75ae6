"""Lays out trees as arrays in which every node is a comparison with a threshold, whatever it asked in the file."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.encoding import Membership
from models.errors import MalformedPackageError, UnsupportedModelError
from models.tree import NO_CHILD, Tree

_LOWEST = np.float32(-np.inf)
_COMPARING = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT")
_LEFT_IF_TRUE = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_NEQ")


@dataclass(frozen=True, slots=True)
class Branch:
    """An inner node as a file has it.

    Attributes:
        mode: What it asks, as ONNX calls it.
        column: Column of the ensemble's input it asks about.
        values: The threshold, the value or the members of the set, float32.
        yes: Key of the child if the answer is yes.
        no: Key of the child if the answer is no.
        missing_yes: Whether a missing value takes the branch of yes.
    """

    mode: str
    column: int
    values: tuple[float, ...]
    yes: int
    no: int
    missing_yes: bool


Node = Branch | NDArray[np.float64]
"""An inner node, or what a leaf adds to each output."""


class ColumnsOfTrees:
    """The columns trees compare: those of the ensemble's input and, made as needed, memberships.

    Args:
        positions: For each column of the ensemble's input its position among the encoding's columns.
        n_columns: Columns of the encoding without memberships.
    """

    def __init__(self, positions: NDArray[np.int32], n_columns: int) -> None:
        self._positions = positions
        self._n_columns = n_columns
        self._memberships: dict[Membership, int] = {}

    @property
    def memberships(self) -> tuple[Membership, ...]:
        """All memberships asked for so far, in the order of their columns."""
        return tuple(self._memberships)

    def compared(self, column: int) -> int:
        """Give the position of a column of the ensemble's input."""
        if not 0 <= column < len(self._positions):
            raise MalformedPackageError("A tree reads a column that the model does not have.")
        return int(self._positions[column])

    def membership(self, column: int, values: tuple[float, ...]) -> int:
        """Give the position of the column that says whether another one holds one of some values."""
        if not np.all(np.isfinite(values)):
            raise MalformedPackageError("A tree compares with a value that is no number.")
        wanted = Membership(self.compared(column), tuple(sorted(set(values))))
        return self._memberships.setdefault(wanted, self._n_columns + len(self._memberships))


def lay_out(name: str, root: int, node_at: Callable[[int], Node], columns: ColumnsOfTrees, n_outputs: int) -> Tree:
    """Lay out one tree in preorder.

    Args:
        name: How error sentences call it.
        root: Key of the root.
        node_at: Gives the node of a key.
        columns: Where memberships are added.
        n_outputs: Outputs of a leaf.

    Returns:
        The tree.

    Raises:
        MalformedPackageError: If the nodes do not form a tree.
        UnsupportedModelError: If a node asks something unknown.
    """
    left: list[int] = []
    right: list[int] = []
    feature, threshold, missing_left, value = [], [], [], []
    nothing = np.zeros(n_outputs)
    nodes = _Nodes(name, node_at)
    waiting: list[tuple[int, int, bool]] = [(root, NO_CHILD, False)]
    while waiting:
        key, parent, is_left = waiting.pop()
        position = len(left)
        if parent != NO_CHILD:
            (left if is_left else right)[parent] = position
        node = nodes.at(key)
        left.append(NO_CHILD)
        right.append(NO_CHILD)
        if not isinstance(node, Branch):
            feature.append(0)
            threshold.append(np.float32(0))
            missing_left.append(False)
            value.append(node)
            continue
        split = _split(node, columns)
        feature.append(split.column)
        threshold.append(split.threshold)
        missing_left.append(split.missing_left)
        value.append(nothing)
        for child, goes_left in ((split.right, False), (split.left, True)):
            waiting.append((child, position, goes_left))
    values = np.array(value, dtype=np.float64)
    return Tree(
        left=np.array(left, dtype=np.int32),
        right=np.array(right, dtype=np.int32),
        feature=np.array(feature, dtype=np.int32),
        threshold=np.array(threshold, dtype=np.float32),
        missing_left=np.array(missing_left, dtype=np.bool_),
        value=values[:, 0] if n_outputs == 1 else values,
    )


class _Nodes:
    """The nodes of one tree, each given once.

    Exporters without set membership write "is it one of these?" as a chain "is it a? else, is it b?" whose answers yes
    all lead to the same child (LightGBM's categories by onnxmltools). Such a chain is given as one node about the set:
    left as it is, its child would have several parents.
    """

    def __init__(self, name: str, node_at: Callable[[int], Node]) -> None:
        self._name = name
        self._node_at = node_at
        self._given: set[int] = set()
        self._fetched: dict[int, Node] = {}

    def at(self, key: int) -> Node:
        """Give the node of a key, with the chain that begins there."""
        node = self._fetched.pop(key) if key in self._fetched else self._fetch(key)
        if not isinstance(node, Branch) or node.mode != "BRANCH_EQ":
            return node
        following = self._fetch(node.no)
        while isinstance(following, Branch) and _ask_about_one_set(node, following):
            node = replace(
                node,
                values=(*node.values, *following.values),
                no=following.no,
                missing_yes=node.missing_yes or following.missing_yes,
            )
            following = self._fetch(node.no)
        self._fetched[node.no] = following
        return replace(node, mode="BRANCH_MEMBER")

    def _fetch(self, key: int) -> Node:
        node = self._node_at(key)
        if isinstance(node, Branch):
            if key in self._given:
                raise MalformedPackageError(f"The nodes of {self._name} do not form a tree.")
            self._given.add(key)
        return node


def _ask_about_one_set(branch: Branch, following: Branch) -> bool:
    same_child = (following.column, following.yes) == (branch.column, branch.yes)
    return same_child and following.mode == "BRANCH_EQ"


@dataclass(frozen=True, slots=True)
class _Split:
    column: int
    threshold: np.float32
    left: int
    right: int
    missing_left: bool


def _split(branch: Branch, columns: ColumnsOfTrees) -> _Split:
    """Turn one node into "left where value <= threshold"."""
    if branch.mode in _COMPARING:
        column = columns.compared(branch.column)
        threshold = np.float32(branch.values[0])
        if branch.mode in ("BRANCH_LT", "BRANCH_GTE"):
            # x < t holds for the same 32-bit numbers as x <= the number just below t.
            threshold = np.nextafter(threshold, _LOWEST)
    elif branch.mode in ("BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER"):
        column, threshold = columns.membership(branch.column, branch.values), np.float32(0.5)
    else:
        raise UnsupportedModelError(f"Trees with nodes of the kind {branch.mode[:40]} are not yet read.")
    true_is_left = branch.mode in _LEFT_IF_TRUE
    # A missing value fails every comparison but "differs from", so without its mark it follows the false branch.
    missing_yes = branch.missing_yes or branch.mode == "BRANCH_NEQ"
    return _Split(
        column=column,
        threshold=threshold,
        left=branch.yes if true_is_left else branch.no,
        right=branch.no if true_is_left else branch.yes,
        missing_left=missing_yes == true_is_left,
    )
