"""Prepares how a model's contributions are computed, and computes them for one case."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.black_boxes.coalition_game import CoalitionGame
from explainer.attribution_methods.black_boxes.exact_enumeration import MAX_FEATURES, ExactEnumeration
from explainer.attribution_methods.black_boxes.sampled_permutation import SampledPermutation
from explainer.attribution_methods.blocks.background_blocks import BlockDivision
from explainer.attribution_methods.forests.exact_forest import ExactForest
from explainer.attribution_methods.forests.forest_layout import ForestLayout
from explainer.attribution_methods.interactions.noticeable_interactions import PreparedInteractions
from explainer.attribution_methods.method import AttributionComputer
from explainer.attribution_methods.method_choice import (
    DEFAULT_BUDGET_BYTES,
    MethodChoice,
    MethodName,
    choose_method,
    rows_weigh_the_same,
    usable_cores,
)
from explainer.attribution_methods.sums.linear import ExactLinear
from explainer.attribution_methods.sums.term_sums import TermSums
from explainer.attribution_methods.table_cache import TableCache
from explainer.explanations.attribution import Attribution, AttributionMethod
from models.forest import Forest
from models.linear_model import LinearModel, PointsTable
from models.package import Background, ModelPackage
from models.scoring_model import OneOfSeveralScores, Scores, ScoringModel
from models.term_model import TermModel


@dataclass(frozen=True, kw_only=True)
class PreparedMethod:
    """A method that is ready, compiled where it is compiled at all.

    Attributes:
        computer: Computes contributions.
        choice: Which method it is, why, and the memory it really holds.
    """

    computer: AttributionComputer
    choice: MethodChoice

    def charged(self, what: str, needed_bytes: int) -> "PreparedMethod":
        """Charge more memory to the same budget; see :meth:`MethodChoice.charged`."""
        return replace(self, choice=self.choice.charged(what, needed_bytes))


def prepare_method(
    forest: Forest,
    background_rows: NDArray[np.float64],
    background_weights: NDArray[np.float64],
    *,
    budget_bytes: int = DEFAULT_BUDGET_BYTES,
    many_rows: bool = False,
    threads: int | None = None,
    cache: TableCache | None = None,
) -> PreparedMethod:
    """Choose and prepare the best exact method for a forest; done once, before the first case.

    Args:
        forest: The trees.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,).
        budget_bytes: Memory the method may hold.
        many_rows: Whether thousands of rows are to be explained at once, not one case at a time.
        threads: Threads among which many rows are divided; None for one per usable core.
        cache: Where compiled leaf tables are kept between starts; None to make them anew each time.

    Returns:
        The method, ready for any number of threads.

    Raises:
        UnsupportedModelError: If no exact method fits into memory.
    """
    threads = threads or usable_cores()
    choice = choose_method(
        ForestLayout.of(forest),
        len(background_rows),
        budget_bytes=budget_bytes,
        many_rows=many_rows,
        threads=threads,
        rows_count_alike=rows_weigh_the_same(background_weights),
    )
    computer = _build(choice, forest, background_rows, background_weights, threads, cache)
    return PreparedMethod(computer=computer, choice=replace(choice, memory_bytes=computer.memory_bytes))


def _build(  # noqa: PLR0917 -- what prepare_method was given
    choice: MethodChoice,
    forest: Forest,
    rows: NDArray[np.float64],
    weights: NDArray[np.float64],
    threads: int,
    cache: TableCache | None,
) -> AttributionComputer:
    if choice.name is MethodName.LEAF_TABLES:
        return ExactForest(forest, rows, weights, table_bytes=choice.budget_bytes)
    # Here and not above, because these load numba, which small models never need.
    if choice.name is MethodName.COMPILED_LEAF_TABLES:
        from explainer.attribution_methods.forests.compiled_leaf_tables import CompiledLeafTables  # noqa: PLC0415

        return CompiledLeafTables(forest, rows, weights, table_bytes=choice.budget_bytes, threads=threads, cache=cache)
    if choice.name is MethodName.COUNTED_FOREST:
        from explainer.attribution_methods.forests.counted_forest import CountedForest  # noqa: PLC0415

        return CountedForest(forest, rows, weights, threads=threads)
    from explainer.attribution_methods.forests.deep_forest import DeepForest  # noqa: PLC0415

    return DeepForest(forest, rows, weights, threads=threads)


def methods_for(
    package: ModelPackage, *, budget_bytes: int = DEFAULT_BUDGET_BYTES, cache: TableCache | None = None
) -> tuple[PreparedMethod, ...]:
    """Prepare the best method for single cases of a model: one for each of its scores.

    This is the one place that knows which kind of model is explained how.

    Args:
        package: A verified package.
        budget_bytes: Memory that all of them may hold together.
        cache: See :func:`prepare_method`.

    Returns:
        The methods, ready for any number of threads: one, or one for each class in the order of the card.

    Raises:
        UnsupportedModelError: If there is no method within the memory allowed.
    """
    share = budget_bytes // package.n_scores
    return tuple(_method_for(package, position, share, cache) for position in range(package.n_scores))


def _method_for(package: ModelPackage, position: int, budget_bytes: int, cache: TableCache | None) -> PreparedMethod:
    rows, weights = package.background.rows, package.background.weights
    match package.reading:
        case Forest():
            forest = package.reading.for_output(position)
            return prepare_method(forest, rows, weights, budget_bytes=budget_bytes, cache=cache)
        case LinearModel():
            return _of_sum(ExactLinear(package.reading.for_output(position), rows, weights), budget_bytes)
        case PointsTable():
            return _of_sum(ExactLinear(package.reading, rows, weights), budget_bytes)
        case TermModel():
            return _of_sum(TermSums(package.reading.for_output(position), rows, weights), budget_bytes)
        case None:
            return _by_asking(one_score_of(package, position), package.background, budget_bytes)


def one_score_of(package: ModelPackage, position: int) -> ScoringModel:
    """Give the model of a package as one with a single score, for several classes that of one of them."""
    return package.model if package.n_scores == 1 else OneOfSeveralScores(package.model, position)


def _of_sum(computer: ExactLinear | TermSums, budget_bytes: int) -> PreparedMethod:
    alone = isinstance(computer, ExactLinear)
    choice = MethodChoice(
        name=MethodName.CLOSED_FORM if alone else MethodName.TERM_SUMS,
        reason=f"The score is a sum of parts over one {'feature' if alone else 'or two features'} each.",
        memory_bytes=computer.memory_bytes,
        budget_bytes=budget_bytes,
    )
    return PreparedMethod(computer=computer, choice=choice)


def _by_asking(model: ScoringModel, background: Background, budget_bytes: int) -> PreparedMethod:
    computer = method_for_black_box(model, background)
    exact = isinstance(computer, ExactEnumeration)
    choice = MethodChoice(
        name=MethodName.EXACT_ENUMERATION if exact else MethodName.SAMPLED_PERMUTATION,
        reason=f"The model can only be asked for scores, and it has {model.n_features} features.",
        memory_bytes=computer.memory_bytes,
        budget_bytes=budget_bytes,
    )
    return PreparedMethod(computer=computer, choice=choice)


def attribute(
    computer: AttributionComputer, package: ModelPackage, row: NDArray[np.float64], position: int = 0
) -> Attribution:
    """Explain one case's additive score.

    The score comes from the model's runtime and the contributions, where there is one, from our own reading of the
    model, so that their sum proves something.

    Args:
        computer: Of the method prepared for the same package.
        package: The verified package.
        row: Raw row, shape (n_features,).
        position: For several classes the one the computer was prepared for.

    Returns:
        Contributions that add up to the runtime's score.

    Raises:
        AdditivityError: If they do not.
    """
    rows = row[np.newaxis]
    contributions, method = _computed(computer, row)
    return Attribution(
        contributions=tuple(float(part) for part in contributions),
        expected_value=computer.expected_value,
        additive_score=float(np.ravel(package.model.additive_score(rows))[position]),
        leaf_scale=computer.leaf_scale,
        method=method,
    )


def method_for_black_box(model: ScoringModel, background: Background) -> AttributionComputer:
    """Prepare the best method for a model that is only ever asked for scores; see :func:`methods_for`."""
    division = BlockDivision.of(background.rows, background.weights)
    if model.n_features <= MAX_FEATURES:
        return ExactEnumeration(model, background.rows, background.weights, division=division)
    return SampledPermutation(model, background.rows, background.weights, division=division)


def interactions_for(package: ModelPackage, position: int = 0) -> PreparedInteractions:
    """Prepare what finds interactions of a model's cases.

    Args:
        package: The verified package.
        position: For several classes the one that is explained.

    Returns:
        What computes interactions, or the reason why nothing does.
    """
    rows, weights = package.background.rows, package.background.weights
    game = CoalitionGame(one_score_of(package, position).additive_score, rows, weights)
    match package.reading:
        case Forest():
            return PreparedInteractions.of_forest(package.reading.for_output(position), game)
        case LinearModel() | PointsTable():
            return PreparedInteractions.of_sum(game)
        case TermModel():
            return PreparedInteractions.of_terms(TermSums(package.reading.for_output(position), rows, weights), game)
        case None:
            return PreparedInteractions.of_black_box(game)


def _computed(computer: AttributionComputer, row: NDArray[np.float64]) -> tuple[Scores, AttributionMethod]:
    # How sure an estimate is belongs to the case, not to the method.
    if isinstance(computer, SampledPermutation):
        sampled = computer.sample(row)
        return sampled.contributions, sampled.method
    return computer.contributions_of(row[np.newaxis])[0], computer.method
