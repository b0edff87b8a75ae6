"""Preprocessing is run by the runtime, and every column is followed back to one raw feature or refused."""

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from models.encoding import Encoding, check_encoding
from models.errors import ModelFeaturesMismatchError, UnsupportedModelError
from models.forest import read_forest
from models.onnx_model import OnnxModel
from tests.conformance.small_pipelines import Pipeline, one_hot_pipeline
from tests.unit.models.cards import card_with_features, card_with_numbers, feature_data
from tests.unit.models.tree_models import Ensemble, Leaf, Split


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return one_hot_pipeline()


def graph(nodes: list[Any], n_columns: int, *, constants: dict[str, Any] | None = None, n_features: int = 2) -> bytes:
    """Put nodes that turn ``rows`` into ``table`` in front of one tree over the last column."""
    tree = Split(feature=n_columns - 1, mode="BRANCH_LEQ", threshold=0.5, yes=Leaf((1.0,)), no=Leaf((0.0,)))
    ensemble = Ensemble(trees=(tree,), classifier=False)._attributes() | {"post_transform": "NONE"}
    nodes.append(helper.make_node("TreeEnsembleRegressor", ["table"], ["scores"], domain="ai.onnx.ml", **ensemble))
    tensors = []
    for name, values in (constants or {}).items():
        array = np.asarray(values)
        kind = TensorProto.INT64 if array.dtype == np.int64 else TensorProto.FLOAT
        tensors.append(helper.make_tensor(name, kind, array.shape, array.ravel().tolist()))
    made = helper.make_graph(
        nodes,
        "prepared",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, n_features])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, 1])],
        tensors,
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString()


def test_a_pipeline_over_numbers_texts_and_integers_scores_as_the_original(pipeline: Pipeline) -> None:
    forest = read_forest(pipeline.content, pipeline.card.features)
    runtime = OnnxModel(pipeline.content, pipeline.card)
    np.testing.assert_allclose(runtime.score(pipeline.rows), pipeline.scores, rtol=0, atol=1e-6)
    np.testing.assert_allclose(forest.score(pipeline.rows), pipeline.scores, rtol=0, atol=1e-6)
    check_encoding(forest.encoding or pytest.fail("no encoding"), pipeline.rows, pipeline.card.feature_names)


def test_columns_of_a_one_hot_group_belong_to_one_feature(pipeline: Pipeline) -> None:
    forest = read_forest(pipeline.content, pipeline.card.features)
    # Columns: income and age scaled, 4 kinds of housing, 2 of status, children; card: status first.
    assert forest.feature_of_column.tolist() == [1, 4, 2, 2, 2, 2, 0, 0, 3]
    assert [len(columns) for columns in forest.columns_of_feature] == [2, 1, 4, 1, 1]
    columns = forest.encode(pipeline.rows)
    assert columns.dtype == np.float32
    assert columns.shape == (len(pipeline.rows), forest.n_columns)
    assert forest.encode(pipeline.rows[:0]).shape == (0, forest.n_columns)
    assert forest.thresholds_of(1) is None


def test_zipmap_changes_nothing(pipeline: Pipeline) -> None:
    mapped = one_hot_pipeline(zipmap=True)
    np.testing.assert_array_equal(
        OnnxModel(mapped.content, mapped.card).score(mapped.rows),
        OnnxModel(pipeline.content, pipeline.card).score(pipeline.rows),
    )
    read_forest(mapped.content, mapped.card.features)


def test_text_needs_a_category_in_the_card(pipeline: Pipeline) -> None:
    features = [feature_data(name) for name in pipeline.card.feature_names]
    with pytest.raises(ModelFeaturesMismatchError, match="reads text"):
        read_forest(pipeline.content, card_with_features(features).features)
    with pytest.raises(ModelFeaturesMismatchError, match="reads text"):
        read_forest(pipeline.content, pipeline.card.feature_names)


@pytest.mark.parametrize(
    ("column", "value", "sentence"), [(0, 2.0, "position"), (0, np.nan, "position"), (3, np.nan, "missing")]
)
def test_values_an_input_cannot_hold_are_refused(pipeline: Pipeline, column: int, value: float, sentence: str) -> None:
    row = pipeline.rows[:1].copy()
    row[0, column] = value
    for scored in (read_forest(pipeline.content, pipeline.card.features), OnnxModel(pipeline.content, pipeline.card)):
        with pytest.raises(ModelFeaturesMismatchError, match=sentence):
            scored.additive_score(row)


def test_a_column_that_mixes_features_is_refused_by_name() -> None:
    nodes = [
        helper.make_node("Gather", ["rows", "first"], ["a"], axis=1),
        helper.make_node("Gather", ["rows", "second"], ["b"], axis=1),
        helper.make_node("Div", ["a", "b"], ["table"]),
    ]
    content = graph(nodes, 1, constants={"first": np.array([0]), "second": np.array([1])})
    with pytest.raises(UnsupportedModelError, match="Div mixes 'rent' and 'income' in one column"):
        read_forest(content, ("rent", "income"))


