"""Which values of which features may be tried for one person: what people can change, and what they may dispute."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from explainer.recourse.cell_ranges import AllowedRange, cells_between
from explainer.recourse.forest_cells import ForestCells, Positions
from explainer.recourse.missing_cells import asking_for_missing
from explainer.recourse.moves import FeatureMoves, MoveTable
from explainer.recourse.raw_forest import raw_forest_of
from explainer.recourse.score_profile import ForestProfile
from explainer.recourse.target import Target
from explainer.recourse.value_grid import MAX_VALUES, values_shown
from models.constraints import moved_along
from models.features import FLOAT32_MAX, Feature
from models.forest import Forest
from models.package import ModelPackage

MAX_ASKED_VALUES = 200
"""Values tried per feature at first where the model itself has to be asked for each."""

KEPT_WHERE_MISSING = 8
"""Combinations of missing values for which the model's cells are kept; others are laid out again."""

NORMAL_CONSISTENCY = 1.4826
"""Makes the median absolute deviation of normally distributed values equal to their standard deviation."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Values of one feature that may be shown to somebody.

    Attributes:
        position: Position of the feature.
        values: Ascending, as the model reads them, within what somebody in the background has.
        step: Distance between values that people use; 0 for categories.
        complete: Whether every other value that people use would have the outcome of one of these.
    """

    position: int
    values: Numbers
    step: float
    complete: bool


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """What the search needs to know about a model and never changes.

    Attributes:
        package: The package it was made of.
        cells: The model's trees as cells; None where nobody knows at which values the score can jump.
        class_cells: The same for several classes, with one value for each in a leaf: only proofs use them.
        spreads: For each feature how much it typically differs between people, in its own unit.
        usual_values: For each feature the median of the people who have a value; NaN where nobody has one.
        background_values: For each feature the different values that somebody in the background has, ascending.
        read_by_model: Positions of the features that the model reads.
        read_by_rules: Positions of the features that a statutory rule reads.
        bound: Positions of the features that a constraint of the card names.
        followers: For each feature that moves others: their positions, and 1 or -1 for their direction.
    """

    package: ModelPackage
    cells: ForestCells | None
    class_cells: ForestCells | None
    spreads: tuple[float, ...]
    usual_values: tuple[float, ...]
    background_values: tuple[Numbers, ...]
    read_by_model: frozenset[int]
    read_by_rules: frozenset[int]
    bound: frozenset[int]
    followers: Mapping[int, Mapping[int, int]]

    @classmethod
    def of(cls, package: ModelPackage) -> "SearchSpace":
        """Prepare the search for a verified package."""
        rows, weights, card = package.background.rows, package.background.weights, package.card
        columns = range(rows.shape[1])
        position = {name: place for place, name in enumerate(card.feature_names)}
        cells = _cells_of(package)
        if cells is not None and cells.many:
            ForestProfile.of(cells, rows[0]).score  # noqa: B018 -- compiles, so that nobody waits for it later
        space = cls(
            package=package,
            cells=cells,
            class_cells=_class_cells_of(package),
            spreads=tuple(typical_spread(rows[:, column], weights) for column in columns),
            usual_values=tuple(weighted_median(rows[:, column], weights) for column in columns),
            background_values=tuple(np.unique(values[~np.isnan(values)]) for values in rows.T),
            read_by_model=package.features_used,
            read_by_rules=frozenset(position[name] for rule in card.rules for name in rule.feature_names),
            bound=frozenset(position[name] for one in card.constraints for name in one.feature_names),
            followers={
                position[name]: {position[also]: sign for also, sign in moved.items()}
                for name, moved in moved_along(card.constraints).items()
            },
        )
        # Made now, so that the first person does not wait for them.
        _ = space.action_moves, space.allowed_moves, space.disputable_moves
        return space

    def target_other_than(self, outcome: str) -> Target:
        """Say what is looked for by somebody with an outcome of the card; see :meth:`Target.other_than`."""
        return self._targets[outcome]

    @cached_property
    def _targets(self) -> Mapping[str, Target]:
        card = self.package.card
        return {outcome.id: Target.other_than(card, outcome.id) for outcome in card.outcomes}

    def where_missing(self, missing: NDArray[np.bool_]) -> "SearchSpace":
        """Give the space of a person some of whose values are missing.

        Args:
            missing: Shape (n_features,).

        Returns:
            The same with cells for these missing values; made when first asked for and then kept for a while.
        """
        if self.cells is None or not missing.any():
            return self
        return self._where_missing(tuple(np.flatnonzero(missing).tolist()))

    @cached_property
    def _where_missing(self) -> Callable[[tuple[int, ...]], "SearchSpace"]:
        def made(missing: tuple[int, ...]) -> "SearchSpace":
            forest = asking_for_missing(self.package.forest, missing)
            # Without cells the model itself is asked.
            space = replace(self, cells=None if forest is None else ForestCells.of(forest))
            _ = space.action_moves, space.allowed_moves, space.disputable_moves
            return space

        return lru_cache(maxsize=KEPT_WHERE_MISSING)(made)

    def depend(self, one: int, other: int) -> bool:
        """Say whether one of two features moves along with the other."""
        return other in self.followers.get(one, ()) or one in self.followers.get(other, ())

    @cached_property
    def without_dependencies(self) -> "SearchSpace":
        """The same where nothing depends on anything else: for values that are wrong and are corrected alone."""
        return replace(self, bound=frozenset(), followers={}) if self.bound else self

    @cached_property
    def matters(self) -> frozenset[int]:
        """Positions of the features a change of which can matter: read by model or rules, or named by a constraint."""
        return self.read_by_model | self.read_by_rules | self.bound

    @cached_property
    def looked_at_by_value(self) -> frozenset[int]:
        """Positions of the features of which each value counts, not only the cell it lies in."""
        return self.read_by_rules | self.bound

    @cached_property
    def actions(self) -> Mapping[int, Candidates]:
        """Values that may be proposed, for each feature that people can change."""
        found = self._candidates({position: _card_limits(feature) for position, feature in self._actionable})
        for position, feature in self._actionable:
            if feature.kind == "category" and position in found:
                values = found[position].values
                values = values[np.isin(values, _chosen_categories(feature))]
                found[position] = Candidates(position=position, values=values, step=0, complete=True)
        return found

    @cached_property
    def action_moves(self) -> MoveTable:
        """The same as moves: for features of which only the cell counts, the nearest values of each cell."""
        return self._table(self.actions, with_directions=True)

    @cached_property
    def seen_by_cell(self) -> frozenset[int]:
        """Positions of the actionable features of which a look at their cells says everything."""
        if self.cells is None:
            return frozenset()
        by_value = self.looked_at_by_value | set(self.followers)
        return frozenset(position for position, _ in self._actionable if position not in by_value)

    @cached_property
    def allowed_moves(self) -> MoveTable:
        """All cells to which the card lets these features change, shown or not."""
        cells, moves = self.cells, []
        for position, feature in self._actionable:
            if cells is None or position not in self.seen_by_cell:
                continue
            low, high = _card_limits(feature)
            allowed = AllowedRange(position=position, low=low, high=high, whole=feature.kind != "number")
            lowest, highest = cells_between(cells.splits[position], allowed)
            cell = cells.first_cell[position] + cells.cells_of_values(position, lowest)
            supplied = np.clip(self.usual_values[position], lowest, highest)
            ends = (lowest, highest, supplied)
            moves.append(self._moves_of(position, ends, cell, by_cell=True, directions=_directions(feature)))
        return MoveTable.of(moves)

    @cached_property
    def has_thinned_values(self) -> bool:
        """Whether there may be nearer values than the first that are tried of some feature."""
        return not all(one.complete for one in (*self.actions.values(), *self.disputable.values()))

    @cached_property
    def disputable(self) -> Mapping[int, Candidates]:
        """Values that may be the right ones, for each feature that people may dispute."""
        chosen = {}
        for position, feature in enumerate(self.package.card.features):
            if position in self.matters and feature.disputable and not feature.protected:
                low = -math.inf if feature.minimum is None else feature.minimum
                chosen[position] = (low, math.inf if feature.maximum is None else feature.maximum)
        return self._candidates(chosen)

    @cached_property
    def disputable_moves(self) -> MoveTable:
        """The same as moves. A value that is wrong is corrected alone, whatever depends on it."""
        return self._table(self.disputable, with_directions=False)

    def allowed_ranges(self, row: Numbers) -> tuple[AllowedRange, ...]:
        """List what this person could change and how far: direction and bounds of the card, whatever the step.

        Args:
            row: Raw row of the person, shape (n_features,).

        Returns:
            One entry per feature that has another value; features that nothing reads are left out.
        """
        found = []
        for position, feature in self._actionable:
            own, whole = float(row[position]), feature.kind != "number"
            low, high = _card_limits(feature)
            # Where a value is missing, every value that the card allows can be supplied.
            up, down = (True, True) if math.isnan(own) else _directions(feature)
            low = max(low, -math.inf if down else own, -FLOAT32_MAX)
            high = min(high, math.inf if up else own, FLOAT32_MAX)
            if whole:
                low, high = float(np.ceil(low)), float(np.floor(high))
            if low < high or low == high != own:
                found.append(AllowedRange(position=position, low=low, high=high, whole=whole))
        return tuple(found)

    @cached_property
    def _actionable(self) -> tuple[tuple[int, Feature], ...]:
        return tuple(
            (position, feature)
            for position, feature in enumerate(self.package.card.features)
            if position in self.matters and feature.actionable is not None and not feature.protected
        )

    def _candidates(self, limits: Mapping[int, tuple[float, float]]) -> dict[int, Candidates]:
        found = {}
        for position, (low, high) in limits.items():
            feature, present = self.package.card.features[position], self.background_values[position]
            if not len(present):
                continue  # nobody has a value, so none is shown
            if feature.kind in ("category", "boolean"):
                values, step, complete = present[(present >= low) & (present <= high)], 0.0, True
            else:
                # A value below or above everybody's is one that nobody has.
                step, shown = _step_of(feature), (max(low, float(present[0])), min(high, float(present[-1])))
                values, complete = self._numbers(position, *shown, step)
            if len(values):
                found[position] = Candidates(position=position, values=values, step=step, complete=complete)
        return found

    def _numbers(self, position: int, low: float, high: float, step: float) -> tuple[Numbers, bool]:
        if self.cells is None:
            return values_shown(low, high, step, splits=None, at_most=MAX_ASKED_VALUES)
        splits = self.cells.splits[position].astype(np.float64)
        values, all_there = values_shown(low, high, step, splits=splits, at_most=MAX_VALUES)
        # Between these values the score cannot jump, but a rule can.
        return values, all_there or position not in self.looked_at_by_value

    def _table(self, candidates: Mapping[int, Candidates], *, with_directions: bool) -> MoveTable:
        moves = []
        for position, one in candidates.items():
            directions = _directions(self.package.card.features[position]) if with_directions else (True, True)
            first = last = supplied = one.values
            cell, by_cell = np.full(len(first), -1), False
            if self.cells is not None:
                cell = self.cells.first_cell[position] + self.cells.cells_of_values(position, one.values)
                by_cell = position not in self.looked_at_by_value
            if by_cell:
                starts = np.flatnonzero(np.diff(cell, prepend=-1))
                ends = np.append(starts[1:], len(cell)) - 1
                usual = np.searchsorted(one.values, self.usual_values[position])
                first, last, cell = first[starts], last[ends], cell[starts]
                supplied = one.values[np.clip(usual, starts, ends)]
            moves.append(
                self._moves_of(position, (first, last, supplied), cell, by_cell=by_cell, directions=directions)
            )
        return MoveTable.of(moves)

    def _moves_of(
        self,
        position: int,
        values: tuple[Numbers, Numbers, Numbers],
        cell: Positions,
        *,
        by_cell: bool,
        directions: tuple[bool, bool],
    ) -> FeatureMoves:
        categorical = self.package.card.features[position].kind in ("category", "boolean")
        return FeatureMoves(
            position=position,
            first=values[0],
            last=values[1],
            cell=cell,
            by_cell=by_cell,
            up=directions[0],
            down=directions[1],
            spread=None if categorical else self.spreads[position],
            supplied=values[2],
            usual=self.usual_values[position],
        )


