"""One person's case as the search sees it: what a change would lead to, rules and constraints of the card included."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from explainer.recourse.action_set import SearchSpace
from explainer.recourse.cell_ranges import AllowedRange
from explainer.recourse.forest_cells import Positions
from explainer.recourse.moves import Moves
from explainer.recourse.score_profile import AdditiveProfile, AskedProfile, ForestProfile, ScoreProfile
from explainer.recourse.target import Target
from models.constraints import Constraint, respected_on_rows
from models.linear_model import LinearModel, PointsTable
from models.statutory_rules import fired_on_rows

DECIMALS = 9
"""What moves along is free of the dust of binary fractions."""

Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class Judged:
    """Where single moves lead.

    Attributes:
        short: Shape (n_moves,), how far the score falls short of the outcome, additive unit.
        reached: Shape (n_moves,), whether the outcome is reached.
        blocked: Shape (n_moves,), whether a rule or a constraint stands in the way whatever the score.
    """

    short: Numbers
    reached: Truths
    blocked: Truths


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """A person's row and the outcome that is looked for; never changed, so threads may share it.

    Attributes:
        space: What is known about the model.
        row: The person's raw row, shape (n_features,).
        target: The outcome.
    """

    space: SearchSpace
    row: Numbers
    target: Target

    @cached_property
    def profile(self) -> ScoreProfile:
        """The scores around the person's own row."""
        if self.space.cells is not None:
            return ForestProfile.of(self.space.cells, self.row)
        reading = self.space.package.reading
        if isinstance(reading, LinearModel | PointsTable) and self.space.package.n_scores == 1:
            return AdditiveProfile(model=reading, row=self.row)
        return AskedProfile(ask=self._asked, row=self.row)

    @cached_property
    def own_cells(self) -> Positions | None:
        """Numbers of the cells of the person's row, shape (n_features,); None where cells are not known."""
        if not isinstance(self.profile, ForestProfile):
            return None
        return self.profile.cells.first_cell[:-1] + self.profile.own_cells

    @cached_property
    def ranges(self) -> tuple[AllowedRange, ...]:
        """What the person could change, and how far."""
        return self.space.allowed_ranges(self.row)

    @cached_property
    def tolerance(self) -> float:
        """Additive scores nearer to the limit than this are decided by the runtime alone."""
        # Of several classes the difference of two scores counts.
        return self.space.package.additive_tolerance * min(2, self.space.package.n_scores)

    def moved(self, profile: ScoreProfile, position: int, value: float) -> ScoreProfile:
        """Change one feature of a row, and what moves along with it."""
        change = value - profile.row[position]
        for follower, sign in self.space.followers.get(position, {}).items():
            profile = profile.moved(follower, round(float(profile.row[follower] + sign * change), DECIMALS))
        return profile.moved(position, value)

    def row_with(self, values: Mapping[int, float]) -> Numbers:
        """Make the person's row with other values of some features, and what moves along with them."""
        row = self.row.copy()
        for position, value in values.items():
            change = value - self.row[position]
            for follower, sign in self.space.followers.get(position, {}).items():
                row[follower] = round(float(row[follower] + sign * change), DECIMALS)
        row[list(values)] = list(values.values())
        return row

    def differs(self, row: Numbers) -> Truths:
        """Say which values of a row are not the person's own, shape (n_features,); missing ones are alike."""
        differs: Truths = (row != self.row) & ~(np.isnan(row) & np.isnan(self.row))
        return differs

    def rows_of(self, profile: ScoreProfile, moves: Moves) -> Numbers:
        """Make the rows to which single moves lead, with what moves along; shape (n_moves, n_features)."""
        return self.applied(np.tile(profile.row, (len(moves), 1)), moves)

    def applied(self, rows: Numbers, moves: Moves) -> Numbers:
        """Change each row by one move, in place, and give the rows."""
        for position, followers in self.space.followers.items():
            chosen = np.flatnonzero(moves.position == position)
            change = moves.value[chosen] - rows[chosen, position]
            for follower, sign in followers.items():
                rows[chosen, follower] = np.round(rows[chosen, follower] + sign * change, DECIMALS)
        rows[np.arange(len(moves)), moves.position] = moves.value
        return rows

    def scores_of(self, profile: ScoreProfile, moves: Moves) -> Numbers:
        """Score single moves from a row; additive scores, shape (n_moves,)."""
        scores = profile.scores_of(moves)
        if self.space.followers:
            chosen = np.isin(moves.position, list(self.space.followers))
            if chosen.any():
                scores = scores.copy()
                scores[chosen] = self.scores_of_rows(self.rows_of(profile, moves.only(chosen)))
        return scores

    def short_of(self, profile: ScoreProfile, moves: Moves) -> Numbers:
        """Say how far the score falls short of the outcome after single moves from a row, shape (n_moves,)."""
        return self.target.short_of(self.scores_of(profile, moves))

    def judge(self, profile: ScoreProfile, moves: Moves) -> "Judged":
        """Say where single moves from a row lead.

        Args:
            profile: The row.
            moves: The moves.

        Returns:
            What is known of each move.
        """
        short = self.short_of(profile, moves)
        reached: Truths = short <= 0
        blocked = np.zeros(len(moves), dtype=np.bool_)
        if self.has_conditions:
            # Moves of features that nothing but the model reads leave rules and constraints as they are.
            enough, rows = reached, profile.row[np.newaxis].repeat(2, axis=0)
            if_enough, if_not = self.reached_where(rows, np.array([True, False]))
            reached, blocked = np.where(enough, if_enough, if_not), np.full(len(moves), not if_enough)
            by_value = np.flatnonzero(np.isin(moves.position, list(self.space.looked_at_by_value)))
            rows = self.rows_of(profile, moves.only(by_value))
            reached[by_value] = self.reached_where(rows, enough[by_value])
            blocked[by_value] = ~self.reached_where(rows, np.ones(len(by_value), dtype=np.bool_))
        near = np.flatnonzero(np.abs(short) <= self.tolerance)
        if len(near):
            reached[near] = self.really_reached(self.rows_of(profile, moves.only(near)))
        return Judged(short=short, reached=reached, blocked=blocked)

    def reached_where(self, rows: Numbers, enough: Truths) -> Truths:
        """Say which rows rules and constraints let arrive, given whether their scores are enough."""
        return self.target.reached_where(rows, enough) & self.respects(rows)

    def is_blocked(self, row: Numbers) -> bool:
        """Say whether a rule or a constraint stands in the way of one row, whatever its score."""
        return not self.reached_where(row[np.newaxis], np.array([True]))[0]

    def really_reached(self, rows: Numbers) -> Truths:
        """Run model, rules and constraints on rows, shape (n_rows, n_features)."""
        return self.target.reached(rows, self.space.package.model.score(rows)) & self.respects(rows)

    def respects(self, rows: Numbers) -> Truths:
        """Say which rows respect the card's constraints and keep what moves along within its bounds."""
        kept = np.ones(len(rows), dtype=np.bool_)
        columns = {name: place for place, name in enumerate(self.space.package.card.feature_names)}
        for constraint in self._binding:
            kept &= respected_on_rows(constraint, columns, rows)
        for follower in self._followers:
            values, own = self.space.background_values[follower], self.row[follower]
            kept &= (rows[:, follower] == own) | ((rows[:, follower] >= values[0]) & (rows[:, follower] <= values[-1]))
        return kept

    def may_respect(self, lowest: Numbers, highest: Numbers) -> Truths:
        """Say for boxes of rows whether some row in them may respect the card's constraints; False is certain."""
        kept = np.ones(len(lowest), dtype=np.bool_)
        columns = {name: place for place, name in enumerate(self.space.package.card.feature_names)}
        for constraint in self._binding:
            rows, smaller = highest.copy(), columns[constraint.feature_names[0]]
            rows[:, smaller] = lowest[:, smaller]
            kept &= respected_on_rows(constraint, columns, rows)
        return kept

    def is_free_of_rules(self, row: Numbers) -> bool:
        """Say whether no statutory rule applies to a row, so that its score may be told."""
        card = self.space.package.card
        return not any(fired_on_rows(rule, card.features, row[np.newaxis])[0] for rule in card.rules)

    @cached_property
    def has_conditions(self) -> bool:
        """Whether anything but the score decides."""
        return bool(self.space.package.card.rules or self.space.package.card.constraints)

    @cached_property
    def _binding(self) -> tuple[Constraint, ...]:
        """The constraints that the person's own values respect; others say nothing about this person."""
        card = self.space.package.card
        columns = {name: place for place, name in enumerate(card.feature_names)}
        own = self.row[np.newaxis]
        return tuple(one for one in card.constraints if respected_on_rows(one, columns, own)[0])

    @cached_property
    def _followers(self) -> frozenset[int]:
        return frozenset(follower for moved in self.space.followers.values() for follower in moved)

    def scores_of_rows(self, rows: Numbers) -> Numbers:
        """Score whole rows, shape (n_rows, n_features); additive scores."""
        if self.space.cells is None:
            return self._asked(rows)
        return self.space.package.forest.additive_score(rows)

    def _asked(self, rows: Numbers) -> Numbers:
        return self.target.leading(self.space.package.model.additive_score(rows))
