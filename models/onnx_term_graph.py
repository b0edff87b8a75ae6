"""Finds the terms of an ONNX graph whose score is a sum of parts over one or two raw features each.

So ebm2onnx writes explainable boosting machines: for each term the bin of each value, a look-up in a table, then one
``Concat`` and ``ReduceSum`` over all of them, the intercept, and a ``Softmax`` over zero and the sum. The walk goes
from the score back through sums until what is left depends on at most two raw features
(:mod:`models.onnx_cells`). How such a part is computed does not matter: it is run, not read. A ``MatMul`` or
``Gemm`` with fixed weights is a sum with one part per feature; so linear models are written in 64 bits, and by
frameworks for neural networks. What cannot be split so is a black box.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto

from models.errors import UnsupportedModelError
from models.links import Link
from models.onnx_cells import CellProvenance
from models.onnx_ending import is_label
from models.onnx_graph import OnnxGraph, attributes_of
from models.term_model import MAX_FEATURES_PER_TERM

_HANDING_ON = ("Identity", "Cast", "ZipMap")
_NEW_SHAPES = ("Reshape", "Flatten", "Squeeze")
_BLACK_BOX = "such a model can only be explained as a black box."


@dataclass(frozen=True, eq=False)
class Summand:
    """A tensor that is part of the sum.

    Attributes:
        tensor: Its name.
        features: The raw features it can depend on: none, one or two, ascending.
        axis: Along which axis its own cells are added up as well; None if they are not.
        columns: Which of its columns are meant, if they are weighted.
        weights: Shape (n_columns, n_outputs): what these columns are multiplied with before they are added up.
    """

    tensor: str
    features: tuple[int, ...]
    axis: int | None = None
    columns: NDArray[np.int64] | None = None
    weights: NDArray[np.float64] | None = None

    def added_up(self, values: NDArray[np.generic], n_rows: int) -> NDArray[np.float64]:
        """Turn the tensor's values into what it adds to each output: shape (n_rows, n_outputs or 1)."""
        summed = values.astype(np.float64)
        if self.columns is not None and self.weights is not None:
            # Not as a matrix product, whose order of additions depends on the number of rows.
            return np.asarray((summed[:, self.columns, np.newaxis] * self.weights).sum(axis=1), dtype=np.float64)
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
        only_last: Whether the score of two classes is the last of two columns, of which the first is its mirror image.

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
        self.only_last = self.link == "logistic_shares" and all(map(self._is_mirrored, self.summands))
        if self.only_last:
            # Of chances p and 1 - p the sum is 1, and dividing by it changes nothing.
            self.link = "logistic"

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
        if node is None:
            return score, score, "identity"
        if node.op_type in ("Sigmoid", "Exp"):
            return score, node.input[0], "logistic" if node.op_type == "Sigmoid" else "exp"
        if node.op_type == "Softmax":
            return self._behind_softmax(score, node)
        if node.op_type == "Concat" and (chance := self._second_of_both_chances(node)) is not None:
            return score, chance.input[0], "logistic"
        if node.op_type == "Div" and (chance := self._divided_by_their_sum(node)) is not None:
            return score, chance.input[0], "logistic_shares"
        return score, score, "identity"

    def _behind_softmax(self, score: str, node: NodeProto) -> tuple[str, str, Link]:
        if attributes_of(node).get("axis", 1) not in (1, -1):
            raise UnsupportedModelError("A Softmax over anything but the classes is not read.")
        before, maker = self._handed_on(node.input[0])
        if maker is not None and maker.op_type == "Mul":
            # exp(s) / (exp(0) + exp(s)) is the logistic function of s.
            for one, other in (maker.input, reversed(maker.input)):
                if self._constant(other) == [0, 1]:
                    return score, one, "logistic"
        return score, before, "softmax"

    def _second_of_both_chances(self, node: NodeProto) -> NodeProto | None:
        """Give the Sigmoid of a Concat of 1 - p and p."""
        if len(node.input) != 2 or attributes_of(node)["axis"] not in (1, -1):  # noqa: PLR2004 - two classes
            return None
        rest, chance = self.maker_of(node.input[0]), self.maker_of(node.input[1])
        if rest is None or chance is None or (rest.op_type, chance.op_type) != ("Sub", "Sigmoid"):
            return None
        return chance if self._constant(rest.input[0]) == [1] and rest.input[1] == node.input[1] else None

    def _divided_by_their_sum(self, node: NodeProto) -> NodeProto | None:
        """Give the Sigmoid of p / sum(p) over the classes; chances are not negative, so Abs changes nothing."""
        chance, total = self.maker_of(node.input[0]), self.maker_of(node.input[1])
        if chance is None or total is None or (chance.op_type, total.op_type) != ("Sigmoid", "ReduceSum"):
            return None
        if self._axes_of(total) != [1] or attributes_of(total).get("keepdims", 1) != 1:
            return None
        summed, absolute = total.input[0], self.maker_of(total.input[0])
        if absolute is not None and absolute.op_type == "Abs":
            summed = absolute.input[0]
        return chance if summed == node.input[0] else None

    def _constant(self, tensor: str) -> list[float] | None:
        return self.constants[tensor].ravel().tolist() if tensor in self.constants else None

    def _is_mirrored(self, part: Summand) -> bool:
        """Say whether a part adds to the first of two outputs the opposite of what it adds to the second."""
        numbers = self.constants.get(part.tensor) if not part.features else part.weights
        if numbers is None or numbers.shape[-1:] != (2,):
            return False
        return bool(np.array_equal(numbers[..., 0], -numbers[..., 1]))

    def _handed_on(self, tensor: str) -> tuple[str, NodeProto | None]:
        """Go back over what changes no number; give the tensor and the node that makes it."""
        while (node := self.maker_of(tensor)) is not None and (_changes_nothing(node) or node.op_type in _NEW_SHAPES):
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
            if axis is None and node.op_type in ("MatMul", "Gemm") and (parts := self._weighted_columns(node)):
                return parts
        names = ", ".join(self._provenance.name_of(feature) for feature in sorted(features))
        raise UnsupportedModelError(f"The {operator} lets {names[:200]} act together in one score; {_BLACK_BOX}")

    def _weighted_columns(self, node: NodeProto) -> list[Summand]:
        """Split a product of columns and fixed weights by the columns' features; empty if it cannot be split."""
        table, weights = node.input[0], self.constants.get(node.input[1])
        owners = self._provenance.feature_of_columns(table)
        if owners is None or weights is None or weights.ndim > 2:  # noqa: PLR2004 - columns and outputs
            return []
        attributes = attributes_of(node)
        if attributes.get("transA", 0) or (len(node.input) > 2 and attributes.get("beta", 1.0) != 1):  # noqa: PLR2004
            return []
        matrix = weights.astype(np.float64) * attributes.get("alpha", 1.0)
        matrix = matrix.T if attributes.get("transB", 0) else matrix.reshape(len(weights), -1)
        if len(matrix) != len(owners):
            return []
        offsets = [Summand(name, ()) for name in node.input[2:] if name]
        columns = {feature: np.flatnonzero(owners == feature) for feature in np.unique(owners).tolist()}
        return offsets + [
            Summand(table, (feature,), columns=own, weights=matrix[own]) for feature, own in columns.items()
        ]

    def _axes_of(self, node: NodeProto) -> list[int]:
        if len(node.input) > 1 and node.input[1]:
            return np.ravel(self.constants.get(node.input[1], [])).tolist()
        return list(attributes_of(node).get("axes", []))


def _changes_nothing(node: NodeProto) -> bool:
    if node.op_type == "Cast":
        return attributes_of(node)["to"] in (TensorProto.FLOAT, TensorProto.DOUBLE)
    return node.op_type in _HANDING_ON
