"""Contributions that are equally strong as far as anybody can tell, and the fair order of contributions.

A difference that is smaller than the last digit people read, than what the sum itself may be off by, or than the
standard error of sampled contributions, is no difference. To put one of such two first would be made up.
"""

from collections.abc import Sequence

READ_DECIMALS = 3
"""Digits behind the decimal point that staff read of a contribution, in the additive unit."""


def tie_tolerance(additivity_tolerance: float, standard_error: float | None) -> float:
    """How far the sizes of two contributions may differ and still count as equal, in the additive unit.

    Args:
        additivity_tolerance: Largest additivity gap that is allowed, in the additive unit.
        standard_error: Largest standard error of any contribution; None where they are exact.
    """
    return max(additivity_tolerance, standard_error or 0.0, 0.5 * 10.0**-READ_DECIMALS)


def in_order(contributions: Sequence[float], tolerance: float) -> tuple[tuple[int, ...], ...]:
    """Put contributions into groups of equal strength, strongest first.

    Whoever is not weaker than the strongest of a group by more than the tolerance belongs to it; small differences do
    not add up along a chain. Within a group the order is that of the card, which favours nobody.

    Args:
        contributions: In card order, additive unit.
        tolerance: As :func:`tie_tolerance` gives it.

    Returns:
        Positions, each exactly once.
    """
    sizes = [abs(contribution) for contribution in contributions]
    groups: list[list[int]] = []
    for position in sorted(range(len(sizes)), key=lambda one: -sizes[one]):
        if groups and sizes[groups[-1][0]] - sizes[position] <= tolerance:
            groups[-1].append(position)
        else:
            groups.append([position])
    return tuple(tuple(sorted(group)) for group in groups)
