"""Finds the nearest values of one or two features that give another outcome.

The model's score is constant between the splits of its trees, so the model is asked once per interval (for pairs: once
per cell of two intervals), while statutory rules are asked for every value.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explainer.explanations.model_outcome import reaches_outcome
from explainer.recourse.action_set import Candidates, SearchSpace, values_on_grid
from models.package import ModelPackage
from models.statutory_rules import fired_on_rows

MAX_VALUE_PAIRS = 200_000
"""Pairs of values asked of the statutory rules; beyond them only the nearest value of each interval is tried."""

MAX_CELLS = 20_000
"""Pairs of intervals asked of the model; beyond them intervals are left out."""

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


@dataclass(frozen=True)
class _Line:
    """Values of one feature and the intervals they lie in.

    Attributes:
        position: Position of the feature.
        values: Shape (n_values,).
        interval: Shape (n_values,), number of each value's interval among the intervals that occur.
        representatives: Shape (n_intervals,), one value of each interval.
    """

    position: int
    values: Numbers
    interval: NDArray[np.int64]
    representatives: Numbers


class NearestChanges:
    """Searches for one person and one outcome; made for one search, not shared between threads.

    Args:
        package: The verified package.
        space: Of the same package.
        row: The person's raw row, shape (n_features,).
        wanted: Outcome ids that are looked for.
        score: The person's score, None where a rule decided before it.

    Attributes:
        closest_score: Of the scores that were tried, left the outcome as it is and lie nearer to the threshold than
            the person's own score, the nearest one; None where nothing came nearer, and for several classes.
    """

    def __init__(
        self, package: ModelPackage, space: SearchSpace, row: Numbers, wanted: frozenset[str], score: float | None
    ) -> None:
        self._package, self._space, self._row, self._wanted = package, space, row, wanted
        self._own_score = score
        self.closest_score: float | None = None

    def single(self, candidates: Candidates) -> Found | None:
        """Find the nearest value of one feature that gives the outcome, or None if no value does."""
        found = self._nearest_of(candidates.position, candidates.values)
        if found is None or candidates.complete:
            return found
        # On a thinned grid a rule may fire at a nearer value than the one that showed it.
        own, best = float(self._row[candidates.position]), found.values[0][1]
        nearer = candidates.values[np.abs(candidates.values - own) < abs(best - own)]
        on_the_way = nearer[(nearer > own) == (best > own)]
        last_without = on_the_way[np.argmax(np.abs(on_the_way - own))] if len(on_the_way) else own
        between = values_on_grid(min(last_without, best), max(last_without, best), candidates.step)
        return self._nearest_of(candidates.position, between[between != own]) or found

    def pair(self, first: Candidates, second: Candidates) -> Found | None:
        """Find the nearest pair of values that gives the outcome.

        Args:
            first: Values of one feature.
            second: Values of another one, later in the card.

        Returns:
            The pair, or None if none was found.
        """
        one, other = self._lines_of_pair(first, second)
        cells = self._rows_of_pair(one.position, one.representatives, other.position, other.representatives)
        cell_scores = self.scores_of(cells)
        n_scores = cell_scores.shape[1:]
        by_cell = cell_scores.reshape(len(one.representatives), len(other.representatives), *n_scores)
        rows = self._rows_of_pair(one.position, one.values, other.position, other.values)
        scores = by_cell[np.ix_(one.interval, other.interval)].reshape(len(rows), *n_scores)
        return self._cheapest(rows, scores, (one.position, other.position))

    def scores_of(self, rows: Numbers) -> Numbers:
        """Score raw rows of shape (n_rows, n_features), and remember the one that came closest."""
        scores = self._package.model.score(rows)
        self._note_closest(rows, scores)
        return scores

    def _nearest_of(self, position: int, values: Numbers) -> Found | None:
        if not len(values):
            return None
        line = self._line(position, values)
        scores = self.scores_of(self._rows_with(position, line.representatives))[line.interval]
        return self._cheapest(self._rows_with(position, values), scores, (position,))

    def _cheapest(self, rows: Numbers, scores: Numbers, changed: tuple[int, ...]) -> Found | None:
        rows = rows[reaches_outcome(self._package.card, rows, scores, self._wanted)]
        if not len(rows):
            return None
        costs = sum((self._costs(position, rows[:, position]) for position in changed), np.zeros(len(rows)))
        # Of equal costs the first one wins: the lower value, so that the answer is always the same.
        best = int(np.argmin(costs))
        return Found(cost=float(costs[best]), values=tuple((p, float(rows[best, p])) for p in changed))

    def _costs(self, position: int, values: Numbers) -> Numbers:
        if self._package.card.features[position].kind in ("category", "boolean"):
            return np.ones(len(values))
        distances: Numbers = np.abs(values - self._row[position])
        return distances / self._space.spreads[position]

    def _note_closest(self, rows: Numbers, scores: Numbers) -> None:
        card = self._package.card
        if self._own_score is None or card.threshold is None:
            return
        same_side = (scores >= card.threshold) == (self._own_score >= card.threshold)
        so_far = self._own_score if self.closest_score is None else self.closest_score
        # A batch may differ from a single row in the last bits; that is not nearer.
        nearer = np.abs(scores - card.threshold) < abs(so_far - card.threshold) - self._package.score_tolerance
        rows, scores = rows[same_side & nearer], scores[same_side & nearer]
        # Where a rule decides, no number is told.
        for rule in card.rules:
            free = ~fired_on_rows(rule, card.features, rows)
            rows, scores = rows[free], scores[free]
        if len(scores):
            self.closest_score = float(scores[np.argmin(np.abs(scores - card.threshold))])

    def _lines_of_pair(self, first: Candidates, second: Candidates) -> tuple[_Line, _Line]:
        both = (first, second)
        values = [self._needed_in_pairs(one) for one in both]
        if len(values[0]) * len(values[1]) > MAX_VALUE_PAIRS:
            values = [self._nearest_per_interval(one) for one in both]
        lines = [self._line(one.position, some) for one, some in zip(both, values, strict=True)]
        if len(lines[0].representatives) * len(lines[1].representatives) > MAX_CELLS:
            each = int(MAX_CELLS**0.5)
            lines = [self._line(line.position, _evenly_thinned(line.representatives, each)) for line in lines]
        return lines[0], lines[1]

    def _needed_in_pairs(self, candidates: Candidates) -> Numbers:
        if candidates.position in self._space.read_by_rules:
            return candidates.values
        return self._nearest_per_interval(candidates)

    def _nearest_per_interval(self, candidates: Candidates) -> Numbers:
        interval = self._space.interval_of(candidates.position, candidates.values)
        order = np.lexsort((self._costs(candidates.position, candidates.values), interval))
        return candidates.values[order][np.unique(interval[order], return_index=True)[1]]

    def _line(self, position: int, values: Numbers) -> _Line:
        _, first, interval = np.unique(
            self._space.interval_of(position, values), return_index=True, return_inverse=True
        )
        return _Line(position, values, interval, values[first])

    def _rows_with(self, position: int, values: Numbers) -> Numbers:
        rows = np.tile(self._row, (len(values), 1))
        rows[:, position] = values
        return rows

    def _rows_of_pair(self, first: int, first_values: Numbers, second: int, second_values: Numbers) -> Numbers:
        rows = np.tile(self._row, (len(first_values) * len(second_values), 1))
        rows[:, first] = np.repeat(first_values, len(second_values))
        rows[:, second] = np.tile(second_values, len(first_values))
        return rows


def _evenly_thinned(values: Numbers, at_most: int) -> Numbers:
    if len(values) <= at_most:
        return values
    return values[np.linspace(0, len(values) - 1, at_most).astype(np.int64)]
