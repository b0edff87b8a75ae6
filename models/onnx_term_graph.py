"""Finds the terms of an ONNX graph whose score is a sum of parts over one or two raw features each.

So ebm2onnx writes explainable boosting machines: for each term the bin of each value, a look-up in a table, then one
``Concat`` and ``ReduceSum`` over all of them, the intercept, and a ``Softmax`` over zero and the sum. The walk goes
from the score back through sums until what is left depends on at most two raw features
(:mod:`models.onnx_provenance`). How such a part is computed does not matter: it is run, not read. What cannot be split
so is a black box.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto

from models.errors import UnsupportedModelError
from models.links import Link
from models.onnx_ending import is_label
from models.onnx_graph import OnnxGraph, attributes_of
from models.onnx_provenance import CellProvenance
from models.term_model import MAX_FEATURES_PER_TERM

_HANDING_ON = ("Identity", "Cast", "ZipMap")
_NEW_SHAPES = ("Reshape", "Flatten", "Squeeze")
_BLACK_BOX = "such a model can only be explained as a black box."


@dataclass(frozen=True)
class Summand:
    """A tensor that is part of the sum.

    Attributes:
        tensor: Its name.
        features: The raw features it can depend on: none, one or two, ascending.
        axis: Along which axis its own cells are added up as well; None if they are not.
    """

    tensor: str
    features: tuple[int, ...]
    axis: int | None

    def added_up(self, values: NDArray[np.generic], n_rows: int) -> NDArray[np.float64]:
        """Turn the tensor's values into what it adds to each output: shape (n_rows, n_outputs or 1)."""
        summed = values.astype(np.float64)
        if self.axis is not None:
            summed = summed.sum(axis=self.axis)
        return summed.reshape(n_rows, -1)


class TermGraph(OnnxGraph):
    """A graph whose score is a sum of terms.

    Args:
        onnx_bytes: The graph.
        feature_names: The card's features; needed to order named inputs, else the graph's order counts.

    Attributes:
        additive_output: Name of the tensor that holds the additive scores.
        score_output: Name of the tensor that holds the scores.
        link: How the score follows from the additive score.
        summands: The parts whose sum is the additive score.

    Raises:
        UnsupportedModelError: If the score is no such sum.
        MalformedPackageError: If the bytes are not ONNX.
        ModelFeaturesMismatchError: If the graph's inputs are not the card's features.
    """

    def __init__(self, onnx_bytes: bytes, feature_names: Sequence[str] | None = None) -> None:
        super().__init__(onnx_bytes)
        names = None if feature_names is None else tuple(feature_names)
        self._provenance = CellProvenance(self, self.raw_positions(names), names or ())
        self.score_output, self.additive_output, self.link = self._find_score()
        try:
            self.summands = tuple(self._summands(self.additive_output, None))
        except RecursionError as error:
            raise UnsupportedModelError(f"The graph is nested too deeply to find its terms; {_BLACK_BOX}") from error

    def scoring_part(self) -> bytes:
        """Make the graph whose only output are the scores."""
        return self.part_up_to(self.score_output)

    def additive_part(self) -> bytes:
        """Make the graph whose only output are the additive scores."""
        return self.part_up_to(self.additive_output)

    def _find_score(self) -> tuple[str, str, Link]:
        found = {self._link_of(output.name) for output in self.model.graph.output if not is_label(output)}
        # Parts of the sum may be outputs too, for people to look at; the score is what nothing else is made of.
        behind = {name for _, additive, _ in found for node in self.makers_behind(additive) for name in node.input}
        found = {one for one in found if one[1] not in behind}
        if len(found) != 1:
            raise UnsupportedModelError(
                f"The model gives {len(found)} kinds of scores; exactly one is needed. Export a classifier with its "
                "probabilities."
            )
        return found.pop()

    def _link_of(self, output: str) -> tuple[str, str, Link]:
        """Give the tensors of the score and the additive score, and the link between them."""
        score, node = self._handed_on(output)
        if node is None or node.op_type not in ("Sigmoid", "Softmax"):
            return score, score, "identity"
        before, maker = self._handed_on(node.input[0])
        if node.op_type == "Sigmoid":
            return score, before, "logistic"
        if attributes_of(node).get("axis", 1) not in (1, -1):
            raise UnsupportedModelError("A Softmax over anything but the classes is not read.")
        if maker is not None and maker.op_type == "Mul":
            # exp(s) / (exp(0) + exp(s)) is the logistic function of s.
            for one, other in (maker.input, reversed(maker.input)):
                factors = self.constants.get(other)
                if factors is not None and factors.ravel().tolist() == [0, 1]:
                    return score, one, "logistic"
        return score, before, "softmax"

    def _handed_on(self, tensor: str) -> tuple[str, NodeProto | None]:
        """Go back over what changes nothing; give the tensor and the node that makes it."""
        while (node := self.maker_of(tensor)) is not None and _changes_nothing(node):
            tensor = node.input[0]
        return tensor, node

    def _summands(self, tensor: str, axis: int | None) -> list[Summand]:
        features = self._provenance.features_behind(tensor)
        if len(features) <= MAX_FEATURES_PER_TERM:
            return [Summand(tensor, tuple(sorted(features)), axis)]
        node = self.maker_of(tensor)
        operator = "graph" if node is None else f"operator {node.op_type[:40]}"
        if node is not None:
            if _changes_nothing(node) or (axis is None and node.op_type in _NEW_SHAPES):
                return self._summands(node.input[0], axis)
            if axis is None and node.op_type in ("Add", "Sum"):
                return [part for source in node.input for part in self._summands(source, None)]
            if axis is None and node.op_type == "ReduceSum" and self._axes_of(node) == [1]:
                return self._summands(node.input[0], 1)
            if axis is not None and node.op_type == "Concat" and attributes_of(node)["axis"] == axis:
                return [part for source in node.input for part in self._summands(source, axis)]
        names = ", ".join(self._provenance.name_of(feature) for feature in sorted(features))
        raise UnsupportedModelError(f"The {operator} lets {names[:200]} act together in one score; {_BLACK_BOX}")

    def _axes_of(self, node: NodeProto) -> list[int]:
        if len(node.input) > 1 and node.input[1]:
            return np.ravel(self.constants.get(node.input[1], [])).tolist()
        return list(attributes_of(node).get("axes", []))


def _changes_nothing(node: NodeProto) -> bool:
    if node.op_type == "Cast":
        return attributes_of(node)["to"] in (TensorProto.FLOAT, TensorProto.DOUBLE)
    return node.op_type in _HANDING_ON
