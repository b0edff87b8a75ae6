"""Reads linear models out of ONNX, behind any preprocessing that keeps features apart.

Preprocessing is run by the runtime and followed to raw features, as for trees; what differs is refused by name. The
runtime stays the truth: a test holds every form read here against onnxruntime.
"""

from collections.abc import Sequence

import numpy as np

from models.encoding import Encoding
from models.errors import MalformedPackageError, UnsupportedModelError
from models.features import Feature
from models.linear_model import FeatureForms, LinearModel
from models.onnx_graph import ScoringGraph, floats_of
from models.onnx_model import OnnxPreprocessing
from models.onnx_outputs import read_outputs
from models.onnx_provenance import Provenance


def read_linear_model(onnx_bytes: bytes, features: Sequence[Feature] | Sequence[str] | None = None) -> LinearModel:
    """Read a linear model over raw features.

    Args:
        onnx_bytes: The model: one ``LinearClassifier`` or ``LinearRegressor``, perhaps behind preprocessing.
        features: The card's features, or their names where no input is text; needed where the graph has one named
            input per feature in another order.

    Returns:
        The model, with one output per class or target; two classes have one output.

    Raises:
        UnsupportedModelError: If the model is of a kind that is not yet read; the sentence names it.
        MalformedPackageError: If the bytes are not ONNX or the numbers do not fit together.
        ModelFeaturesMismatchError: If the model's inputs are not the card's features.
    """
    graph = ScoringGraph(onnx_bytes)
    if not graph.is_linear:
        raise UnsupportedModelError("The model is a tree ensemble, not a linear model.")
    names = None if features is None else tuple(f if isinstance(f, str) else f.name for f in features)
    provenance = Provenance(graph, graph.raw_positions(names), names or ())
    origins, n_features = provenance.columns, graph.n_raw_features
    outputs = read_outputs(graph)
    weights = floats_of(graph.attributes, "coefficients").astype(np.float64)
    weights = outputs.weights_to_outputs.T @ weights.reshape(len(outputs.weights_to_outputs), -1)
    if weights.shape[1] != len(origins):
        raise MalformedPackageError(
            f"The linear model has coefficients for {weights.shape[1]} columns and is given {len(origins)}."
        )
    if provenance.values_are_raw:
        # What the graph does is to put raw features into another order, perhaps some of them twice.
        coefficients = np.zeros((outputs.n_outputs, n_features))
        np.add.at(coefficients.T, origins, weights.T)
        encoding = Encoding.of_raw_features(n_features)
    else:
        coefficients = weights
        preprocessing = OnnxPreprocessing(graph, features, len(origins))
        encoding = Encoding(n_features=n_features, feature_of_column=origins, preprocessing=preprocessing)
    return LinearModel(
        intercepts=outputs.base_values,
        coefficients=coefficients,
        link=outputs.link,
        encoding=encoding,
        forms=FeatureForms(straight=provenance.straight_features, listed=_n_values(features or ())),
    )


def _n_values(features: Sequence[Feature] | Sequence[str]) -> dict[int, int]:
    """Say how many values categories and yes-or-no features have, by their position."""
    counts = {}
    for position, feature in enumerate(features):
        if isinstance(feature, Feature) and feature.kind in ("category", "boolean"):
            counts[position] = len(feature.categories) or 2
    return counts
