"""What two details of one case do together, or why nothing is said about it: pure values that check themselves."""

import math
from dataclasses import dataclass
from typing import Literal

from explainer.explanations.strength import StrengthClass

MAX_INTERACTIONS = 3
"""More than three are not read."""

WhyNoInteractions = Literal["none_noticeable", "details_add_up", "too_many_details", "takes_too_long", "not_confirmed"]
"""Computed, and none is worth a sentence; the model adds up its details one by one; it reads too many details for an
exact answer; one case would ask it too often; the numbers did not pass their check."""


@dataclass(frozen=True, kw_only=True)
class Interaction:
    """What two features do together beyond what each does alone.

    Attributes:
        features: Names of the two, in card order.
        value: Additive unit; half of it is part of each of the two contributions.
        strength: By the same cut-offs as contributions.

    Raises:
        ValueError: If it is one feature, or no finite number.
    """

    features: tuple[str, str]
    value: float
    strength: StrengthClass

    def __post_init__(self) -> None:
        if self.features[0] == self.features[1]:
            raise ValueError("An interaction is one of two different features.")
        if not math.isfinite(self.value):
            raise ValueError("An interaction is a finite number.")


@dataclass(frozen=True, kw_only=True)
class CaseInteractions:
    """The interactions of one case that are worth a sentence.

    Attributes:
        noticeable: Three at most, strongest first, all at least slight.
        none_because: Why there are none; None exactly where there are some.

    Raises:
        ValueError: If one of these rules is broken.
    """

    noticeable: tuple[Interaction, ...] = ()
    none_because: WhyNoInteractions | None = None

    def __post_init__(self) -> None:
        if bool(self.noticeable) == (self.none_because is not None):
            raise ValueError("Either there are interactions, or a reason why there are none.")
        if len(self.noticeable) > MAX_INTERACTIONS or any(one.strength == "negligible" for one in self.noticeable):
            raise ValueError("Only the strongest interactions that are not negligible are worth a sentence.")
        sizes = [-abs(one.value) for one in self.noticeable]
        if sizes != sorted(sizes):
            raise ValueError("The strongest interaction comes first.")
