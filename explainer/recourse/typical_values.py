"""What people usually have, and how much they typically differ: by medians, so that few extreme cases do not count."""

import math

import numpy as np
from numpy.typing import NDArray

NORMAL_CONSISTENCY = 1.4826
"""Makes the median absolute deviation of normally distributed values equal to their standard deviation."""

Numbers = NDArray[np.float64]


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
