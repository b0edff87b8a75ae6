"""All contributions of one score, checked when they are put together."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from explainer.errors import AdditivityError

RELATIVE_ADDITIVITY_TOLERANCE = 1e-5
"""Relative to max(1, sum over trees of the largest |leaf|): onnxruntime adds in float32, we add in float64."""

StoppedBecause = Literal["precise_enough", "budget_used"]
"""Why sampling ended: the standard error was small enough, or no evaluations of the model were left."""


@dataclass(frozen=True, kw_only=True)
class AttributionMethod:
    """How contributions were computed.

    Attributes:
        name: Stable name of the method.
        exact: Whether the values are exact (up to rounding) or sampled.
        engine_version: Version of the code that computed them.
        standard_error: For sampled methods the largest of any feature, in additive units; None when exact.
        stopped_because: For sampled methods, why sampling ended; None when exact.

    Raises:
        ValueError: If an exact method claims to have stopped early.
    """

    name: str
    exact: bool
    engine_version: str
    standard_error: float | None = None
    stopped_because: StoppedBecause | None = None

    def __post_init__(self) -> None:
        if self.exact and self.stopped_because is not None:
            raise ValueError("An exact method does not stop early.")


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """Contributions and expected value that together are one score.

    Attributes:
        contributions: Shape ``(n_features,)``, additive unit, in card order.
        expected_value: Weighted mean additive score over the background.
        additive_score: The model runtime's own score in the additive unit.
        leaf_scale: Sum over trees of the largest |leaf| (for linear models: of |coefficient * value|; for
            black boxes: the largest |score| over the background); scales the tolerance.
        method: How it was computed.

    Raises:
        AdditivityError: If the parts do not add up to the runtime's score, or are not finite.
    """

    contributions: tuple[float, ...]
    expected_value: float
    additive_score: float
    leaf_scale: float
    method: AttributionMethod

    def __post_init__(self) -> None:
        if not np.isfinite([*self.contributions, self.expected_value, self.additive_score]).all():
            raise AdditivityError("A contribution is not a finite number, so the explanation is not shown.")
        if abs(self.additivity_gap) > self.tolerance:
            raise AdditivityError(
                f"The contributions miss the model's score by {self.additivity_gap:.3g}; "
                f"at most {self.tolerance:.3g} is allowed, so the explanation is not shown."
            )

    @property
    def additivity_gap(self) -> float:
        """Score minus expected value minus the sum of contributions, in the additive unit."""
        return self.additive_score - self.expected_value - float(np.sum(self.contributions))

    @property
    def tolerance(self) -> float:
        """Largest additivity gap that is still an explanation."""
        return RELATIVE_ADDITIVITY_TOLERANCE * max(1.0, self.leaf_scale)
