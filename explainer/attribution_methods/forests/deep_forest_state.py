"""What the walk through deep forests reads and remembers: sets of background rows, frames, chains; compiled parts.

See :mod:`deep_forest_kernel` for the walk. Unsigned 64-bit numbers throughout: numba turns mixtures with signed ones
into floating point.
"""

from typing import Any, NamedTuple

import numpy as np

from explainer.compiled import inlined, lowest_bit, number_of_bits

Array = Any
"""numpy array; numba infers element types."""

ZERO, ONE, TWO, THREE, FOUR = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
WORD_BITS, WORD_SHIFT, WORD_MASK = np.uint64(64), np.uint64(6), np.uint64(63)

ALONG, APART, LEFT, RIGHT = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)
"""What a frame waits for: x's side, the side x does not take, the left and the right half of divided rows."""

FRAME = np.dtype(
    [
        ("waits_for", np.uint64),
        ("node", np.uint64),
        ("apart", np.int64),
        ("loss", np.float64),
        ("begin", np.uint64),
        ("end", np.uint64),
        ("right_end", np.uint64),
        ("failed", np.uint64),
        ("n_failed", np.uint64),
    ]
)
"""What is remembered of a node while one of its subtrees is walked.

``apart`` is the child on the side x does not take. ``begin`` to ``end`` in the list of rows are those that parted here,
or those that went left; up to ``right_end`` follow those that went right. ``failed`` are the slots of B above the node.
"""


class Nodes(NamedTuple):
    """The arrays of a ``ForestLayout`` that are walked."""

    feature: Array
    threshold: Array
    missing_left: Array
    child: Array
    player: Array
    slot: Array
    recurs_below: Array
    leaf_value: Array
    root: Array


class Background(NamedTuple):
    """Background rows as sets: bit z of a set of ``n_words`` words is row z.

    Lists of rows are filled up with a row behind the last word that weighs nothing; so there are ``row_stride`` numbers
    per row, a word's more than bits. Other numbers of that row are never used but may be read.

    ``goes_left`` holds one set per inner node, ``everyone`` is the set of all rows, ``weight`` has a number per bit.
    ``gain_factor`` and ``loss_factor`` hold (|A|-1)! |B|! / (|A|+|B|)! and |A|! (|B|-1)! / (|A|+|B|)! at
    ``|B| * factor_stride + |A|``. Lists of rows are filled up with a row behind the last word that weighs nothing, so
    weights and gains have ``row_stride`` places, a word more than there are bits; what else is read for that row, such
    as the first bit of the next set, counts nothing.
    """

    goes_left: Array
    everyone: Array
    weight: Array
    gain_factor: Array
    loss_factor: Array
    n_words: np.uint64
    row_stride: np.uint64
    factor_stride: np.uint64


class Space(NamedTuple):
    """Working memory of one thread.

    ``size_of_a`` has |A| per row; ``in_a`` one set per slot, kept only for players that come again below; ``gains`` has
    for each |B| a number per row; ``sets`` two sets per frame; ``rows`` the members of sets as lists; ``frames`` the
    stack.
    """

    size_of_a: Array
    in_a: Array
    gains: Array
    sets: Array
    rows: Array
    frames: Array


class Walk(NamedTuple):
    """All that is walked through and worked with."""

    nodes: Nodes
    background: Background
    space: Space


class Chain(NamedTuple):
    """Where the walk stands: a node, or ``~leaf``; its alive rows as a set and as a list; B; height of the stack."""

    node: np.int64
    alive: np.uint64
    begin: np.uint64
    end: np.uint64
    free: np.uint64
    failed: np.uint64
    n_failed: np.uint64
    height: np.uint64


@inlined
def _append_members(word: Any, first_row: Any, rows: Array, end: Any) -> Any:
    """Append the rows of one word to a list; the first four without a branch, so up to four places more are written."""
    count = number_of_bits(word)
    rows[end] = first_row + lowest_bit(word)
    word &= word - ONE
    rows[end + ONE] = first_row + lowest_bit(word)
    word &= word - ONE
    rows[end + TWO] = first_row + lowest_bit(word)
    word &= word - ONE
    rows[end + THREE] = first_row + lowest_bit(word)
    word &= word - ONE
    place = end + THREE + ONE
    while word != ZERO:
        rows[place] = first_row + lowest_bit(word)
        word &= word - ONE
        place += ONE
    return end + count


@inlined
def list_members(sets: Array, at: Any, n_words: Any, rows: Array, end: Any) -> Any:
    """Append the rows of a set to a list, filled up to fours with a row that counts nothing; returns the list's end."""
    for word in range(n_words):
        end = _append_members(sets[at + word], word * WORD_BITS, rows, end)
    nobody = n_words * WORD_BITS
    rows[end] = nobody
    rows[end + ONE] = nobody
    rows[end + TWO] = nobody
    return end


@inlined
def behind(end: Any) -> Any:
    """Where the next list can begin."""
    return (end + THREE) & ~THREE
