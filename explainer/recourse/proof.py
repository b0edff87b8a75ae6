"""Proves that no values a card allows give another outcome: all of them, not only those that are tried and shown.

Branch and bound: a box of values is done with when the bounds of the score and of the statutory rules say that the
outcome is impossible anywhere in it; else it is cut in two where that helps the bounds most, until single cells are
left, and these are cut further where rules read the values themselves.
"""

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explainer.recourse.additive_proof import additive_rules_out
from explainer.recourse.case import Case
from explainer.recourse.cell_ranges import AllowedRange, CellRanges, middle_of
from explainer.recourse.class_bounds import LeadBounds
from explainer.recourse.forest_bounds import ForestBounds
from explainer.recourse.score_profile import AdditiveProfile, ForestProfile

MAX_STARTS = 1_000
"""Boxes a proof may start with; where there are more combinations of features, nothing is proven."""

MAX_OUTSIDE = 6
"""Features whose own value lies outside what the card allows; with more of them nothing is proven."""

TOGETHER = 8
"""Boxes that are cut at a time."""

TRIED_CUTS = 6
"""Features along which a cut is tried per box."""

Numbers = NDArray[np.float64]
Slots = NDArray[np.int64]

State = Literal["open", "proven", "refuted"]


@dataclass(frozen=True, eq=False)
class _Box:
    """Ranges of cells, and of values within them where a cell is cut.

    Attributes:
        first: Shape (n_levers,), first range of each lever.
        last: Shape (n_levers,), last range.
        lowest: Shape (n_levers,), lowest value.
        highest: Shape (n_levers,), highest value.
    """

    first: Slots
    last: Slots
    lowest: Numbers
    highest: Numbers

    def __lt__(self, _other: "_Box") -> bool:
        return False  # of boxes with equal bounds the one that came first is cut first


