"""Lines and tables say what the runtime says; where they cannot, there is no shortcut."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from explainer.attribution_methods.sums.linear import ExactLinear
from models.errors import ModelFeaturesMismatchError
from models.linear_model import FeatureForms, LinearModel
from models.linear_shortcut import AGREEMENT, LinearShortcut, shortcut_of
from models.onnx_linear import read_linear_model
from tests.conformance.checks_attribution import brute_force
from tests.conformance.small_pipelines import Pipeline, linear_pipeline
from tests.unit.models.cards import card_with_features, feature_data


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return linear_pipeline(only_scaled=True)


@pytest.fixture(scope="module")
def model(pipeline: Pipeline) -> LinearModel:
    return read_linear_model(pipeline.content, pipeline.card.features).for_output(2)


def test_lines_and_tables_give_the_parts_the_runtime_gives(pipeline: Pipeline, model: LinearModel) -> None:
    shortcut = shortcut_of(model, pipeline.rows[:40])
    assert isinstance(shortcut, LinearShortcut)
    rows = pipeline.rows.copy()
    rows[:, 1] *= 40  # far beyond the rows it was made of
    rows[:30, 1] = np.nan
    rows[20:60, 4] = np.nan
    largest = np.abs(model.parts_of(rows)).max()
    np.testing.assert_allclose(shortcut.parts_of(rows), model.parts_of(rows), rtol=0, atol=AGREEMENT * largest)
    alone = np.concatenate([shortcut.parts_of(row[np.newaxis]) for row in rows])
    assert np.array_equal(alone, shortcut.parts_of(rows))
    assert np.array_equal(shortcut.additive_score(rows), model.additive_score(rows))
    assert np.array_equal(shortcut.score(rows), model.score(rows))
    assert shortcut.parts_of(rows[:0]).shape == (0, 5)


def test_contributions_by_the_shortcut_are_those_of_all_coalitions(pipeline: Pipeline, model: LinearModel) -> None:
    background, rows, weights = pipeline.rows[:40], pipeline.rows[40:44], np.random.default_rng(1).uniform(1, 5, 40)
    found = ExactLinear(model, background, weights).contributions_of(rows)
    truth = brute_force(model, background, weights, rows)
    assert np.abs(truth).max() > 0.5
    np.testing.assert_allclose(found, truth, rtol=0, atol=1e-6)
    by_the_runtime = ExactLinear(replace(model, forms=None), background, weights).contributions_of(rows)
    np.testing.assert_allclose(by_the_runtime, truth, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("feature", "value", "said"),
    [
        (0, 2.0, "the value 2 of feature 0"),
        (0, -1.0, "the value -1 of feature 0"),
        (2, 0.5, "the value 0.5 of feature 2"),
        (2, np.nan, "a missing value of feature 2"),
        (2, np.inf, "the value inf of feature 2"),
        (3, np.nan, "a missing value of feature 3"),
        (1, -np.inf, "the value -inf of feature 1"),
    ],
)
def test_values_the_model_says_nothing_about_are_refused(
    pipeline: Pipeline, model: LinearModel, feature: int, value: float, said: str
) -> None:
    rows = pipeline.rows[:3].copy()
    shortcut = shortcut_of(model, pipeline.rows)
    assert isinstance(shortcut, LinearShortcut)
    rows[1, feature] = value
    with pytest.raises(ModelFeaturesMismatchError, match=said):
        shortcut.parts_of(rows)
    with pytest.raises(ModelFeaturesMismatchError, match="fit 5 features"):
        shortcut.parts_of(rows[:, :4])


def test_numbers_that_go_another_way_have_no_shortcut() -> None:
    counted = linear_pipeline()  # children go through an ordinal encoder
    model = read_linear_model(counted.content, counted.card.features).for_output(0)
    assert model.forms is not None
    assert model.forms.straight == {1, 4}
    assert shortcut_of(model, counted.rows) is model
    without_card = LinearModel(intercepts=np.zeros(1), coefficients=np.ones((1, 3)))
    assert shortcut_of(without_card, np.zeros((1, 3))) is without_card


def graph(nodes: list[Any], element_type: int = TensorProto.FLOAT) -> bytes:
    constants = {"half": np.array([0.5], np.float32), "one": np.array([1.0], np.float32)}
    linear = helper.make_node(
        "LinearRegressor", ["table"], ["score"], domain="ai.onnx.ml", coefficients=[2.0, -1.0], intercepts=[1.0]
    )
    made = helper.make_graph(
        [*nodes, linear],
        "linear",
        [helper.make_tensor_value_info("rows", element_type, [None, 2])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    content: bytes = helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString()
    return content


ML = "ai.onnx.ml"
node = helper.make_node
ROWS = np.array([[0.25, 1.0], [0.5, 2.0], [0.75, 4.0]])


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Sub", ["rows", "half"], ["a"]), node("Div", ["a", "half"], ["table"])],
        [node("Mul", ["half", "rows"], ["a"]), node("Add", ["one", "a"], ["table"])],
        [node("Scaler", ["rows"], ["table"], domain=ML, offset=[1.0, 2.0], scale=[0.5, 4.0])],
        [node("Imputer", ["rows"], ["a"], domain=ML, imputed_value_floats=[1.0], replaced_value_float=float("nan")),
         node("Scaler", ["a"], ["table"], domain=ML, offset=[1.0], scale=[0.5])],
    ],
)  # fmt: skip
def test_moving_and_scaling_keeps_lines_straight(nodes: list[Any]) -> None:
    model = read_linear_model(graph(nodes), ("a", "b"))
    shortcut = shortcut_of(model, ROWS)
    assert isinstance(shortcut, LinearShortcut)
    np.testing.assert_allclose(shortcut.parts_of(ROWS * 1000), model.parts_of(ROWS * 1000), rtol=2e-6)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Clip", ["rows", "", "one"], ["a"]), node("Identity", ["a"], ["table"])],
        [node("Mul", ["rows", "rows"], ["table"])],
        [node("Div", ["one", "rows"], ["table"])],
        [node("Cast", ["rows"], ["a"], to=TensorProto.INT64), node("Cast", ["a"], ["table"], to=TensorProto.FLOAT)],
        [node("Imputer", ["rows"], ["table"], domain=ML, imputed_value_floats=[1.0], replaced_value_float=-1.0)],
    ],
)
def test_lines_that_may_bend_somewhere_have_no_shortcut(nodes: list[Any]) -> None:
    """Also where these rows would not show it."""
    model = read_linear_model(graph(nodes), ("a", "b"))
    assert model.forms is not None
    assert not model.forms.straight
    assert shortcut_of(model, ROWS) is model


def test_inputs_of_whole_numbers_keep_lines_straight_for_features_that_are_whole() -> None:
    content = graph([node("Cast", ["rows"], ["table"], to=TensorProto.FLOAT)], TensorProto.INT64)
    rows = np.array([[1.0, 2.0], [4.0, 7.0], [3.0, 11.0]])
    counts = card_with_features([feature_data("a", "integer"), feature_data("b", "integer")])
    model = read_linear_model(content, counts.features)
    shortcut = shortcut_of(model, rows)
    assert isinstance(shortcut, LinearShortcut)
    np.testing.assert_array_equal(shortcut.parts_of(rows * 100), model.parts_of(rows * 100))
    one_count = card_with_features([feature_data("a", "integer"), feature_data("b")])
    cut_off = read_linear_model(content, one_count.features)
    assert cut_off.forms is not None
    assert cut_off.forms.straight == {0}
    assert shortcut_of(cut_off, rows) is cut_off


def test_line_that_bends_among_the_rows_is_caught_even_if_the_graph_was_misread() -> None:
    """The broken twin: somebody believes that Clip keeps lines straight."""
    model = read_linear_model(graph([node("Clip", ["rows", "", "one"], ["table"])]), ("a", "b"))
    misread = replace(model, forms=FeatureForms(straight=frozenset({0, 1}), listed={}))
    assert shortcut_of(misread, ROWS + 0.5) is misread
    assert isinstance(shortcut_of(misread, ROWS / 8), LinearShortcut)


@pytest.mark.parametrize("by_the_runtime", [False, True])
def test_sixteen_threads_get_the_numbers_of_one(
    pipeline: Pipeline, model: LinearModel, *, by_the_runtime: bool
) -> None:
    rows = pipeline.rows
    asked = replace(model, forms=None) if by_the_runtime else model
    computer = ExactLinear(asked, rows[:40], np.ones(40))
    alone = computer.contributions_of(rows)
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda row: computer.contributions_of(row[np.newaxis])[0], [*rows, *rows[::-1]]))
    assert np.array_equal(together, [*alone, *alone[::-1]])
