"""Contributions against blocks of the background for models that are only asked for scores: from the same scores.

Every score that is asked for belongs to one background row, so the scores behind a contribution can be divided among
the blocks, and no score has to be asked for twice.
"""

from threading import local
from typing import Protocol

from explainer.attribution_methods.blocks.background_blocks import BlockDivision
from models.scoring_model import Rows, Scores


class AskingComputer(Protocol):
    """Computes contributions by asking, and knows what each block of the background had to do with them."""

    @property
    def division(self) -> BlockDivision | None:
        """How the background is divided; None where it has too few rows or nobody asks for blocks."""
        ...

    def by_block(self, row: Scores) -> Rows:
        """Contributions of one row against each block, shape (n_blocks, n_features)."""
        ...


class LastCase(local):
    """What a thread has computed last, so that the question that follows about the same case asks for no score anew."""

    def __init__(self) -> None:
        self._key, self._found = b"", None

    _key: bytes
    _found: Rows | None

    def keep(self, row: Scores, by_block: Rows) -> None:
        """Remember contributions against blocks, shape (n_blocks, n_features)."""
        self._key, self._found = row.tobytes(), by_block

    def recall(self, row: Scores) -> Rows | None:
        """Give those of this row, or None if another one was the last."""
        return self._found if self._key == row.tobytes() else None


class AskedBlocks:
    """Contributions against blocks; see :class:`~explainer.attribution_methods.background_blocks.BlockContributions`.

    Sampled contributions against one block are about three times as unsure as those against the whole background, so
    the top reason is rather called unsure too often than too seldom.

    Args:
        computer: The method that is used for explanations.
        division: How its background is divided.

    Attributes:
        shares: Share of the background's weight that each block holds.
        rounding: Nothing: their mean is the contribution itself.
        memory_bytes: Nothing besides what the method holds itself.
    """

    rounding = 0.0
    memory_bytes = 0

    def __init__(self, computer: AskingComputer, division: BlockDivision) -> None:
        self._computer = computer
        self.shares = division.shares

    def contributions_of(self, row: Scores) -> Rows:
        """Compute contributions against each block."""
        return self._computer.by_block(row)
