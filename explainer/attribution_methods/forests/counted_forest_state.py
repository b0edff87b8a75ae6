"""What the walk that counts reads and remembers, and the steps its two forms share; see :mod:`counted_forest`.

Unsigned 64-bit numbers throughout: numba turns mixtures with signed ones into floating point.
"""

from typing import Any, NamedTuple

import numpy as np

from explainer.compiled import inlined, low_half, single_of_low_half
from explainer.compiled_lanes import clear, keep, lanes_below, load, multiply_add, one_lane, spread, store

Array = Any
"""numpy array; numba infers element types."""

ZERO, ONE, TWO, THREE, FOUR, EIGHT = (np.uint64(number) for number in (0, 1, 2, 3, 4, 8))
HALF = np.uint64(32)

PLAYER_BITS, SLOT_SHIFT, SLOT_BITS = np.uint64(2**24 - 1), np.uint64(24), np.uint64(63)
ASKED_ABOVE_SHIFT, MISSING_LEFT_SHIFT, QUESTION_SHIFT = np.uint64(30), np.uint64(31), np.uint64(33)
"""Where a node's second word keeps what: player, slot, two flags, one bit for the side, number of the question."""

_FAILED_SHIFT, _MOST_SHIFT, _LEVEL_SHIFT, _BYTE = np.uint64(32), np.uint64(40), np.uint64(48), np.uint64(255)


class Trees(NamedTuple):
    """The trees, three words per inner node.

    ``nodes``: children (left below, right above, coded as in ``ForestLayout``); player, slot, whether a node above asks
    about the same player, whether missing values go left, and number of the question; threshold and column.
    ``first_node`` has one number more than there are trees.
    """

    nodes: Array
    leaf_value: Array
    root: Array
    first_node: Array


class Background(NamedTuple):
    """Background rows as sets: bit z of a set of words is row z.

    ``parting`` holds two sets for each question: the rows that part from a row that goes right, and those that part
    from one that goes left. ``gain_step`` and ``loss_step`` say, for each |B|, by how much (|A|-1)! |B|! / (|A|+|B|)!
    and |A|! (|B|-1)! / (|A|+|B|)! grow from |A|-1 to |A|, from |A| = 1 on; ``loss_alone`` the second at |A| = 0.
    ``stride`` apart stand the steps of one |B| and the next, ``set_stride`` apart the sets of one level and the next.
    ``nobody`` is a player behind all others, who gets what is nobody's.
    """

    parting: Array
    everyone: Array
    gain_step: Array
    loss_step: Array
    loss_alone: Array
    stride: np.uint64
    set_stride: np.uint64
    nobody: np.uint64


class Space(NamedTuple):
    """Working memory of one thread; zero between rows where it matters.

    ``directed``: two words per node of one tree, once it is known which way the row goes. For each subtree that waits:
    ``parted``, the rows that will walk it; ``player`` for whose sake; ``gain``, what the player gains in the subtrees
    before it; ``place`` and ``failed``, where it begins. ``at_least``: for each number of subtrees that wait, the rows
    with 1, 2, … players in A. ``failed_player`` and ``loss``: the players of B and what each loses. ``alive`` and
    ``counted`` are for one place of the walk.
    """

    directed: Array
    parted: Array
    player: Array
    gain: Array
    place: Array
    failed: Array
    at_least: Array
    failed_player: Array
    loss: Array
    alive: Array
    counted: Array


class Place(NamedTuple):
    """Where the walk stands: how many subtrees wait, how many of them for a player of A, the largest |A|, and |B|."""

    height: np.uint64
    level: np.uint64
    most: np.uint64
    n_failed: np.uint64


class Walk(NamedTuple):
    """All that is walked through and worked with."""

    trees: Trees
    background: Background
    space: Space


@inlined
def direct_nodes(row: Array, first: Any, past: Any, walk: Walk) -> None:
    """Ask all questions of one tree: then each node has the child along the row's way first, and the parting set."""
    nodes, directed = walk.trees.nodes, walk.space.directed
    for node in range(first, past):
        at, to = node * THREE, (node - first) * TWO
        children, about, asked = nodes[at], nodes[at + ONE], nodes[at + TWO]
        value = row[asked >> HALF]
        left = ONE if value <= single_of_low_half(asked) else ZERO
        if np.isnan(value):
            left = (about >> MISSING_LEFT_SHIFT) & ONE
        directed[to] = children if left else (children >> HALF) | (children << HALF)
        directed[to + ONE] = about | (left << HALF)


@inlined
def place_of(node: Any, n_failed: Any, most: Any, level: Any) -> Any:
    """Pack where a subtree begins: a node or ``~leaf``, |B|, the largest |A|, and how many subtrees waited."""
    return node | (n_failed << _FAILED_SHIFT) | (most << _MOST_SHIFT) | (level << _LEVEL_SHIFT)


@inlined
def read_place(place: Any) -> Any:
    """Unpack what ``place_of`` packed."""
    return (
        low_half(place),
        (place >> _FAILED_SHIFT) & _BYTE,
        (place >> _MOST_SHIFT) & _BYTE,
        place >> _LEVEL_SHIFT,
    )


@inlined
def lose(loss: Any, n_failed: Any, space: Space) -> None:
    """Each player of B loses."""
    for first in range(ZERO, n_failed, EIGHT):
        losing = keep(spread(loss), lanes_below(n_failed - first))
        store(space.loss, first, multiply_add(losing, spread(1.0), load(space.loss, first)))


@inlined
def fail(player: Any, n_failed: Any, space: Space, found: Array) -> None:
    """A subtree begins in which this player is the last of B: who was it before gets its loss."""
    last = n_failed - ONE
    found[space.failed_player[last]] -= space.loss[last]
    eight = last & ~np.uint64(7)
    store(space.loss, eight, clear(load(space.loss, eight), one_lane(last - eight)))
    space.failed_player[last] = player


@inlined
def settle(space: Space, found: Array) -> None:
    """A tree is done: the players of B get their losses."""
    for position in range(np.uint64(len(space.failed_player))):
        found[space.failed_player[position]] -= space.loss[position]
        space.loss[position] = 0.0