class Proof:
    """A proof about one person that may be interrupted and taken up again.

    Args:
        case: The person and the outcome.
        ranges: What may change, and how far.
        at_once: How many features change together at most; None means all of them.

    Attributes:
        state: ``proven`` once it is certain that no allowed values give the outcome, ``refuted`` once it is certain
            that the proof cannot succeed, else ``open``.
        looked_at: Boxes that were bounded so far.
        witness: A row with allowed values that gives the outcome, where one was met; the proof is then refuted.
    """

    def __init__(self, case: Case, ranges: Sequence[AllowedRange], at_once: int | None = None) -> None:
        self.state: State = "open"
        self.looked_at = 0
        self.witness: Numbers | None = None
        self._case = case
        self._waiting: list[tuple[float, int, _Box]] = []
        if isinstance(case.profile, AdditiveProfile):
            self.state = "proven" if additive_rules_out(case, case.profile, ranges, at_once) else "refuted"
            return
        too_many = at_once is not None and math.comb(len(ranges), at_once) > MAX_STARTS
        cells = case.space.cells or case.space.class_cells
        if too_many or cells is None or (case.space.cells is None and np.isnan(case.row).any()):
            self.state = "refuted"  # nobody knows where the score can jump, or there are too many sets of features
            return
        self._cells = cells
        self._levers = [one.position for one in ranges]
        self._whole = np.array([one.whole for one in ranges], dtype=np.bool_)
        self._ranges = [CellRanges.of(self._cells, one, float(case.row[one.position])) for one in ranges]
        self._varying = self._levers + sorted(
            {also for one in self._levers for also in case.space.followers.get(one, ())} - set(self._levers)
        )
        varying = np.array(self._varying, dtype=np.int64)
        self._bounds: ForestBounds | LeadBounds
        if isinstance(case.profile, ForestProfile):
            self._bounds = ForestBounds(case.profile, varying, least=case.target.wants_low)
        else:
            base_values = np.array(case.space.package.forest.output_base_values) + cells.base_value
            self._bounds = LeadBounds(cells, case.row, varying, target=case.target, base_values=base_values)
        starts = self._starts(at_once)
        if starts is None:
            self.state = "refuted"
        else:
            self._add(starts)

    @property
    def open_boxes(self) -> int:
        """Boxes that are not yet done with."""
        return len(self._waiting)

    def advance(self, boxes: int) -> State:
        """Look at some more boxes.

        Args:
            boxes: About how many.

        Returns:
            The new state.
        """
        end = self.looked_at + boxes
        while self.state == "open" and self._waiting and self.looked_at < end:
            taken = [heapq.heappop(self._waiting)[2] for _ in range(min(TOGETHER, len(self._waiting)))]
            self._cut(taken)
        if self.state == "open" and not self._waiting:
            self.state = "proven"
        return self.state

    def _starts(self, at_once: int | None) -> list[_Box] | None:
        outside = [place for place, one in enumerate(self._ranges) if not self._holds_own(place, one)]
        own = np.array([one.n_ranges for one in self._ranges], dtype=np.int64)
        everything = np.zeros_like(own), own - 1
        choices: list[tuple[int, ...]]
        if at_once is not None:
            choices = [one for n in range(1, at_once + 1) for one in combinations(range(len(own)), n)]
        elif len(outside) > MAX_OUTSIDE:
            return None
        else:
            # Who is outside may stay there or come in.
            inside = tuple(place for place in range(len(own)) if place not in outside)
            stays = product((True, False), repeat=len(outside))
            choices = [(*inside, *(p for p, stay in zip(outside, one, strict=True) if not stay)) for one in stays]
        boxes = []
        for changed in self._without_dependent_ones(choices):
            first, last = own.copy(), own.copy()
            first[list(changed)], last[list(changed)] = (end[list(changed)] for end in everything)
            boxes.append(self._box(first, last))
        return boxes

    def _without_dependent_ones(self, choices: Iterable[tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
        """Split choices so that no feature changes by itself that moves along with another changed one."""
        for changed in choices:
            dependent = next((pair for pair in combinations(changed, 2) if self._depend(*pair)), None)
            if dependent is None:
                yield changed
            else:
                halves = [tuple(place for place in changed if place != left_out) for left_out in dependent]
                yield from self._without_dependent_ones(half for half in halves if half)

    def _depend(self, one: int, other: int) -> bool:
        return self._case.space.depend(self._levers[one], self._levers[other])

    def _holds_own(self, place: int, ranges: CellRanges) -> bool:
        own = self._case.row[self._levers[place]]
        return bool(((ranges.lowest[:-1] <= own) & (own <= ranges.highest[:-1])).any())

    def _box(self, first: Slots, last: Slots) -> _Box:
        lowest = [one.lowest[slot] for one, slot in zip(self._ranges, first, strict=True)]
        highest = [one.highest[slot] for one, slot in zip(self._ranges, last, strict=True)]
        return _Box(first, last, np.array(lowest), np.array(highest))

    def _add(self, boxes: Sequence[_Box]) -> None:
        """Keep the boxes in which the outcome may be reached."""
        shortfalls = self._shortfalls(boxes)
        for box, shortfall, possible in zip(boxes, shortfalls, self._possible(boxes, shortfalls), strict=True):
            if possible:
                heapq.heappush(self._waiting, (float(shortfall), self.looked_at, box))

    def _shortfalls(self, boxes: Sequence[_Box]) -> Numbers:
        """Bound from below how far the scores in boxes fall short of the outcome."""
        self.looked_at += len(boxes)
        lowest, highest = self._varying_values(boxes)
        ends = []
        for values, slots in ((lowest, [box.first for box in boxes]), (highest, [box.last for box in boxes])):
            ends.append(self._cells_of(values, np.array(slots, dtype=np.int64).reshape(values.shape[0], -1)))
        scores = self._bounds.score(ends[0], ends[1])
        return self._case.target.short_of(scores)

    def _cells_of(self, values: Numbers, slots: Slots) -> Slots:
        moved_along = {also for one in self._levers for also in self._case.space.followers.get(one, ())}
        numbers = [
            self._cells.cells_of_values(position, values[:, place])
            if position in moved_along
            else self._ranges[place].cell[slots[:, place]]
            for place, position in enumerate(self._varying)
        ]
        return np.stack(numbers, axis=1)

    def _varying_values(self, boxes: Sequence[_Box]) -> tuple[Numbers, Numbers]:
        """Lowest and highest values of the varying features, what moves along included."""
        row, followers = self._case.row, self._case.space.followers
        lowest, highest = (np.tile(row[self._varying], (len(boxes), 1)) for _ in range(2))
        n_levers = len(self._levers)
        lowest[:, :n_levers] = [box.lowest for box in boxes]
        highest[:, :n_levers] = [box.highest for box in boxes]
        down, up = lowest[:, :n_levers] - row[self._levers], highest[:, :n_levers] - row[self._levers]
        for place, position in enumerate(self._levers):
            for also, sign in followers.get(position, {}).items():
                column = self._varying.index(also)
                ends = (down[:, place], up[:, place]) if sign > 0 else (-up[:, place], -down[:, place])
                # Half of the last decimal that what moves along is rounded to.
                lowest[:, column] += ends[0] - _ROUNDING
                highest[:, column] += ends[1] + _ROUNDING
        return lowest, highest

    def _possible(self, boxes: Sequence[_Box], shortfalls: Numbers) -> NDArray[np.bool_]:
        enough: NDArray[np.bool_] = shortfalls <= self._case.tolerance
        if not self._case.has_conditions:
            return enough
        lowest, highest = self._rows(boxes)
        return self._case.target.possible(lowest, highest, enough) & self._case.may_respect(lowest, highest)

    def _rows(self, boxes: Sequence[_Box]) -> tuple[Numbers, Numbers]:
        lowest, highest = (np.tile(self._case.row, (len(boxes), 1)) for _ in range(2))
        lowest[:, self._varying], highest[:, self._varying] = self._varying_values(boxes)
        return lowest, highest

    def _cut(self, boxes: Sequence[_Box]) -> None:
        for box in boxes:
            if not len(self._cuttable(box)):
                self._cut_values(box)
            if self.state != "open":
                return
        halves = [half for box in boxes for place in self._cuttable(box) for half in self._halves(box, place)]
        if not halves:
            return
        shortfalls = self._shortfalls(halves)
        possible = self._possible(halves, shortfalls)
        start = 0
        for box in boxes:
            n_cuts = len(self._cuttable(box))
            if n_cuts:
                self._keep_best_cut(halves, shortfalls, possible, start, n_cuts)
            start += 2 * n_cuts

    def _cuttable(self, box: _Box) -> Slots:
        """Places of the levers that still have several cells, those with most left first."""
        left = box.last - box.first
        order = np.argsort(-left, kind="stable")
        return order[left[order] > 0][:TRIED_CUTS]

    def _halves(self, box: _Box, place: int) -> tuple[_Box, _Box]:
        middle = (box.first[place] + box.last[place]) // 2
        ranges = self._ranges[place]
        last, first, highest, lowest = box.last.copy(), box.first.copy(), box.highest.copy(), box.lowest.copy()
        last[place], highest[place] = middle, ranges.highest[middle]
        first[place], lowest[place] = middle + 1, ranges.lowest[middle + 1]
        return replace(box, last=last, highest=highest), replace(box, first=first, lowest=lowest)

    def _keep_best_cut(
        self, halves: Sequence[_Box], shortfalls: Numbers, possible: NDArray[np.bool_], start: int, n_cuts: int
    ) -> None:
        """Of the cuts tried for one box keep the one whose halves are the farthest from the outcome."""
        tried = slice(start, start + 2 * n_cuts)
        # Halves that are done with are as good as any bound.
        bounds = np.where(possible[tried], np.minimum(shortfalls[tried], 0.0), _DONE).reshape(n_cuts, 2)
        best = int(np.argmax(bounds.min(axis=1) + bounds.max(axis=1)))
        for number in (start + 2 * best, start + 2 * best + 1):
            if possible[number]:
                heapq.heappush(self._waiting, (float(shortfalls[number]), self.looked_at, halves[number]))

    def _cut_values(self, box: _Box) -> None:
        """Cut a single cell where rules, constraints or what moves along read the values in it."""
        # A value that stays missing has no width.
        case, widths = self._case, np.nan_to_num(box.highest - box.lowest)
        corners = np.stack([self._row(box.lowest), self._row(box.highest)])
        enough = case.target.short_of(case.scores_of_rows(corners)) <= case.tolerance
        open_inside = (widths > 0).any() and (case.has_conditions or bool(case.space.followers))
        reached = case.reached_where(corners, enough)
        if not open_inside or reached.any():
            self.state = "refuted"
            self.witness = corners[np.argmax(reached)] if reached.any() else None
            return
        spans = np.array([one.highest[:-1].max() - one.lowest[:-1].min() or 1.0 for one in self._ranges])
        place = int(np.argmax(widths / spans))
        last = float(middle_of(box.lowest[place : place + 1], box.highest[place : place + 1])[0])
        following = math.nextafter(last, math.inf)
        if self._whole[place]:
            last = math.floor(last)
            following = last + 1
        lower_high, upper_low = box.highest.copy(), box.lowest.copy()
        lower_high[place], upper_low[place] = last, following
        self._add([replace(box, highest=lower_high), replace(box, lowest=upper_low)])

    def _row(self, values: Numbers) -> Numbers:
        return self._case.row_with(dict(zip(self._levers, values.tolist(), strict=True)))


_DONE = 10.0
"""Counts as the bound of a half that is done with."""

_ROUNDING = 0.5e-9


def ruled_out(case: Case, ranges: Sequence[AllowedRange], *, at_once: int | None, boxes: int) -> bool:
    """Say whether it is certain that no allowed values give the outcome.

    Args:
        case: The person and the outcome.
        ranges: What may change, and how far; everything else stays.
        at_once: How many features change together at most; None means all of them.
        boxes: How many boxes may be looked at.

    Returns:
        True if it is proven; False if there are such values or if it is not known.
    """
    return Proof(case, ranges, at_once).advance(boxes) == "proven"
