"""Chooses how a model's contributions are computed, and computes them for one case."""

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.exact_enumeration import MAX_FEATURES, ExactEnumeration
from explainer.attribution_methods.exact_forest import ExactForest
from explainer.attribution_methods.method import AttributionComputer
from explainer.attribution_methods.sampled_permutation import SampledPermutation
from explainer.explanations.attribution import Attribution, AttributionMethod
from models.package import Background, ModelPackage
from models.scoring_model import Scores, ScoringModel


def method_for(package: ModelPackage) -> AttributionComputer:
    """Prepare the best method for a model; done once, before the first case.

    Args:
        package: A verified package.

    Returns:
        The method, ready for any number of threads.

    Raises:
        UnsupportedModelError: If no exact method fits into memory.
    """
    background = package.background
    return ExactForest(package.forest, background.rows, background.weights)


def attribute(computer: AttributionComputer, package: ModelPackage, row: NDArray[np.float64]) -> Attribution:
    """Explain one case's additive score.

    The score comes from the model's runtime and the contributions from our own reading of the trees, so that their sum
    proves something.

    Args:
        computer: From :func:`method_for` of the same package.
        package: The verified package.
        row: Raw row, shape (n_features,).

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
        additive_score=float(package.model.additive_score(rows)[0]),
        leaf_scale=computer.leaf_scale,
        method=method,
    )


def method_for_black_box(model: ScoringModel, background: Background) -> AttributionComputer:
    """Prepare the best method for a model that is only ever asked for scores; see :func:`method_for`."""
    if model.n_features <= MAX_FEATURES:
        return ExactEnumeration(model, background.rows, background.weights)
    return SampledPermutation(model, background.rows, background.weights)


def _computed(computer: AttributionComputer, row: NDArray[np.float64]) -> tuple[Scores, AttributionMethod]:
    # How sure an estimate is belongs to the case, not to the method.
    if isinstance(computer, SampledPermutation):
        sampled = computer.sample(row)
        return sampled.contributions, sampled.method
    return computer.contributions_of(row[np.newaxis])[0], computer.method
