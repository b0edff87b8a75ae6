"""How a model treats its features over the whole background: for the register and for caseworkers, never for one case.

Three views, all weighted as the background is:

- **Importance** of a feature: the mean |contribution|, in the additive unit.
- **Direction**: Spearman's rank correlation of value and contribution, with weighted mid-ranks. Near 1, higher values
  raise the score; near -1, they lower it; in between the effect turns or depends on other features. Ranks, because a
  slope says little about steps and lets one far value decide. Categories have no order and so no direction.
- **Partial dependence** (Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics
  29, 2001): the mean score if every background row had the same value of one feature. It is what the coalition of this
  feature alone is worth in the game whose Shapley values the contributions are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.black_boxes.coalition_game import CoalitionGame
from explainer.attribution_methods.method import AttributionComputer
from models.scoring_model import Rows, Scores

CLEAR_CORRELATION = 0.5
"""From this |rank correlation| on a feature is said to raise or lower the score."""

Direction = Literal["rising", "falling", "mixed", "none"]

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class GlobalEffect:
    """What one feature does over the background.

    Attributes:
        importance: Weighted mean |contribution|, additive unit, not negative.
        rank_correlation: Of value and contribution, from -1 to 1; None for categories, and where one of them is the
            same in every row.

    Raises:
        ValueError: If a number is out of its range.
    """

    importance: float
    rank_correlation: float | None

    def __post_init__(self) -> None:
        if not self.importance >= 0:
            raise ValueError("An importance is a number that is not negative.")
        if self.rank_correlation is not None and not -1 <= self.rank_correlation <= 1:
            raise ValueError("A rank correlation lies between -1 and 1.")

    @property
    def direction(self) -> Direction:
        """Whether higher values raise the score, lower it or now this, now that; ``none`` where it cannot be said."""
        if self.rank_correlation is None:
            return "none"
        if abs(self.rank_correlation) < CLEAR_CORRELATION:
            return "mixed"
        return "rising" if self.rank_correlation > 0 else "falling"


@dataclass(frozen=True, eq=False, kw_only=True)
class PartialDependence:
    """Mean scores over the background if every row had the same value of one feature.

    Attributes:
        values: Values of the feature, shape (k,).
        mean_scores: Shape (k,), in the explained unit.
    """

    values: Scores
    mean_scores: Scores

    def __post_init__(self) -> None:
        if self.values.shape != self.mean_scores.shape:
            raise ValueError("A partial dependence has one mean score for each value.")


def global_effects(
    computer: AttributionComputer, rows: Rows, weights: Scores, *, has_order: Sequence[bool]
) -> tuple[GlobalEffect, ...]:
    """Say what each feature does over a background.

    Args:
        computer: Prepared with the same background.
        rows: Raw rows, shape (m, n_features).
        weights: Shape (m,), positive.
        has_order: For each feature whether its values have an order: numbers and yes-or-no do, categories do not.

    Returns:
        One effect per feature.
    """
    contributions = computer.contributions_of(rows)
    importances = np.average(np.abs(contributions), axis=0, weights=weights)
    return tuple(
        GlobalEffect(
            importance=float(importances[feature]),
            rank_correlation=weighted_rank_correlation(rows[:, feature], contributions[:, feature], weights)
            if ordered
            else None,
        )
        for feature, ordered in zip(range(rows.shape[1]), has_order, strict=True)
    )


def partial_dependence(game: CoalitionGame, feature: int, values: Scores) -> PartialDependence:
    """Compute the partial dependence of the score on one feature.

    Args:
        game: Of the model and its background.
        feature: Position of the feature.
        values: Values to be looked at, shape (k,).

    Returns:
        The mean score at each value; costs k scores for each background row.
    """
    alone = np.arange(game.n_features)[np.newaxis] == feature
    means = [game.worth(np.full(game.n_features, value), alone)[0] for value in values]
    return PartialDependence(values=values, mean_scores=np.array(means, dtype=np.float64))


def background_grid(values: Scores, weights: Scores, *, most: int = 20) -> Scores:
    """Choose values of a feature that the background really has, spread as the cases are.

    Args:
        values: The feature in the background, shape (m,); missing values are left out.
        weights: Shape (m,), positive.
        most: Values to be chosen at most, at least 2.

    Returns:
        Ascending, without repetition: all values where there are few, else weighted quantiles from the lowest to the
        highest.
    """
    present = ~np.isnan(values)
    distinct, place = np.unique(values[present], return_inverse=True)
    if len(distinct) <= most:
        return np.asarray(distinct, dtype=np.float64)
    reached = np.cumsum(np.bincount(place, weights=weights[present]))
    chosen = np.searchsorted(reached, np.linspace(0, 1, most) * reached[-1])
    return np.asarray(distinct[np.unique(np.minimum(chosen, len(distinct) - 1))], dtype=np.float64)


def weighted_rank_correlation(one: Scores, other: Scores, weights: Scores) -> float | None:
    """Spearman's rank correlation where rows stand for several cases.

    A row of weight 2 counts as two equal rows. Rows in which a value is missing are left out.

    Args:
        one: Shape (m,).
        other: Shape (m,).
        weights: Shape (m,), positive.

    Returns:
        From -1 to 1; None where all values of one side are equal.
    """
    present = ~(np.isnan(one) | np.isnan(other))
    shares = weights[present]
    ranks = [_mid_ranks(side[present], shares) for side in (one, other)]
    if any(len(rank) == 0 or np.ptp(rank) == 0 for rank in ranks):
        return None
    first, second = (rank - np.average(rank, weights=shares) for rank in ranks)
    together = (shares * first * second).sum()
    found = together / np.sqrt((shares * first**2).sum() * (shares * second**2).sum())
    return float(np.clip(found, -1, 1))


def _mid_ranks(values: Scores, weights: Scores) -> Scores:
    """Weight below a value plus half the weight at it: shape (m,)."""
    _, place = np.unique(values, return_inverse=True)
    at = np.bincount(place, weights=weights)
    return np.asarray((np.cumsum(at) - at / 2)[place], dtype=np.float64)
