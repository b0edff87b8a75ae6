"""Sets of categories as exporters without set membership write them: a chain of "is it a?" with one child for yes."""

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from models.errors import MalformedPackageError
from models.forest import read_forest
from models.onnx_model import OnnxModel
from tests.unit.models.cards import card_with_numbers

ROWS = np.array([[value] for value in (0.0, 1.0, 2.0, 3.0, 4.0, -1.0, 99.0, np.nan)])
YES, NO = 0.7, -0.4


def chain(values: tuple[float, ...], tracks: tuple[int, ...], **changes: Any) -> bytes:
    """One tree: nodes 0 … k-1 ask about the values, node k is the leaf of yes, node k + 1 that of no."""
    k = len(values)
    attributes: dict[str, Any] = {
        "nodes_treeids": [0] * (k + 2),
        "nodes_nodeids": list(range(k + 2)),
        "nodes_featureids": [0] * (k + 2),
        "nodes_modes": ["BRANCH_EQ"] * k + ["LEAF"] * 2,
        "nodes_values": [*values, 0.0, 0.0],
        "nodes_truenodeids": [k] * k + [0, 0],
        "nodes_falsenodeids": [*range(1, k), k + 1, 0, 0],
        "nodes_missing_value_tracks_true": [*tracks, 0, 0],
        "target_treeids": [0, 0],
        "target_nodeids": [k, k + 1],
        "target_ids": [0, 0],
        "target_weights": [YES, NO],
        "n_targets": 1,
    }
    node = helper.make_node(
        "TreeEnsembleRegressor", ["rows"], ["scores"], domain="ai.onnx.ml", **(attributes | changes)
    )
    graph = helper.make_graph(
        [node],
        "chain",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 1])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, 1])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    content: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return content


@pytest.mark.parametrize(
    ("values", "tracks"),
    [((1.0, 3.0), (0, 0)), ((0.0, 1.0, 2.0, 4.0), (0, 0, 0, 0)), ((1.0, 3.0), (1, 1)), ((2.0,), (0,))],
)
def test_a_chain_is_read_as_the_runtime_runs_it(values: tuple[float, ...], tracks: tuple[int, ...]) -> None:
    content = chain(values, tracks)
    forest = read_forest(content)
    truth = OnnxModel(content, card_with_numbers(1)).additive_score(ROWS)
    expected = [YES if value in values or (np.isnan(value) and any(tracks)) else NO for value in ROWS[:, 0]]
    np.testing.assert_allclose(truth, expected, atol=1e-7)
    np.testing.assert_allclose(forest.additive_score(ROWS), truth, atol=1e-7)
    assert len(forest.trees[0].left) == 3, "the chain is one question"


def test_a_twin_that_asks_only_about_the_first_value_is_caught() -> None:
    truth = OnnxModel(chain((1.0, 3.0), (0, 0)), card_with_numbers(1)).additive_score(ROWS)
    twin = read_forest(chain((1.0,), (0,))).additive_score(ROWS)
    assert np.abs(twin - truth).max() == pytest.approx(YES - NO)


@pytest.mark.parametrize(
    "changes",
    [
        {"nodes_falsenodeids": [1, 0, 0, 0]},
        {"nodes_falsenodeids": [0, 3, 0, 0]},
        {"nodes_modes": ["BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF"]},
        {"nodes_values": [1.0, float("inf"), 0.0, 0.0]},
    ],
)
def test_chains_that_run_in_a_circle_or_share_children_otherwise_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedPackageError):
        read_forest(chain((1.0, 3.0), (0, 0), **changes))
