"""What may stand between trees and score, with the runtime as truth: constants fold into leaves, links are read."""

from dataclasses import replace

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, load_model_from_string

from models.errors import UnsupportedModelError
from models.forest import read_forest
from models.onnx_model import OnnxModel
from tests.unit.models.cards import card_with_numbers
from tests.unit.models.tree_models import STUMP, Ensemble

COLUMN = np.array([[0.0], [0.5], [1.0]])
CARD = card_with_numbers(1)
REGRESSOR = Ensemble(trees=(STUMP, STUMP), classifier=False, post_transform="NONE", base_values=(0.25,))
TWO_TARGETS = Ensemble(
    trees=(replace(STUMP, yes=replace(STUMP.yes, weights=(0.3, 1.0)), no=replace(STUMP.no, weights=(-0.2, 2.0))),),
    classifier=False,
    post_transform="NONE",
    n_outputs=2,
)
CLASSIFIER = Ensemble(trees=(STUMP,))
WITHOUT_TRANSFORM = replace(CLASSIFIER, post_transform="NONE")


def behind(ensemble: Ensemble, *steps: tuple[str, float | None, bool]) -> bytes:
    """Add steps behind the scores: operator, its constant if it has one, and whether the constant stands first."""
    model = load_model_from_string(ensemble.to_onnx())
    tensor = "scores"
    nodes: list[NodeProto] = []
    for number, (operator, constant, constant_first) in enumerate(steps):
        sources = [tensor]
        if constant is not None:
            model.graph.initializer.append(helper.make_tensor(f"c{number}", TensorProto.FLOAT, [1], [constant]))
            sources = [f"c{number}", tensor] if constant_first else [tensor, f"c{number}"]
        tensor = f"step{number}"
        nodes.append(helper.make_node(operator, sources, [tensor]))
    model.graph.node.extend(nodes)
    model.graph.output[-1].name = tensor
    content: bytes = model.SerializeToString()
    return content


MUL, DIV, ADD, SUB = (("Mul", 2.0, False), ("Div", 4.0, False), ("Add", 0.5, False), ("Sub", 0.5, False))
ONE_MINUS, TIMES_FIRST, PLUS_FIRST = (("Sub", 1.0, True), ("Mul", -3.0, True), ("Add", 0.125, True))
NEG, SIGMOID, EXP, IDENTITY = (
    ("Neg", None, False),
    ("Sigmoid", None, False),
    ("Exp", None, False),
    ("Mul", 1.0, False),
)


@pytest.mark.parametrize("ensemble", [REGRESSOR, TWO_TARGETS, WITHOUT_TRANSFORM])
@pytest.mark.parametrize(
    "steps",
    [(MUL,), (DIV,), (ADD,), (SUB,), (ONE_MINUS,), (TIMES_FIRST,), (PLUS_FIRST,), (NEG,), (MUL, ADD, DIV), (SUB, MUL)],
)
def test_arithmetic_with_constants_is_folded_into_leaves_and_base_values(
    ensemble: Ensemble, steps: tuple[tuple[str, float | None, bool], ...]
) -> None:
    content = behind(ensemble, *steps)
    forest, model = read_forest(content), OnnxModel(content, CARD)
    np.testing.assert_allclose(model.additive_score(COLUMN), forest.additive_score(COLUMN), atol=1e-6)
    np.testing.assert_allclose(model.score(COLUMN), forest.score(COLUMN), atol=1e-6)
    assert np.abs(read_forest(ensemble.to_onnx()).score(COLUMN) - forest.score(COLUMN)).max() > 0.1, "the twin without"


@pytest.mark.parametrize(
    ("ensemble", "steps", "link"),
    [
        (REGRESSOR, (SIGMOID,), "logistic"),
        (REGRESSOR, (MUL, SIGMOID), "logistic"),
        (WITHOUT_TRANSFORM, (MUL, SIGMOID), "logistic"),
        (REGRESSOR, (EXP,), "exp"),
        (REGRESSOR, (ADD, EXP), "exp"),
        (CLASSIFIER, (IDENTITY,), "logistic"),
        (REGRESSOR, (IDENTITY, SIGMOID, IDENTITY), "logistic"),
    ],
)
def test_one_link_is_read_behind_the_arithmetic(
    ensemble: Ensemble, steps: tuple[tuple[str, float | None, bool], ...], link: str
) -> None:
    content = behind(ensemble, *steps)
    forest, model = read_forest(content), OnnxModel(content, CARD)
    assert forest.link == link
    np.testing.assert_allclose(model.additive_score(COLUMN), forest.additive_score(COLUMN), atol=1e-6)
    np.testing.assert_allclose(model.score(COLUMN), forest.score(COLUMN), atol=1e-6)


@pytest.mark.parametrize(
    ("ensemble", "steps", "sentence"),
    [
        (CLASSIFIER, (MUL,), "arithmetic on what the post transform LOGISTIC gives"),
        (REGRESSOR, (SIGMOID, MUL), "changed by Mul"),
        (REGRESSOR, (SIGMOID, SIGMOID), "changed by Sigmoid"),
        (REGRESSOR, (("Div", 1.0, True),), "changed by Div"),
        (REGRESSOR, (("Div", 0.0, False),), "changed by Div"),
        (REGRESSOR, (("Mul", float("nan"), False),), "changed by Mul"),
        (REGRESSOR, (("Sqrt", None, False),), "changed by Sqrt"),
        (TWO_TARGETS, (SIGMOID,), "one score"),
        (CLASSIFIER, (SIGMOID,), "one score and without a post transform"),
    ],
)
def test_what_changes_the_score_otherwise_is_refused_by_name(
    ensemble: Ensemble, steps: tuple[tuple[str, float | None, bool], ...], sentence: str
) -> None:
    with pytest.raises(UnsupportedModelError, match=sentence):
        read_forest(behind(ensemble, *steps))


def test_a_constant_for_each_column_is_refused() -> None:
    model = load_model_from_string(TWO_TARGETS.to_onnx())
    model.graph.initializer.append(helper.make_tensor("two", TensorProto.FLOAT, [2], [1.0, 2.0]))
    model.graph.node.append(helper.make_node("Mul", ["scores", "two"], ["other"]))
    model.graph.output[0].name = "other"
    with pytest.raises(UnsupportedModelError, match="changed by Mul"):
        read_forest(model.SerializeToString())


@pytest.mark.parametrize(("to", "is_read"), [(TensorProto.DOUBLE, True), (TensorProto.FLOAT16, False)])
def test_a_cast_is_read_only_if_no_digit_is_lost(to: int, is_read: bool) -> None:
    model = load_model_from_string(REGRESSOR.to_onnx())
    model.graph.node.append(helper.make_node("Cast", ["scores"], ["other"], to=to))
    model.graph.output[0].name = "other"
    model.graph.output[0].type.tensor_type.elem_type = to
    content = model.SerializeToString()
    if is_read:
        np.testing.assert_allclose(
            read_forest(content).score(COLUMN), OnnxModel(content, CARD).score(COLUMN), atol=1e-6
        )
        return
    with pytest.raises(UnsupportedModelError, match="changed by Cast"):
        read_forest(content)
