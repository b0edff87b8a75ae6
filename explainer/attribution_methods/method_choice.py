"""Decides by memory which exact method a forest gets; cheap, and without loading any of them."""

import os
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.forests.exact_forest import MAX_FEATURES_PER_LEAF
from explainer.attribution_methods.forests.forest_layout import ForestLayout
from models.errors import UnsupportedModelError

MAX_PLAYERS_PER_PATH = 64
"""The deep method keeps the players of one path as bits of one word."""

DEFAULT_BUDGET_BYTES = 512 * 2**20
"""Memory that the explanations of one model may hold."""

COMPILE_FROM_PLAYERS = 7_000
"""Players of all leaves together from which leaf tables are read by compiled code.

numpy takes about 20 ns for each; up to here a row takes it less than 0.15 ms, of which compiled code would save 0.1 ms.
Loading it costs a process 80 MB and half a second once, so small models go without.
"""

BLOCK_ROWS = 256
"""Rows that compiled code takes through a tree together; their sets and sums stay in the processor's cache."""

FEW_ROWS = 128
"""Up to here a set of background rows that are counted is two words."""

_WORD_BITS, _LANES = 64, 8
_PLAYERS_IN_16_BITS = 2**16


class MethodName(StrEnum):
    """The methods; the first four are for forests."""

    LEAF_TABLES = "leaf_tables"
    COMPILED_LEAF_TABLES = "compiled_leaf_tables"
    COUNTED_FOREST = "counted_forest"
    DEEP_FOREST = "deep_forest"
    CLOSED_FORM = "closed_form"
    TERM_SUMS = "term_sums"
    EXACT_ENUMERATION = "exact_enumeration"
    SAMPLED_PERMUTATION = "sampled_permutation"


@dataclass(frozen=True, kw_only=True)
class MethodChoice:
    """Which method a model got, and why.

    Attributes:
        name: The method.
        reason: One sentence for operators and auditors.
        memory_bytes: Memory it holds; an estimate until the method is prepared.
        budget_bytes: Memory the explanations of the model may hold.
        also_held_bytes: Memory that other explanations of the same model hold, such as tables for blocks of the
            background; see :meth:`charged`.
    """

    name: MethodName
    reason: str
    memory_bytes: int
    budget_bytes: int
    also_held_bytes: int = 0

    def __str__(self) -> str:
        held, allowed = (self.memory_bytes + self.also_held_bytes) / 2**20, self.budget_bytes / 2**20
        return f"{self.name}, {held:.1f} of {allowed:.0f} MB: {self.reason}"

    @property
    def free_bytes(self) -> int:
        """Memory of the budget that nothing holds yet; not negative."""
        return max(0, self.budget_bytes - self.memory_bytes - self.also_held_bytes)

    def charged(self, what: str, needed_bytes: int) -> "MethodChoice":
        """Charge more memory to the same model.

        Args:
            what: What needs it, as the sentence of the error names it.
            needed_bytes: How much.

        Returns:
            The choice with this memory among what is held.

        Raises:
            UnsupportedModelError: If that is more than is free.
        """
        if needed_bytes > self.free_bytes:
            raise UnsupportedModelError(
                f"Memory for {what} would take {needed_bytes / 2**20:.0f} MB; of the "
                f"{self.budget_bytes / 2**20:.0f} MB that are allowed, {self.free_bytes / 2**20:.0f} MB are free. "
                "Allow more memory."
            )
        return replace(self, also_held_bytes=self.also_held_bytes + needed_bytes)


def choose_method(
    layout: ForestLayout,
    n_background_rows: int,
    *,
    budget_bytes: int = DEFAULT_BUDGET_BYTES,
    many_rows: bool = False,
    threads: int = 1,
    compile_from: int = COMPILE_FROM_PLAYERS,
    rows_count_alike: bool = False,
) -> MethodChoice:
    """Choose leaf tables where they fit, else a walk through deep forests.

    Args:
        layout: The forest.
        n_background_rows: Rows of the background.
        budget_bytes: Memory the method may hold.
        many_rows: Whether thousands of rows are to be explained at once, not one case at a time.
        threads: Threads that work at once, each with working memory of its own.
        compile_from: See :data:`COMPILE_FROM_PLAYERS`; more for a process that must stay small.
        rows_count_alike: See :func:`rows_weigh_the_same`; such rows are counted, which is quicker than to weigh them.

    Returns:
        The choice, with the memory it is expected to hold.

    Raises:
        UnsupportedModelError: If no exact method fits.
    """
    most, tables = layout.most_players, table_bytes(layout)
    if most <= MAX_FEATURES_PER_LEAF:
        reason = f"No path asks about more than {most} features, and the tables of all leaves fit"
        plain = 2 * tables
        if not many_rows and int(layout.leaf_players.sum()) < compile_from and plain <= budget_bytes:
            return MethodChoice(
                name=MethodName.LEAF_TABLES,
                reason=f"{reason}; the model is small enough to do without compiled code.",
                memory_bytes=plain,
                budget_bytes=budget_bytes,
            )
        compiled = compiled_table_bytes(layout, threads=threads)
        if compiled <= budget_bytes:
            return MethodChoice(
                name=MethodName.COMPILED_LEAF_TABLES,
                reason=f"{reason}.",
                memory_bytes=compiled,
                budget_bytes=budget_bytes,
            )
    return _choose_walk(layout, n_background_rows, budget_bytes, threads, rows_count_alike=rows_count_alike)


