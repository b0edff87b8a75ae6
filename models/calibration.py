"""Counts that show how far scores can be believed: of 100 cases with such a score, how many were favourable."""

import numpy as np
from numpy.typing import NDArray

from models.evaluation import SMALLEST_PUBLISHED_GROUP, CalibrationBin
from models.scoring_model import Scores
from models.wilson import wilson_interval


def calibration_bins(scores: Scores, favourable: NDArray[np.bool_], n_bins: int) -> tuple[CalibrationBin, ...]:
    """Count favourable cases per interval of the score.

    Args:
        scores: Scores from 0 to 1, shape (n,).
        favourable: Whether each case really had the favourable outcome, shape (n,).
        n_bins: Into how many equal intervals the scores are sorted.

    Returns:
        One bin per interval; those with fewer than 10 cases state no numbers.
    """
    edges = np.round(np.linspace(0, 1, n_bins + 1), 3)
    which = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, n_bins - 1)
    return tuple(
        _bin(float(edges[number]), float(edges[number + 1]), favourable[which == number]) for number in range(n_bins)
    )


def _bin(low: float, high: float, favourable: NDArray[np.bool_]) -> CalibrationBin:
    n, successes = len(favourable), int(favourable.sum())
    if n < SMALLEST_PUBLISHED_GROUP:
        return CalibrationBin(low=low, high=high, n=None, favourable_per_100=None, interval=None)
    lower, upper = wilson_interval(successes, n)
    return CalibrationBin(
        low=low,
        high=high,
        n=n,
        favourable_per_100=round(100 * successes / n, 2),
        interval=(round(100 * lower, 2), round(100 * upper, 2)),
    )
