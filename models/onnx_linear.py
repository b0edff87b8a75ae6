"""Reads linear models out of ONNX: one table of numbers, perhaps a Scaler, one linear node.

What is not on this list is refused by name, as for trees. The runtime stays the truth: a test holds every form read
here against onnxruntime.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # its stubs are not installed
from numpy.typing import NDArray
from onnx import NodeProto, helper

from models.errors import MalformedPackageError, UnsupportedModelError
from models.forest import Link
from models.linear_model import LinearModel

LINEAR = ("LinearClassifier", "LinearRegressor")
_BEFORE = ("Scaler", "Cast", "Identity")
_AFTER = ("Normalizer", "Cast", "Identity")
_TWO_CLASSES = 2

Numbers = NDArray[np.float64]


def read_linear_model(onnx_bytes: bytes) -> LinearModel:
    """Read a linear model of one score.

    Args:
        onnx_bytes: A two-class ``LinearClassifier`` or a ``LinearRegressor`` with one target over one table of numbers,
            perhaps scaled before.

    Returns:
        The model over the raw columns; a scaler is multiplied in.

    Raises:
        UnsupportedModelError: If the model is of a kind that is not yet read; the sentence names it.
        MalformedPackageError: If the bytes are not ONNX or the numbers do not fit together.
    """
    graph = _parse(onnx_bytes).graph
    before, node, after = _chain(graph)
    attributes = _attributes(node)
    weights, intercepts = _weights(node, attributes, after)
    intercept, coefficients, link = _one_score(attributes, weights, intercepts)
    for scaler in reversed([one for one in before if one.op_type == "Scaler"]):
        offset, scale = (_numbers(_attributes(scaler), name) for name in ("offset", "scale"))
        if {len(offset), len(scale)} - {1, len(coefficients)}:
            raise MalformedPackageError("The Scaler and the linear node do not have the same number of columns.")
        coefficients = coefficients * scale
        intercept -= float((coefficients * offset).sum())
    return LinearModel(intercept=intercept, coefficients=coefficients, link=link)


def _parse(onnx_bytes: bytes) -> onnx.ModelProto:
    try:
        model = onnx.load_model_from_string(onnx_bytes)
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError, ValueError) as error:
        reason = (str(error).splitlines() or ["no reason given"])[0][:200]
        raise MalformedPackageError(f"The model is not valid ONNX: {reason}.") from error
    return model


def _chain(graph: onnx.GraphProto) -> tuple[list[NodeProto], NodeProto, list[NodeProto]]:
    """Give the nodes before the linear node, the linear node, and those after it on the way of the scores."""
    nodes = list(graph.node)
    found = [place for place, node in enumerate(nodes) if node.op_type in LINEAR]
    if len(found) != 1:
        raise UnsupportedModelError(f"A linear model must hold exactly one linear node, this one holds {len(found)}.")
    place = found[0]
    scores = nodes[place].output[-1]
    before, rest = nodes[:place], nodes[place + 1 :]
    after = [node for node in rest if nodes[place].output[0] not in node.input or scores in node.input]
    foreign = {node.op_type for node in before} - set(_BEFORE) | {node.op_type for node in after} - set(_AFTER)
    if foreign:
        hint = " Export the classifier without ZipMap." if "ZipMap" in foreign else ""
        names = ", ".join(sorted(foreign))[:200]
        raise UnsupportedModelError(f"Linear models with these operators are not yet read: {names}.{hint}")
    joined = [graph.input[0].name, *(node.output[0] for node in before)]
    if len(graph.input) != 1 or [node.input[0] for node in [*before, nodes[place]]] != joined:
        raise UnsupportedModelError("Linear models are read with one input table, one step behind the other.")
    return before, nodes[place], after


def _weights(node: NodeProto, attributes: Mapping[str, Any], after: list[NodeProto]) -> tuple[Numbers, Numbers]:
    """Give coefficients, shape (n_outputs, n_columns), and intercepts, shape (n_outputs,)."""
    intercepts = _numbers(attributes, "intercepts")
    coefficients = _numbers(attributes, "coefficients")
    if node.op_type == "LinearRegressor":
        n_outputs = int(attributes.get("targets", 1))
        if n_outputs != 1:
            raise UnsupportedModelError(f"Linear models with {n_outputs} targets are not yet read.")
        if attributes.get("post_transform", b"NONE") != b"NONE":
            # onnxruntime 1.32 skips it for one target, so standard and runtime would give different scores.
            raise UnsupportedModelError("A LinearRegressor with a post transform is not read: runtimes may skip it.")
    else:
        labels = attributes.get("classlabels_ints") or attributes.get("classlabels_strings") or []
        if len(labels) != _TWO_CLASSES:
            raise UnsupportedModelError(f"Linear models with {len(labels)} classes are not yet read, only with two.")
        n_outputs = max(1, len(intercepts))
    if n_outputs > _TWO_CLASSES or len(coefficients) == 0 or len(coefficients) % n_outputs:
        raise MalformedPackageError("The linear node's coefficients and intercepts do not fit together.")
    if len(intercepts) == 0:
        intercepts = np.zeros(n_outputs)
    weights = coefficients.reshape(n_outputs, -1)
    mirrored = n_outputs == 1 or bool(np.all(weights[0] == -weights[1]) and intercepts[0] == -intercepts[1])
    if any(one.op_type == "Normalizer" for one in after) and not (
        mirrored and attributes.get("post_transform") == b"LOGISTIC"
    ):
        raise UnsupportedModelError("A Normalizer behind anything but two mirrored classes is not yet read.")
    return weights, intercepts


def _one_score(attributes: Mapping[str, Any], weights: Numbers, intercepts: Numbers) -> tuple[float, Numbers, Link]:
    """Give intercept, coefficients and link of the score: the last output."""
    transform = attributes.get("post_transform", b"NONE").decode()
    if transform == "SOFTMAX" and len(weights) == _TWO_CLASSES:
        # exp(b) / (exp(a) + exp(b)) is the logistic function of b - a.
        return float(intercepts[1] - intercepts[0]), weights[1] - weights[0], "logistic"
    if transform not in ("NONE", "LOGISTIC"):
        raise UnsupportedModelError(f"Linear models with the post transform {transform[:40]} are not yet read.")
    return float(intercepts[-1]), weights[-1], "logistic" if transform == "LOGISTIC" else "identity"


def _attributes(node: NodeProto) -> Mapping[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _numbers(attributes: Mapping[str, Any], name: str) -> Numbers:
    return np.asarray(attributes.get(name, []), dtype=np.float32).astype(np.float64)
