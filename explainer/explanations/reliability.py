"""How far one score can be trusted, and how far the reasons for it."""

from dataclasses import dataclass

from explainer.explanations.similar_cases import SimilarCases
from explainer.explanations.stability import Stability


@dataclass(frozen=True, kw_only=True)
class CalibratedCount:
    """Of 100 comparable evaluated cases, how many really had the favourable result.

    Attributes:
        favourable_per_100: Point estimate, 0 to 100.
        low_per_100: Lower end of the 95 % Wilson interval, see :func:`models.wilson.wilson_interval`.
        high_per_100: Upper end of it.
        n: Evaluated cases it rests on.
        as_of: ISO date of the evaluation.

    Raises:
        ValueError: If the interval does not hold the estimate, or rests on no case.
    """

    favourable_per_100: float
    low_per_100: float
    high_per_100: float
    n: int
    as_of: str

    def __post_init__(self) -> None:
        if not 0 <= self.low_per_100 <= self.favourable_per_100 <= self.high_per_100 <= 100 or self.n < 1:  # noqa: PLR2004 - of 100
            raise ValueError("A count out of 100 lies within its interval and rests on at least one case.")


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """What is known about the reliability of one score.

    Attributes:
        calibrated: None where the evaluation has too few comparable cases.
        distance_to_threshold: Score minus threshold, in the score unit; for several classes the highest score minus
            the next one.
        near_threshold: Whether the score lies so close that small errors in the data could tip it.
        outside_background: Names of features whose value lies outside the background's range.
        background_gap: How far the background's mean score lies from the population's, score unit.
        similar: The cases of the background that are most like this one; None where there are too few to be told.
        stability: How much the contributions depend on who is in the background; None where it was not computed.
    """

    calibrated: CalibratedCount | None
    distance_to_threshold: float
    near_threshold: bool
    outside_background: tuple[str, ...]
    background_gap: float
    similar: SimilarCases | None = None
    stability: Stability | None = None
