"""A verified model with everything that is prepared once so that each case is explained quickly."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.choose import PreparedMethod, attribute, interactions_for, methods_for
from explainer.attribution_methods.interactions.noticeable_interactions import PreparedInteractions
from explainer.attribution_methods.method import AttributionComputer
from explainer.attribution_methods.method_choice import MethodChoice
from explainer.attribution_methods.table_cache import TableCache
from explainer.decisions.decision import Value
from explainer.errors import UntrustworthyExplanationError
from explainer.explanations.interactions import CaseInteractions
from explainer.explanations.model_outcome import ModelOutcome, outcome_of_row
from explainer.explanations.numbers import ExplanationNumbers, ScoreNumbers
from explainer.explanations.strength import DEFAULT_CUTOFFS, Yardstick, additive_distance
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
        methods: How contributions are computed: one method, or one for each class in the order of the card.
        spreads: For each method the weighted standard deviation of its additive score over the background: what
            contributions are measured against.
        search_space: Where recourse is searched.
        case_reliability: Says how far a case's score and reasons can be trusted.
    """

    package: ModelPackage
    methods: tuple[PreparedMethod, ...]
    spreads: tuple[float, ...]
    search_space: SearchSpace
    case_reliability: CaseReliability

    @classmethod
    def prepare(cls, package: ModelPackage, cache: TableCache | None = None) -> "ExplainedModel":
        """Prepare a package, once for each process.

        Args:
            package: A verified package.
            cache: Where tables are kept between starts; None makes them anew.

        Returns:
            The model, ready for any number of threads.

        Raises:
            UnsupportedModelError: If its contributions cannot be computed within the memory allowed.
            MethodsDisagreeError: If two ways to compute contributions give different ones.
        """
        rows, weights = package.background.rows, package.background.weights
        scores = package.model.additive_score(rows).reshape(len(rows), -1)
        mean = np.average(scores, axis=0, weights=weights)
        methods = methods_for(package, cache=cache)
        space = SearchSpace.of(package)
        reliability = CaseReliability.prepare(package, methods, space.spreads, cache)
        methods = tuple(
            method.charged("tables for blocks of the background", held)
            for method, held in zip(methods, reliability.memory_bytes, strict=True)
        )
        for method in methods:
            LOG.info("%s: contributions by %s", package.card.slug, method.choice)
        _search_once(package, space, scores)
        return cls(
            package=package,
            methods=methods,
            spreads=tuple(np.sqrt(np.average((scores - mean) ** 2, axis=0, weights=weights)).tolist()),
            search_space=space,
            case_reliability=reliability,
        )

    @property
    def computer(self) -> AttributionComputer:
        """Computes contributions to the model's only score, or to that of the first of several classes."""
        return self.methods[0].computer

    @property
    def method_choice(self) -> MethodChoice:
        """Which method :attr:`computer` is, why, and how much memory it holds."""
        return self.methods[0].choice

    @property
    def spread(self) -> float:
        """What the contributions of :attr:`computer` are measured against."""
        return self.spreads[0]

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
            input_digest=self._digest_of(row),
            model_sha256=self.package.sha256,
            background_sha256=self.package.background.sha256,
            score_numbers=None if now.score is None else self._score_numbers(row, now.score, now),
            rules_fired=now.fired_rules,
            recourse=find_recourse(self.package, inputs, self.search_space),
        )

    def interactions_of(self, inputs: Mapping[str, Value], scored: ScoreNumbers) -> CaseInteractions:
        """Find what two details of one case do together; for staff, at the time they ask.

        Args:
            inputs: Feature name to value.
            scored: Score and contributions of this case.

        Returns:
            The strongest, checked against these contributions and the model's own scores, or why there are none.

        Raises:
            InvalidInputError: If the inputs do not fit the card.
        """
        row, position = self._row_of(inputs), self._position_of(scored.of_outcome)
        if position not in self._interactions:
            self._interactions[position] = interactions_for(self.package, position)
        return self._interactions[position].noticeable(
            row,
            scored.attribution,
            self.yardstick_for(self._additive_scores(row), position),
            self.package.card.feature_names,
        )

    @cached_property
    def _interactions(self) -> dict[int, PreparedInteractions]:
        # Each is prepared when staff first ask: most processes never need it.
        return {}

    def input_digest(self, inputs: Mapping[str, Value]) -> str:
        """Fingerprint of a case's inputs: what ties stored numbers to the case they belong to.

        Args:
            inputs: Feature name to value.

        Returns:
            SHA-256 (hex) over RFC 8785 of the values as the card codes them, so that 2 and 2.0 are the same.

        Raises:
            InvalidInputError: If the inputs do not fit the card.
        """
        return self._digest_of(self._row_of(inputs))

    def _digest_of(self, row: NDArray[np.float64]) -> str:
        values = from_row(self.package.card.features, row)
        # As floats, whole numbers of any size can be written; RFC 8785 refuses integers beyond 2**53.
        coded = {name: float(value) if type(value) is int else value for name, value in values.items()}
        return sha256(canonical_json(coded)).hexdigest()

    def yardstick_for(self, additive_scores: Sequence[float], position: int = 0) -> Yardstick:
        """What the contributions to one score are measured against.

        Args:
            additive_scores: The model's scores in the additive unit: one, or one for each class.
            position: Of the class that is explained.

        Returns:
            The yardstick, with the card's own cut-offs where it has some.
        """
        return Yardstick(
            spread=self.spreads[position],
            distance_to_threshold=additive_distance(self.package.card, additive_scores, position),
            cutoffs=self.package.card.strength_cutoffs or DEFAULT_CUTOFFS,
        )

    def _score_numbers(self, row: NDArray[np.float64], score: float, now: ModelOutcome) -> ScoreNumbers:
        position = self._position_of(now.of_outcome)
        attribution = attribute(self.methods[position].computer, self.package, row, position)
        # The runtime was asked a moment ago; only the scores of other classes are not known yet.
        additive = self._additive_scores(row) if now.class_scores else [attribution.additive_score]
        yardstick = self.yardstick_for(additive, position)
        return ScoreNumbers(
            score=score,
            attribution=attribution,
            strengths=tuple(yardstick.strength_of(part) for part in attribution.contributions),
            reliability=self.case_reliability.of(row, now, attribution),
            of_outcome=now.of_outcome,
            class_scores=now.class_scores,
        )

    def _position_of(self, outcome: str | None) -> int:
        return 0 if outcome is None else self.package.card.outcome_of_class.index(outcome)

    def _additive_scores(self, row: NDArray[np.float64]) -> list[float]:
        return [float(score) for score in np.ravel(self.package.model.additive_score(row[np.newaxis]))]

    def _row_of(self, inputs: Mapping[str, Value]) -> NDArray[np.float64]:
        return to_row(self.package.card.features, inputs)


def _search_once(package: ModelPackage, space: SearchSpace, scores: NDArray[np.float64]) -> None:
    """Search for the people of the background with the lowest and the highest score.

    What is compiled for a search is loaded by this, so that the first person does not wait for it, and so that a
    service that is ready has no more need of the compiler.
    """
    if space.cells is None or not space.cells.many:
        return
    for place in {int(np.argmin(scores[:, 0])), int(np.argmax(scores[:, 0]))}:
        with suppress(UntrustworthyExplanationError):
            find_recourse(package, from_row(package.card.features, package.background.rows[place]), space)
