"""How scores follow from additive scores: the post transforms of ONNX models, as onnxruntime computes them."""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from models.errors import ModelFeaturesMismatchError
from models.scoring_model import Scores

Link = Literal["logistic", "identity", "softmax", "softmax_zero", "probit", "exp", "logistic_shares"]
"""How a score follows from the additive score."""

OVER_ALL_OUTPUTS: frozenset[Link] = frozenset({"softmax", "softmax_zero", "logistic_shares"})
"""Links that need the additive scores of all outputs to give the score of one."""

_NEARLY_ZERO = 1e-7
_WINITZKI = 0.147


def apply_link(link: Link, additive: Scores) -> Scores:
    """Turn additive scores into scores.

    Args:
        link: Which link.
        additive: Shape (n_rows,), or (n_rows, n_outputs) for the links over all outputs.

    Returns:
        The same shape. NaN where the link is not defined.
    """
    return _LINKS[link](additive)


def logistic(additive: Scores) -> Scores:
    """Turn log-odds into probabilities, 1 / (1 + exp(-x)), without overflow at either end."""
    small = np.exp(-np.abs(additive))
    return np.where(additive >= 0, 1.0, small) / (1.0 + small)


def softmax(additive: Scores) -> Scores:
    """Turn scores of classes into shares that sum to 1 along the last axis."""
    powers = np.exp(additive - additive.max(axis=-1, keepdims=True))
    shares: Scores = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def softmax_zero(additive: Scores) -> Scores:
    """As :func:`softmax`, but a class whose score is zero gets (nearly) nothing (ONNX operator TreeEnsemble)."""
    largest = additive.max(axis=-1, keepdims=True)
    powers = np.where(np.abs(additive) > _NEARLY_ZERO, np.exp(additive - largest), additive * np.exp(-largest))
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: Scores = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def logistic_shares(additive: Scores) -> Scores:
    """Turn log-odds of "this class or any other" into shares that sum to 1 along the last axis (one-vs-rest)."""
    chances = logistic(additive)
    shares: Scores = chances / chances.sum(axis=-1, keepdims=True)
    return shares


def probit(additive: Scores) -> Scores:
    """Turn shares between 0 and 1 into quantiles of the normal distribution.

    onnxruntime uses the closed approximation of the inverse error function by Winitzki ("A handy approximation for the
    error function and its inverse", 2008) with a = 0.147, so the same is used here; it is off by up to 0.2 %.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        value = 2 * additive - 1
        logarithm = np.log((1 - value) * (1 + value))
        half = 2 / (np.pi * _WINITZKI) + logarithm / 2
        quantiles: Scores = np.sqrt(2) * np.sign(value) * np.sqrt(np.sqrt(half**2 - logarithm / _WINITZKI) - half)
    return quantiles


def link_of_one_output(link: Link, output: int, n_outputs: int) -> Link:
    """Give the link of one of several outputs, as if it were the only one.

    Args:
        link: Of all outputs.
        output: Position of the class or target.
        n_outputs: How many there are.

    Returns:
        The same link; ``identity`` for one over all outputs, which cannot be computed from one of them alone.

    Raises:
        ModelFeaturesMismatchError: If there is no such output.
    """
    if not 0 <= output < n_outputs:
        raise ModelFeaturesMismatchError(f"The model has {n_outputs} outputs, there is no output {output}.")
    return "identity" if n_outputs > 1 and link in OVER_ALL_OUTPUTS else link


_LINKS: Mapping[Link, Callable[[Scores], Scores]] = {
    "identity": lambda additive: additive,
    "logistic": logistic,
    "softmax": softmax,
    "softmax_zero": softmax_zero,
    "probit": probit,
    "exp": np.exp,
    "logistic_shares": logistic_shares,
}