def typical_spread(values: Numbers, weights: Numbers) -> float:
    """Say how much a feature typically differs between people.

    Args:
        values: The background's values, shape (m,); missing ones are left out.
        weights: Shape (m,).

    Returns:
        The weighted median absolute deviation, scaled to a standard deviation; where more than half of all people have
        the same value, the weighted standard deviation; 1 where everybody has the same, or nobody has any.
    """
    values, weights = values[~np.isnan(values)], weights[~np.isnan(values)]
    if not len(values):
        return 1.0
    centre = weighted_median(values, weights)
    deviation = weighted_median(np.abs(values - centre), weights) * NORMAL_CONSISTENCY
    if deviation > 0:
        return deviation
    mean = np.average(values, weights=weights)
    return float(np.sqrt(np.average((values - mean) ** 2, weights=weights))) or 1.0


def _cells_of(package: ModelPackage) -> ForestCells | None:
    # Of several classes no single sum of leaves says which one wins.
    return _cells_of_raw_features(package) if package.n_scores == 1 else None


def _class_cells_of(package: ModelPackage) -> ForestCells | None:
    return _cells_of_raw_features(package) if package.n_scores > 1 else None


def _cells_of_raw_features(package: ModelPackage) -> ForestCells | None:
    rows = package.background.rows
    whole = rows[~np.isnan(rows).any(axis=1)]
    if not isinstance(package.reading, Forest) or not len(whole):
        return None
    forest = raw_forest_of(package.reading, package.card.features, whole[0])
    # Where it does not agree with the forest on real people, nothing is said with it.
    if forest is None or not np.allclose(
        forest.additive_score(whole), package.reading.additive_score(whole), rtol=0, atol=package.additive_tolerance
    ):
        return None
    return ForestCells.of(forest)


