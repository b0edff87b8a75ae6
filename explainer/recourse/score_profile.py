"""What the score would be if one or two features of a row were different.

Everything the search and the proofs know about a model they ask of a :class:`ScoreProfile`: for forests and additive
models it is computed exactly without running the model, for all others the model is run on rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from explainer.recourse.forest_cells import ForestCells, Positions
from explainer.recourse.moves import Moves
from models.linear_model import AdditiveModel

Numbers = NDArray[np.float64]

_ONE_UNMET = 2.0**32  # the same in profile_kernel
"""Counts unmet demands of a leaf above this digit and adds up their numbers below it, exactly in 64 bits."""


class ScoreProfile(Protocol):
    """The additive score of one row and of rows that differ from it in few features; never changed."""

    @property
    def row(self) -> Numbers:
        """The row, shape (n_features,)."""
        ...

    @property
    def score(self) -> float:
        """Its additive score."""
        ...

    def moved(self, position: int, value: float) -> "ScoreProfile":
        """Give the profile of the row with another value of one feature."""
        ...

    def scores_of(self, moves: Moves) -> Numbers:
        """Score the row after each single move, shape (n_moves,), additive scores."""
        ...

    def scores_of_pair(self, first: int, first_values: Numbers, second: int, second_values: Numbers) -> Numbers:
        """Score the row with every combination of values of two features.

        Returns:
            Shape (n_first_values, n_second_values), additive scores.
        """
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class ForestProfile:
    """The profile of a row through a forest; see :class:`ScoreProfile`.

    A leaf counts where all its demands are met. A change of one feature reaches exactly the leaves with no unmet
    demand or a single one, on that feature, so that one look at all demands gives the scores at every value of every
    feature.

    Attributes:
        cells: The forest.
        row: The row.
        own_cells: Shape (n_features,), its cells.
        known_unmet: What :attr:`unmet` gives, where it is known already.
    """

    cells: ForestCells
    row: Numbers
    own_cells: Positions
    known_unmet: Numbers | None = None

    @classmethod
    def of(cls, cells: ForestCells, row: Numbers) -> "ForestProfile":
        """Find the cells of a row; leaves are looked at when something is asked."""
        return cls(cells=cells, row=row, own_cells=cells.cells_of(row))

    @cached_property
    def unmet(self) -> Numbers:
        """For each leaf its number of unmet demands times 2**32 plus the sum of their places; shape (n_leaves,).

        Places as in ``ForestCells.place``. All demands of all leaves are looked at once.
        """
        cells = self.cells
        if self.known_unmet is not None:
            return self.known_unmet
        if cells.many:
            counted = np.empty(len(cells.value))
            _kernel().count_unmet(self.own_cells, _demands_of(cells), counted)
            return counted
        own = np.repeat(self.own_cells.astype(cells.low.dtype), np.diff(cells.first_demand))
        demands = np.flatnonzero((own < cells.low) | (own > cells.high))
        unmet = np.bincount(cells.leaf[demands], weights=cells.place[demands] + _ONE_UNMET, minlength=len(cells.value))
        return unmet.astype(np.float64, copy=False)

    def moved(self, position: int, value: float) -> "ForestProfile":
        """Give the profile of the row with another value of one feature; only demands on it are looked at."""
        cells, row = self.cells, self.row.copy()
        row[position] = value
        before = self.own_cells[position]
        after = cells.cells_of_values(position, row[position : position + 1])[0]
        start, end = cells.first_demand[position], cells.first_demand[position + 1]
        low, high = cells.low[start:end], cells.high[start:end]
        was_unmet, is_unmet = (before < low) | (before > high), (after < low) | (after > high)
        changed = np.flatnonzero(was_unmet != is_unmet)
        own_cells, unmet = self.own_cells.copy(), self.unmet.copy()
        own_cells[position] = after
        # No leaf has two demands on one feature.
        unmet[cells.leaf[start + changed]] += np.where(is_unmet[changed], 1.0, -1.0) * (
            cells.place[start + changed] + _ONE_UNMET
        )
        return ForestProfile(cells=cells, row=row, own_cells=own_cells, known_unmet=unmet)

    @cached_property
    def score(self) -> float:
        """The row's additive score."""
        return self._scores[0]

    def scores_of(self, moves: Moves) -> Numbers:
        """Score single moves; see :meth:`ScoreProfile.scores_of`."""
        return self.scores_in_cells[moves.cell]

    @cached_property
    def scores_in_cells(self) -> Numbers:
        """The score with one feature moved to each of its cells, by the number of the cell."""
        return self._scores[1]

    @cached_property
    def _scores(self) -> tuple[float, Numbers]:
        """The row's own score, and :attr:`scores_in_cells`."""
        cells = self.cells
        if cells.many:
            scores = np.zeros(cells.first_cell[-1])
            if self.known_unmet is None and cells.masks is not None:
                room = _kernel().Room(np.empty(len(cells.masks.feature), dtype=np.uint64), scores)
                score = _kernel().score_cells_by_masks
                return score(self.own_cells, cells.masks, cells.base_value, room), scores
            return _kernel().score_cells(self.unmet, _demands_of(cells), cells.base_value, scores), scores
        reached = np.flatnonzero(self.unmet == 0)
        own_score = cells.base_value + float(cells.value[reached].sum())
        single = np.flatnonzero((self.unmet >= _ONE_UNMET) & (self.unmet < 2 * _ONE_UNMET))
        of_reached = cells.demands_of(reached)
        demands = np.concatenate([of_reached, cells.by_leaf[(self.unmet[single] - _ONE_UNMET).astype(np.int64)]])
        values = cells.value[cells.leaf[demands]]
        offset = cells.first_cell[cells.feature[demands]]
        # Differences between neighbouring cells, summed up from the first cell of each feature to its last.
        places = np.concatenate([offset + cells.low[demands], offset + cells.high[demands] + 1])
        weights: Numbers = np.concatenate([values, -values])
        steps = np.bincount(places, weights=weights, minlength=int(cells.first_cell[-1]))
        n_features = len(cells.splits)
        depending = np.bincount(cells.feature[of_reached], weights=values[: len(of_reached)], minlength=n_features)
        constant = own_score - depending
        return own_score, np.repeat(constant, np.diff(cells.first_cell)) + np.cumsum(steps)

    def scores_of_pair(self, first: int, first_values: Numbers, second: int, second_values: Numbers) -> Numbers:
        """Score pairs of changes; see :meth:`ScoreProfile.scores_of_pair`.

        Each leaf that a change of the two features reaches is a rectangle; their corners are summed up.
        """
        cells = self.cells
        # What a leaf lacks besides demands on the two features must be nothing.
        lacking = self.unmet.copy()
        places, ranges = [], []
        for position, values in ((first, first_values), (second, second_values)):
            wanted, place = np.unique(cells.cells_of_values(position, values), return_inverse=True)
            start, end = cells.first_demand[position], cells.first_demand[position + 1]
            leaf, low, high = cells.leaf[start:end], cells.low[start:end], cells.high[start:end]
            own = self.own_cells[position]
            lacking[leaf] -= np.where((own < low) | (own > high), cells.place[start:end] + _ONE_UNMET, 0.0)
            starts, ends = np.zeros(len(lacking), dtype=np.int64), np.full(len(lacking), len(wanted))
            # How many of the wanted cells stand before each cell, and up to it.
            is_wanted = np.zeros(len(cells.splits[position]) + 2, dtype=np.int64)
            is_wanted[wanted + 1] = 1
            before = np.cumsum(is_wanted)
            starts[leaf], ends[leaf] = before[low], before[1:][high]
            places.append(place)
            ranges.append((starts, ends, len(wanted) + 1))
        leaves = np.flatnonzero(lacking == 0)
        value = cells.value[leaves]
        (top, bottom, n_rows), (left, right, width) = ((one[leaves], two[leaves], n) for one, two, n in ranges)
        corners = np.concatenate(
            [top * width + left, bottom * width + right, top * width + right, bottom * width + left]
        )
        weights = np.concatenate([value, value, -value, -value])
        steps = np.bincount(corners, weights=weights, minlength=n_rows * width).reshape(n_rows, width)
        table = cells.base_value + np.cumsum(np.cumsum(steps, axis=0), axis=1)
        return np.asarray(table[np.ix_(*places)], dtype=np.float64)


