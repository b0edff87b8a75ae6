"""Terms of ONNX graphs: sums of any shape are taken apart, and what is no sum is refused as a black box."""

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.errors import MalformedPackageError, ModelFeaturesMismatchError, UnsupportedModelError
from models.onnx_terms import OnnxSum, read_onnx_terms
from models.term_model import check_terms

node = helper.make_node
ROWS = np.round(np.random.default_rng(1).normal(size=(40, 4)) * 8) / 8
CONSTANTS = {
    "first": np.array([0]),
    "second": np.array([1]),
    "third": np.array([2]),
    "one": np.array([1]),
    "zero_one": np.array([0, 1], np.float32),
    "intercept": np.array([0.5], np.float32),
    "three": np.array([0.5, -1.0, 2.0], np.float32),
    "weights": np.ones((4, 1), np.float32),
    "yes": np.array(1, dtype=np.bool_),
    "flat": np.array([0]),
    "deep": np.array([-1, 1, 1]),
}
COLUMNS = [
    node("Gather", ["rows", "first"], ["a"], axis=1),
    node("Gather", ["rows", "second"], ["b"], axis=1),
    node("Gather", ["rows", "third"], ["c"], axis=1),
]
PARTS = [*COLUMNS, node("Exp", ["a"], ["ea"]), node("Mul", ["a", "b"], ["ab"]), node("Tanh", ["c"], ["tc"])]
FOUND = ((0,), (0, 1), (2,))
FOUND_TOGETHER = ((0, 1), (2,))
"""Two parts that were added up before the others and together depend on two features are one term."""