def _choose_walk(
    layout: ForestLayout, n_background_rows: int, budget_bytes: int, threads: int, *, rows_count_alike: bool
) -> MethodChoice:
    most = layout.most_players
    if most > MAX_PLAYERS_PER_PATH:
        raise UnsupportedModelError(
            f"One path of a tree asks about {most} different features; exact contributions are computed for at most "
            f"{MAX_PLAYERS_PER_PATH}. Train with less deep trees."
        )
    if most > MAX_FEATURES_PER_LEAF:
        why = f"A path asks about {most} features; tables are made for at most {MAX_FEATURES_PER_LEAF}."
    else:
        why = f"Tables of all leaves would take {table_bytes(layout) / 2**20:.0f} MB."
    name, estimate = MethodName.DEEP_FOREST, deep_forest_bytes
    if rows_count_alike:
        name, estimate = MethodName.COUNTED_FOREST, counted_forest_bytes
    needed = estimate(layout, n_background_rows, threads=threads)
    if needed > budget_bytes:
        raise UnsupportedModelError(
            f"{why} Walking the trees with all {n_background_rows} background rows would take {needed / 2**20:.0f} MB; "
            f"{budget_bytes / 2**20:.0f} MB are allowed. Take fewer background rows or trees, or allow more memory."
        )
    return MethodChoice(name=name, reason=why, memory_bytes=needed, budget_bytes=budget_bytes)


def table_bytes(layout: ForestLayout) -> int:
    """Memory of all leaf tables of compiled code: 2^d lines of d 32-bit numbers for a leaf with d players.

    Args:
        layout: The forest.

    Returns:
        Bytes, exactly; numpy's tables have 64-bit numbers and take twice as much.
    """
    return sum(4 * int(depth) << int(depth) for depth in layout.leaf_players)


def compiled_table_bytes(layout: ForestLayout, *, threads: int = 1) -> int:
    """Memory of compiled leaf tables, with trees and working memory.

    Args:
        layout: The forest.
        threads: Threads that work at once.

    Returns:
        Bytes.
    """
    n_inner, n_leaves, n_players = len(layout.feature), len(layout.leaf_value), int(layout.leaf_players.sum())
    roots = layout.root[layout.root >= 0]
    most_inner = int(np.diff(roots, append=n_inner).max(initial=0))
    trees = (
        20 * n_inner
        + 32 * n_leaves
        + 32 * len(roots)
        + (2 if layout.n_players <= _PLAYERS_IN_16_BITS else 4) * n_players
    )
    # A row's sets and lines; or for a block of rows a tree's sets, lines and sums.
    working = max(8 * (n_inner + 2 * n_leaves), BLOCK_ROWS * (2 * (2 * most_inner + 1) + 8 + 8 * layout.n_players))
    return table_bytes(layout) + trees + threads * working


def deep_forest_bytes(layout: ForestLayout, n_background_rows: int, *, threads: int | None = None) -> int:
    """Memory of the deep method: one bit per inner node and background row, and working memory of each thread.

    Args:
        layout: The forest.
        n_background_rows: Rows of the background.
        threads: Threads that work at once; None for one per usable core.

    Returns:
        Bytes; what does not grow with the model is left out.
    """
    n_bits = -(-n_background_rows // _WORD_BITS) * _WORD_BITS
    # Per row: a gain for each number of failed players, a list entry and two set bits for each frame, and a byte.
    working = n_bits * (8 * (layout.most_players + 2) + 4 * (layout.longest_path + 3) + layout.longest_path // 2 + 2)
    threads = threads or usable_cores()
    return layout.memory_bytes + len(layout.feature) * n_bits // 8 + threads * working


def counted_forest_bytes(layout: ForestLayout, n_background_rows: int, *, threads: int | None = None) -> int:
    """Memory of the method that counts rows: two sets for each question, and working memory of each thread.

    Args:
        layout: The forest.
        n_background_rows: Rows of the background.
        threads: Threads that work at once; None for one per usable core.

    Returns:
        Bytes at most: different questions with the same answers share sets, and how many do is known later.
    """
    n_words, n_inner = words_of_a_set(n_background_rows), len(layout.feature)
    different = np.unique(np.column_stack([layout.feature, layout.threshold, layout.missing_left]), axis=0)
    n_questions = min(len(different), len(np.unique(layout.feature)) * 2 * (n_background_rows + 1))
    roots = layout.root[layout.root >= 0]
    most_inner = int(np.diff(roots, append=n_inner).max(initial=0))
    levels, steps = layout.longest_path + 10, layout.most_players + 6
    working = 16 * most_inner + 8 * levels * (n_words * (steps + 1) + 6 * _LANES) + 8 * n_words * 5
    trees = 24 * n_inner + 8 * len(layout.leaf_value) + 16 * len(layout.root)
    threads = threads or usable_cores()
    return trees + 16 * n_words * n_questions + 32 * steps * (steps + _LANES) + threads * working


def words_of_a_set(n_rows: int) -> int:
    """Count the words of a set of background rows that are counted: two up to 128 rows, else a multiple of eight."""
    return 2 if n_rows <= FEW_ROWS else -(-n_rows // (_WORD_BITS * _LANES)) * _LANES


def rows_weigh_the_same(weights: NDArray[np.float64]) -> bool:
    """Say whether all rows that weigh anything weigh the same, so that they can be counted."""
    weighing = weights[weights > 0]
    return bool((weighing == weighing[0]).all())


def usable_cores() -> int:
    """Count the cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1
