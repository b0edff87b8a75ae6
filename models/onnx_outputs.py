"""What the outputs of a scoring node mean: which of its columns is the score, and which link leads to it.

The conventions differ between exporters. A classifier for two classes may carry weights for one column or for both;
with one column the runtime makes the other. Where the runtime ignores a post transform that the file asks for, the
file is refused: nobody could say which of the two numbers was meant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import MalformedPackageError, UnsupportedModelError
from models.links import Link
from models.onnx_graph import ScoringGraph, floats_of
from models.scoring_model import Scores

_LINKS: Mapping[str, Link] = {
    "NONE": "identity",
    "LOGISTIC": "logistic",
    "SOFTMAX": "softmax",
    "SOFTMAX_ZERO": "softmax_zero",
    "PROBIT": "probit",
}
_LINKS_BEHIND: Mapping[str, Link] = {"Sigmoid": "logistic", "Exp": "exp"}
_VERSION_5_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
_TWO = 2


@dataclass(frozen=True, eq=False)
class Outputs:
    """How the weights and columns of a tree ensemble or linear model become scores.

    Attributes:
        link: How a score follows from the additive score.
        weights_to_outputs: Shape (n_weight_columns, n_outputs): what the weights for each class or target add to
            each additive score.
        columns_to_outputs: Shape (n_columns, n_outputs): the same for the columns the runtime gives.
        base_values: Added to each additive score, shape (n_outputs,).
        has_base_values: Whether the file carries base values.
    """

    link: Link
    weights_to_outputs: NDArray[np.float64]
    columns_to_outputs: NDArray[np.float64]
    base_values: NDArray[np.float64]
    has_base_values: bool

    @property
    def n_outputs(self) -> int:
        """Additive scores per row."""
        return int(self.weights_to_outputs.shape[1])

    @property
    def n_columns(self) -> int:
        """Columns the runtime gives."""
        return int(self.columns_to_outputs.shape[0])

    def additive_scores_of(self, columns: Scores) -> Scores:
        """Additive scores out of the runtime's columns before the post transform, (n_rows,) if there is one output."""
        additive: Scores = columns @ self.columns_to_outputs
        return additive[:, 0] if self.n_outputs == 1 else additive

    def scores_of(self, columns: Scores) -> Scores:
        """Scores out of the runtime's columns, (n_rows,) if there is one output: then the last column."""
        return columns[:, -1] if self.n_outputs == 1 else columns


def read_outputs(graph: ScoringGraph) -> Outputs:
    """Read what a scoring node's outputs mean.

    Args:
        graph: The graph that holds it.

    Returns:
        The meaning.

    Raises:
        UnsupportedModelError: If the runtime does not do what the file says, or nobody could say what is meant.
        MalformedPackageError: If the file contradicts itself.
    """
    transform, ending = _transform_of(graph), graph.ending
    if ending.changes_sums and transform != "NONE":
        raise UnsupportedModelError(
            f"Behind the {graph.scorer} there is arithmetic on what the post transform {transform} gives. That is not "
            "read: use NONE, and a Sigmoid behind the arithmetic where a probability is wanted."
        )
    outputs = _of_linear_model(graph, transform) if graph.is_linear else _of_trees(graph, transform)
    return replace(
        outputs,
        weights_to_outputs=outputs.weights_to_outputs * ending.factor,
        base_values=outputs.base_values * ending.factor + ending.offset,
    )


def weight_columns_of(attributes: Mapping[str, Any], *, is_classifier: bool) -> list[int]:
    """Give the class or target of each leaf weight, in the order of the file."""
    return [int(column) for column in attributes.get("class_ids" if is_classifier else "target_ids", [])]


