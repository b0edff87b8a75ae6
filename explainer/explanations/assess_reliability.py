"""Says how far one score can be trusted."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explainer.explanations.reliability import CalibratedCount, Reliability
from explainer.explanations.similar_cases import SimilarCases
from explainer.explanations.stability import Stability
from models.package import ModelPackage

NEAR_THRESHOLD = 0.05
"""Probabilities at most this far from the threshold, or from the next best class, are called close to it.

5 of 100 points: on the scale people see, a difference that a rounded income or a corrected rent can make.
"""

NEAR_SHARE_OF_SPREAD = 0.1
"""The same for scores in other units, as a share of their standard deviation over the background."""


def assess_reliability(
    package: ModelPackage,
    row: NDArray[np.float64],
    score: float,
    class_scores: Sequence[float] = (),
    *,
    similar: SimilarCases | None = None,
    stability: Stability | None = None,
) -> Reliability:
    """Say how far one score can be trusted.

    Args:
        package: The verified package.
        row: Raw row, shape (n_features,).
        score: The model's score of this row, in the card's score unit.
        class_scores: For several classes the scores of all of them, ``score`` being the highest.
        similar: What is known about the cases of the background that are most like this one.
        stability: How much the contributions differ between blocks of the background.

    Returns:
        What the evaluation, the threshold and the background say about it.
    """
    threshold = package.card.threshold
    distance = score - (sorted(class_scores)[-2] if threshold is None else threshold)
    return Reliability(
        calibrated=_calibrated(package, score),
        distance_to_threshold=distance,
        near_threshold=abs(distance) <= near_distance(package),
        outside_background=tuple(
            name
            for name, is_outside in zip(package.card.feature_names, _is_outside(row, package), strict=True)
            if is_outside
        ),
        background_gap=package.background.mean_score_gap,
        similar=similar,
        stability=stability,
    )


def _is_outside(row: NDArray[np.float64], package: ModelPackage) -> NDArray[np.bool_]:
    """Say of which features nobody in the background has such a value, or lacks one; shape (n_features,)."""
    lowest, highest = package.background.lowest_values, package.background.highest_values
    return np.where(np.isnan(row), ~package.background.has_missing, (row < lowest) | (row > highest))


def near_distance(package: ModelPackage) -> float:
    """Say up to which distance from the threshold or the next best class scores are called close to it.

    Args:
        package: The verified package.

    Returns:
        In the score unit.
    """
    if package.card.score.is_probability:
        return NEAR_THRESHOLD
    return NEAR_SHARE_OF_SPREAD * package.score_spread


def _calibrated(package: ModelPackage, score: float) -> CalibratedCount | None:
    comparable = package.evaluation.bin_for(score)
    if comparable is None or comparable.n is None:
        return None
    if comparable.favourable_per_100 is None or comparable.interval is None:
        return None
    low, high = comparable.interval
    return CalibratedCount(
        favourable_per_100=comparable.favourable_per_100,
        low_per_100=low,
        high_per_100=high,
        n=comparable.n,
        as_of=package.evaluation.as_of.isoformat(),
    )
