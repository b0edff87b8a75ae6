"""Single changes that may be tried for a person, all features in one row of arrays so that they are scored together."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Positions = NDArray[np.int64]

COST_OF_SUPPLYING = 1.0
"""To state what was missing counts as much as to change a category, before it counts how unusual the value is."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Moves:
    """Changes of one feature each, sorted by feature.

    Attributes:
        position: Shape (n_moves,), which feature.
        value: Shape (n_moves,), its new value.
        cell: Shape (n_moves,), number of the cell in which the value lies, see
            :class:`explainer.recourse.forest_cells.ForestCells`; -1 where cells are not known.
        cost: Shape (n_moves,), size of the change in typical spreads of the feature.
    """

    position: Positions
    value: Numbers
    cell: Positions
    cost: Numbers

    def __len__(self) -> int:
        return len(self.position)

    @cached_property
    def starts(self) -> Positions:
        """Where the moves of each feature begin."""
        return np.flatnonzero(np.diff(self.position, prepend=-1))

    def least_of_each_feature(self, numbers: Numbers) -> Numbers:
        """Give the least of one number per move for each feature, in the order of :attr:`starts`."""
        if not len(self):
            return np.zeros(0)
        return np.minimum.reduceat(numbers, self.starts)

    def of_feature(self, place: int) -> slice:
        """Where the moves of one feature stand, by its place in :attr:`starts`."""
        end = self.starts[place + 1] if place + 1 < len(self.starts) else len(self)
        return slice(int(self.starts[place]), int(end))

    def only(self, chosen: NDArray[np.bool_] | Positions) -> "Moves":
        """Give some of the moves."""
        return Moves(
            position=self.position[chosen], value=self.value[chosen], cell=self.cell[chosen], cost=self.cost[chosen]
        )

    def rows(self, row: Numbers) -> Numbers:
        """Make one row for each move, shape (n_moves, n_features)."""
        rows = np.tile(row, (len(self), 1))
        rows[np.arange(len(self)), self.position] = self.value
        return rows


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureMoves:
    """What is known of one feature's moves before any person is.

    Attributes:
        position: The feature.
        first: Shape (n_entries,), the value to which somebody moves from below.
        last: Shape (n_entries,), the value to which somebody moves from above; the same where every value is an entry.
        cell: Shape (n_entries,), number of the cell; -1 where cells are not known.
        by_cell: Whether an entry stands for all values of its cell, so that one's own cell is no change.
        up: Whether the value may rise.
        down: Whether the value may fall.
        spread: Typical spread; None for categories, whose changes all have the size 1.
        supplied: Shape (n_entries,), the value to which somebody moves whose own one is missing.
        usual: What people usually have: from there such a value counts.
    """

    position: int
    first: Numbers
    last: Numbers
    cell: Positions
    by_cell: bool
    up: bool
    down: bool
    spread: float | None
    supplied: Numbers
    usual: float


@dataclass(frozen=True, eq=False, kw_only=True)
class MoveTable:
    """The moves of several features, made once per model.

    Attributes:
        position: Shape (n_entries,), ascending.
        first: See :class:`FeatureMoves`.
        last: See there.
        cell: See there.
        by_cell: Shape (n_entries,).
        up: Shape (n_entries,).
        down: Shape (n_entries,).
        per_unit: Shape (n_entries,), typical spreads in one unit.
        flat_cost: Shape (n_entries,), 1 for categories, else 0.
        supplied: See :class:`FeatureMoves`.
        usual: Shape (n_entries,).
    """

    position: Positions
    first: Numbers
    last: Numbers
    cell: Positions
    by_cell: NDArray[np.bool_]
    up: NDArray[np.bool_]
    down: NDArray[np.bool_]
    per_unit: Numbers
    flat_cost: Numbers
    supplied: Numbers
    usual: Numbers

    @classmethod
    def of(cls, features: Sequence[FeatureMoves]) -> "MoveTable":
        """Put features, in the order of the card, into one table."""
        counts = [len(one.first) for one in features]

        def numbers(values: Sequence[float]) -> Numbers:
            return np.repeat(np.array(values, dtype=np.float64), counts)

        def truths(values: Sequence[bool]) -> NDArray[np.bool_]:
            return np.repeat(np.array(values, dtype=np.bool_), counts)

        return cls(
            position=np.repeat(np.array([one.position for one in features], dtype=np.int64), counts),
            first=np.concatenate([np.zeros(0), *(one.first for one in features)]),
            last=np.concatenate([np.zeros(0), *(one.last for one in features)]),
            cell=np.concatenate([np.zeros(0, dtype=np.int64), *(one.cell for one in features)]),
            by_cell=truths([one.by_cell for one in features]),
            up=truths([one.up for one in features]),
            down=truths([one.down for one in features]),
            per_unit=numbers([0.0 if one.spread is None else 1 / one.spread for one in features]),
            flat_cost=numbers([float(one.spread is None) for one in features]),
            supplied=np.concatenate([np.zeros(0), *(one.supplied for one in features)]),
            usual=numbers([one.usual for one in features]),
        )

    def moves_from(self, row: Numbers, own_cells: Positions | None) -> Moves:
        """List the moves of one person.

        Args:
            row: The person's raw row.
            own_cells: Shape (n_features,), numbers of the row's cells; None where cells are not known.

        Returns:
            Moves to other values, in the directions that are allowed; where the person's own value is missing, to
            every value.
        """
        own = row[self.position]
        distance = self.first - own
        if own_cells is not None:
            distance = np.where(self.by_cell, self.cell - own_cells[self.position], distance)
        missing = np.isnan(own)
        chosen = np.flatnonzero(missing | ((distance > 0) & self.up) | ((distance < 0) & self.down))
        value = np.where(distance[chosen] > 0, self.first[chosen], self.last[chosen])
        flat_cost = self.flat_cost[chosen]
        if missing.any():
            own = np.where(missing, self.usual, own)
            value = np.where(missing[chosen], self.supplied[chosen], value)
            flat_cost = np.where(missing[chosen], COST_OF_SUPPLYING, flat_cost)
        cost = np.abs(value - own[chosen]) * self.per_unit[chosen] + flat_cost
        return Moves(position=self.position[chosen], value=value, cell=self.cell[chosen], cost=cost)
