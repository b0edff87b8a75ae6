"""Groups people so that each group can stand for at least ten of them and none of them can be told apart.

Greedy multidimensional partitioning as in LeFevre, DeWitt and Ramakrishnan, "Mondrian multidimensional k-anonymity"
(ICDE 2006), always splitting the group that differs most within itself; the model's score is one of the dimensions, so
that a group's mean stands for its members' scores as well.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import RowsOfPeopleError
from models.features import Feature
from models.scoring_model import Rows, Scores

FEWEST_PEOPLE = 10
"""A group of fewer people is never made, and no row that stands for fewer is taken in."""

SCORE_COUNTS_AS = 2.0
"""The score counts like two features when groups are split."""


@dataclass(frozen=True)
class Groups:
    """What stands for people.

    Attributes:
        rows: One centre for each group, shape (n_groups, n_features): means of numbers, made whole where the card wants
            whole numbers, and the most frequent category.
        weights: Sum of the weights of each group's members, shape (n_groups,).
        sizes: People in each group, at least :data:`FEWEST_PEOPLE`, shape (n_groups,).
    """

    rows: Rows
    weights: Scores
    sizes: NDArray[np.int64]


def group_people(
    rows: Rows, weights: Scores, features: Sequence[Feature], score: Callable[[Rows], Scores], n_groups: int
) -> Groups:
    """Group people who resemble each other.

    Args:
        rows: One row for each person, shape (n, n_features).
        weights: How many of the population each person stands for, shape (n,), positive.
        features: The card's features.
        score: The model.
        n_groups: So many groups at most.

    Returns:
        The groups; the same for the same people.

    Raises:
        RowsOfPeopleError: If there are fewer people than one group needs.
    """
    if len(rows) < FEWEST_PEOPLE:
        raise RowsOfPeopleError(
            f"The background holds {len(rows)} people. A row of it must stand for at least {FEWEST_PEOPLE}, so at "
            f"least {FEWEST_PEOPLE} are needed, and 100 to 1,000 times as many are better."
        )
    scores = score(rows).reshape(len(rows), -1)
    groups = _partition(_space(rows, scores, features), n_groups)
    group_weights = np.array([weights[members].sum() for members in groups])
    means = np.array([np.average(scores[members], axis=0, weights=weights[members]) for members in groups])
    candidates = np.array([_candidates(rows[members], weights[members], features) for members in groups])
    return Groups(
        rows=_least_biased(candidates, means, group_weights, score),
        weights=group_weights,
        sizes=np.array([len(members) for members in groups], dtype=np.int64),
    )


def _partition(space: Scores, n_groups: int) -> list[NDArray[np.int64]]:
    # The number breaks ties, so that groups themselves are never compared.
    waiting: list[tuple[float, int, NDArray[np.int64]]] = [(-_unlikeness(space), 0, np.arange(len(space)))]
    final: list[NDArray[np.int64]] = []
    n_made = 1
    while waiting and len(waiting) + len(final) < n_groups:
        _, _, members = heapq.heappop(waiting)
        parts = _split(space[members])
        if parts is None:
            final.append(members)
            continue
        for part in parts:
            heapq.heappush(waiting, (-_unlikeness(space[members[part]]), n_made, members[part]))
            n_made += 1
    groups = [*final, *(members for _, _, members in waiting)]
    return sorted(groups, key=lambda members: int(members[0]))


def _space(rows: Rows, scores: Scores, features: Sequence[Feature]) -> Scores:
    """Place people so that distances mean unlikeness: numbers by their ranks, each category a direction of its own."""
    columns = []
    for position, feature in enumerate(features):
        values = rows[:, position]
        if feature.kind == "category":
            columns += [(values == number) / np.sqrt(2) for number in range(len(feature.categories))]
        else:
            columns.append(_ranks(values))
        if np.isnan(values).any():
            columns.append(np.isnan(values) / np.sqrt(2))
    columns += [SCORE_COUNTS_AS * _ranks(column) for column in scores.T]
    return np.column_stack(columns).astype(np.float64)


def _ranks(values: Scores) -> Scores:
    is_known = ~np.isnan(values)
    ranks = np.full(len(values), 0.5)  # what is missing stands in the middle, and apart in a direction of its own
    _, place, counts = np.unique(values[is_known], return_inverse=True, return_counts=True)
    ranks[is_known] = ((np.cumsum(counts) - counts / 2) / max(1, counts.sum()))[place]
    return ranks


def _unlikeness(space: Scores) -> float:
    return float(space.var(axis=0).sum() * len(space))


def _split(space: Scores) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Split a group in two along the direction in which it differs most; None if no split leaves enough people."""
    if len(space) < 2 * FEWEST_PEOPLE:
        return None
    spread = space.var(axis=0)
    for direction in np.argsort(-spread, kind="stable"):
        if spread[direction] == 0:
            return None
        values = space[:, direction]
        cuts = np.unique(values)[:-1]
        below = np.searchsorted(np.sort(values), cuts, side="right")
        allowed = (below >= FEWEST_PEOPLE) & (len(values) - below >= FEWEST_PEOPLE)
        if allowed.any():
            best = np.argmin(np.where(allowed, np.abs(2 * below - len(values)), len(values) + 1))
            low = values <= cuts[best]
            return np.flatnonzero(low), np.flatnonzero(~low)
    return None


def _candidates(rows: Rows, weights: Scores, features: Sequence[Feature]) -> Rows:
    """Give centres that could stand for a group, shape (3, n_features): whole numbers rounded, down, and up.

    What most members do not have is missing in their centre as well.
    """
    is_known = ~np.isnan(rows)
    shares = np.average(is_known, axis=0, weights=weights)
    with np.errstate(invalid="ignore"):
        mean = np.average(np.nan_to_num(rows), axis=0, weights=weights) / shares
    whole = np.array([feature.kind in ("integer", "boolean") for feature in features])
    for position, feature in enumerate(features):
        if feature.kind == "category":
            own = is_known[:, position]
            counts = np.bincount(rows[own, position].astype(np.int64), weights=weights[own], minlength=1)
            mean[position] = np.argmax(counts)
    mean[shares < 1 / 2] = np.nan  # a value that most of them do not have stands for nobody
    rounded = [np.where(whole, turned(mean), mean) for turned in (np.round, np.floor, np.ceil)]
    # Models read 32 bits; a centre is the same number for everybody who reads it.
    return np.array(rounded).astype(np.float32).astype(np.float64)


def _least_biased(candidates: Scores, means: Scores, weights: Scores, score: Callable[[Rows], Scores]) -> Rows:
    """Choose centres one after the other so that what one is off is made good by the next ones.

    Args:
        candidates: Shape (n_groups, n_candidates, n_features).
        means: Mean scores of the groups' members, shape (n_groups, n_outputs).
        weights: Of the groups.
        score: The model.

    Returns:
        Shape (n_groups, n_features).
    """
    n_groups, n_candidates, n_features = candidates.shape
    scores = score(candidates.reshape(-1, n_features)).reshape(n_groups, n_candidates, -1)
    owed = np.zeros(means.shape[1])
    chosen = np.empty((n_groups, n_features))
    for group in range(n_groups):
        after = owed + weights[group] * (scores[group] - means[group])
        best = int(np.argmin(np.abs(after).sum(axis=1)))
        owed, chosen[group] = after[best], candidates[group, best]
    return chosen
