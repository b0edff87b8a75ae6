"""Proves that no values a card allows give another outcome: all of them, not only those that are tried and shown.

The model's score is constant between the splits of its trees, so one row of each cell between splits stands for the
whole cell. Statutory rules may change anywhere in a cell; they are asked for the whole cell at once, and cells they
leave open are halved until every part is decided.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from explainer.explanations.model_outcome import lead_of, reaches_outcome
from explainer.recourse.action_set import AllowedRange, SearchSpace
from explainer.recourse.rule_boxes import possible_outcome
from models.package import ModelPackage

MAX_CELLS = 20_000
"""Cells asked of the model; where there are more, nothing is proven."""

MAX_BOXES = 20_000
"""Parts of cells that rules may leave open at a time; where there are more, nothing is proven."""

MAX_HALVINGS = 200
"""More than it takes to halve two features down to neighbouring numbers, at most 64 steps each."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class _Boxes:
    """Closed boxes of rows with the same score.

    Attributes:
        lowest: Shape (n_boxes, n_features).
        highest: Shape (n_boxes, n_features).
        scores: Shape (n_boxes,), or (n_boxes, n_classes) for several classes.
    """

    lowest: Numbers
    highest: Numbers
    scores: Numbers

    def only(self, kept: NDArray[np.bool_]) -> "_Boxes":
        return _Boxes(self.lowest[kept], self.highest[kept], self.scores[kept])


class Proof:
    """Proves things about one person and one outcome.

    Args:
        package: The verified package.
        space: Of the same package.
        row: The person's raw row, shape (n_features,).
        wanted: Outcome ids that are looked for.
        scores_of: Scores raw rows as the search does.
    """

    def __init__(
        self,
        package: ModelPackage,
        space: SearchSpace,
        row: Numbers,
        wanted: frozenset[str],
        scores_of: Callable[[Numbers], Numbers],
    ) -> None:
        self._package, self._space, self._row, self._wanted = package, space, row, wanted
        self._scores_of = scores_of

    def rules_out(self, ranges: Sequence[AllowedRange]) -> bool:
        """Say whether it is certain that no values within the ranges, taken together, give the outcome.

        Args:
            ranges: Of different features; all other features stay as they are.

        Returns:
            True if it is proven; False if there are such values or if it is not known.
        """
        boxes = self._cells(ranges)
        if boxes is None:
            return False
        lead = lead_of(self._package.card, boxes.scores, self._wanted)
        near = np.abs(lead) <= self._package.score_tolerance
        for _ in range(MAX_HALVINGS):
            possible = possible_outcome(self._package.card, boxes.lowest, boxes.highest, boxes.scores, self._wanted)
            open_ones = possible.yes | near
            if not open_ones.any():
                return True
            boxes = boxes.only(open_ones)
            # Where the runtime's last bits decide, and where everything in a box gives the outcome, nothing is left
            # to prove.
            if near.any() or not possible.no[open_ones].all() or self._any_corner_reaches(boxes):
                return False
            if 2 * len(boxes.scores) > MAX_BOXES:
                return False
            boxes = _halved(boxes, ranges)
            near = np.zeros(len(boxes.scores), dtype=np.bool_)
        return False

    def _cells(self, ranges: Sequence[AllowedRange]) -> _Boxes | None:
        lines = [line for one in ranges if (line := self._line(one)) is not None]
        if len(lines) < len(ranges):
            return None  # preprocessing hides where the score can jump
        if math.prod(len(lows) for lows, _ in lines) > MAX_CELLS:
            return None
        positions = [one.position for one in ranges]
        lowest, highest = (_rows(self._row, positions, [line[side] for line in lines]) for side in (0, 1))
        return _Boxes(lowest, highest, self._scores_of(lowest))

    def _line(self, allowed: AllowedRange) -> tuple[Numbers, Numbers] | None:
        splits = self._space.splits[allowed.position]
        if splits is None:
            return None
        lows, highs = cells_between(splits, allowed)
        # Where no rule reads the feature, all values of a cell are alike.
        return lows, highs if allowed.position in self._space.read_by_rules else lows

    def _any_corner_reaches(self, boxes: _Boxes) -> bool:
        moving = np.flatnonzero((boxes.lowest < boxes.highest).any(axis=0))
        for at_the_top in product((False, True), repeat=len(moving)):
            rows = boxes.lowest.copy()
            chosen = moving[np.array(at_the_top, dtype=np.bool_)]
            rows[:, chosen] = boxes.highest[:, chosen]
            if reaches_outcome(self._package.card, rows, boxes.scores, self._wanted).any():
                return True
        return False


