"""Exact interventional Shapley values of deep forests: no tables, so paths may ask about any number of features.

A leaf table has 2^d lines for d players on a path. Where that does not fit, the explained row is walked through the
trees together with all background rows (:mod:`deep_forest_kernel`). Time and memory grow with the size of the
background, at first much less than in proportion, and memory only linearly with the number of leaves.

Importing this module loads numba; :mod:`choose` does so only where this method is needed.
"""

from concurrent.futures import ThreadPoolExecutor
from math import factorial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.forests.deep_forest_kernel import add_contributions
from explainer.attribution_methods.forests.deep_forest_state import FRAME, Background, Nodes, Space, Walk
from explainer.attribution_methods.forests.forest_layout import ForestLayout
from explainer.attribution_methods.method_choice import MAX_PLAYERS_PER_PATH
from explainer.explanations.attribution import AttributionMethod
from models.errors import UnsupportedModelError
from models.forest import Forest

METHOD = AttributionMethod(name="interventional_shapley_values", exact=True, engine_version="deep-forest/1")

_WORD_BITS = 64
_BLOCK_ELEMENTS = 2**22
"""Comparisons made at once when the background is prepared; bounds temporary memory."""

_BEHIND_FACTORS = 512
"""Factors that may be read, times nothing, for the row that fills up lists: its |A| is any number of one byte."""

_ROWS_PER_THREAD = 4
"""Fewer rows than this are not worth another thread."""

Numbers = NDArray[np.float64]


class DeepForest:
    """Computes exact contributions; nothing changes after it is built, so threads may share it.

    Args:
        forest: The trees.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,), not negative, sum above zero; only their proportions count.
        column_to_player: Shape (n_columns,), see :meth:`ForestLayout.of`.
        threads: Threads among which many rows are divided; one row always takes one.

    Attributes:
        method: How the contributions are computed.
        expected_value: Weighted mean additive score over the background.
        leaf_scale: Sum over trees of the largest |leaf|.
        memory_bytes: Memory held, with the working memory of all threads.

    Raises:
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
        layout = ForestLayout.of(forest, column_to_player)
        if layout.most_players > MAX_PLAYERS_PER_PATH:
            raise UnsupportedModelError(
                f"One path of a tree asks about {layout.most_players} different features; exact contributions are "
                f"computed for at most {MAX_PLAYERS_PER_PATH}. Train with less deep trees."
            )
        shares = background_weights / background_weights.sum()
        self._encode = forest.encode
        self._n_players = layout.n_players
        self._longest_path = layout.longest_path
        self._most_players = layout.most_players
        self._threads = threads
        self._nodes = Nodes(*(np.ascontiguousarray(getattr(layout, name)) for name in Nodes._fields))
        self._background = _background_of(layout, forest.encode(background_rows), shares)
        self.expected_value = float(shares @ forest.additive_score(background_rows))
        self.leaf_scale = forest.sum_of_largest_leaves
        self.memory_bytes = (
            layout.memory_bytes + _bytes_of(self._background) + threads * _bytes_of(self._working_memory())
        )
        self.contributions_of(background_rows[:1])  # compiles, so that the first request does not wait for it

    def contributions_of(self, rows: Numbers) -> Numbers:
        """Compute the contributions of every player to every row's additive score.

        Args:
            rows: Raw rows, shape (n_rows, n_features); missing values as NaN.

        Returns:
            Shape (n_rows, n_players), in the additive unit. A row's numbers do not depend on the other rows.
        """
        contributions = np.zeros((len(rows), self._n_players))
        values = np.ascontiguousarray(self._encode(rows))
        parts = max(1, min(self._threads, len(rows) // _ROWS_PER_THREAD))
        if parts == 1:
            self._add_contributions(values, contributions)
            return contributions
        with ThreadPoolExecutor(parts) as pool:
            # As list: a thread's error is raised here.
            list(pool.map(self._add_contributions, np.array_split(values, parts), np.array_split(contributions, parts)))
        return contributions

    def _add_contributions(self, values: NDArray[np.float32], contributions: Numbers) -> None:
        add_contributions(values, Walk(self._nodes, self._background, self._working_memory()), contributions)

    def _working_memory(self) -> Space:
        n_words, frames = int(self._background.n_words), self._longest_path + 1
        n_bits = n_words * _WORD_BITS
        return Space(
            size_of_a=np.zeros(n_bits + _WORD_BITS, dtype=np.uint8),
            in_a=np.zeros((self._most_players + 1) * n_words + 1, dtype=np.uint64),
            gains=np.zeros((self._most_players + 2) * (n_bits + _WORD_BITS)),
            sets=np.zeros((2 * frames + 4) * n_words, dtype=np.uint64),
            # The list of all rows, at most as many again for each frame, and what is written beyond their ends.
            rows=np.zeros((n_bits + 8) * (frames + 2), dtype=np.uint32),
            frames=np.zeros(frames + 1, dtype=FRAME),
        )


def _bytes_of(arrays: NamedTuple) -> int:
    return sum(array.nbytes for array in arrays)


def _background_of(layout: ForestLayout, values: NDArray[np.float32], shares: Numbers) -> Background:
    n_words = -(-len(values) // _WORD_BITS)
    # One set more than nodes, and one word more than bits in sets: see Background.
    goes_left = np.zeros((len(layout.feature) + 1, n_words * 8), dtype=np.uint8)
    block = max(1, _BLOCK_ELEMENTS // len(values))
    by_column = np.ascontiguousarray(values.T)
    for begin in range(0, len(layout.feature), block):
        part = slice(begin, min(begin + block, len(layout.feature)))
        asked = by_column[layout.feature[part]]
        left = asked <= layout.threshold[part, np.newaxis]
        left |= np.isnan(asked) & layout.missing_left[part, np.newaxis]
        packed = np.packbits(left, axis=1, bitorder="little")
        goes_left[part, : packed.shape[1]] = packed
    weight = np.zeros((n_words + 1) * _WORD_BITS)
    weight[: len(values)] = shares
    gain, loss = _factors(layout.most_players)
    return Background(
        goes_left=goes_left.reshape(-1).view("<u8").astype(np.uint64, copy=False),
        everyone=np.packbits(np.arange(n_words * _WORD_BITS) < len(values), bitorder="little")
        .view("<u8")
        .astype(np.uint64),
        weight=weight,
        gain_factor=np.append(gain.ravel(), np.zeros(_BEHIND_FACTORS)),
        loss_factor=np.append(loss.ravel(), np.zeros(_BEHIND_FACTORS)),
        n_words=np.uint64(n_words),
        row_stride=np.uint64((n_words + 1) * _WORD_BITS),
        factor_stride=np.uint64(gain.shape[1]),
    )


def _factors(most_players: int) -> tuple[Numbers, Numbers]:
    """(a-1)! b! / (a+b)! and a! (b-1)! / (a+b)! for b (line) and a (column); 0 where a factorial does not exist."""
    size = most_players + 2
    gain, loss = np.zeros((size, size)), np.zeros((size, size))
    for b in range(size):
        for a in range(size):
            if a:
                gain[b, a] = factorial(a - 1) * factorial(b) / factorial(a + b)
            if b:
                loss[b, a] = factorial(a) * factorial(b - 1) / factorial(a + b)
    return gain, loss
