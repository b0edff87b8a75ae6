"""What is prepared once so that each case can be told how far its score and its reasons can be trusted."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.agreement import Agreement, check_agreement, sample_rows, second_ways
from explainer.attribution_methods.background_blocks import BlockContributions
from explainer.attribution_methods.choose_blocks import blocks_for_forest
from explainer.attribution_methods.method import AttributionComputer
from explainer.attribution_methods.method_choice import MethodChoice
from explainer.explanations.assess_reliability import assess_reliability
from explainer.explanations.attribution import Attribution
from explainer.explanations.reliability import Reliability
from explainer.explanations.similar_cases import ComparisonGroup
from explainer.explanations.stability import Stability, stability_of
from models.package import ModelPackage
from models.scoring_model import Scores

LOG = logging.getLogger("klarbescheid.models")


@dataclass(frozen=True, kw_only=True)
class CaseReliability:
    """Assesses cases of one model; threads may share it.

    Attributes:
        package: The verified package.
        group: Where similar cases are looked for.
        blocks: Computes contributions against blocks of the background; None where that is not done.
        agreements: How well the method for explanations agrees with independent ones.
    """

    package: ModelPackage
    group: ComparisonGroup
    blocks: BlockContributions | None
    agreements: tuple[Agreement, ...]

    @classmethod
    def prepare(
        cls, package: ModelPackage, computer: AttributionComputer, choice: MethodChoice, spreads: Sequence[float]
    ) -> "CaseReliability":
        """Prepare a package, and hold its method for explanations against independent ones.

        Args:
            package: The verified package.
            computer: Computes the contributions of explanations.
            choice: Which method that is; what it leaves of the memory allowed is there for block tables.
            spreads: How much each feature typically differs between people, in its own unit.

        Returns:
            What assesses cases.

        Raises:
            MethodsDisagreeError: If two ways to compute contributions give different ones.
        """
        background = package.background
        blocks = blocks_for_forest(
            package.forest,
            background.rows,
            background.weights,
            budget_bytes=choice.free_bytes,
        )
        LOG.info("%s: ten blocks of the background, %s", package.card.slug, blocks)
        return cls(
            package=package,
            group=ComparisonGroup(
                background.rows,
                background.weights,
                [_outcome_of(package, score) for score in package.model.score(background.rows).tolist()],
                features=package.card.features,
                spreads=spreads,
                read=package.forest.features_used,
            ),
            blocks=blocks.computer,
            agreements=_agreements(package, computer, blocks.computer),
        )

    @property
    def memory_bytes(self) -> int:
        """Memory that the tables for blocks of the background hold."""
        return 0 if self.blocks is None else self.blocks.memory_bytes

    def of(self, row: NDArray[np.float64], score: float, attribution: Attribution) -> Reliability:
        """Say how far one case's score and reasons can be trusted.

        Args:
            row: Raw row, shape (n_features,).
            score: The model's score of this row, in the card's score unit.
            attribution: Its contributions.

        Returns:
            What evaluation, threshold and background say about it.

        Raises:
            UntrustworthyExplanationError: If the contributions are not the mean of those against blocks.
        """
        return assess_reliability(
            self.package,
            row,
            score,
            similar=self.group.similar_to(row, _outcome_of(self.package, score)),
            stability=self._stability(row, attribution),
        )

    def _stability(self, row: Scores, attribution: Attribution) -> Stability | None:
        if self.blocks is None:
            return None
        by_block = self.blocks.contributions_of(row)
        return stability_of(attribution, by_block, self.blocks.shares, rounding=self.blocks.rounding)


def _outcome_of(package: ModelPackage, score: float) -> str:
    return package.card.outcome_of_score(score).id


def _agreements(
    package: ModelPackage, computer: AttributionComputer, blocks: BlockContributions | None
) -> tuple[Agreement, ...]:
    background, names = package.background, package.card.feature_names
    cases = sample_rows(background, package.model.additive_score(background.rows))
    found = tuple(
        check_agreement(computer, way, cases[:count], names)
        for way, count in second_ways(computer, package.model, background, blocks)
    )
    slug = package.card.slug
    for agreement in found:
        LOG.info("%s: the method for contributions %s", slug, agreement)
    if not found:
        LOG.warning("%s: no second way to contributions is quick enough, so only their sums are checked", slug)
    return found
