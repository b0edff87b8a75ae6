"""Everything one explanation document is built from, checked to belong together before a word is said."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from explainer.decisions.decision import Decision, ModelVersion, Value
from explainer.errors import CounterfactualError, UntrustworthyExplanationError
from explainer.explanations.document import Audience, BackgroundRef, Language
from explainer.explanations.interactions import CaseInteractions
from explainer.explanations.numbers import ExplanationNumbers, ScoreNumbers
from models.card import ModelCard
from models.evaluation import Evaluation
from models.statutory_rules import StatutoryRule


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known when a document is built.

    Attributes:
        id: Random number of the explanation, hex.
        produced_at: When it is built, UTC.
        audience: Who reads it.
        language: In which language.
        card: Of the model version that was applied.
        evaluation: Of the same version.
        background: What contributions are measured against.
        model: The version that was applied.
        register_version: Version of the register entry in force at the time of the decision.
        numbers: Attribution, counterfactuals, reliability, rules.
        inputs: Feature name to the person's value.
        decision: What the city decided; None for an explanation of mere inputs.
        superseded_by: Reference of the decision that replaced this one, or None.
        base_url: Where the service is reached, for links.
        interactions: What two features do together; None where nobody asked, as for subjects, or there is no score.

    Raises:
        UntrustworthyExplanationError: If the parts belong to different models, cases or decisions.
        CounterfactualError: If a counterfactual does not change the outcome, or changes what must not be proposed.
    """

    id: str
    produced_at: datetime
    audience: Audience
    language: Language
    card: ModelCard
    evaluation: Evaluation
    background: BackgroundRef
    model: ModelVersion
    register_version: int
    numbers: ExplanationNumbers
    inputs: Mapping[str, Value]
    decision: Decision | None
    superseded_by: str | None
    base_url: str
    interactions: CaseInteractions | None = None

    def __post_init__(self) -> None:
        problems = [*self._model_problems(), *self._case_problems()]
        if problems:
            raise UntrustworthyExplanationError(
                "The parts of this explanation do not belong together: " + "; ".join(problems) + "."
            )
        self._check_counterfactuals()

    @property
    def deciding_rule(self) -> StatutoryRule | None:
        """The statutory rule that decided before the score, or None."""
        return self._first_fired("before_score") if self.numbers.score_numbers is None else None

    @property
    def rule_after_score(self) -> StatutoryRule | None:
        """The statutory rule that goes before the score's outcome, or None."""
        return self._first_fired("after_score") if self.numbers.score_numbers is not None else None

    @property
    def applied_rule(self) -> StatutoryRule | None:
        """The statutory rule that set the program's outcome, or None where the score did."""
        return self.deciding_rule or self.rule_after_score

    @property
    def program_outcome(self) -> str:
        """Outcome id that the program arrived at, by rule or score."""
        if self.applied_rule is not None:
            return self.applied_rule.outcome
        if self.numbers.score_numbers is None:
            raise RuntimeError("facts without a score have a rule; their own check makes sure")
        scored = self.numbers.score_numbers
        return scored.of_outcome or self.card.outcome_of_score(scored.score).id

    def _first_fired(self, when: str) -> StatutoryRule | None:
        fired = {name for name, applies in self.numbers.rules_fired if applies}
        return next((rule for rule in self.card.rules if rule.when == when and rule.id in fired), None)

    def _model_problems(self) -> list[str]:
        problems = []
        if (self.model.slug, self.model.version) != (self.card.slug, self.card.version):
            problems.append("the card is that of another model version")
        if self.evaluation.model_version != self.card.version:
            problems.append("the evaluation is that of another model version")
        if self.numbers.model_sha256 != self.model.sha256:
            problems.append("the numbers were computed with another model file")
        if self.numbers.background_sha256 != self.background.sha256:
            problems.append("the numbers were computed with another background")
        if {name for name, _ in self.numbers.rules_fired} != {rule.id for rule in self.card.rules}:
            problems.append("the numbers know other statutory rules than the card")
        return problems

    def _case_problems(self) -> list[str]:
        problems = []
        scored = self.numbers.score_numbers
        if set(self.inputs) != set(self.card.feature_names):
            problems.append("the inputs are not those the card lists")
        if scored is not None and not (
            len(scored.attribution.contributions) == len(scored.strengths) == len(self.card.features)
        ):
            problems.append("there is not one contribution for each feature")
        problems += self._interaction_problems()
        if scored is None and self.deciding_rule is None:
            problems.append("there is neither a score nor a statutory rule that replaced it")
        elif scored is not None and not self._classes_fit(scored):
            problems.append("the scores are not those of the classes the card lists")
        elif self.decision is not None:
            problems += self._decision_problems(self.decision)
        return problems

    def _classes_fit(self, scored: ScoreNumbers) -> bool:
        classes = self.card.outcome_of_class
        if len(scored.class_scores) != len(classes):
            return False
        return not classes or classes[scored.class_scores.index(scored.score)] == scored.of_outcome

    def _interaction_problems(self) -> list[str]:
        if self.interactions is None:
            return []
        problems = []
        if self.audience == "subject" or self.numbers.score_numbers is None:
            problems.append("there are interactions where none are told")
        if not {name for one in self.interactions.noticeable for name in one.features} <= set(self.card.feature_names):
            problems.append("the interactions are those of other features than the card's")
        return problems

    def _decision_problems(self, decision: Decision) -> list[str]:
        problems = []
        if decision.model != self.model:
            problems.append("the decision was made with another model version")
        if dict(decision.private.inputs) != dict(self.inputs):
            problems.append("the inputs are not those of the decision")
        if decision.role != self.card.role:
            problems.append("the decision records another role than the card")
        if decision.model_outcome != self.program_outcome:
            problems.append("score and rules lead to another outcome than the decision records")
        return problems

    def _check_counterfactuals(self) -> None:
        features = {feature.name: feature for feature in self.card.features}
        for counterfactual in (*self.numbers.recourse.counterfactuals, *self.numbers.recourse.disputed):
            if counterfactual.outcome == self.program_outcome:
                raise CounterfactualError("A counterfactual leads to the outcome the case already has.")
            if any(self.inputs.get(change.feature) != change.before for change in counterfactual.changes):
                raise CounterfactualError("A counterfactual starts from values that are not those of the case.")
        moved = [moved for constraint in self.card.constraints for moved in constraint.moved_along]
        for counterfactual in self.numbers.recourse.counterfactuals:
            moves_along = {also for one, also, _ in moved if one in counterfactual.feature_names}
            for change in counterfactual.changes:
                feature = features[change.feature]
                if feature.protected or (feature.actionable is None and feature.name not in moves_along):
                    raise CounterfactualError(f"'{change.feature}' must not be proposed as a change.")