@dataclass(frozen=True, eq=False, kw_only=True)
class AdditiveProfile:
    """The profile of a row through a model that is a sum with one part per feature; see :class:`ScoreProfile`.

    Attributes:
        model: The model.
        row: The row.
    """

    model: AdditiveModel
    row: Numbers

    @cached_property
    def score(self) -> float:
        """The row's additive score."""
        return self.model.intercept + float(self._parts.sum())

    def moved(self, position: int, value: float) -> "AdditiveProfile":
        """Give the profile of the row with another value of one feature."""
        return AdditiveProfile(model=self.model, row=_with(self.row, position, value))

    def scores_of(self, moves: Moves) -> Numbers:
        """Score single moves; see :meth:`ScoreProfile.scores_of`."""
        return self.score + self._gains(moves.position, moves.value)

    def scores_of_pair(self, first: int, first_values: Numbers, second: int, second_values: Numbers) -> Numbers:
        """Score pairs of changes; see :meth:`ScoreProfile.scores_of_pair`."""
        one = self._gains(np.full(len(first_values), first), first_values)
        other = self._gains(np.full(len(second_values), second), second_values)
        return self.score + one[:, np.newaxis] + other

    @cached_property
    def _parts(self) -> Numbers:
        parts: Numbers = self.model.parts_of(self.row[np.newaxis])[0]
        return parts

    def _gains(self, positions: Positions, values: Numbers) -> Numbers:
        each = np.arange(len(positions))
        rows = np.tile(self.row, (len(positions), 1))
        rows[each, positions] = values
        gains: Numbers = self.model.parts_of(rows)[each, positions] - self._parts[positions]
        return gains


