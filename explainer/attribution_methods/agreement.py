"""Two independent ways to the same contributions, compared on a few cases before a model is used.

That the contributions add up to the runtime's score does not prove that each feature got its own. A second way, which
shares as little as possible with the first, would notice.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from explainer.attribution_methods.black_boxes.exact_enumeration import MAX_FEATURES, ExactEnumeration
from explainer.attribution_methods.black_boxes.sampled_permutation import SampledPermutation, StoppingRule
from explainer.attribution_methods.blocks.asked_blocks import AskedBlocks
from explainer.attribution_methods.blocks.background_blocks import BlockContributions
from explainer.attribution_methods.method import AttributionComputer
from explainer.attribution_methods.method_choice import MethodName
from explainer.explanations.attribution import RELATIVE_ADDITIVITY_TOLERANCE
from models.errors import MethodsDisagreeError, UnsupportedModelError
from models.forest import Forest
from models.package import Background
from models.scoring_model import Rows, Scores, ScoringModel

MAX_SAMPLE_ROWS = 5
"""Cases that are computed in both ways."""

MAX_WALKED_ROWS = 2
"""Cases that are walked with every row of the background, which takes some milliseconds each."""

MAX_EVALUATIONS = 40_000
"""Scores the model's runtime may be asked for: a tenth of a second for a model of 150 small trees."""

STANDARD_ERRORS = 6
"""A sampled contribution may miss the exact one by so many standard errors; by chance that is one in 500 million."""