def weighted_median(values: Numbers, weights: Numbers) -> float:
    """Give the value that half of all people do not exceed; missing ones are left out, NaN where all are.

    Args:
        values: The background's values, shape (m,).
        weights: Shape (m,).
    """
    values, weights = values[~np.isnan(values)], weights[~np.isnan(values)]
    if not len(values):
        return math.nan
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])


def _card_limits(feature: Feature) -> tuple[float, float]:
    """Lowest and highest value to which the card lets anybody change a feature."""
    allowed = feature.actionable
    if allowed is None:
        raise ValueError(f"'{feature.name}' is not actionable")
    if feature.kind == "category":
        numbers = _chosen_categories(feature)
        return float(numbers.min()), float(numbers.max())
    return allowed.minimum, allowed.maximum


def _directions(feature: Feature) -> tuple[bool, bool]:
    """Whether a value may rise and whether it may fall; categories have no order."""
    direction = "either" if feature.actionable is None else feature.actionable.direction
    return direction != "down", direction != "up"


def _chosen_categories(feature: Feature) -> Numbers:
    chosen = () if feature.actionable is None else feature.actionable.categories
    return np.array([number for number, one in enumerate(feature.categories) if one.value in chosen], dtype=np.float64)


def _step_of(feature: Feature) -> float:
    step = feature.actionable.step if feature.actionable else 10.0**-feature.decimals
    return max(1.0, float(round(step))) if feature.kind == "integer" else step
