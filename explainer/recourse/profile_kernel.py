"""Looks at the demands of all leaves; compiled. See :mod:`score_profile` for what they mean and who calls this."""

from typing import Any, NamedTuple

from explainer.compiled import compiled

Array = Any
"""numpy array; numba infers element types."""

ONE_UNMET = 2.0**32
ONE_UNMET_AS_WHOLE = 1 << 32


class Demands(NamedTuple):
    """The arrays of a :class:`explainer.recourse.forest_cells.ForestCells` that are walked."""

    low_by_leaf: Array
    high_by_leaf: Array
    feature_by_leaf: Array
    first_by_leaf: Array
    first_cell: Array
    value: Array


@compiled
def count_unmet(own_cells: Array, demands: Demands, unmet: Array) -> None:
    """Count for each leaf what a row does not meet.

    Args:
        own_cells: Shape (n_features,), the row's cells.
        demands: The forest.
        unmet: Shape (n_leaves,); becomes what :class:`explainer.recourse.score_profile.ForestProfile` describes.
    """
    for leaf in range(len(unmet)):
        total = 0
        for place in range(demands.first_by_leaf[leaf], demands.first_by_leaf[leaf + 1]):
            own = own_cells[demands.feature_by_leaf[place]]
            # Without a branch: half of all demands are unmet, and no processor can guess which.
            missed = (own < demands.low_by_leaf[place]) | (own > demands.high_by_leaf[place])
            total += missed * (ONE_UNMET_AS_WHOLE + place)
        unmet[leaf] = total


@compiled
def score_cells(unmet: Array, demands: Demands, base_value: float, scores: Array) -> float:
    """Score a row with one feature moved to each of its cells.

    Args:
        unmet: Shape (n_leaves,), as :func:`count_unmet` leaves it.
        demands: The forest.
        base_value: Added to the leaves of every row.
        scores: Shape (n_cells,), zeros; becomes the scores by the number of the cell.

    Returns:
        The score of the row itself.
    """
    score = base_value
    for leaf in range(len(unmet)):
        if unmet[leaf] >= 2 * ONE_UNMET:
            continue
        value = demands.value[leaf]
        if unmet[leaf] == 0:
            score += value
            for place in range(demands.first_by_leaf[leaf], demands.first_by_leaf[leaf + 1]):
                # What depends on a feature counts only in the cells of the demand, and not everywhere as in the score.
                start = demands.first_cell[demands.feature_by_leaf[place]]
                scores[start] -= value
                scores[start + demands.low_by_leaf[place]] += value
                scores[start + demands.high_by_leaf[place] + 1] -= value
        else:
            only = int(unmet[leaf] - ONE_UNMET)
            start = demands.first_cell[demands.feature_by_leaf[only]]
            scores[start + demands.low_by_leaf[only]] += value
            scores[start + demands.high_by_leaf[only] + 1] -= value
    for number in range(len(demands.first_cell) - 1):
        running = score
        for cell in range(demands.first_cell[number], demands.first_cell[number + 1]):
            running += scores[cell]
            scores[cell] = running
    return score