class SecondWay(Protocol):
    """Another way to the contributions of a case."""

    @property
    def name(self) -> str:
        """What it is called in logs and sentences."""
        ...

    def contributions_of(self, row: Scores) -> tuple[Scores, Scores]:
        """Compute contributions of one row, and by how much each may be off: both shape (n_features,)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """That two ways gave the same contributions.

    Attributes:
        second_way: Name of the second one.
        rows: Cases that were computed in both ways.
        largest_difference: In the additive unit.
        tolerance: What was allowed besides the second way's own error, in the additive unit.
    """

    second_way: str
    rows: int
    largest_difference: float
    tolerance: float

    def __str__(self) -> str:
        return (
            f"agrees with {self.second_way} on {self.rows} rows, largest difference {self.largest_difference:.2g} of "
            f"{self.tolerance:.2g} allowed"
        )


@dataclass(frozen=True, kw_only=True)
class MeanOfBlocks:
    """Contributions are linear in the background, so those against its blocks have them as their weighted mean."""

    blocks: BlockContributions
    name: str = "mean_of_blocks"

    def contributions_of(self, row: Scores) -> tuple[Scores, Scores]:
        """Compute contributions of one row."""
        mean = np.asarray(self.blocks.shares @ self.blocks.contributions_of(row), dtype=np.float64)
        return mean, np.full(len(mean), self.blocks.rounding)


@dataclass(frozen=True, kw_only=True)
class EveryCoalition:
    """The runtime itself is asked about every coalition."""

    enumeration: ExactEnumeration
    name: str = "every_coalition"

    def contributions_of(self, row: Scores) -> tuple[Scores, Scores]:
        """Compute contributions of one row."""
        found = self.enumeration.contributions_of(row[np.newaxis])[0]
        return found, np.zeros(len(found))


@dataclass(frozen=True, kw_only=True)
class SampledOrders:
    """The runtime is asked along sampled orders of the features; agrees within its standard error."""

    sampling: SampledPermutation
    name: str = "sampled_orders"

    def contributions_of(self, row: Scores) -> tuple[Scores, Scores]:
        """Compute contributions of one row."""
        found = self.sampling.sample(row)
        return found.contributions, STANDARD_ERRORS * found.standard_errors


@dataclass(frozen=True, kw_only=True)
class OtherKernel:
    """Another exact method computes the same contributions.

    What is counted with sets of background rows is walked with every row of the background instead; both share the
    layout of the trees and nothing else.
    """

    computer: AttributionComputer
    name: str = "walk_with_every_row"

    def contributions_of(self, row: Scores) -> tuple[Scores, Scores]:
        """Compute contributions of one row."""
        found = self.computer.contributions_of(row[np.newaxis])[0]
        return found, np.zeros(len(found))


def second_ways(
    computer: AttributionComputer,
    model: ScoringModel,
    background: Background,
    blocks: BlockContributions | None,
    *,
    forest: Forest | None = None,
    chosen: MethodName | None = None,
) -> tuple[tuple[SecondWay, int], ...]:
    """List the second ways that are quick enough, and how many cases each can take.

    Args:
        computer: The method that is used for explanations; what it does itself is no second way.
        model: The model's runtime.
        background: What contributions are measured against.
        blocks: Contributions against its blocks, where they are computed.
        forest: The trees of the score that is explained, if it has any.
        chosen: Which method it is.

    Returns:
        Second ways and numbers of cases, at most 5.
    """
    ways: list[tuple[SecondWay, int]] = []
    if blocks is not None and not isinstance(blocks, AskedBlocks):
        ways.append((MeanOfBlocks(blocks=blocks), MAX_SAMPLE_ROWS))
    rows, weights = background.rows, background.weights
    # Blocks of trees that are walked are walked by the same method, so their mean alone proves little.
    walked = chosen in (MethodName.DEEP_FOREST, MethodName.COUNTED_FOREST)
    if chosen is MethodName.COUNTED_FOREST and forest is not None:
        # Here and not above, because this loads numba, which the method that is checked has loaded.
        from explainer.attribution_methods.forests.deep_forest import DeepForest  # noqa: PLC0415

        ways.append((OtherKernel(computer=DeepForest(forest, rows, weights)), MAX_WALKED_ROWS))
        walked = False
    per_case = len(rows) << min(model.n_features, MAX_FEATURES + 1)
    if model.n_features <= MAX_FEATURES and per_case <= MAX_EVALUATIONS and not isinstance(computer, ExactEnumeration):
        cases = min(MAX_SAMPLE_ROWS, MAX_EVALUATIONS // per_case)
        ways.append((EveryCoalition(enumeration=ExactEnumeration(model, rows, weights)), cases))
    elif (walked or not ways) and not isinstance(computer, SampledPermutation):
        try:
            sampling = SampledPermutation(
                model, rows, weights, stopping=StoppingRule(target_share=1.0, max_evaluations=MAX_EVALUATIONS)
            )
        except UnsupportedModelError:
            return tuple(ways)
        ways.append((SampledOrders(sampling=sampling), 1))
    return tuple(ways)


def check_agreement(
    computer: AttributionComputer, way: SecondWay, rows: Rows, feature_names: tuple[str, ...]
) -> Agreement:
    """Compute contributions in two ways and refuse the model if they differ.

    Args:
        computer: The method that is used for explanations.
        way: The second way.
        rows: Raw rows, shape (n_rows, n_features).
        feature_names: How the sentence calls the features.

    Returns:
        How well they agree.

    Raises:
        MethodsDisagreeError: If a contribution differs by more than both ways may be off; names row, feature and
            difference.
    """
    tolerance = RELATIVE_ADDITIVITY_TOLERANCE * max(1.0, computer.leaf_scale)
    largest = 0.0
    for number, row in enumerate(rows):
        first = computer.contributions_of(row[np.newaxis])[0]
        second, error = way.contributions_of(row)
        differences = np.abs(first - second)
        # Written as "not within" so that NaN counts as a difference.
        outside = np.flatnonzero(~(differences <= tolerance + error))
        if len(outside):
            worst = int(outside[np.argmax(np.nan_to_num(differences[outside], nan=np.inf))])
            raise MethodsDisagreeError(
                f"For sample case {number}, the contribution of '{feature_names[worst]}' is {first[worst]:.9g}, but "
                f"{second[worst]:.9g} when computed by {way.name}: {differences[worst]:.3g} apart, and at most "
                f"{tolerance + error[worst]:.3g} is allowed. The model is not used."
            )
        largest = max(largest, float(differences.max(initial=0.0)))
    return Agreement(second_way=way.name, rows=len(rows), largest_difference=largest, tolerance=tolerance)


def sample_rows(background: Background, additive_scores: Scores) -> Rows:
    """Choose cases for the comparison: spread evenly from the highest to the lowest score of the background.

    Args:
        background: What contributions are measured against.
        additive_scores: Of its rows, shape (m,).

    Returns:
        At most 5 rows, first the highest and then the lowest score, whose contributions are the largest.
    """
    order = np.argsort(additive_scores, kind="stable")
    places = np.linspace(len(order) - 1, 0, MAX_SAMPLE_ROWS).astype(np.int64)
    kept = dict.fromkeys([int(places[0]), int(places[-1]), *places.tolist()])
    return np.asarray(background.rows[order[list(kept)]], dtype=np.float64)
