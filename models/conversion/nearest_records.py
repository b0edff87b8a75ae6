"""Whether generated rows are copies of people: the nearest-record test."""

import numpy as np
from numpy.typing import NDArray

from models.conversion.groups_of_people import FEWEST_PEOPLE
from models.errors import RowsOfPeopleError
from models.scoring_model import Rows, Scores

CLOSE_QUANTILE = 0.05
"""Closer than the closest 5 % of people are to each other counts as close."""

MOST_CLOSE = 0.10
"""Share of generated rows that may be close: twice what fresh people would show."""

_BLOCK = 200


def refuse_copies(generated: Rows, people: Rows, is_category: NDArray[np.bool_]) -> None:
    """Refuse generated rows that repeat people, or lie nearer to them than people lie to each other.

    Args:
        generated: Rows, shape (m, n_features).
        people: Rows they were generated from, shape (n, n_features).
        is_category: Shape (n_features,): columns in which values are equal or not, without distance.

    Raises:
        RowsOfPeopleError: Says how many and names the first.
    """
    unique, counts = np.unique(people, axis=0, return_counts=True)
    rare = {row.tobytes() for row in unique[counts < FEWEST_PEOPLE]}
    copies = [number for number, row in enumerate(generated) if row.tobytes() in rare]
    if copies:
        raise RowsOfPeopleError(
            f"{len(copies)} generated rows are the rows of fewer than {FEWEST_PEOPLE} people, the first is row "
            f"{copies[0] + 1}. Leave such rows out, or generate with more noise."
        )
    scale = np.where(is_category, 1.0, np.maximum(np.nanstd(people, axis=0), 1e-12))
    among_people = _nearest(people, people, scale, is_category, skip_self=True)
    limit = float(np.quantile(among_people, CLOSE_QUANTILE))
    close = float(np.mean(_nearest(generated, people, scale, is_category, skip_self=False) < limit))
    if close > MOST_CLOSE:
        raise RowsOfPeopleError(
            f"{close:.0%} of the generated rows lie closer to some person than {1 - CLOSE_QUANTILE:.0%} of people lie "
            f"to each other; {MOST_CLOSE:.0%} may. They look like copies with little noise: generate others."
        )


def _nearest(rows: Rows, people: Rows, scale: Scores, is_category: NDArray[np.bool_], *, skip_self: bool) -> Scores:
    nearest = np.empty(len(rows))
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        apart = np.abs(block[:, np.newaxis] - people[np.newaxis]) / scale
        apart[..., is_category] = apart[..., is_category] > 0
        only_one = np.isnan(block)[:, np.newaxis] != np.isnan(people)[np.newaxis]
        apart = np.where(np.isnan(apart), only_one.astype(np.float64), apart)
        distances = apart.sum(axis=2)
        if skip_self:
            distances[np.arange(len(block)), start + np.arange(len(block))] = np.inf
        nearest[start : start + _BLOCK] = distances.min(axis=1)
    return nearest
