"""Shapley values of single leaves for every set of features a row may meet: what leaf tables are filled with.

A leaf with d features is reached from a mixture of row and background row if each feature, from whichever of the two it
is taken, meets the leaf's box. The sum over coalitions is made by Owen's integral ("Multilinear extensions of games",
Management Science 18, 1972): the Shapley value is the integral over t from 0 to 1 of the derivative of the game in
which every feature is taken from the row with probability t. That derivative is a polynomial in t of degree below d, so
Gauss-Legendre nodes give the integral exactly; it equals the factorials p! q! / (p + q + 1)! of the closed form.
"""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def shapley_lines(patterns: Numbers) -> Numbers:
    """Compute the Shapley values of leaves worth 1.

    Args:
        patterns: Share of the background that meets exactly each set of the leaf's features, shape (n_leaves, 2^d); bit
            ``slot`` of the position says whether the feature of that slot is met.

    Returns:
        Shape (n_leaves, 2^d, d): for each set that the row may meet the value of each feature.
    """
    n_leaves, n_sets = patterns.shape
    depth = n_sets.bit_length() - 1
    lines = np.zeros((depth, n_leaves, n_sets))
    # n nodes integrate polynomials up to degree 2n - 1 exactly; the degree here is at most d - 1.
    nodes, weights = np.polynomial.legendre.leggauss((depth + 1) // 2)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        reached = patterns
        for slot in range(depth):
            reached = _with_feature(reached, slot, float(node))
        for slot in range(depth):
            _add_derivative(lines[slot], reached, slot, float(node), float(weight))
    return np.moveaxis(lines, 0, -1)


def _with_feature(patterns: Numbers, slot: int, probability: float) -> Numbers:
    """Take one feature from the row with some probability, else from the background.

    Turns the axis "background meets the side" of this feature into the axis "row meets the side".
    """
    background = _split(patterns, slot)
    row = np.empty_like(background)
    row[:, :, 0] = (1 - probability) * background[:, :, 1]
    row[:, :, 1] = probability * background[:, :, 0] + background[:, :, 1]
    return row.reshape(patterns.shape)


def _add_derivative(line: Numbers, reached: Numbers, slot: int, probability: float, weight: float) -> None:
    """Add, times weight, what it changes to take one feature from the row for certain instead of never.

    The feature itself is taken with the probability already, as all others are. Where the row misses its side, only
    the background reached the leaf, 1 - probability of the time: all of that is lost. Where the row meets it, what is
    won are background rows that miss their side: they reached the leaf probability of the time, beside those that meet
    it and reach it always.
    """
    change, reached = _split(line, slot), _split(reached, slot)
    meeting = reached[:, :, 0] / (1 - probability)
    change[:, :, 0] -= weight * meeting
    change[:, :, 1] += (weight / probability) * (reached[:, :, 1] - meeting)


def _split(sets: Numbers, slot: int) -> Numbers:
    return sets.reshape(len(sets), -1, 2, 1 << slot)
