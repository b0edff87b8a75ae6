"""What is prepared once so that each case can be told how far its score and its reasons can be trusted."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.agreement import Agreement, check_agreement, sample_rows, second_ways
from explainer.attribution_methods.blocks.background_blocks import BlockContributions
from explainer.attribution_methods.blocks.choose_blocks import blocks_for
from explainer.attribution_methods.choose import PreparedMethod, one_score_of
from explainer.attribution_methods.table_cache import TableCache
from explainer.explanations.assess_reliability import assess_reliability
from explainer.explanations.attribution import Attribution
from explainer.explanations.model_outcome import ModelOutcome, outcomes_by_score
from explainer.explanations.reliability import Reliability
from explainer.explanations.similar_cases import ComparisonGroup
from explainer.explanations.stability import Stability, stability_of
from models.forest import Forest
from models.package import ModelPackage
from models.scoring_model import Scores

LOG = logging.getLogger("klarbescheid.models")


@dataclass(frozen=True, kw_only=True)
class CaseReliability:
    """Assesses cases of one model; threads may share it.

    Attributes:
        package: The verified package.
        group: Where similar cases are looked for.
        blocks: For each score of the model what computes contributions against blocks of the background; None where
            that is not done.
        agreements: How well the methods for explanations agree with independent ones.
    """

    package: ModelPackage
    group: ComparisonGroup
    blocks: tuple[BlockContributions | None, ...]
    agreements: tuple[Agreement, ...]

    @classmethod
    def prepare(
        cls,
        package: ModelPackage,
        methods: Sequence[PreparedMethod],
        spreads: Sequence[float],
        cache: TableCache | None = None,
    ) -> "CaseReliability":
        """Prepare a package, and hold its methods for explanations against independent ones.

        Args:
            package: The verified package.
            methods: Compute the contributions of explanations: one method, or one for each class; what they leave of
                the memory allowed is there for block tables.
            spreads: How much each feature typically differs between people, in its own unit.
            cache: Where tables are kept between starts; None makes them anew.

        Returns:
            What assesses cases.

        Raises:
            MethodsDisagreeError: If two ways to compute contributions give different ones.
        """
        background = package.background
        blocks: list[BlockContributions | None] = []
        agreements: list[Agreement] = []
        for position, method in enumerate(methods):
            prepared = blocks_for(
                package, position, method.computer, budget_bytes=method.choice.free_bytes, cache=cache
            )
            LOG.info("%s: ten blocks of the background, %s", package.card.slug, prepared)
            blocks.append(prepared.computer)
            agreements += _agreements(package, position, method, prepared.computer)
        return cls(
            package=package,
            group=ComparisonGroup(
                background.rows,
                background.weights,
                outcomes_by_score(package.card, package.model.score(background.rows)),
                features=package.card.features,
                spreads=spreads,
                read=package.features_used,
            ),
            blocks=tuple(blocks),
            agreements=tuple(agreements),
        )

    @property
    def memory_bytes(self) -> tuple[int, ...]:
        """Memory that the tables for blocks of the background hold, for each score of the model."""
        return tuple(0 if one is None else one.memory_bytes for one in self.blocks)

    def of(self, row: NDArray[np.float64], now: ModelOutcome, attribution: Attribution) -> Reliability:
        """Say how far one case's score and reasons can be trusted.

        Args:
            row: Raw row, shape (n_features,).
            now: What the program arrives at for this row.
            attribution: Contributions to its score.

        Returns:
            What evaluation, threshold and background say about it.

        Raises:
            TypeError: If a rule decided before the score.
            UntrustworthyExplanationError: If the contributions are not the mean of those against blocks.
        """
        if now.score is None:
            raise TypeError("without a score there is nothing to be trusted")
        card = self.package.card
        by_score = now.of_outcome or card.outcome_of_score(now.score).id
        position = card.outcome_of_class.index(by_score) if card.outcome_of_class else 0
        return assess_reliability(
            self.package,
            row,
            now.score,
            now.class_scores,
            similar=self.group.similar_to(row, by_score),
            stability=self._stability(row, self.blocks[position], attribution),
        )

    def _stability(self, row: Scores, blocks: BlockContributions | None, attribution: Attribution) -> Stability | None:
        if blocks is None:
            return None
        return stability_of(attribution, blocks.contributions_of(row), blocks.shares, rounding=blocks.rounding)


def _forest_of(package: ModelPackage, position: int) -> Forest | None:
    return package.reading.for_output(position) if isinstance(package.reading, Forest) else None


def _agreements(
    package: ModelPackage, position: int, method: PreparedMethod, blocks: BlockContributions | None
) -> tuple[Agreement, ...]:
    background, names, computer = package.background, package.card.feature_names, method.computer
    model = one_score_of(package, position)
    cases = sample_rows(background, model.additive_score(background.rows))
    found = tuple(
        check_agreement(computer, way, cases[:count], names)
        for way, count in second_ways(
            computer, model, background, blocks, forest=_forest_of(package, position), chosen=method.choice.name
        )
    )
    slug = package.card.slug
    for agreement in found:
        LOG.info("%s: the method for contributions %s", slug, agreement)
    if not found:
        LOG.warning("%s: no second way to contributions is quick enough, so only their sums are checked", slug)
    return found