def _of_trees(graph: ScoringGraph, transform: str) -> Outputs:
    if graph.is_classifier:
        outputs = _of_classifier(graph, transform)
    else:
        n_targets = int(graph.attributes.get("n_targets", 1))
        if n_targets < 1:
            raise MalformedPackageError("The trees have no target.")
        if n_targets == 1 and transform not in ("NONE", "PROBIT"):
            raise UnsupportedModelError(
                f"The runtime ignores the post transform {transform} of tree regressors with one target: use NONE, and "
                "a Sigmoid behind the trees where a probability is wanted."
            )
        if graph.is_version_5 and transform in ("SOFTMAX", "LOGISTIC"):
            raise UnsupportedModelError(
                f"onnxruntime 1.32 exchanges SOFTMAX and LOGISTIC of the operator TreeEnsemble, so that {transform} "
                "could mean either: use TreeEnsembleClassifier, or NONE."
            )
        outputs = _outputs(graph, _LINKS[transform], np.eye(n_targets), np.eye(n_targets))
    if not graph.ending.link:
        return outputs
    if outputs.link != "identity" or outputs.n_outputs != 1:
        raise UnsupportedModelError(
            f"The operator {graph.ending.link} is read only behind trees with one score and without a post transform."
        )
    return replace(outputs, link=_LINKS_BEHIND[graph.ending.link])


def _of_classifier(graph: ScoringGraph, transform: str) -> Outputs:
    labels = graph.attributes.get("classlabels_int64s") or graph.attributes.get("classlabels_strings") or []
    n_classes = len(labels)
    if n_classes < _TWO:
        raise UnsupportedModelError(f"Classifiers with {n_classes} classes are not read.")
    columns = set(weight_columns_of(graph.attributes, is_classifier=True))
    link = _LINKS[transform]
    every_class, second_class = np.eye(n_classes), np.array([[0.0], [1.0]])
    if n_classes > _TWO:
        return _outputs(graph, link, every_class, every_class)
    if columns <= {0}:
        # One column of weights is the second class, whatever its number; the runtime makes the first class's.
        if transform not in ("NONE", "LOGISTIC"):
            raise UnsupportedModelError(
                f"The runtime ignores the post transform {transform} where two classes share one column of weights."
            )
        return _outputs(graph, link, np.eye(1), second_class)
    if transform == "SOFTMAX":
        # exp(b) / (exp(a) + exp(b)) = 1 / (1 + exp(-(b - a))): the difference is the log-odds of the second class.
        difference = np.array([[-1.0], [1.0]])
        return _outputs(graph, "logistic", difference, difference)
    if transform == "SOFTMAX_ZERO":
        return _outputs(graph, link, every_class, every_class)
    return _outputs(graph, link, second_class, second_class)


def _of_linear_model(graph: ScoringGraph, transform: str) -> Outputs:
    intercepts = floats_of(graph.attributes, "intercepts").astype(np.float64)
    coefficients = floats_of(graph.attributes, "coefficients")
    n_classes, n_weights = _linear_sizes(graph, len(intercepts))
    if len(coefficients) == 0 or len(coefficients) % n_weights or len(intercepts) not in (0, n_weights):
        raise MalformedPackageError("The linear model's coefficients and intercepts do not fit together.")
    link = _linear_link(graph, transform, n_classes, n_weights, coefficients)
    columns_to_outputs = weights_to_outputs = np.eye(n_classes)
    if n_classes == _TWO and graph.is_classifier:
        second = [[-1.0], [1.0]] if transform == "SOFTMAX" else [[0.0], [1.0]]
        columns_to_outputs = np.array(second)
        weights_to_outputs = columns_to_outputs if n_weights == _TWO else np.eye(1)
    return Outputs(
        link=link,
        weights_to_outputs=weights_to_outputs,
        columns_to_outputs=columns_to_outputs,
        base_values=(intercepts if len(intercepts) else np.zeros(n_weights)) @ weights_to_outputs,
        has_base_values=len(intercepts) > 0,
    )


