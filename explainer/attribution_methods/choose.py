"""Chooses how a model's contributions are computed, and computes them for one case."""

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.exact_forest import ExactForest
from explainer.attribution_methods.method import AttributionComputer
from explainer.explanations.attribution import Attribution
from models.package import ModelPackage


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
    return Attribution(
        contributions=tuple(float(part) for part in computer.contributions_of(rows)[0]),
        expected_value=computer.expected_value,
        additive_score=float(package.model.additive_score(rows)[0]),
        leaf_scale=computer.leaf_scale,
        method=computer.method,
    )
