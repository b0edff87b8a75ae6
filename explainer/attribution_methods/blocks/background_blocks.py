"""Ten fixed blocks of a background, and how a case's contributions differ between them.

Contributions depend on whom a case is compared with. They are linear in the background: those measured against the
whole of it are the weighted mean of those measured against its blocks. So the differences between blocks say how much
of a contribution hangs on who happens to be in the comparison group (the method of random groups: Wolter, "Introduction
to Variance Estimation", 2nd edition 2007, chapter 2).
"""

from hashlib import sha256
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.scoring_model import Rows, Scores

N_BLOCKS = 10
"""Enough for a spread, and few enough that a block of 1,000 rows still holds a hundred."""

MIN_ROWS_PER_BLOCK = 10
"""Blocks of fewer rows differ by accident alone, and say nothing about the whole background."""

BlockNumbers = NDArray[np.int64]
"""Shape (m,): the block of each background row, from 0."""


class BlockContributions(Protocol):
    """Computes one case's contributions against each block of the background; threads may share it."""

    @property
    def shares(self) -> Scores:
        """Share of the background's weight that each block holds, shape (n_blocks,), sum 1."""
        ...

    @property
    def rounding(self) -> float:
        """How far a contribution may be off because it is kept in few bits, in the additive unit."""
        ...

    @property
    def memory_bytes(self) -> int:
        """Memory that is held."""
        ...

    def contributions_of(self, row: Scores) -> Rows:
        """Compute contributions against each block.

        Args:
            row: Raw row, shape (n_features,).

        Returns:
            Shape (n_blocks, n_features), additive unit; weighted with :attr:`shares` their mean is the contribution
            against the whole background.
        """
        ...


def split_background(rows: Rows, weights: Scores) -> BlockNumbers | None:
    """Split a background into ten blocks of nearly equal weight.

    Rows are put into the order of the SHA-256 of their values, which is as good as drawn and the same on every machine,
    and cut where a tenth of the weight is full. Where the rows stood does not matter.

    Args:
        rows: Raw rows, shape (m, n_features).
        weights: Shape (m,), positive.

    Returns:
        The block of each row, or None where some block would have fewer than ten rows.
    """
    order = sorted(range(len(rows)), key=lambda row: sha256(rows[row].astype("<f8").tobytes()).digest())
    in_order = weights[order]
    # A row belongs to the block in which the middle of its weight lies.
    middles = (np.cumsum(in_order) - in_order / 2) / in_order.sum()
    blocks = np.empty(len(rows), dtype=np.int64)
    blocks[order] = np.minimum((middles * N_BLOCKS).astype(np.int64), N_BLOCKS - 1)
    smallest = np.bincount(blocks, minlength=N_BLOCKS).min()
    return blocks if smallest >= MIN_ROWS_PER_BLOCK else None


def shares_of_blocks(blocks: BlockNumbers, weights: Scores) -> Scores:
    """Share of the weight that each block holds, shape (n_blocks,)."""
    held = np.bincount(blocks, weights=weights, minlength=N_BLOCKS)
    return np.asarray(held / held.sum(), dtype=np.float64)


def shares_within_blocks(blocks: BlockNumbers, weights: Scores) -> Scores:
    """Share of its own block's weight that each row holds, shape (m,)."""
    held = np.bincount(blocks, weights=weights, minlength=N_BLOCKS)
    return np.asarray(weights / held[blocks], dtype=np.float64)


class BlockDivision:
    """Divides numbers of background rows among their blocks; threads may share it.

    Args:
        blocks: The block of each row.
        weights: Shape (m,), positive.

    Attributes:
        shares: Share of the weight that each block holds, shape (n_blocks,).
    """

    def __init__(self, blocks: BlockNumbers, weights: Scores) -> None:
        self.shares = shares_of_blocks(blocks, weights)
        self._order = np.argsort(blocks, kind="stable")
        self._within = shares_within_blocks(blocks, weights)[self._order]
        self._starts = np.searchsorted(blocks[self._order], np.arange(N_BLOCKS))

    @classmethod
    def of(cls, rows: Rows, weights: Scores) -> "BlockDivision | None":
        """Divide a background; None where it has too few rows, see :func:`split_background`."""
        blocks = split_background(rows, weights)
        return None if blocks is None else cls(blocks, weights)

    def means(self, numbers: Rows) -> Rows:
        """Give the weighted mean of each block.

        Args:
            numbers: One number for each background row, shape (k, m).

        Returns:
            Shape (n_blocks, k).
        """
        return np.add.reduceat(numbers[:, self._order] * self._within, self._starts, axis=1).T