def graph(nodes: list[Any], output: str = "score", kind: int = TensorProto.FLOAT, *, outputs: Any = ()) -> bytes:
    made = helper.make_graph(
        nodes,
        "terms",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 4])],
        [helper.make_tensor_value_info(name, kind, [None, None]) for name in (output, *outputs)],
        [numpy_helper.from_array(value, name) for name, value in CONSTANTS.items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    content: bytes = helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString()
    return content


def plain_sum() -> np.ndarray[Any, Any]:
    return np.asarray(np.exp(ROWS[:, 0]) + ROWS[:, 0] * ROWS[:, 1] + np.tanh(ROWS[:, 2]) + 0.5)


def logistic(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(1 / (1 + np.exp(-value)))


SUMS = {
    "Add": [node("Add", ["ea", "ab"], ["x"]), node("Add", ["x", "tc"], ["y"]), node("Add", ["intercept", "y"], ["s"])],
    "Sum": [node("Sum", ["ea", "ab", "tc", "intercept"], ["s"])],
    "Concat and ReduceSum": [
        node("Concat", ["ea", "ab", "tc"], ["x"], axis=1),
        node("ReduceSum", ["x", "one"], ["y"], keepdims=0),
        node("Add", ["y", "intercept"], ["s"]),
    ],
    "Concat of Concat, three dimensions": [
        *(node("Reshape", [name, "deep"], [f"{name}_deep"]) for name in ("ea", "ab", "tc")),
        node("Concat", ["ea_deep", "ab_deep"], ["w"], axis=1),
        node("Concat", ["w", "tc_deep"], ["x"], axis=1),
        node("Identity", ["x"], ["parts"]),
        node("ReduceSum", ["parts", "one"], ["y"], keepdims=0),
        node("Add", ["y", "intercept"], ["s"]),
    ],
}


@pytest.mark.parametrize("form", SUMS)
def test_sums_are_taken_apart(form: str) -> None:
    content = graph([*PARTS, *SUMS[form]], "s")
    model = read_onnx_terms(content)
    assert model.terms.features_of_terms in (FOUND, FOUND_TOGETHER)
    assert model.n_features == 4
    np.testing.assert_allclose(model.additive_score(ROWS), plain_sum(), rtol=0, atol=1e-5)
    runtime = OnnxSum(content)
    np.testing.assert_allclose(model.additive_score(ROWS), runtime.additive_score(ROWS), rtol=0, atol=1e-5)
    check_terms(model.terms, ROWS, ("a", "b", "c", "d"))
    assert model.additive_score(ROWS[:0]).shape == (0,)


ENDS = {
    "Sigmoid": ([node("Sigmoid", ["s"], ["score"])], "logistic"),
    "Softmax over zero and the sum": (
        [
            node("Mul", ["s", "zero_one"], ["two"]),
            node("Softmax", ["two"], ["p"], axis=1),
            node("Cast", ["p"], ["score"], to=TensorProto.FLOAT),
        ],
        "logistic",
    ),
    "nothing": ([node("Reshape", ["s", "flat"], ["list"]), node("Identity", ["list"], ["score"])], "identity"),
}


@pytest.mark.parametrize("end", ENDS)
def test_links_behind_the_sum_are_read(end: str) -> None:
    nodes, link = ENDS[end]
    content = graph([*PARTS, *SUMS["Sum"], *nodes])
    model = read_onnx_terms(content)
    assert model.link == link
    expected = plain_sum() if link == "identity" else logistic(plain_sum())
    np.testing.assert_allclose(model.score(ROWS), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(OnnxSum(content).score(ROWS), expected, rtol=0, atol=1e-5)


def test_several_classes_have_one_sum_each() -> None:
    content = graph(
        [*PARTS, node("Sum", ["ea", "ab", "tc", "three"], ["s"]), node("Softmax", ["s"], ["score"], axis=-1)]
    )
    model, runtime = read_onnx_terms(content), OnnxSum(content)
    assert (model.link, model.n_outputs, runtime.n_outputs) == ("softmax", 3, 3)
    np.testing.assert_allclose(model.score(ROWS), runtime.score(ROWS), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(model.for_output(2).additive_score(ROWS), model.additive_score(ROWS)[:, 2])
    assert model.additive_score(ROWS[:0]).shape == runtime.additive_score(ROWS[:0]).shape == (0, 3)


def test_parts_that_are_shown_as_outputs_too_are_no_second_score() -> None:
    nodes = [*PARTS, *SUMS["Concat of Concat, three dimensions"]]
    np.testing.assert_allclose(
        read_onnx_terms(graph(nodes, "s", outputs=["parts"])).additive_score(ROWS), plain_sum(), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([*SUMS["Sum"], node("Mul", ["s", "c"], ["score"])], "operator Mul lets 'a', 'b', 'c' act together"),
        ([*SUMS["Sum"], node("Exp", ["s"], ["score"])], "Exp lets 'a', 'b', 'c'.*black box"),
        ([node("Sum", ["ea", "abc"], ["score"]), node("Mul", ["ab", "c"], ["abc"])], "Mul lets 'a', 'b', 'c'"),
        ([node("Softmax", ["rows"], ["s"], axis=1), node("ReduceSum", ["s", "one"], ["score"])], "Softmax lets"),
        ([node("MatMul", ["rows", "weights"], ["score"])], "MatMul"),
        ([*SUMS["Sum"], node("Softmax", ["s"], ["score"], axis=0)], "Softmax over anything but the classes"),
        ([node("Identity", ["intercept"], ["score"])], "must be stored|No feature"),
    ],
)  # fmt: skip
def test_what_is_no_sum_is_refused(nodes: list[Any], said: str) -> None:
    nodes = sorted([*PARTS, *nodes], key=lambda one: list(one.output) == ["score"])
    with pytest.raises(UnsupportedModelError, match=said):
        read_onnx_terms(graph(nodes), ("a", "b", "c", "d"))


def test_graphs_without_one_score_are_refused() -> None:
    labels = [*PARTS, *SUMS["Sum"], node("ArgMax", ["s"], ["score"], axis=1)]
    with pytest.raises(UnsupportedModelError, match=r"gives 0 kinds of scores.*probabilities"):
        read_onnx_terms(graph(labels, kind=TensorProto.INT64))
    two = [*PARTS, *SUMS["Sum"], node("Add", ["ea", "tc"], ["score"])]
    with pytest.raises(UnsupportedModelError, match="gives 2 kinds"):
        read_onnx_terms(graph(two, outputs=["s"]))
    with pytest.raises(ModelFeaturesMismatchError, match="4 columns"):
        read_onnx_terms(graph([*PARTS, *SUMS["Sum"]], "s"), ("a",))
    with pytest.raises(MalformedPackageError):
        read_onnx_terms(b"no onnx")


def test_operators_with_graphs_of_their_own_are_refused() -> None:
    """Such a graph may read any tensor around it without naming it as an input."""
    inner = helper.make_graph(
        [node("Identity", ["c"], ["hidden"])],
        "inner",
        [],
        [helper.make_tensor_value_info("hidden", TensorProto.FLOAT, None)],
    )
    choose = [
        node("If", ["yes"], ["x"], then_branch=inner, else_branch=inner),
        node("Sum", ["ea", "ab", "x"], ["score"]),
    ]  # fmt: skip
    with pytest.raises(UnsupportedModelError, match="If holds a graph of its own"):
        read_onnx_terms(graph([*PARTS, *choose]))


def test_values_that_give_no_number_are_refused() -> None:
    content = graph([*COLUMNS, node("Log", ["a"], ["la"]), node("Sum", ["la", "b", "c"], ["score"])])
    model = read_onnx_terms(content)
    with pytest.raises(ModelFeaturesMismatchError, match="the value -1 of feature 0"):
        model.score(np.array([[-1.0, 0.0, 0.0, 0.0]]))