@dataclass(frozen=True, eq=False, kw_only=True)
class AskedProfile:
    """The profile of a row through any model, by running it; see :class:`ScoreProfile`.

    Attributes:
        ask: From raw rows, shape (n_rows, n_features), to the additive scores on which the outcome depends, (n_rows,).
        row: The row.
    """

    ask: Callable[[Numbers], Numbers]
    row: Numbers

    @cached_property
    def score(self) -> float:
        """The row's additive score."""
        return float(self.ask(self.row[np.newaxis])[0])

    def moved(self, position: int, value: float) -> "AskedProfile":
        """Give the profile of the row with another value of one feature."""
        return AskedProfile(ask=self.ask, row=_with(self.row, position, value))

    def scores_of(self, moves: Moves) -> Numbers:
        """Score single moves; see :meth:`ScoreProfile.scores_of`."""
        return self.ask(moves.rows(self.row))

    def scores_of_pair(self, first: int, first_values: Numbers, second: int, second_values: Numbers) -> Numbers:
        """Score pairs of changes; see :meth:`ScoreProfile.scores_of_pair`."""
        rows = np.tile(self.row, (len(first_values) * len(second_values), 1))
        rows[:, first] = np.repeat(first_values, len(second_values))
        rows[:, second] = np.tile(second_values, len(first_values))
        return self.ask(rows).reshape(len(first_values), len(second_values))


def _kernel() -> ModuleType:
    """The compiled functions; they load numba, so only models that need them do."""
    from explainer.recourse import profile_kernel  # noqa: PLC0415

    return profile_kernel


def _demands_of(cells: ForestCells) -> Any:
    """The arrays that the compiled functions walk."""
    demands = _kernel().Demands
    return demands(*(getattr(cells, name) for name in demands._fields))


def _with(row: Numbers, position: int, value: float) -> Numbers:
    changed = row.copy()
    changed[position] = value
    return changed