@pytest.mark.parametrize(
    ("nodes", "constants", "sentence"),
    [
        ([helper.make_node("MatMul", ["rows", "m"], ["table"])], {"m": np.ones((2, 2), np.float32)}, "MatMul"),
        ([helper.make_node("Softmax", ["rows"], ["table"])], {}, "Softmax"),
        ([helper.make_node("Reshape", ["rows", "s"], ["table"])], {"s": np.array([-1, 1])}, "mixes rows"),
        ([helper.make_node("Concat", ["rows", "rows"], ["table"], axis=0)], {}, "along the rows"),
        ([helper.make_node("Transpose", ["rows"], ["table"], perm=[1, 0])], {}, "Transpose"),
    ],
)
def test_operators_that_mix_features_or_rows_are_refused(
    nodes: list[Any], constants: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UnsupportedModelError, match=sentence):
        read_forest(graph(list(nodes), 1, constants=constants))


@pytest.mark.parametrize(
    ("nodes", "constants", "owners"),
    [
        (
            [helper.make_node("Sub", ["rows", "c"], ["d"]), helper.make_node("Clip", ["d", "low", "high"], ["table"])],
            {"c": np.array([1.0, 2.0], np.float32), "low": np.float32(-1), "high": np.float32(3)},
            [0, 1],
        ),
        (
            [helper.make_node("ArrayFeatureExtractor", ["rows", "i"], ["a"], domain="ai.onnx.ml"),
             helper.make_node("Concat", ["a", "rows"], ["table"], axis=-1)],
            {"i": np.array([1, 1])},
            [1, 1, 0, 1],
        ),
        (
            [helper.make_node("OneHotEncoder", ["rows"], ["h"], domain="ai.onnx.ml", cats_int64s=[0, 1, 2]),
             helper.make_node("Reshape", ["h", "s"], ["table"])],
            {"s": np.array([-1, 6])},
            [0, 0, 0, 1, 1, 1],
        ),
        (
            [helper.make_node("IsNaN", ["rows"], ["n"]), helper.make_node("Where", ["n", "z", "rows"], ["w"]),
             helper.make_node("Unsqueeze", ["w", "one"], ["u"]), helper.make_node("Flatten", ["u"], ["table"])],
            {"z": np.zeros((1, 2), np.float32), "one": np.array([1])},
            [0, 1],
        ),
    ],
)  # fmt: skip
def test_operators_that_keep_features_apart_are_followed(
    nodes: list[Any], constants: dict[str, Any], owners: list[int]
) -> None:
    content = graph(list(nodes), len(owners), constants=constants)
    forest = read_forest(content)
    assert forest.feature_of_column.tolist() == owners or forest.encoding is None
    rows = np.random.default_rng(1).integers(0, 3, size=(20, 2)).astype(np.float64)
    np.testing.assert_array_equal(
        forest.additive_score(rows), OnnxModel(content, card_with_numbers(2)).additive_score(rows)
    )
    if forest.encoding is not None:
        check_encoding(forest.encoding, rows, ("a", "b"))


def test_columns_followed_back_wrongly_or_over_rows_are_caught_on_real_rows(pipeline: Pipeline) -> None:
    names = ("a", "b")
    rows = np.random.default_rng(1).normal(size=(20, 2))

    class Difference:
        def encode(self, rows: np.ndarray) -> np.ndarray:
            return (rows[:, :1] - rows[:, 1:]).astype(np.float32)

    class Centred:
        def encode(self, rows: np.ndarray) -> np.ndarray:
            return (rows[:, :1] - rows[:, :1].mean()).astype(np.float32)

    owner = np.array([0], dtype=np.int32)
    with pytest.raises(UnsupportedModelError, match="followed back to 'a', but it also changes with 'b'"):
        check_encoding(Encoding(2, owner, Difference()), rows, names)
    with pytest.raises(UnsupportedModelError, match="other cases"):
        check_encoding(Encoding(2, owner, Centred()), rows, names)


def test_a_set_membership_column_belongs_to_its_feature_and_its_thresholds_are_known() -> None:
    tree = Split(feature=1, mode="BRANCH_EQ", threshold=3.0, yes=Leaf((1.0,)), no=Leaf((0.0,)))
    forest = read_forest(Ensemble(trees=(tree,), n_features=2).to_onnx())
    assert forest.features_used == {1}
    assert forest.feature_of_column.tolist() == [0, 1, 1]
    below = float(np.nextafter(np.float32(3), np.float32(0)))
    assert forest.thresholds_of(1) is not None
    np.testing.assert_array_equal(forest.thresholds_of(1), np.array([below, 3.0], dtype=np.float32))
    assert forest.encode(np.array([[0.0, 3.0], [0.0, np.nan]]))[:, 2].tolist()[0] == 1
