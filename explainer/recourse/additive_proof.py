"""Proves in closed form what changes can do to a score that is a sum with one part per feature."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explainer.recourse.case import Case
from explainer.recourse.cell_ranges import AllowedRange
from explainer.recourse.moves import Moves
from explainer.recourse.score_profile import AdditiveProfile
from models.linear_model import IntervalPoints, LinearModel, PointsTable

Numbers = NDArray[np.float64]


def additive_rules_out(
    case: Case, profile: AdditiveProfile, ranges: Sequence[AllowedRange], at_once: int | None
) -> bool:
    """Say whether it is certain that no allowed values give the outcome.

    Args:
        case: The person and the outcome.
        profile: The person's profile.
        ranges: What may change, and how far.
        at_once: How many features change together at most; None means all of them.

    Returns:
        True if it is proven; False if there are such values or if it is not known.
    """
    if case.space.followers:
        return False
    savings = []
    for one in ranges:
        values = deciding_values(case, profile, one)
        if values is None:
            return False
        positions = np.full(len(values), one.position)
        moves = Moves(position=positions, value=values, cell=positions, cost=np.zeros(len(values)))
        least = float(case.short_of(profile, moves).min(initial=np.inf))
        savings.append(max(0.0, _own_shortfall(case, profile) - least))
    most = sum(sorted(savings, reverse=True)[:at_once])
    if _own_shortfall(case, profile) - most <= case.tolerance:
        return False
    lowest, highest = case.row[np.newaxis].copy(), case.row[np.newaxis].copy()
    for one in ranges:
        lowest[0, one.position] = min(one.low, case.row[one.position])
        highest[0, one.position] = max(one.high, case.row[one.position])
    # The score is never enough, so all that is left are rules.
    return not case.target.possible(lowest, highest, np.array([False]))[0]


def deciding_values(case: Case, profile: AdditiveProfile, allowed: AllowedRange) -> Numbers | None:
    """List values of one feature of which one is the best of all that are allowed; None where nobody knows."""
    feature = case.space.package.card.features[allowed.position]
    if feature.kind in ("category", "boolean"):
        return np.arange(allowed.low, allowed.high + 1)
    model = profile.model
    if isinstance(model, PointsTable):
        table = model.tables[allowed.position]
        if not isinstance(table, IntervalPoints):
            return None
        limits = np.array([limit for limit in table.limits if allowed.low < limit <= allowed.high])
        if allowed.whole:
            limits = np.ceil(limits)
        values = np.array([allowed.low, *limits])
        return values[values <= allowed.high]
    if isinstance(model, LinearModel) and model.encoding is None:
        return np.array([allowed.low, allowed.high])
    return None


def _own_shortfall(case: Case, profile: AdditiveProfile) -> float:
    return float(case.target.short_of(np.array([profile.score]))[0])
