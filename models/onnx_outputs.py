"""What the outputs of an ONNX tree ensemble mean: which of its columns is the score, and which link leads to it.

The conventions differ between exporters. A classifier for two classes may carry weights for one column or for both;
with one column the runtime makes the other. Where the runtime ignores a post transform that the file asks for, the
file is refused: nobody could say which of the two numbers was meant.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import MalformedPackageError, UnsupportedModelError
from models.links import Link
from models.onnx_graph import TreeGraph, floats_of
from models.scoring_model import Scores

_LINKS: Mapping[str, Link] = {
    "NONE": "identity",
    "LOGISTIC": "logistic",
    "SOFTMAX": "softmax",
    "SOFTMAX_ZERO": "softmax_zero",
    "PROBIT": "probit",
}
_VERSION_5_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
_TWO = 2


@dataclass(frozen=True, eq=False)
class Outputs:
    """How an ensemble's weights and columns become scores.

    Attributes:
        link: How a score follows from the additive score.
        weights_to_outputs: Shape (n_weight_columns, n_outputs): what the leaves' weights for each class or target add
            to each additive score.
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


def read_outputs(graph: TreeGraph) -> Outputs:
    """Read what an ensemble's outputs mean.

    Args:
        graph: The graph that holds it.

    Returns:
        The meaning.

    Raises:
        UnsupportedModelError: If the runtime does not do what the file says, or nobody could say what is meant.
        MalformedPackageError: If the file contradicts itself.
    """
    transform = _transform_of(graph)
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
    if not graph.ends_in_sigmoid:
        return outputs
    if outputs.link != "identity" or outputs.n_outputs != 1 or graph.is_classifier:
        raise UnsupportedModelError("A Sigmoid is read only behind a tree regressor with one target and no transform.")
    return _outputs(graph, "logistic", outputs.weights_to_outputs, outputs.columns_to_outputs)


def weight_columns_of(attributes: Mapping[str, Any], *, is_classifier: bool) -> list[int]:
    """Give the class or target of each leaf weight, in the order of the file."""
    return [int(column) for column in attributes.get("class_ids" if is_classifier else "target_ids", [])]


def _of_classifier(graph: TreeGraph, transform: str) -> Outputs:
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


def _outputs(
    graph: TreeGraph, link: Link, weights_to_outputs: NDArray[np.float64], columns_to_outputs: NDArray[np.float64]
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


def _transform_of(graph: TreeGraph) -> str:
    stored = graph.attributes.get("post_transform", 0 if graph.is_version_5 else b"NONE")
    if isinstance(stored, int):
        name = _VERSION_5_TRANSFORMS[stored] if 0 <= stored < len(_VERSION_5_TRANSFORMS) else str(stored)
    else:
        name = bytes(stored).decode("ascii", "replace")
    if name not in _LINKS:
        raise UnsupportedModelError(f"Trees with the post transform {name[:40]} are not yet read.")
    return name