def _linear_sizes(graph: ScoringGraph, n_intercepts: int) -> tuple[int, int]:
    """Give the number of classes or targets, and of rows of coefficients."""
    if not graph.is_classifier:
        n_targets = int(graph.attributes.get("targets", 1))
        if n_targets < 1:
            raise MalformedPackageError("The linear model has no target.")
        return n_targets, n_targets
    labels = graph.attributes.get("classlabels_ints") or graph.attributes.get("classlabels_strings") or []
    if len(labels) < _TWO:
        raise UnsupportedModelError(f"Classifiers with {len(labels)} classes are not read.")
    return len(labels), max(1, n_intercepts) if len(labels) == _TWO else len(labels)


def _linear_link(
    graph: ScoringGraph, transform: str, n_classes: int, n_weights: int, coefficients: NDArray[np.float32]
) -> Link:
    if not graph.is_classifier:
        if transform != "NONE":
            # onnxruntime 1.32 skips it for one target, so standard and runtime would give different scores.
            raise UnsupportedModelError("A LinearRegressor with a post transform is not read: runtimes may skip it.")
        if not graph.ending.link:
            return "identity"
        if graph.ending.link not in _LINKS_BEHIND or n_classes > 1:
            raise UnsupportedModelError(
                f"A {graph.ending.link} behind a LinearRegressor with {n_classes} targets is not read."
            )
        return _LINKS_BEHIND[graph.ending.link]
    if transform not in ("NONE", "LOGISTIC", "SOFTMAX") or (transform == "SOFTMAX" and n_weights == 1):
        raise UnsupportedModelError(f"Linear models with the post transform {transform} are not yet read.")
    if graph.ending.link not in ("", "Normalizer"):
        raise UnsupportedModelError(f"A {graph.ending.link} is read only behind a LinearRegressor with one target.")
    two_classes = n_classes == _TWO
    if graph.ending.link == "Normalizer" and transform != "SOFTMAX":
        weights = coefficients.reshape(n_weights, -1)
        intercepts = floats_of(graph.attributes, "intercepts")
        mirrored = n_weights == 1 or (two_classes and not np.any(weights.sum(axis=0)) and intercepts.sum() == 0)
        if transform != "LOGISTIC" or (two_classes and not mirrored):
            raise UnsupportedModelError("A Normalizer behind anything but probabilities of classes is not yet read.")
        return "logistic" if two_classes else "logistic_shares"
    if transform == "SOFTMAX":
        return "logistic" if two_classes else "softmax"
    return _LINKS[transform]


def _outputs(
    graph: ScoringGraph, link: Link, weights_to_outputs: NDArray[np.float64], columns_to_outputs: NDArray[np.float64]
) -> Outputs:
    base = floats_of(graph.attributes, "base_values").astype(np.float64)
    n_weights, n_outputs = weights_to_outputs.shape
    if n_outputs == 1 and len(columns_to_outputs) == _TWO:
        # Of one or two base values the last belongs to the second class, whose probability is the score.
        base_values = base @ weights_to_outputs if len(base) == n_weights == _TWO else base[-1:]
        if not len(base):
            base_values = np.zeros(1)
        elif len(base) > _TWO:
            base_values = base
    else:
        base_values = base if len(base) else np.zeros(n_outputs)
    if base_values.shape != (n_outputs,) or n_weights > len(columns_to_outputs):
        raise MalformedPackageError(f"The trees carry {len(base)} base values for {len(columns_to_outputs)} columns.")
    return Outputs(
        link=link,
        weights_to_outputs=weights_to_outputs,
        columns_to_outputs=columns_to_outputs,
        base_values=base_values,
        has_base_values=len(base) > 0,
    )


def _transform_of(graph: ScoringGraph) -> str:
    stored = graph.attributes.get("post_transform", 0 if graph.is_version_5 else b"NONE")
    if isinstance(stored, int):
        name = _VERSION_5_TRANSFORMS[stored] if 0 <= stored < len(_VERSION_5_TRANSFORMS) else str(stored)
    else:
        name = bytes(stored).decode("ascii", "replace")
    if name not in _LINKS:
        raise UnsupportedModelError(f"Trees with the post transform {name[:40]} are not yet read.")
    return name
