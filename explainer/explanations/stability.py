"""Whether another comparison group would give the same reasons: contributions against blocks of the background."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explainer.errors import UntrustworthyExplanationError
from explainer.explanations.attribution import Attribution
from explainer.explanations.ties import in_order, tie_tolerance

CERTAIN_FROM = 8
"""From this many of ten blocks on the top reason is called the same; a block has only a tenth of the rows, so it varies
about three times as much as the whole background."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Stability:
    """How much the contributions of one case differ between blocks of the background.

    Attributes:
        blocks: Number of blocks.
        same_top_reason: In how many of them the strongest contribution is the same feature in the same direction.
        spreads: For each feature, in card order, the standard deviation of its contribution between the blocks, in the
            additive unit. Divided by the root of the number of blocks it is a standard error of the contribution
            itself (Wolter, "Introduction to Variance Estimation", 2nd edition 2007, section 2.2).

    Raises:
        ValueError: If the counts do not fit, or a spread is not a number from 0.
    """

    blocks: int
    same_top_reason: int
    spreads: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.same_top_reason <= self.blocks or self.blocks < 2:  # noqa: PLR2004 - one block has no spread
            raise ValueError("The top reason is the same in some of at least two blocks.")
        if not all(np.isfinite(spread) and spread >= 0 for spread in self.spreads):
            raise ValueError("A spread is a number from 0.")

    @property
    def certain(self) -> bool:
        """Whether the top reason hardly depends on who is in the comparison group."""
        return is_certain(self.same_top_reason, self.blocks)


def is_certain(same_top_reason: int, blocks: int) -> bool:
    """Whether a top reason that is the same in so many blocks is called certain."""
    return same_top_reason * 10 >= CERTAIN_FROM * blocks


def stability_of(attribution: Attribution, by_block: Numbers, shares: Numbers, *, rounding: float) -> Stability:
    """Compare the contributions against blocks with those against the whole background.

    Args:
        attribution: Against the whole background.
        by_block: Contributions against each block, shape (n_blocks, n_features), in the additive unit.
        shares: Share of the background's weight in each block, shape (n_blocks,).
        rounding: How far a number of ``by_block`` may be off.

    Returns:
        Their stability.

    Raises:
        UntrustworthyExplanationError: If the blocks' weighted mean is not the contribution: contributions are linear in
            the background, so one of the two computations is wrong.
    """
    contributions = np.array(attribution.contributions)
    mean = shares @ by_block
    missed = np.abs(mean - contributions)
    # Written as "not within" so that NaN counts as a difference.
    if not missed.max(initial=0.0) <= rounding + attribution.tolerance:
        feature = int(np.argmax(np.nan_to_num(missed, nan=np.inf)))
        raise UntrustworthyExplanationError(
            f"Two computations of contribution number {feature + 1} differ by {missed[feature]:.3g}, so the "
            "explanation is not shown."
        )
    tolerance = tie_tolerance(attribution.tolerance, attribution.method.standard_error)
    leaders = in_order(attribution.contributions, tolerance)[0]
    same = int(np.count_nonzero(_led_by(leaders, by_block, contributions, tolerance)))
    variances = shares @ (by_block - mean) ** 2 * len(shares) / (len(shares) - 1)
    return Stability(
        blocks=len(shares),
        same_top_reason=same,
        spreads=tuple(np.sqrt(variances).tolist()),
    )


def _led_by(leaders: Sequence[int], by_block: Numbers, contributions: Numbers, tolerance: float) -> NDArray[np.bool_]:
    """In which blocks one of some features has the strongest contribution, in the direction it has as a whole."""
    theirs = by_block[:, list(leaders)]
    strongest = np.abs(theirs) >= np.abs(by_block).max(axis=1, keepdims=True) - tolerance
    same_direction = np.sign(theirs) == np.sign(contributions[list(leaders)])
    led: NDArray[np.bool_] = (strongest & same_direction).any(axis=1)
    return led
