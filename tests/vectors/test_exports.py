"""Real exports of every framework are read exactly and explained exactly, or refused; exports/README.md says more."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from explainer.attribution_methods.black_boxes.exact_enumeration import ExactEnumeration
from explainer.attribution_methods.forests.compiled_leaf_tables import CompiledLeafTables
from explainer.attribution_methods.forests.deep_forest import DeepForest
from explainer.attribution_methods.forests.exact_forest import ExactForest
from explainer.attribution_methods.method import AttributionComputer
from models.card import ModelCard
from models.errors import UnsupportedModelError
from models.forest import Forest, read_forest
from models.onnx_model import OnnxModel
from tests.conformance.counted_by_weight import CountedByWeight
from tests.unit.models.cards import card_with_features, feature_data

FOLDER = Path(__file__).parent / "exports"
NAMES = sorted(path.stem for path in FOLDER.glob("*.onnx"))
METHODS: dict[str, Callable[..., AttributionComputer]] = {
    "leaf tables": ExactForest,
    "compiled leaf tables": CompiledLeafTables,
    "deep forest": DeepForest,
    "counted forest": CountedByWeight,
    "every coalition": ExactEnumeration,
}

CONTRIBUTION_TOLERANCE = 1e-9
"""Both sides add the same 32-bit leaves up in 64 bits; what is left is the order."""

TOLERANCES = {"compiled leaf tables": 1e-6}
"""Their tables are 32-bit numbers."""

SCORE_TOLERANCE = 1e-6
"""As for packages, times the sum over trees of the largest |leaf|: exporters round leaves to 32 bits."""

RUNTIME_TOLERANCE = 1e-5
"""The same for sums of the runtime, which adds up in 32 bits."""


def category(value: str) -> dict[str, Any]:
    return {"value": value, "label": {"de": value, "en": value}}


@dataclass(frozen=True)
class Vector:
    """One file and what is known about it."""

    content: bytes
    refused: str
    category_counts: list[int]
    background: NDArray[np.float64]
    rows: NDArray[np.float64]
    scores: NDArray[np.float64]
    contributions: NDArray[np.float64]

    def card(self) -> ModelCard:
        n_numbers = self.category_counts.count(0)
        numbers = [feature_data(f"n{place}") for place in range(n_numbers)]
        words = [
            feature_data(f"w{place}", kind="category", categories=[category(f"c{one}") for one in range(count)])
            for place, count in enumerate(self.category_counts[n_numbers:])
        ]
        return card_with_features([*numbers, *words])

    def forest(self) -> Forest:
        return read_forest(self.content, self.card().features)

    def score_error(self, forest: Forest) -> float:
        ours = forest.score(self.rows).reshape(self.scores.shape)
        return float(np.abs(ours - self.scores).max() / max(1.0, forest.sum_of_largest_leaves))

    def runtime_error(self, forest: Forest) -> float:
        runtime = OnnxModel(self.content, self.card()).additive_score(self.rows)
        return float(np.abs(runtime - forest.additive_score(self.rows)).max() / max(1.0, forest.sum_of_largest_leaves))

    def contribution_error(self, forest: Forest, method: Callable[..., AttributionComputer]) -> float:
        weights = np.ones(len(self.background))
        explained = self.rows[: len(self.contributions)]
        outputs = [forest.for_output(output) for output in range(forest.n_outputs)]
        found = [method(one, self.background, weights).contributions_of(explained) for one in outputs]
        return float(np.abs(np.stack(found, axis=2) - self.contributions).max())


def read(name: str) -> Vector:
    known: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    background, rows, scores = (np.array(known[key], dtype=np.float64) for key in ("background", "rows", "scores"))
    contributions = np.array(known.get("contributions", []), dtype=np.float64)
    content = (FOLDER / f"{name}.onnx").read_bytes()
    return Vector(content, known["refused"], known["category_counts"], background, rows, scores, contributions)


EXACT = [name for name in NAMES if not read(name).refused]
REFUSED = [name for name in NAMES if read(name).refused]


def test_every_framework_is_there() -> None:
    families = ("lightgbm", "xgboost", "catboost", "gradient_boosting", "hist_gradient_boosting", "random_forest")
    families += ("extra_trees", "decision_tree", "one_hot", "ordinal")
    assert all(any(name.startswith(family) for name in EXACT) for family in families)
    assert "isolation_forest" in REFUSED
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 600_000


@pytest.mark.parametrize("name", EXACT)
def test_an_export_is_read_as_its_framework_and_the_runtime_score(name: str) -> None:
    vector = read(name)
    forest = vector.forest()
    assert vector.score_error(forest) <= SCORE_TOLERANCE
    assert vector.runtime_error(forest) <= RUNTIME_TOLERANCE
    runtime = OnnxModel(vector.content, vector.card()).score(vector.rows).reshape(vector.scores.shape)
    np.testing.assert_allclose(runtime, vector.scores, rtol=RUNTIME_TOLERANCE, atol=RUNTIME_TOLERANCE)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("method", METHODS)
def test_contributions_are_those_of_brute_force(name: str, method: str) -> None:
    vector = read(name)
    assert vector.contribution_error(vector.forest(), METHODS[method]) <= TOLERANCES.get(method, CONTRIBUTION_TOLERANCE)


@pytest.mark.parametrize("name", REFUSED)
def test_an_export_that_cannot_be_right_is_refused_with_the_sentence_that_says_why(name: str) -> None:
    vector = read(name)
    if vector.refused.startswith("scores are not the framework's"):
        assert vector.score_error(vector.forest()) > 0.01
    elif vector.refused.startswith("the runtime's sums are not the trees'"):
        forest = vector.forest()
        assert forest.has_base_values
        assert vector.score_error(forest) <= SCORE_TOLERANCE, "our reading is right"
        assert vector.runtime_error(forest) > 0.1, "and the runtime is not"
    else:
        with pytest.raises(UnsupportedModelError) as refusal:
            vector.forest()
        assert str(refusal.value) == vector.refused


def changed(content: bytes, **changes: Any) -> bytes:
    """Change attributes of the trees; None drops one, a pair of byte strings replaces one by the other."""
    model = onnx.load_model_from_string(content)
    node = next(node for node in model.graph.node if node.op_type.startswith("TreeEnsemble"))
    for attribute in list(node.attribute):
        if attribute.name not in changes:
            continue
        change = changes[attribute.name]
        if change is None:
            node.attribute.remove(attribute)
        elif attribute.strings:
            old, new = change
            attribute.strings[:] = [new if one == old else one for one in attribute.strings]
        else:
            attribute.ints[:] = [change(one) for one in attribute.ints]
    result: bytes = model.SerializeToString()
    return result


def without_last_tree(forest: Forest) -> Forest:
    return replace(forest, trees=forest.trees[:-1])


def with_outputs_in_other_order(forest: Forest) -> Forest:
    trees = tuple(replace(tree, value=tree.value[:, ::-1].copy()) for tree in forest.trees)
    return replace(forest, trees=trees, output_base_values=forest.output_base_values[::-1])


@pytest.mark.parametrize("name", [n for n in EXACT if n != "decision_tree"])
def test_a_twin_without_one_tree_is_caught(name: str) -> None:
    vector = read(name)
    twin = without_last_tree(vector.forest())
    assert vector.score_error(twin) > SCORE_TOLERANCE
    assert vector.contribution_error(twin, ExactForest) > CONTRIBUTION_TOLERANCE


@pytest.mark.parametrize("name", [n for n in EXACT if n.endswith("classes") or n == "decision_tree"])
def test_a_twin_that_exchanges_classes_is_caught(name: str) -> None:
    vector = read(name)
    twin = with_outputs_in_other_order(vector.forest())
    assert vector.score_error(twin) > SCORE_TOLERANCE
    assert vector.contribution_error(twin, ExactForest) > CONTRIBUTION_TOLERANCE


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("catboost_missing", {"nodes_missing_value_tracks_true": lambda track: 1 - track}),
        ("lightgbm_binary", {"nodes_missing_value_tracks_true": lambda track: 1 - track}),
        ("hist_gradient_boosting_binary", {"nodes_missing_value_tracks_true": None}),
        ("lightgbm_categories", {"nodes_featureids": lambda column: {6: 7, 7: 6}.get(column, column)}),
        ("gradient_boosting_regression", {"nodes_featureids": lambda column: (column + 1) % 8}),
    ],
)
def test_a_twin_that_reads_nodes_otherwise_is_caught(name: str, changes: dict[str, Any]) -> None:
    vector = read(name)
    twin = replace(vector, content=changed(vector.content, **changes)).forest()
    assert vector.score_error(twin) > SCORE_TOLERANCE


@pytest.mark.parametrize(
    ("name", "other"),
    [("xgboost_binary", b"BRANCH_LEQ"), ("lightgbm_binary", b"BRANCH_LT"), ("catboost_binary", b"BRANCH_GTE")],
)
def test_a_twin_that_confuses_less_with_up_to_is_caught_at_the_thresholds(name: str, other: bytes) -> None:
    vector = read(name)
    node = next(
        n for n in onnx.load_model_from_string(vector.content).graph.node if n.op_type.startswith("TreeEnsemble")
    )
    lists = {attribute.name: attribute for attribute in node.attribute}
    mode = next(mode for mode in lists["nodes_modes"].strings if mode != b"LEAF")
    rows = np.repeat(vector.rows[:1], len(lists["nodes_values"].floats), axis=0)
    rows[np.arange(len(rows)), lists["nodes_featureids"].ints] = lists["nodes_values"].floats
    at_thresholds = replace(vector, rows=rows)
    assert at_thresholds.runtime_error(vector.forest()) <= RUNTIME_TOLERANCE
    twin = replace(vector, content=changed(vector.content, nodes_modes=(mode, other))).forest()
    assert at_thresholds.runtime_error(twin) > RUNTIME_TOLERANCE


@pytest.mark.parametrize("name", ["gradient_boosting_binary", "xgboost_classes", "catboost_regression"])
def test_a_twin_that_ignores_base_values_is_caught(name: str) -> None:
    vector = read(name)
    twin = replace(vector, content=changed(vector.content, base_values=None)).forest()
    assert vector.score_error(twin) > SCORE_TOLERANCE
