"""Decides how a model's contributions are computed against blocks of its background, or that they are not."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.black_boxes.exact_enumeration import ExactEnumeration
from explainer.attribution_methods.black_boxes.sampled_permutation import SampledPermutation
from explainer.attribution_methods.blocks import block_tables
from explainer.attribution_methods.blocks.asked_blocks import AskedBlocks
from explainer.attribution_methods.blocks.background_blocks import (
    MIN_ROWS_PER_BLOCK,
    N_BLOCKS,
    BlockContributions,
    BlockNumbers,
    shares_of_blocks,
    split_background,
)
from explainer.attribution_methods.forests.exact_forest import MAX_FEATURES_PER_LEAF
from explainer.attribution_methods.forests.forest_layout import ForestLayout
from explainer.attribution_methods.method import AttributionComputer
from explainer.attribution_methods.method_choice import (
    COMPILE_FROM_PLAYERS,
    MAX_PLAYERS_PER_PATH,
    counted_forest_bytes,
    deep_forest_bytes,
    rows_weigh_the_same,
)
from explainer.attribution_methods.sums.linear import ExactLinear
from explainer.attribution_methods.sums.term_sums import TermSums
from explainer.attribution_methods.table_cache import TableCache
from models.forest import Forest
from models.linear_model import LinearModel, PointsTable
from models.package import ModelPackage
from models.scoring_model import Rows, Scores
from models.term_model import TermModel

_BYTES_OF_LINE = 2 * N_BLOCKS + 2
_BYTES_OF_TREES = 256
"""Nodes, players and places of one leaf, generously."""

Maker = Callable[[Rows, Scores], AttributionComputer]
"""Prepares a method for background rows, shape (m, n_features), and their weights, shape (m,)."""


@dataclass(frozen=True, kw_only=True)
class PreparedBlocks:
    """How contributions against blocks are computed.

    Attributes:
        computer: Computes them; None where they are not computed.
        reason: One sentence for operators and auditors.
    """

    computer: BlockContributions | None
    reason: str

    @property
    def memory_bytes(self) -> int:
        """Memory that is held."""
        return 0 if self.computer is None else self.computer.memory_bytes

    def __str__(self) -> str:
        return f"{self.memory_bytes / 2**20:.1f} MB: {self.reason}"


class ComputerPerBlock:
    """One prepared method per block, for methods that cost next to nothing.

    Args:
        make: Prepares the method for a background.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,), positive.
        blocks: Block of each row.

    Attributes:
        shares: Share of the background's weight that each block holds.
        rounding: Nothing: the methods are exact.
        memory_bytes: Memory held.
    """

    rounding = 0.0

    def __init__(self, make: Maker, background_rows: Rows, background_weights: Scores, blocks: BlockNumbers) -> None:
        self.shares = shares_of_blocks(blocks, background_weights)
        self._computers = [
            make(background_rows[blocks == block], background_weights[blocks == block]) for block in range(N_BLOCKS)
        ]
        self.memory_bytes = sum(computer.memory_bytes for computer in self._computers)

    def contributions_of(self, row: Scores) -> Rows:
        """Compute contributions against each block; see :meth:`BlockContributions.contributions_of`."""
        return np.concatenate([computer.contributions_of(row[np.newaxis]) for computer in self._computers])


def blocks_for(
    package: ModelPackage,
    position: int,
    computer: AttributionComputer,
    *,
    budget_bytes: int,
    cache: TableCache | None = None,
) -> PreparedBlocks:
    """Prepare what computes one score's contributions against blocks, where that is quick enough.

    Args:
        package: A verified package.
        position: Of the score; 0, or for several classes that of the class.
        computer: The method for this score's contributions; where it asks the model, its scores serve here, too.
        budget_bytes: Memory that is left of what the model's explanations may hold.
        cache: Where compiled tables are kept between starts; None to make them anew.

    Returns:
        What computes them, or why nothing does.
    """
    rows, weights = package.background.rows, package.background.weights
    match package.reading:
        case Forest():
            forest = package.reading.for_output(position)
            return blocks_for_forest(forest, rows, weights, budget_bytes=budget_bytes, cache=cache)
        case LinearModel():
            make: Maker = partial(ExactLinear, package.reading.for_output(position))
        case PointsTable():
            make = partial(ExactLinear, package.reading)
        case TermModel():
            make = partial(TermSums, package.reading.for_output(position))
        case None:
            return _of_asked(computer, rows)
    return blocks_for_closed_form(make, rows, weights, budget_bytes=budget_bytes)


def _of_asked(computer: AttributionComputer, rows: Rows) -> PreparedBlocks:
    division = computer.division if isinstance(computer, ExactEnumeration | SampledPermutation) else None
    if division is None or not isinstance(computer, ExactEnumeration | SampledPermutation):
        return _too_few_rows(rows)
    return PreparedBlocks(
        computer=AskedBlocks(computer, division), reason="The scores that are asked for are divided among the blocks."
    )


def blocks_for_closed_form(
    make: Maker, background_rows: Rows, background_weights: Scores, *, budget_bytes: int
) -> PreparedBlocks:
    """Prepare a method that costs next to nothing once for each block; see :class:`ComputerPerBlock`.

    Args:
        make: Prepares the method for a background.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,), positive.
        budget_bytes: Memory that is left of what the model's explanations may hold.

    Returns:
        The methods, or why there are none.
    """
    blocks = split_background(background_rows, background_weights)
    if blocks is None:
        return _too_few_rows(background_rows)
    computer = ComputerPerBlock(make, background_rows, background_weights, blocks)
    if computer.memory_bytes > budget_bytes:
        return _too_large(computer.memory_bytes, budget_bytes)
    return PreparedBlocks(computer=computer, reason="The closed form is made once for each block.")


def blocks_for_forest(
    forest: Forest,
    background_rows: Rows,
    background_weights: Scores,
    *,
    budget_bytes: int,
    cache: TableCache | None = None,
) -> PreparedBlocks:
    """Prepare block tables of a forest where they fit.

    Args:
        forest: The trees.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,), positive.
        budget_bytes: Memory that is left of what the model's explanations may hold.
        cache: Where compiled tables are kept between starts; None to make them anew.

    Returns:
        The tables, or why there are none.
    """
    blocks = split_background(background_rows, background_weights)
    if blocks is None:
        return _too_few_rows(background_rows)
    depths = ForestLayout.of(forest).leaf_players
    deepest = int(depths.max(initial=0))
    if deepest <= block_tables.MAX_PLAYERS and depths.sum() < COMPILE_FROM_PLAYERS:
        small = block_tables.BlockTables(forest, background_rows, background_weights, blocks)
        return PreparedBlocks(computer=small, reason="The forest is small.")
    if deepest > MAX_FEATURES_PER_LEAF:
        why = f"A path asks about {deepest} features; tables are made for at most {MAX_FEATURES_PER_LEAF}."
        return _by_walking(forest, background_rows, background_weights, blocks, budget_bytes, why)
    # Here and not above, because this loads numba, which small models never need.
    from explainer.attribution_methods.blocks.compiled_block_tables import (  # noqa: PLC0415
        CompiledBlockTables,
        bytes_of_block_tables,
    )

    if _most_bytes(depths, len(background_rows)) > budget_bytes:
        needed = bytes_of_block_tables(forest, background_rows, blocks)
        if needed > budget_bytes:
            why = f"Tables for blocks would take {needed / 2**20:.0f} MB; {budget_bytes / 2**20:.0f} MB are left."
            return _by_walking(forest, background_rows, background_weights, blocks, budget_bytes, why)
    large = CompiledBlockTables(forest, background_rows, background_weights, blocks, cache=cache)
    return PreparedBlocks(computer=large, reason="The tables of all leaves and blocks fit.")


def _most_bytes(depths: NDArray[np.int64], n_rows: int) -> int:
    """More than compiled tables can hold: without looking at the rows, each of which may meet a set of its own."""
    seen = np.minimum(np.int64(1) << depths, n_rows)
    bytes_of_leaf = seen * ((depths + 1) * _BYTES_OF_LINE + _BYTES_OF_LINE) + (2 << depths) + _BYTES_OF_TREES
    return int(bytes_of_leaf.sum())


def _by_walking(  # noqa: PLR0917 -- what blocks_for_forest was given
    forest: Forest, rows: Rows, weights: Scores, blocks: BlockNumbers, budget_bytes: int, why: str
) -> PreparedBlocks:
    """Walk the trees with the rows of one block after the other: together about as long as with all rows at once."""
    layout, counts = ForestLayout.of(forest), np.bincount(blocks, minlength=N_BLOCKS).tolist()
    alike = rows_weigh_the_same(weights)
    bytes_of = counted_forest_bytes if alike else deep_forest_bytes
    needed = sum(bytes_of(layout, count, threads=1) for count in counts)
    if layout.most_players > MAX_PLAYERS_PER_PATH or needed > budget_bytes:
        return PreparedBlocks(
            computer=None,
            reason=f"{why} Walking the trees with each block would take {needed / 2**20:.0f} MB; "
            f"{budget_bytes / 2**20:.0f} MB are left.",
        )
    # Here and not above, because these load numba, which small models never need.
    if alike:
        from explainer.attribution_methods.forests.counted_forest import CountedForest as Walk  # noqa: PLC0415
    else:
        from explainer.attribution_methods.forests.deep_forest import DeepForest as Walk  # type: ignore[assignment] # noqa: PLC0415
    computer = ComputerPerBlock(partial(Walk, forest), rows, weights, blocks)
    return PreparedBlocks(computer=computer, reason=f"{why} The trees are walked with each block.")


def _too_few_rows(rows: Rows) -> PreparedBlocks:
    return PreparedBlocks(
        computer=None,
        reason=f"{len(rows)} background rows cannot be split into {N_BLOCKS} blocks of {MIN_ROWS_PER_BLOCK} or more.",
    )


def _too_large(needed_bytes: int, left_bytes: int) -> PreparedBlocks:
    return PreparedBlocks(
        computer=None,
        reason=f"Tables for blocks would take {needed_bytes / 2**20:.0f} MB; {left_bytes / 2**20:.0f} MB are left.",
    )