def cells_between(splits: NDArray[np.float32], allowed: AllowedRange) -> tuple[Numbers, Numbers]:
    """Cut a range where the model's comparisons change, without leaving out a single 64-bit number.

    Args:
        splits: All thresholds of the feature, ascending.
        allowed: The range.

    Returns:
        Lowest and highest value of each cell, ascending, both inside the cell.
    """
    # The model rounds to 32 bits first, so a cell begins half-way to the next 32-bit number above its split.
    with np.errstate(over="ignore"):
        split, following = splits.astype(np.float64), np.nextafter(splits, np.float32(np.inf)).astype(np.float64)
        middle = split + (following - split) / 2
        first_above = np.where(middle.astype(np.float32) > splits, middle, np.nextafter(middle, np.inf))
    inside = first_above[(first_above > allowed.low) & (first_above <= allowed.high)]
    lows = np.concatenate([[allowed.low], inside])
    highs = np.concatenate([np.nextafter(inside, -np.inf), [allowed.high]])
    if allowed.whole:
        lows, highs = np.ceil(lows), np.floor(highs)
    return lows[lows <= highs], highs[lows <= highs]


def _rows(row: Numbers, positions: Sequence[int], values: Sequence[Numbers]) -> Numbers:
    """Give the person's row with every combination of values."""
    grids = [grid.ravel() for grid in np.meshgrid(*values, indexing="ij")]
    rows = np.tile(row, (len(grids[0]), 1))
    for position, grid in zip(positions, grids, strict=True):
        rows[:, position] = grid
    return rows


def _halved(boxes: _Boxes, ranges: Sequence[AllowedRange]) -> _Boxes:
    """Cut each box in two along the feature of which it still holds the largest share of the range."""
    positions = np.array([one.position for one in ranges])
    widths = np.array([one.high - one.low or 1.0 for one in ranges])
    shares = (boxes.highest[:, positions] - boxes.lowest[:, positions]) / widths
    along = positions[np.argmax(shares, axis=1)]
    whole = np.isin(along, [one.position for one in ranges if one.whole])
    each = np.arange(len(along))
    last = _middle(boxes.lowest[each, along], boxes.highest[each, along])
    last = np.where(whole, np.floor(last), last)
    following = np.nextafter(last, np.inf)
    following = np.where(whole, np.maximum(np.floor(last + 1), following), following)
    lower_half, upper_half = boxes.highest.copy(), boxes.lowest.copy()
    lower_half[each, along], upper_half[each, along] = last, following
    return _Boxes(
        np.concatenate([boxes.lowest, upper_half]),
        np.concatenate([lower_half, boxes.highest]),
        np.concatenate([boxes.scores, boxes.scores]),
    )


def _middle(low: Numbers, high: Numbers) -> Numbers:
    """Give the number half-way between two in the order of all 64-bit numbers, so that 64 halvings always suffice."""
    one, other = _rank(low), _rank(high)
    rank = (one & other) + ((one ^ other) >> 1)
    smallest = np.iinfo(np.int64).min
    return np.where(rank < 0, smallest - rank, rank).view(np.float64)


def _rank(values: Numbers) -> NDArray[np.int64]:
    """Number 64-bit numbers in ascending order (IEEE 754 section 3.4: sign, then magnitude)."""
    bits = np.ascontiguousarray(values).view(np.int64)
    return np.where(bits < 0, np.iinfo(np.int64).min - bits, bits)
