from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, load_model_from_string

from models.errors import (
    MalformedPackageError,
    ModelFeaturesMismatchError,
    ModelUnusableError,
    UnsupportedModelError,
)
from models.forest import Forest, Tree, read_forest
from models.onnx_model import OnnxModel
from tests.unit.models.cards import card_with_features, card_with_numbers, feature_data
from tests.unit.models.tree_models import STUMP, Ensemble, Leaf, Split

COLUMN = np.array([[0.0], [0.5], [1.0]])


def test_leaves_and_base_value_add_up() -> None:
    forest = read_forest(Ensemble(trees=(STUMP, STUMP), base_values=(0.25,)).to_onnx())
    np.testing.assert_allclose(forest.additive_score(COLUMN), [0.85, 0.85, -0.15], atol=1e-7)
    assert forest.has_base_values
    assert forest.sum_of_largest_leaves == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("BRANCH_LEQ", [1.0, 1.0, 0.0]),
        ("BRANCH_LT", [1.0, 0.0, 0.0]),
        ("BRANCH_GTE", [0.0, 1.0, 1.0]),
        ("BRANCH_GT", [0.0, 0.0, 1.0]),
    ],
)
def test_every_comparison_becomes_up_to_a_threshold(mode: str, expected: list[float]) -> None:
    tree = replace(STUMP, mode=mode, yes=Leaf((1.0,)), no=Leaf((0.0,)))
    forest = read_forest(Ensemble(trees=(tree,)).to_onnx())
    np.testing.assert_array_equal(forest.additive_score(COLUMN), expected)


def test_a_twin_that_confuses_less_with_up_to_is_caught_by_the_runtime() -> None:
    content = Ensemble(trees=(replace(STUMP, mode="BRANCH_LT"),)).to_onnx()
    twin = read_forest(Ensemble(trees=(STUMP,)).to_onnx())
    truth = OnnxModel(content, card_with_numbers(1)).additive_score(COLUMN)
    np.testing.assert_allclose(read_forest(content).additive_score(COLUMN), truth, atol=1e-7)
    assert np.abs(twin.additive_score(COLUMN) - truth).max() == pytest.approx(0.5)


def test_values_are_compared_as_32_bit_numbers() -> None:
    tree = replace(STUMP, threshold=0.1)
    forest = read_forest(Ensemble(trees=(tree,)).to_onnx())
    # As a float32 number 0.1 is a little more than 0.1; both sides of the comparison are cast, so it still holds.
    np.testing.assert_allclose(forest.additive_score(np.array([[0.1], [0.1 + 1e-7]])), [0.3, -0.2], atol=1e-7)


def test_of_two_weight_columns_the_second_class_counts() -> None:
    tree = Split(feature=0, mode="BRANCH_LEQ", threshold=0.5, yes=Leaf((-1.0, 2.0)), no=Leaf((1.0, -3.0)))
    forest = read_forest(Ensemble(trees=(tree,)).to_onnx())
    np.testing.assert_array_equal(forest.additive_score(COLUMN), [2.0, 2.0, -3.0])


def test_a_regressor_is_read_without_a_link() -> None:
    forest = read_forest(Ensemble(trees=(STUMP,), classifier=False, post_transform="NONE").to_onnx())
    assert forest.link == "identity"
    np.testing.assert_allclose(forest.score(COLUMN), [0.3, 0.3, -0.2], atol=1e-7)


def test_named_inputs_follow_the_order_of_the_card() -> None:
    tree = Split(feature=1, mode="BRANCH_LEQ", threshold=0.5, yes=Leaf((1.0,)), no=Leaf((2.0,)))
    ensemble = Ensemble(trees=(tree,), named_inputs=("a", "b"), input_type=TensorProto.DOUBLE)
    card = card_with_features([feature_data("b"), feature_data("a")])
    content = ensemble.to_onnx()
    forest = read_forest(content, card.feature_names)
    assert forest.features_used == {0}
    rows = np.array([[0.0, 9.0], [1.0, -9.0]])
    np.testing.assert_array_equal(forest.additive_score(rows), [1.0, 2.0])
    np.testing.assert_array_equal(OnnxModel(content, card).additive_score(rows), [1.0, 2.0])
    with pytest.raises(ModelFeaturesMismatchError, match="a, c"):
        read_forest(content, ("b", "c"))


def test_rows_of_another_width_are_refused() -> None:
    forest = read_forest(Ensemble(trees=(STUMP,)).to_onnx())
    for rows in (np.zeros((2, 2)), np.zeros(1)):
        with pytest.raises(ModelFeaturesMismatchError):
            forest.additive_score(rows)


def test_a_forest_cannot_be_changed() -> None:
    forest = read_forest(Ensemble(trees=(STUMP,)).to_onnx())
    with pytest.raises(ValueError, match="read-only"):
        forest.trees[0].threshold[0] = 1.0


