"""A verified model with everything that is prepared once so that each case is explained quickly."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.choose import attribute, interactions_for, method_for
from explainer.attribution_methods.method import AttributionComputer
from explainer.attribution_methods.method_choice import MethodChoice
from explainer.attribution_methods.noticeable_interactions import PreparedInteractions
from explainer.decisions.decision import Value
from explainer.explanations.attribution import Attribution
from explainer.explanations.interactions import CaseInteractions
from explainer.explanations.model_outcome import ModelOutcome, outcome_of_row
from explainer.explanations.numbers import ExplanationNumbers, ScoreNumbers
from explainer.explanations.strength import DEFAULT_CUTOFFS, Yardstick, additive_threshold
from explainer.recourse.action_set import SearchSpace
from explainer.recourse.search import find_recourse
from explainer.use_cases.case_reliability import CaseReliability
from models.canonical_json import canonical_json
from models.features import from_row, to_row
from models.package import ModelPackage

LOG = logging.getLogger("klarbescheid.models")


@dataclass(frozen=True, kw_only=True)
class ExplainedModel:
    """A model that can be asked for outcomes and for the numbers that explain them; threads may share it.

    Attributes:
        package: The verified package.
        computer: Computes contributions.
        method_choice: Which method that is, why, and how much memory it holds.
        spread: Weighted standard deviation of the additive score over the background: what contributions are measured
            against.
        search_space: Where recourse is searched.
        case_reliability: Says how far a case's score and reasons can be trusted.
    """

    package: ModelPackage
    computer: AttributionComputer
    method_choice: MethodChoice
    spread: float
    search_space: SearchSpace
    case_reliability: CaseReliability

    @classmethod
    def prepare(cls, package: ModelPackage) -> "ExplainedModel":
        """Prepare a package, once at start.

        Args:
            package: A verified package.

        Returns:
            The model, ready for any number of threads.

        Raises:
            UnsupportedModelError: If its contributions cannot be computed exactly within the memory allowed.
            MethodsDisagreeError: If two ways to compute contributions give different ones.
        """
        background = package.background
        scores = package.model.additive_score(background.rows)
        mean = np.average(scores, weights=background.weights)
        prepared = method_for(package)
        space = SearchSpace.of(package)
        reliability = CaseReliability.prepare(package, prepared.computer, prepared.choice, space.spreads)
        choice = prepared.choice.charged("tables for blocks of the background", reliability.memory_bytes)
        LOG.info("%s: contributions by %s", package.card.slug, choice)
        return cls(
            package=package,
            computer=prepared.computer,
            method_choice=choice,
            spread=float(np.sqrt(np.average((scores - mean) ** 2, weights=background.weights))),
            search_space=space,
            case_reliability=reliability,
        )

    def outcome_of(self, inputs: Mapping[str, Value]) -> ModelOutcome:
        """Run statutory rules and model on one case.

        Args:
            inputs: Feature name to value.

        Returns:
            Outcome, score, and which rules fired.

        Raises:
            InvalidInputError: If the inputs do not fit the card; lists every problem.
        """
        return outcome_of_row(self.package, self._row_of(inputs))

    def numbers_for(self, inputs: Mapping[str, Value]) -> ExplanationNumbers:
        """Compute everything that explains one case.

        Args:
            inputs: Feature name to value.

        Returns:
            The numbers, each checked when it was put together.

        Raises:
            InvalidInputError: If the inputs do not fit the card.
            UntrustworthyExplanationError: If contributions do not add up or a counterfactual does not hold.
        """
        row = self._row_of(inputs)
        now = outcome_of_row(self.package, row)
        return ExplanationNumbers(
            input_digest=self.input_digest(inputs),
            model_sha256=self.package.sha256,
            background_sha256=self.package.background.sha256,
            score_numbers=None if now.score is None else self._score_numbers(row, now.score),
            rules_fired=now.fired_rules,
            recourse=find_recourse(self.package, inputs, self.search_space),
        )

    def interactions_of(self, inputs: Mapping[str, Value], attribution: Attribution) -> CaseInteractions:
        """Find what two details of one case do together; for staff, at the time they ask.

        Args:
            inputs: Feature name to value.
            attribution: The contributions of this case.

        Returns:
            The strongest, checked against these contributions and the model's own scores, or why there are none.

        Raises:
            InvalidInputError: If the inputs do not fit the card.
        """
        return self._interactions.noticeable(
            self._row_of(inputs),
            attribution,
            self.yardstick_for(attribution.additive_score),
            self.package.card.feature_names,
        )

    @cached_property
    def _interactions(self) -> PreparedInteractions:
        # Prepared when staff first ask: most processes never need it.
        return interactions_for(self.package, self.computer)

    def input_digest(self, inputs: Mapping[str, Value]) -> str:
        """Fingerprint of a case's inputs: what ties stored numbers to the case they belong to.

        Args:
            inputs: Feature name to value.

        Returns:
            SHA-256 (hex) over RFC 8785 of the values as the card codes them, so that 2 and 2.0 are the same.

        Raises:
            InvalidInputError: If the inputs do not fit the card.
        """
        values = from_row(self.package.card.features, self._row_of(inputs))
        # As floats, whole numbers of any size can be written; RFC 8785 refuses integers beyond 2**53.
        coded = {name: float(value) if type(value) is int else value for name, value in values.items()}
        return sha256(canonical_json(coded)).hexdigest()

    def yardstick_for(self, additive_score: float) -> Yardstick:
        """What the contributions to one score are measured against.

        Args:
            additive_score: The model's score in the additive unit.

        Returns:
            The yardstick, with the card's own cut-offs where it has some.
        """
        return Yardstick(
            spread=self.spread,
            distance_to_threshold=abs(additive_score - additive_threshold(self.package.card)),
            cutoffs=self.package.card.strength_cutoffs or DEFAULT_CUTOFFS,
        )

    def _score_numbers(self, row: NDArray[np.float64], score: float) -> ScoreNumbers:
        attribution = attribute(self.computer, self.package, row)
        yardstick = self.yardstick_for(attribution.additive_score)
        return ScoreNumbers(
            score=score,
            attribution=attribution,
            strengths=tuple(yardstick.strength_of(part) for part in attribution.contributions),
            reliability=self.case_reliability.of(row, score, attribution),
        )

    def _row_of(self, inputs: Mapping[str, Value]) -> NDArray[np.float64]:
        return to_row(self.package.card.features, inputs)
