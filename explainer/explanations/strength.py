"""Strength words for contributions, from published cut-offs.

A contribution is measured against two yardsticks (docs/reference/strength-words.md): the typical spread of the
additive score over the background, so that a negligible largest effect is called negligible, and the distance of this
score from the threshold, so that an effect which alone could tip the result is never called small.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from models.card import ModelCard, StrengthCutoffs

StrengthClass = Literal["strong", "clear", "slight", "negligible"]

DEFAULT_CUTOFFS = StrengthCutoffs(strong=0.8, clear=0.3, slight=0.08)
"""Shares of the background's standard deviation, used where a card sets none of its own.

Strong is what Cohen calls a large effect (Statistical Power Analysis for the Behavioral Sciences, 1988, section 2.2:
0.8 standard deviations), clear lies between his small and medium one (0.2 and 0.5). Slight begins at about twice the
largest standard error that a background of 1,000 rows leaves in a contribution (0.043 standard deviations, from ten
blocks of the housing benefit model's background): a smaller effect may be an accident of the comparison group.
"""


@dataclass(frozen=True, kw_only=True)
class Yardstick:
    """What contributions are measured against.

    Attributes:
        spread: Weighted standard deviation of the additive score over the background.
        distance_to_threshold: |additive score - additive threshold|; for several classes the additive score of the
            explained class minus the highest of the others.
        cutoffs: From which share of the spread on an influence is called what.
    """

    spread: float
    distance_to_threshold: float
    cutoffs: StrengthCutoffs = DEFAULT_CUTOFFS

    def strength_of(self, contribution: float) -> StrengthClass:
        """Name the strength of one contribution.

        Args:
            contribution: In the additive unit.

        Returns:
            The class; ``slight`` or more is worth a sentence, ``negligible`` is not.
        """
        size = abs(contribution)
        share = size / self.spread if self.spread > 0 else 0.0
        tips_alone = size >= self.distance_to_threshold and share >= self.cutoffs.slight
        if share >= self.cutoffs.strong:
            return "strong"
        if share >= self.cutoffs.clear or tips_alone:
            return "clear"
        if share >= self.cutoffs.slight:
            return "slight"
        return "negligible"


def additive_distance(card: ModelCard, additive_scores: Sequence[float], position: int = 0) -> float:
    """Say how far a score lies from another outcome, in the additive unit.

    Args:
        card: The model's card.
        additive_scores: One, or one for each class.
        position: Of the class that is explained.

    Returns:
        Not negative.
    """
    score = additive_scores[position]
    if card.threshold is None:
        others = [other for place, other in enumerate(additive_scores) if place != position]
        return abs(score - max(others))
    return abs(score - additive_threshold(card))


def additive_threshold(card: ModelCard) -> float:
    """Give the card's threshold in the additive unit.

    Args:
        card: Of a model with a threshold.

    Returns:
        ln(p / (1 - p)) for log-odds, ln(t) for logarithms of the score, else the threshold itself.

    Raises:
        TypeError: If the card has several classes and no threshold.
    """
    threshold = card.threshold
    if threshold is None:
        raise TypeError("several classes have no threshold")
    match card.additive_unit:
        case "log_odds":
            return math.log(threshold) - math.log1p(-threshold)
        case "log_score":
            return math.log(threshold)
        case _:
            return threshold
