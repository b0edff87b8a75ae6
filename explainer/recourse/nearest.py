"""Finds the nearest values of one or two features that give another outcome, exactly."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explainer.recourse.action_set import Candidates
from explainer.recourse.case import Case, Judged
from explainer.recourse.forest_cells import Positions
from explainer.recourse.moves import Moves, MoveTable
from explainer.recourse.score_profile import ForestProfile
from explainer.recourse.value_grid import values_on_grid

MAX_VALUE_PAIRS = 200_000
"""Pairs of values tried for one pair of features; beyond them values are left out."""

CHUNK = 4096
"""Pairs of values that are asked of rules at a time, the cheapest first."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Found:
    """Values that give the other outcome.

    Attributes:
        cost: Sum of the changes, each in typical spreads of its feature.
        values: Position of a feature and its new value, in the order of the card.
    """

    cost: float
    values: tuple[tuple[int, float], ...]

    @property
    def positions(self) -> tuple[int, ...]:
        """Positions of the features that change."""
        return tuple(position for position, _ in self.values)


def nearest_singles(moves: Moves, judged: Judged, at_most: int) -> list[Found]:
    """Give for each feature the nearest single move that reaches the outcome, nearest feature first.

    Args:
        moves: The moves.
        judged: Where they lead.
        at_most: How many features are enough.

    Returns:
        At most so many.
    """
    if not judged.reached.any():
        return []
    costs = np.where(judged.reached, moves.cost, math.inf)
    least, found = moves.least_of_each_feature(costs), []
    for place in np.argsort(least, kind="stable")[:at_most]:
        if least[place] == math.inf:
            break
        here = moves.of_feature(int(place))
        # Of equal costs the first one wins: the lower value, so that the answer is always the same.
        best = here.start + int(np.argmin(costs[here]))
        found.append(Found(cost=float(costs[best]), values=((int(moves.position[best]), float(moves.value[best])),)))
    return sorted(found, key=lambda one: (one.cost, one.values))


def nearest_by_score(case: Case, table: MoveTable, at_most: int) -> list[Found] | None:
    """Do the same in one compiled walk, where nothing but the score decides.

    Args:
        case: The person.
        table: The moves of every person.
        at_most: How many features are enough.

    Returns:
        What :func:`nearest_singles` gives for the person's moves; None where rules, constraints or the runtime have a
        say, or a value is missing, so that moves must be judged one by one.
    """
    profile, cells, row = case.profile, case.own_cells, case.row
    if cells is None or not isinstance(profile, ForestProfile) or not profile.cells.many:
        return None
    if case.has_conditions or np.isnan(row).any():
        return None
    from explainer.recourse import profile_kernel as kernel  # noqa: PLC0415 -- loads numba

    nearest = kernel.Nearest(np.full(len(row), math.inf), np.empty(len(row)))
    wanted = kernel.Wanted(1.0 if case.target.wants_low else -1.0, case.target.limit, case.tolerance)
    entries = kernel.Entries(*(getattr(table, name) for name in kernel.Entries._fields))
    if not kernel.nearest_reaching(kernel.Person(row, cells), entries, profile.scores_in_cells, wanted, nearest):
        return None
    found = []
    for position in np.argsort(nearest.cost, kind="stable")[:at_most].tolist():
        cost, value = float(nearest.cost[position]), float(nearest.value[position])
        if cost < math.inf:
            found.append(Found(cost=cost, values=((position, value),)))
    return found


def refined(case: Case, found: Found, candidates: Candidates) -> Found:
    """Look for a nearer value of one feature between those that were tried, where not all were.

    Args:
        case: The person.
        found: A single change.
        candidates: The values that were tried of its feature.

    Returns:
        The nearest change, or the same one.
    """
    if candidates.complete:
        return found
    ((position, best),) = found.values
    own = float(case.row[position])
    if math.isnan(own):
        return found
    nearer = candidates.values[np.abs(candidates.values - own) < abs(best - own)]
    on_the_way = nearer[(nearer > own) == (best > own)]
    last_without = on_the_way[np.argmax(np.abs(on_the_way - own))] if len(on_the_way) else own
    between = values_on_grid(min(last_without, best), max(last_without, best), candidates.step)
    between = between[between != own]
    moves = moves_to(case, position, between)
    return next(iter(nearest_singles(moves, case.judge(case.profile, moves), 1)), found)


