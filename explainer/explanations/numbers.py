"""Everything computed about one decision: numbers without words, kept with the decision and rendered later."""

from dataclasses import dataclass

from explainer.explanations.attribution import Attribution
from explainer.explanations.counterfactual import Recourse
from explainer.explanations.reliability import Reliability
from explainer.explanations.strength import StrengthClass


@dataclass(frozen=True, kw_only=True)
class ScoreNumbers:
    """The parts that exist only where the model gave a score.

    Attributes:
        score: In the card's score unit.
        attribution: Contributions that add up to the additive score.
        strengths: One class per feature, in card order.
        reliability: How far the score can be trusted.

    Raises:
        ValueError: If there is not one strength, or not one spread, for each contribution.
    """

    score: float
    attribution: Attribution
    strengths: tuple[StrengthClass, ...]
    reliability: Reliability

    def __post_init__(self) -> None:
        if len(self.strengths) != len(self.attribution.contributions):
            raise ValueError("Every contribution has exactly one strength.")
        stability = self.reliability.stability
        if stability is not None and len(stability.spreads) != len(self.attribution.contributions):
            raise ValueError("Every contribution has exactly one spread, where spreads were computed.")


@dataclass(frozen=True, kw_only=True)
class ExplanationNumbers:
    """All numbers of one explanation.

    Attributes:
        input_digest: SHA-256 (hex) of the canonical inputs these numbers belong to.
        model_sha256: Identity of the package they were computed with.
        background_sha256: Fingerprint of the background.
        score_numbers: None where a statutory rule decided before the score.
        rules_fired: Statutory rule id to whether its condition holds: first the rules before the score, then those
            after it, both in card order.
        recourse: Counterfactuals, or why there are none.
    """

    input_digest: str
    model_sha256: str
    background_sha256: str
    score_numbers: ScoreNumbers | None
    rules_fired: tuple[tuple[str, bool], ...]
    recourse: Recourse
