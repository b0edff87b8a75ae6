"""Values that people use: multiples of a step between two bounds."""

import math

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

MAX_VALUES = 20_000
"""Values listed per feature; on a finer grid only round values and those next to a split of the model."""


def values_on_grid(low: float, high: float, step: float) -> Numbers:
    """List the multiples of a step from low to high, both included, without the dust of binary fractions."""
    if low > high:
        return np.zeros(0)
    # A bound that is itself a multiple must not fall out because of its last bit.
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return np.round(np.arange(first, last + 1) * step, 9)


def values_shown(low: float, high: float, step: float, *, splits: Numbers | None, at_most: int) -> tuple[Numbers, bool]:
    """List the values between two bounds that are worth trying.

    Args:
        low: Lowest value.
        high: Highest value.
        step: Values are multiples of it.
        splits: Values at which the score can jump; None where nobody knows them.
        at_most: If there are more multiples, only round ones and those next to a split are listed.

    Returns:
        Ascending values, and whether they are all multiples.
    """
    if (high - low) / step <= at_most:
        return values_on_grid(low, high, step), True
    known = np.zeros(0) if splits is None else splits
    below, above = np.floor(known / step) * step, (np.floor(known / step) + 1) * step
    coarse = values_on_grid(low, high, _round_step((high - low) / at_most, step))
    values = np.unique(np.round(np.concatenate([coarse, below, above]), 9))
    return values[(values >= low) & (values <= high)], False


def _round_step(wanted: float, step: float) -> float:
    """Give the smallest of 1, 2, 5, 10, 20, 50 … steps that is at least as wide as wanted."""
    power = 10.0 ** math.floor(math.log10(wanted / step))
    return step * next(power * factor for factor in (1, 2, 5, 10) if power * factor >= wanted / step)
