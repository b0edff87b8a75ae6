"""Exact interventional Shapley values of deep forests by counting rows, for a background whose rows weigh the same.

For a row x, a background row z and a leaf, let A be the players on the path at whose nodes x goes along the path and z
leaves it, and B those where z goes along and x leaves it. A leaf of value v counts for z if no player leaves the path
for both; it then adds v (|A|-1)! |B|! / (|A|+|B|)! to each player of A and takes v |A|! (|B|-1)! / (|A|+|B|)! from each
of B (interventional TreeSHAP, Lundberg et al. 2020). As in :mod:`deep_forest` the row is walked through a tree together
with all background rows for which it can still count, and all of these have the same B.

What is different: nothing is kept per background row. A set of rows is a few words of bits, and at a leaf it is only
counted, by the processor's own instruction, eight words at once. With f(a) for one of the factors above,

    sum of f(|A(z)|) over the alive z  =  f(0) n_0 + sum over j of (f(j) - f(j-1)) n_j,

where n_j is the number of alive z with |A(z)| >= j; a player gains the same sum over the z it parted from x for. The
sets {z: |A(z)| >= j} grow along a path: if the rows of a set S part, {|A| >= j} becomes {|A| >= j} or S and {|A| >=
j-1}. At a node the walk goes on along x's way, and the other side waits, with the rows that will walk it, S: so the
waiting subtrees are at the same time the list of players of A with their rows, and what a player gained is given to it
when its subtree's turn comes.

Each question's set of rows is kept once, however many nodes ask it: with 1,000 rows there are at most 1,001 answers to
questions about one column.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import factorial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.forests.counted_few_rows import add_contributions
from explainer.attribution_methods.forests.counted_forest_state import Background, Space, Trees, Walk
from explainer.attribution_methods.forests.counted_many_rows import walk_with_sets_of
from explainer.attribution_methods.forests.forest_layout import ForestLayout
from explainer.attribution_methods.method_choice import (
    FEW_ROWS,
    MAX_PLAYERS_PER_PATH,
    rows_weigh_the_same,
    words_of_a_set,
)
from explainer.explanations.attribution import AttributionMethod
from models.errors import UnsupportedModelError
from models.forest import Forest

METHOD = AttributionMethod(name="interventional_shapley_values", exact=True, engine_version="counted-forest/1")

_LANES = 8
_LINE_BYTES = 64
_ROWS_PER_THREAD = 4
"""Fewer rows than this are not worth another thread."""

Numbers = NDArray[np.float64]
Words = NDArray[np.uint64]


class CountedForest:
    """Computes exact contributions; nothing changes after it is built, so threads may share it.

    Args:
        forest: The trees.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,): the same number for all rows that weigh anything.
        column_to_player: Shape (n_columns,), see :meth:`ForestLayout.of`.
        threads: Threads among which many rows are divided; one row always takes one.

    Attributes:
        method: How the contributions are computed.
        expected_value: Mean additive score over the background.
        leaf_scale: Sum over trees of the largest |leaf|.
        memory_bytes: Memory held, with the working memory of all threads.

    Raises:
        ValueError: If rows weigh differently.
        UnsupportedModelError: If a path has more than 64 players.
    """

    method = METHOD

    def __init__(
        self,
        forest: Forest,
        background_rows: Numbers,
        background_weights: Numbers,
        *,
        column_to_player: NDArray[np.integer] | None = None,
        threads: int = 1,
    ) -> None:
        if not rows_weigh_the_same(background_weights):
            raise ValueError("rows that weigh differently cannot be counted")
        rows = background_rows[background_weights > 0]
        layout = ForestLayout.of(forest, column_to_player)
        if layout.most_players > MAX_PLAYERS_PER_PATH:
            raise UnsupportedModelError(
                f"One path of a tree asks about {layout.most_players} different features; exact contributions are "
                f"computed for at most {MAX_PLAYERS_PER_PATH}. Train with less deep trees."
            )
        self._encode = forest.encode
        self._n_players = layout.n_players
        self._n_rows = len(rows)
        self._threads = threads
        self._n_words, self._few = words_of_a_set(len(rows)), len(rows) <= FEW_ROWS
        self._longest_path, self._most_players = layout.longest_path, layout.most_players
        self._trees, self._background = _prepared(layout, forest.encode(rows), self._n_words)
        self._most_nodes = int(np.diff(self._trees.first_node).max(initial=0))
        self._add: Callable[[NDArray[np.float32], Walk, Numbers], None] = (
            add_contributions if self._few else walk_with_sets_of(self._n_words)
        )
        self.expected_value = float(forest.additive_score(rows).mean())
        self.leaf_scale = forest.sum_of_largest_leaves
        self.memory_bytes = (
            _bytes_of(self._trees) + _bytes_of(self._background) + threads * _bytes_of(self._working_memory())
        )
        self.contributions_of(background_rows[:1])  # compiles, so that the first request does not wait for it

    def contributions_of(self, rows: Numbers) -> Numbers:
        """Compute the contributions of every player to every row's additive score.

        Args:
            rows: Raw rows, shape (n_rows, n_features); missing values as NaN.

        Returns:
            Shape (n_rows, n_players), in the additive unit. A row's numbers do not depend on the other rows.
        """
        sums = np.zeros((len(rows), self._n_players + 1))
        values = np.ascontiguousarray(self._encode(rows))
        parts = max(1, min(self._threads, len(rows) // _ROWS_PER_THREAD))
        if parts == 1:
            self._add_sums(values, sums)
        else:
            with ThreadPoolExecutor(parts) as pool:
                # As list: a thread's error is raised here.
                list(pool.map(self._add_sums, np.array_split(values, parts), np.array_split(sums, parts)))
        return sums[:, : self._n_players] / self._n_rows

    def _add_sums(self, values: NDArray[np.float32], sums: Numbers) -> None:
        self._add(values, Walk(self._trees, self._background, self._working_memory()), sums)

    def _working_memory(self) -> Space:
        words, few, waiting = self._n_words, self._few, _up_to_lanes(self._longest_path + 1)
        return Space(
            directed=_words(2 * self._most_nodes + 2),
            parted=_words(waiting * words + 2 * _LANES),
            player=_words(waiting * (2 if few else 1) + 2 * _LANES),
            gain=_numbers(waiting * (2 if few else _LANES) + 2 * _LANES),
            place=_words(waiting),
            failed=_words(waiting),
            at_least=_words((self._longest_path + 2) * int(self._background.set_stride) + 2 * _LANES),
            failed_player=_words(self._most_players + 1),
            loss=_numbers(_up_to_lanes(self._most_players + 1) + _LANES),
            alive=_words(words),
            counted=_words(4 * words),
        )


def _prepared(layout: ForestLayout, values: NDArray[np.float32], n_words: int) -> tuple[Trees, Background]:
    question, parting = _questions_of(layout, values, n_words)
    about = layout.player.astype(np.uint64) | (layout.slot.astype(np.uint64) << 24) | (question << 33)
    about |= (layout.asked_above.astype(np.uint64) << 30) | (layout.missing_left.astype(np.uint64) << 31)
    asked = layout.threshold.view(np.uint32).astype(np.uint64) | (layout.feature.astype(np.uint64) << 32)
    nodes = np.column_stack([np.ascontiguousarray(layout.child).view(np.uint64), about, asked])
    trees = Trees(
        nodes=np.ascontiguousarray(nodes).ravel(),
        leaf_value=layout.leaf_value,
        root=layout.root.astype(np.int64),
        first_node=layout.first_node.astype(np.uint64),
    )
    # For few rows each word of a pair has its step; one step more than players, and eight more that may be read.
    each, steps = (2 if len(values) <= FEW_ROWS else 1), layout.most_players + 1
    stride = _up_to_lanes(each * steps) + 2 * _LANES
    gain, loss = _factors(layout.most_players)
    background = Background(
        parting=parting,
        everyone=_set_of(np.ones((1, len(values)), dtype=np.bool_), n_words)[0],
        gain_step=_steps(gain, each, stride),
        loss_step=_steps(loss, each, stride),
        loss_alone=loss[:, 0].copy(),
        stride=np.uint64(stride),
        set_stride=np.uint64(_up_to_lanes(n_words * steps) + 4 * max(n_words, _LANES)),
        nobody=np.uint64(layout.n_players),
    )
    return trees, background


def _questions_of(layout: ForestLayout, values: NDArray[np.float32], n_words: int) -> tuple[Words, Words]:
    """Number the questions by their answers: nodes to whose question all rows answer the same share a set.

    Returns:
        The number of each node's question, shape (n_inner,), and the sets in the form of :class:`Background`.
    """
    number = np.zeros(len(layout.feature), dtype=np.uint64)
    sets: list[Words] = [np.zeros((0, 2, n_words), dtype=np.uint64)]
    n_questions = 0
    for column in np.unique(layout.feature):
        nodes = np.flatnonzero(layout.feature == column)
        answers = values[:, column]
        known = np.sort(answers[~np.isnan(answers)])
        missing_matters = len(known) < len(answers)
        up_to = np.searchsorted(known, layout.threshold[nodes], side="right")
        key = 2 * up_to + (layout.missing_left[nodes] & missing_matters)
        _, first, same = np.unique(key, return_index=True, return_inverse=True)
        asked = nodes[first]
        left = answers <= layout.threshold[asked, np.newaxis]
        left |= np.isnan(answers) & layout.missing_left[asked, np.newaxis]
        sets.append(np.stack([_set_of(left, n_words), _set_of(~left, n_words)], axis=1))
        number[nodes] = n_questions + same
        n_questions += len(first)
    return number, _aligned(np.concatenate(sets).ravel())


def _set_of(members: NDArray[np.bool_], n_words: int) -> Words:
    packed = np.zeros((len(members), n_words * 8), dtype=np.uint8)
    bits = np.packbits(members, axis=1, bitorder="little")
    packed[:, : bits.shape[1]] = bits
    return packed.view("<u8").astype(np.uint64)


def _factors(most_players: int) -> tuple[Numbers, Numbers]:
    """(|A|-1)! |B|! / (|A|+|B|)! and |A|! (|B|-1)! / (|A|+|B|)!, |B| by |A|; 0 where a factorial does not exist."""
    size = most_players + 2
    gain, loss = np.zeros((size, size)), np.zeros((size, size))
    for b in range(size):
        for a in range(size):
            if a:
                gain[b, a] = factorial(a - 1) * factorial(b) / factorial(a + b)
            if b:
                loss[b, a] = factorial(a) * factorial(b - 1) / factorial(a + b)
    return gain, loss


def _steps(factors: Numbers, each: int, stride: int) -> Numbers:
    grown = np.repeat(np.diff(factors, axis=1), each, axis=1)
    steps = np.zeros((len(factors), stride))
    steps[:, : grown.shape[1]] = grown
    return steps.ravel()


def _up_to_lanes(number: int) -> int:
    return -(-number // _LANES) * _LANES


def _aligned(words: Words) -> Words:
    found = _words(len(words) + _LANES)
    found[: len(words)] = words
    return found


def _words(number: int) -> Words:
    """Zeros that begin where a line of the processor's cache does."""
    raw = np.zeros(8 * number + _LINE_BYTES, dtype=np.uint8)
    begin = -raw.ctypes.data % _LINE_BYTES
    return raw[begin : begin + 8 * number].view(np.uint64)


def _numbers(number: int) -> Numbers:
    return _words(number).view(np.float64)


def _bytes_of(arrays: NamedTuple) -> int:
    return sum(array.nbytes for array in arrays)
