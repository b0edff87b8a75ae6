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
        score: In the card's score unit; for several classes that of ``of_outcome``.
        attribution: Contributions that add up to the additive score.
        strengths: One class per feature, in card order.
        reliability: How far the score can be trusted.
        of_outcome: For several classes the outcome that is explained: the one with the highest score.
        class_scores: For several classes all scores, in the order of the card's classes.

    Raises:
        ValueError: If there is not one strength, or not one spread, for each contribution, or the highest of the class
            scores is another.
    """

    score: float
    attribution: Attribution
    strengths: tuple[StrengthClass, ...]
    reliability: Reliability
    of_outcome: str | None = None
    class_scores: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.strengths) != len(self.attribution.contributions):
            raise ValueError("Every contribution has exactly one strength.")
        if (self.of_outcome is None) != (not self.class_scores) or max(
            self.class_scores, default=self.score
        ) != self.score:
            raise ValueError("Of several classes the one with the highest score is explained.")
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
