"""How far one score can be trusted: counts out of 100, distance to the threshold, inputs outside the known range."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CalibratedCount:
    """Of 100 comparable evaluated cases, how many really had the favourable result.

    Attributes:
        favourable_per_100: Point estimate, 0 to 100.
        low_per_100: Lower end of the 95 % interval.
        high_per_100: Upper end of the 95 % interval.
        n: Evaluated cases it rests on.
        as_of: ISO date of the evaluation.
    """

    favourable_per_100: float
    low_per_100: float
    high_per_100: float
    n: int
    as_of: str


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
    """

    calibrated: CalibratedCount | None
    distance_to_threshold: float
    near_threshold: bool
    outside_background: tuple[str, ...]
    background_gap: float
