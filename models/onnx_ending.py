"""What stands between the scoring node of an ONNX graph and the score.

Read is what hands the score on, arithmetic with one constant, which is the same arithmetic on every leaf or weight, and
at most one operator that is a link. Anything else is refused by name: an explanation of the node would then be the
explanation of another number.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto

from models.errors import UnsupportedModelError

if TYPE_CHECKING:
    from models.onnx_graph import ScoringGraph

_HANDING_ON = ("Identity", "ZipMap", "Cast")
_FLOATING_POINT = (TensorProto.FLOAT, TensorProto.DOUBLE)
_ARITHMETIC = ("Mul", "Div", "Add", "Sub")
_LINKS = ("Sigmoid", "Exp")


@dataclass(frozen=True)
class Ending:
    """The way from the scoring node to the score.

    Attributes:
        additive_output: Name of the tensor that holds the additive scores.
        score_output: Name of the tensor that holds the scores, before any ZipMap.
        factor: By which the node's sums are multiplied to get additive scores.
        offset: What is then added.
        link: Operator that makes scores out of additive scores; empty if there is none.
    """

    additive_output: str
    score_output: str
    factor: float = 1.0
    offset: float = 0.0
    link: str = ""

    @property
    def changes_sums(self) -> bool:
        """Whether additive scores are other numbers than the node's sums."""
        return (self.factor, self.offset) != (1.0, 0.0)


def find_ending(graph: "ScoringGraph") -> Ending:
    """Walk back from the graph's outputs; labels may be made anyhow, the score must be the scoring node's own.

    Args:
        graph: The graph.

    Returns:
        The one way from the scoring node to a score.

    Raises:
        UnsupportedModelError: If there is none, if there are several, or if something else changes the score.
    """
    found: set[Ending] = set()
    blocking: set[str] = set()
    for output in graph.model.graph.output:
        steps, tensor = _steps_back(graph, output.name)
        ending: Ending | None = Ending(graph.node_output, graph.node_output)
        if tensor == graph.node_output:
            for step in reversed(steps):
                ending = _after(graph, ending, step) if ending else None
                if ending is None:
                    blocking.add(step.op_type)
                    break
            if ending:
                found.add(ending)
        elif not is_label(output) and graph.depends_on_scoring_node(tensor):
            maker = graph.maker_of(tensor)
            blocking.update([maker.op_type] if maker is not None and maker is not graph.node else [])
    if blocking:
        raise UnsupportedModelError(
            f"Behind the {graph.scorer} the score is changed by {', '.join(sorted(blocking))[:200]}. Contributions to "
            "what comes before would not be contributions to the score; such a model can only be explained as a black "
            "box."
        )
    if len(found) != 1:
        raise UnsupportedModelError(
            f"The model must give exactly one kind of score that comes out of its {graph.scorer}."
        )
    return found.pop()


def _steps_back(graph: "ScoringGraph", tensor: str) -> tuple[Sequence[NodeProto], str]:
    """Walk back as far as nodes with one changing input go; gives the nodes and the tensor where the walk ends."""
    steps: list[NodeProto] = []
    while tensor != graph.node_output:
        node = graph.maker_of(tensor)
        changing = [] if node is None else [name for name in node.input if name and name not in graph.constants]
        if node is None or node is graph.node or len(changing) != 1 or not _is_readable(graph, node):
            break
        steps.append(node)
        tensor = changing[0]
    return steps, tensor


def _is_readable(graph: "ScoringGraph", node: NodeProto) -> bool:
    if node.op_type == "Cast":
        return all(attribute.i in _FLOATING_POINT for attribute in node.attribute if attribute.name == "to")
    return node.op_type in (*_HANDING_ON, *_ARITHMETIC, *_LINKS, "Neg") or _is_share_of_sum(graph, node)


def _is_share_of_sum(graph: "ScoringGraph", node: NodeProto) -> bool:
    """Say whether a node divides by the sum of all classes, as scikit-learn's linear classifiers do."""
    norms = [attribute.s for attribute in node.attribute if attribute.name == "norm"]
    return graph.is_linear and node.op_type == "Normalizer" and norms == [b"L1"]


def _after(graph: "ScoringGraph", ending: Ending, node: NodeProto) -> Ending | None:
    """Add one node to the way; none if the way cannot be read any more."""
    output = node.output[0]
    if node.op_type in _HANDING_ON:
        return ending
    if node.op_type in _LINKS or node.op_type == "Normalizer":
        return None if ending.link else replace(ending, score_output=output, link=node.op_type)
    arithmetic = _arithmetic_of(graph, node)
    if arithmetic is None:
        return None
    factor, offset = arithmetic
    if (factor, offset) == (1.0, 0.0):  # onnxmltools multiplies LightGBM's scores by 1
        return ending
    if not ending.link:
        changed = replace(ending, factor=ending.factor * factor, offset=ending.offset * factor + offset)
        return replace(changed, additive_output=output, score_output=output)
    return None


def _arithmetic_of(graph: "ScoringGraph", node: NodeProto) -> tuple[float, float] | None:
    """Give (a, b) of a node that computes a * x + b with two constants; none if it does something else."""
    if node.op_type == "Neg":
        return -1.0, 0.0
    name = next((name for name in node.input if name in graph.constants), None)
    if name is None or graph.constants[name].size != 1:
        return None
    constant = float(graph.constants[name].ravel()[0])
    constant_first = node.input[0] == name
    if not np.isfinite(constant) or (node.op_type == "Div" and (constant_first or constant == 0)):
        return None
    if node.op_type == "Sub":
        return (-1.0, constant) if constant_first else (1.0, -constant)
    return {"Mul": (constant, 0.0), "Add": (1.0, constant)}.get(node.op_type) or (1.0 / constant, 0.0)


def is_label(output: ValueInfoProto) -> bool:
    """Say whether an output of a graph is made of words, whole numbers or yes and no, and so is no score."""
    kinds = (TensorProto.INT64, TensorProto.INT32, TensorProto.STRING, TensorProto.BOOL)
    return output.type.HasField("tensor_type") and output.type.tensor_type.elem_type in kinds
