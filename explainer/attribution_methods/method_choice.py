"""Decides by memory which exact method a forest gets; cheap, and without loading any of them."""

import os
from dataclasses import dataclass
from enum import StrEnum

from explainer.attribution_methods.exact_forest import MAX_FEATURES_PER_LEAF
from explainer.attribution_methods.forest_layout import ForestLayout
from models.errors import UnsupportedModelError

MAX_PLAYERS_PER_PATH = 64
"""The deep method keeps the players of one path as bits of one word."""

DEFAULT_BUDGET_BYTES = 512 * 2**20
"""Memory that the explanations of one model may hold."""

_WORD_BITS = 64


class MethodName(StrEnum):
    """The methods; the first three are for forests."""

    LEAF_TABLES = "leaf_tables"
    LEAF_TABLES_BATCH = "leaf_tables_batch"
    DEEP_FOREST = "deep_forest"
    CLOSED_FORM = "closed_form"
    EXACT_ENUMERATION = "exact_enumeration"
    SAMPLED_PERMUTATION = "sampled_permutation"


@dataclass(frozen=True, kw_only=True)
class MethodChoice:
    """Which method a model got, and why.

    Attributes:
        name: The method.
        reason: One sentence for operators and auditors.
        memory_bytes: Memory it holds; an estimate until the method is prepared.
        budget_bytes: Memory it may hold.
    """

    name: MethodName
    reason: str
    memory_bytes: int
    budget_bytes: int

    def __str__(self) -> str:
        held, allowed = self.memory_bytes / 2**20, self.budget_bytes / 2**20
        return f"{self.name}, {held:.1f} of {allowed:.0f} MB: {self.reason}"


def choose_method(
    layout: ForestLayout, n_background_rows: int, *, budget_bytes: int = DEFAULT_BUDGET_BYTES, many_rows: bool = False
) -> MethodChoice:
    """Choose leaf tables where they fit, else the walk through deep forests.

    Args:
        layout: The forest.
        n_background_rows: Rows of the background.
        budget_bytes: Memory the method may hold.
        many_rows: Whether thousands of rows are to be explained at once, not one case at a time.

    Returns:
        The choice, with the memory it is expected to hold.

    Raises:
        UnsupportedModelError: If no exact method fits.
    """
    most, tables = layout.most_players, table_bytes(layout)
    if most <= MAX_FEATURES_PER_LEAF and tables <= budget_bytes:
        return MethodChoice(
            name=MethodName.LEAF_TABLES_BATCH if many_rows else MethodName.LEAF_TABLES,
            reason=f"No path asks about more than {most} features, and the tables of all leaves fit.",
            memory_bytes=tables,
            budget_bytes=budget_bytes,
        )
    if most > MAX_FEATURES_PER_LEAF:
        why = f"A path asks about {most} features; tables are made for at most {MAX_FEATURES_PER_LEAF}."
    else:
        why = f"Tables of all leaves would take {tables / 2**20:.0f} MB."
    if most > MAX_PLAYERS_PER_PATH:
        raise UnsupportedModelError(
            f"One path of a tree asks about {most} different features; exact contributions are computed for at most "
            f"{MAX_PLAYERS_PER_PATH}. Train with less deep trees."
        )
    needed = deep_forest_bytes(layout, n_background_rows)
    if needed > budget_bytes:
        raise UnsupportedModelError(
            f"{why} Walking the trees with all {n_background_rows} background rows would take {needed / 2**20:.0f} MB; "
            f"{budget_bytes / 2**20:.0f} MB are allowed. Take fewer background rows or trees, or allow more memory."
        )
    return MethodChoice(name=MethodName.DEEP_FOREST, reason=why, memory_bytes=needed, budget_bytes=budget_bytes)


def table_bytes(layout: ForestLayout) -> int:
    """Memory of all leaf tables: 2^d lines of d 64-bit numbers for a leaf with d players.

    Args:
        layout: The forest.

    Returns:
        Bytes, exactly.
    """
    return sum(8 * int(depth) << int(depth) for depth in layout.leaf_players)


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


def usable_cores() -> int:
    """Count the cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1
