"""The interval around a share that was counted."""

from math import sqrt

Z_95 = 1.959963984540054
"""Two-sided 95 % quantile of the standard normal distribution."""


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """Give the 95 % score interval of a share.

    Args:
        successes: How many of the cases were favourable.
        n: How many cases there are, at least 1.

    Returns:
        Lower and upper end, as shares from 0 to 1 (E. B. Wilson, Journal of the American Statistical Association 22,
        1927).
    """
    share = successes / n
    centre = (share + Z_95 * Z_95 / (2 * n)) / (1 + Z_95 * Z_95 / n)
    half = Z_95 / (1 + Z_95 * Z_95 / n) * sqrt(share * (1 - share) / n + Z_95 * Z_95 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)