def moves_to(case: Case, position: int, values: Numbers) -> Moves:
    """Make the moves of one numeric feature to given values."""
    cells = case.space.cells
    cell = np.full(len(values), -1)
    if cells is not None:
        cell = cells.first_cell[position] + cells.cells_of_values(position, values)
    cost = np.abs(values - case.row[position]) / case.space.spreads[position]
    return Moves(position=np.full(len(values), position), value=values, cell=cell, cost=cost)


def nearest_pair(case: Case, first: Moves, second: Moves) -> Found | None:
    """Find the nearest pair of values of two features that gives the outcome.

    Args:
        case: The person.
        first: Moves of one feature.
        second: Moves of another one, later in the card.

    Returns:
        The pair, or None if none was found.
    """
    first, second = _thinned(first, second), _thinned(second, first)
    if not len(first) or not len(second):
        return None
    pairs = _Pairs(case, first, second)
    best = pairs.cheapest()
    if best is None:
        return None
    one, other = divmod(best, len(second))
    changes = ((first, one), (second, other))
    values = tuple((int(moves.position[number]), float(moves.value[number])) for moves, number in changes)
    return Found(cost=float(first.cost[one] + second.cost[other]), values=values)


class _Pairs:
    """All pairs of two features' moves, numbered row by row."""

    def __init__(self, case: Case, first: Moves, second: Moves) -> None:
        self._case, self._first, self._second = case, first, second
        features = (int(first.position[0]), int(second.position[0]))
        self._costs = (first.cost[:, np.newaxis] + second.cost).ravel()
        self._rules_matter = case.has_conditions and (
            bool(case.space.looked_at_by_value & set(features)) or case.is_blocked(case.row)
        )
        if case.space.followers.keys() & set(features):
            scores = case.scores_of_rows(self._rows(np.arange(len(self._costs))))
        else:
            scores = case.profile.scores_of_pair(features[0], first.value, features[1], second.value).ravel()
        self._short = case.target.short_of(scores)

    def cheapest(self) -> int | None:
        """Number of the cheapest pair that reaches the outcome."""
        tolerance = self._case.tolerance
        if self._rules_matter:
            order = np.argsort(self._costs, kind="stable")
            for start in range(0, len(order), CHUNK):
                chunk = order[start : start + CHUNK]
                reached = self._reached(chunk)
                if reached.any():
                    return int(chunk[np.argmax(reached)])
            return None
        costs = np.where(self._short <= tolerance, self._costs, math.inf)
        while True:
            best = int(np.argmin(costs))
            if costs[best] == math.inf:
                return None
            if self._short[best] < -tolerance or self._reached(np.array([best]))[0]:
                return best
            costs[best] = math.inf

    def _reached(self, chosen: Positions) -> NDArray[np.bool_]:
        rows, short = self._rows(chosen), self._short[chosen]
        reached = self._case.reached_where(rows, short <= 0)
        near = np.abs(short) <= self._case.tolerance
        if near.any():
            reached[near] = self._case.really_reached(rows[near])
        return reached

    def _rows(self, chosen: Positions) -> Numbers:
        one, other = np.divmod(chosen, len(self._second))
        rows = self._case.rows_of(self._case.profile, self._first.only(one))
        return self._case.applied(rows, self._second.only(other))


def _thinned(moves: Moves, others: Moves) -> Moves:
    """Leave out moves evenly where there are too many pairs."""
    if len(moves) * len(others) <= MAX_VALUE_PAIRS:
        return moves
    at_most = max(int(MAX_VALUE_PAIRS**0.5), MAX_VALUE_PAIRS // max(len(others), 1))
    if len(moves) <= at_most:
        return moves
    return moves.only(np.linspace(0, len(moves) - 1, at_most).astype(np.int64))