@pytest.mark.parametrize(
    ("ensemble", "sentence"),
    [
        (Ensemble(trees=(STUMP,), post_transform="SOFTMAX"), "ignores the post transform SOFTMAX"),
        (Ensemble(trees=(STUMP,), post_transform="PROBIT"), "ignores the post transform PROBIT"),
        (Ensemble(trees=(STUMP,), classifier=False, post_transform="LOGISTIC"), "regressors"),
        (Ensemble(trees=(STUMP,), changes={"classlabels_int64s": [1]}), "1 classes"),
        (
            Ensemble(trees=(STUMP,), classifier=False, post_transform="NONE", changes={"aggregate_function": "MIN"}),
            "summed or averaged",
        ),
        (Ensemble(trees=(STUMP,), input_type=TensorProto.BFLOAT16), "only numbers, text and booleans"),
        (Ensemble(trees=(STUMP,), input_type=TensorProto.DOUBLE), "32-bit"),
    ],
)
def test_what_is_not_yet_read_is_refused_by_name(ensemble: Ensemble, sentence: str) -> None:
    with pytest.raises(UnsupportedModelError, match=sentence):
        read_forest(ensemble.to_onnx())


def test_an_operator_that_may_mix_features_is_refused_by_name() -> None:
    model = load_model_from_string(Ensemble(trees=(STUMP,)).to_onnx())
    model.graph.node[0].input[0] = "scaled"
    model.graph.node.insert(0, helper.make_node("Normalizer", ["rows"], ["scaled"], domain="ai.onnx.ml"))
    with pytest.raises(UnsupportedModelError, match="Normalizer"):
        read_forest(model.SerializeToString())


def test_what_changes_the_score_behind_the_trees_is_refused_by_name() -> None:
    model = load_model_from_string(Ensemble(trees=(STUMP,)).to_onnx())
    model.graph.node.append(helper.make_node("Sqrt", ["scores"], ["other"]))
    model.graph.output[1].name = "other"
    with pytest.raises(UnsupportedModelError, match="Sqrt"):
        read_forest(model.SerializeToString())


def test_a_classifier_with_zipmap_is_read_as_without() -> None:
    plain = Ensemble(trees=(STUMP,)).to_onnx()
    model = load_model_from_string(plain)
    zipmap = helper.make_node("ZipMap", ["scores"], ["map"], domain="ai.onnx.ml", classlabels_int64s=[0, 1])
    model.graph.node.append(zipmap)
    model.graph.output[1].CopyFrom(onnx.ValueInfoProto(name="map"))
    kind = model.graph.output[1].type.sequence_type.elem_type.map_type
    kind.key_type = TensorProto.INT64
    kind.value_type.tensor_type.elem_type = TensorProto.FLOAT
    content, card = model.SerializeToString(), card_with_numbers(1)
    np.testing.assert_array_equal(read_forest(content).score(COLUMN), read_forest(plain).score(COLUMN))
    np.testing.assert_array_equal(OnnxModel(content, card).score(COLUMN), OnnxModel(plain, card).score(COLUMN))


@pytest.mark.parametrize(
    "changes",
    [
        {"nodes_truenodeids": [1, 0]},
        {"nodes_truenodeids": [0, 0, 0]},
        {"nodes_truenodeids": [2, 0, 0]},
        {"nodes_truenodeids": [99, 0, 0]},
        {"nodes_nodeids": [0, 1, 1]},
        {"nodes_featureids": [7, 0, 0]},
        {"nodes_modes": ["BRANCH_LEQ", "BRANCH_LEQ", "LEAF"]},
        {"nodes_modes": ["LEAF", "LEAF", "LEAF"]},
        {"nodes_values": [float("nan"), 0.0, 0.0]},
        {"class_weights": [float("inf"), 0.0]},
        {"class_weights": [0.1]},
        {"class_nodeids": [1, 1]},
        {"class_ids": [0, 5]},
        {"base_values": [float("nan")]},
    ],
)
def test_trees_that_contradict_themselves_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedPackageError):
        read_forest(Ensemble(trees=(STUMP,), changes=changes).to_onnx())


@pytest.mark.parametrize("content", [b"", b"not onnx", b"\x00" * 100, b"\x08\x08"])
def test_nothing_but_our_errors_comes_out_of_bytes_that_are_no_model(content: bytes) -> None:
    with pytest.raises(ModelUnusableError):
        read_forest(content)


def test_cut_and_damaged_models_raise_only_our_errors() -> None:
    content = Ensemble(trees=(STUMP, STUMP)).to_onnx()
    damaged = [content[:length] for length in range(0, len(content), 7)]
    damaged += [content[:i] + bytes([content[i] ^ 0x55]) + content[i + 1 :] for i in range(0, len(content), 3)]
    for bad in damaged:
        try:
            read_forest(bad)
        except ModelUnusableError:
            continue


def test_arrays_that_are_no_tree_are_refused() -> None:
    def tree(left: list[int], right: list[int]) -> Tree:
        n = len(left)
        return Tree(
            left=np.array(left, dtype=np.int32),
            right=np.array(right, dtype=np.int32),
            feature=np.zeros(n, dtype=np.int32),
            threshold=np.zeros(n, dtype=np.float32),
            missing_left=np.zeros(n, dtype=np.bool_),
            value=np.zeros(n),
        )

    tree([1, -1, -1], [2, -1, -1])
    for left, right in (([0, -1, -1], [2, -1, -1]), ([1, -1, -1], [1, -1, -1]), ([1, -1, -1], [-1, -1, -1])):
        with pytest.raises(MalformedPackageError):
            tree(left, right)
    with pytest.raises(MalformedPackageError):
        Forest(base_value=0.0, trees=(), n_features=1)
