"""Searches combinations of changes: the most promising sets of features first, a few at a time.

At every step each kept set is extended by every feature, with the value that brings the score nearest to the outcome;
one profile gives all of them at once. As soon as a set reaches the outcome, its values are moved back towards the
person's own as far as it goes.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explainer.recourse.case import Case, Judged
from explainer.recourse.moves import Moves
from explainer.recourse.nearest import Found, nearest_pair
from explainer.recourse.score_profile import ScoreProfile

WIDTH = 4
"""Sets of features kept at every step."""

BLOCKED = 1e9
"""Stands before every distance to the limit, so that what rules and constraints allow comes first."""

MAX_ROUNDS = 6
"""How often the values of a set are moved back in turn."""

_NOTHING = 1e-12

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Expansion:
    """A row with some features changed, and where every further single move leads.

    Attributes:
        values: The changes, as in :class:`Found`.
        cost: Their size.
        profile: The changed row.
        rank: How far the row is from the outcome: :data:`BLOCKED` if it is blocked, plus how far its score falls short.
        judged: Where further moves lead.
    """

    values: tuple[tuple[int, float], ...]
    cost: float
    profile: ScoreProfile
    rank: float
    judged: Judged


class Beam:
    """The search for one person.

    Args:
        case: The person.
        moves: All single moves that may be shown.
        root: Where they lead from the person's own row.

    Attributes:
        expansions: Everything that was looked at, the person's own row first.
    """

    def __init__(self, case: Case, moves: Moves, root: Judged) -> None:
        self._case, self._moves = case, moves
        short = float(case.target.short_of(np.array([case.profile.score]))[0])
        blocked = case.has_conditions and case.is_blocked(case.row)
        rank = max(short, 0.0) + BLOCKED * blocked
        self.expansions = [Expansion(values=(), cost=0.0, profile=case.profile, rank=rank, judged=root)]

    def search(self, max_changes: int, wanted: int) -> list[Found]:
        """Look for sets of two and more changes that reach the outcome.

        Args:
            max_changes: Features that are changed together at most.
            wanted: How many different sets are enough.

        Returns:
            Sets of as few features as were found to be enough, nearest first; empty if there are none.
        """
        kept = [self.expansions[0]]
        for _ in range(2, max_changes + 1):
            kept = [self._expanded(state) for state in self._most_promising(kept)]
            found = _best_of_each_set(found for one in kept for found in self._reached_from(one))
            if found:
                nearer = [self._moved_back(one) for one in different(found, wanted)]
                return sorted(nearer, key=lambda one: (one.cost, one.values))
        return []

    def shown_like(self, row: Numbers) -> Found | None:
        """Turn a row that gives the outcome into changes that may be shown, as few as are enough.

        Args:
            row: The person's row with other values of some features, shown or not.

        Returns:
            Changes, or None if values that may be shown do not do the same.
        """
        case, moves = self._case, self._moves
        values: dict[int, int] = {}
        for place in range(len(moves.starts)):
            here = moves.of_feature(place)
            position = int(moves.position[here.start])
            if case.differs(row)[position] and not any(case.space.depend(position, one) for one in values):
                nearest = int(np.argmin(np.abs(moves.value[here] - row[position])))
                values[position] = here.start + nearest
        for position in sorted(values, key=lambda one: -float(moves.cost[values[one]])):
            fewer = {one: move for one, move in values.items() if one != position}
            if self._reaches(fewer):
                values = fewer
        if not self._reaches(values):
            return None
        cost = float(moves.cost[list(values.values())].sum())
        changes = tuple((position, float(moves.value[move])) for position, move in sorted(values.items()))
        return self._moved_back(Found(cost=cost, values=changes))

    def _reaches(self, values: Mapping[int, int]) -> bool:
        row = self._case.row_with({one: float(self._moves.value[move]) for one, move in values.items()})
        return bool(self._case.really_reached(row[np.newaxis])[0])

    def closest_rows(self, of_each: int) -> list[Numbers]:
        """Give rows that came nearest to the outcome without reaching it.

        Args:
            of_each: How many single moves of each row that was looked at.

        Returns:
            Rows, in no order.
        """
        rows: list[Numbers] = []
        for one in self.expansions:
            short = np.where(one.judged.reached, math.inf, np.abs(one.judged.short))
            nearest = np.argsort(short, kind="stable")[:of_each]
            rows.extend(self._case.rows_of(one.profile, self._moves.only(nearest)))
        return rows

    def _most_promising(self, states: Sequence[Expansion]) -> list["_Extension"]:
        best: dict[tuple[int, ...], _Extension] = {}
        for state in states:
            for extension in self._extensions_of(state):
                known = best.get(extension.positions)
                if known is None or extension.rank < known.rank:
                    best[extension.positions] = extension
        return sorted(best.values(), key=lambda one: (one.rank, one.positions))[:WIDTH]

    def _extensions_of(self, state: Expansion) -> Iterator["_Extension"]:
        moves, judged = self._moves, state.judged
        rank = np.maximum(judged.short, 0.0) + np.where(judged.blocked, BLOCKED, 0.0)
        least = self._without_changed(state, moves.least_of_each_feature(rank))
        for place in np.argsort(least, kind="stable")[: 2 * WIDTH]:
            if not least[place] < state.rank - _NOTHING:
                break
            here = moves.of_feature(int(place))
            best = here.start + int(np.argmin(np.where(rank[here] == least[place], moves.cost[here], math.inf)))
            yield _Extension(state=state, move=best, position=int(moves.position[best]), rank=float(least[place]))

    def _expanded(self, extension: "_Extension") -> Expansion:
        state, moves, move = extension.state, self._moves, extension.move
        position, value = extension.position, float(moves.value[move])
        profile = self._case.moved(state.profile, position, value)
        expansion = Expansion(
            values=tuple(sorted([*state.values, (position, value)])),
            cost=state.cost + float(moves.cost[move]),
            profile=profile,
            rank=extension.rank,
            judged=self._case.judge(profile, moves),
        )
        self.expansions.append(expansion)
        return expansion

    def _reached_from(self, state: Expansion) -> Iterator[Found]:
        moves = self._moves
        costs = np.where(state.judged.reached, moves.cost, math.inf)
        least = self._without_changed(state, moves.least_of_each_feature(costs))
        for place in np.flatnonzero(least < math.inf):
            here = moves.of_feature(int(place))
            best = here.start + int(np.argmin(costs[here]))
            change = (int(moves.position[best]), float(moves.value[best]))
            yield Found(cost=state.cost + float(costs[best]), values=tuple(sorted([*state.values, change])))

    def _without_changed(self, state: Expansion, least: Numbers) -> Numbers:
        """Leave out features that are changed already, or move along with one that is, or move one that is."""
        least, space = least.copy(), self._case.space
        positions = self._moves.position[self._moves.starts]
        for changed, _ in state.values:
            least[positions == changed] = math.inf
            if space.followers:
                least[[space.depend(changed, int(position)) for position in positions]] = math.inf
        return least

    def _moved_back(self, found: Found) -> Found:
        if len(found.values) == 2:  # noqa: PLR2004 - a pair is solved exactly
            pair = [self._moves.only(self._moves.position == position) for position in found.positions]
            return nearest_pair(self._case, *pair) or found
        for _ in range(MAX_ROUNDS):
            nearer = self._one_nearer(found)
            if nearer is None:
                break
            found = nearer
        return found

    def _one_nearer(self, found: Found) -> Found | None:
        """Move one of the values nearer to the person's own, the others being as they are."""
        for position, value in found.values:
            profile = self._case.profile
            for other, its_value in found.values:
                if other != position:
                    profile = self._case.moved(profile, other, its_value)
            moves = self._moves.only(self._moves.position == position)
            costs = np.where(self._case.judge(profile, moves).reached, moves.cost, math.inf)
            best = int(np.argmin(costs))
            saved = float(moves.cost[moves.value == value][0] - costs[best])
            if saved > _NOTHING:
                values = {**dict(found.values), position: float(moves.value[best])}
                return Found(cost=found.cost - saved, values=tuple(sorted(values.items())))
        return None


@dataclass(frozen=True, eq=False, kw_only=True)
class _Extension:
    state: Expansion
    move: int
    position: int
    rank: float

    @property
    def positions(self) -> tuple[int, ...]:
        return tuple(sorted([self.position, *(position for position, _ in self.state.values)]))


def different(found: Sequence[Found], wanted: int) -> list[Found]:
    """Choose options that differ: the nearest first, then those that share the fewest features with the chosen ones.

    Args:
        found: Nearest first, each with features of its own.
        wanted: How many at most.

    Returns:
        Nearest first.
    """
    chosen: list[Found] = []
    rest = list(found)
    while rest and len(chosen) < wanted:
        taken = {position for one in chosen for position in one.positions}
        best = min(rest, key=lambda one: (len(taken & set(one.positions)), one.cost, one.values))
        chosen.append(best)
        rest.remove(best)
    return sorted(chosen, key=lambda one: (one.cost, one.values))


def _best_of_each_set(found: Iterator[Found]) -> list[Found]:
    best: dict[tuple[int, ...], Found] = {}
    for one in found:
        known = best.get(one.positions)
        if known is None or one.cost < known.cost:
            best[one.positions] = one
    return sorted(best.values(), key=lambda one: (one.cost, one.values))
