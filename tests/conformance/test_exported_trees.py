"""What scikit-learn exports is read as its own model scores: every tree ensemble, one output or several."""

from typing import Any

import numpy as np
import pytest
from skl2onnx import to_onnx
from skl2onnx.common import _container
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from models.forest import read_forest
from models.onnx_model import OnnxModel
from tests.conformance.small_pipelines import with_plain_integers
from tests.unit.models.cards import card_with_numbers

FEW: dict[str, Any] = {"n_estimators": 8, "max_depth": 4, "random_state": 1}
HIST: dict[str, Any] = {"max_iter": 8, "max_leaf_nodes": 8, "random_state": 1}
CLASSIFIERS = [
    GradientBoostingClassifier(**FEW),
    HistGradientBoostingClassifier(**HIST),
    RandomForestClassifier(**FEW),
    ExtraTreesClassifier(**FEW),
]
REGRESSORS = [
    GradientBoostingRegressor(**FEW),
    HistGradientBoostingRegressor(**HIST),
    RandomForestRegressor(**FEW),
    ExtraTreesRegressor(**FEW),
]
SEVERAL_TARGETS = [RandomForestRegressor(**FEW), ExtraTreesRegressor(**FEW)]


@pytest.fixture(autouse=True)
def converter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_container, "make_node", with_plain_integers(_container.make_node))


def rows_for(model: Any) -> np.ndarray:
    rows = np.random.default_rng(5).normal(size=(150, 4)).astype(np.float32)
    if type(model).__name__.startswith("Hist"):
        rows[np.random.default_rng(6).random(rows.shape) < 0.1] = np.nan
    return rows


def check_reading(model: Any, rows: np.ndarray, original: np.ndarray) -> None:
    options = {"zipmap": False} if hasattr(model, "predict_proba") else None
    content = to_onnx(model, rows[:1], options=options).SerializeToString()
    forest, runtime = read_forest(content), OnnxModel(content, card_with_numbers(4))
    table = rows.astype(np.float64)
    scale = max(1.0, forest.sum_of_largest_leaves)
    np.testing.assert_allclose(forest.score(table), original, rtol=0, atol=1e-6 * scale)
    np.testing.assert_allclose(runtime.additive_score(table), forest.additive_score(table), rtol=0, atol=1e-5 * scale)
    np.testing.assert_allclose(runtime.score(table), forest.score(table), rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classifiers(model: Any, n_classes: int) -> None:
    rows = rows_for(model)
    filled = np.nan_to_num(rows)
    classes = (filled[:, 0] * filled[:, 1] > 0).astype(int) + (n_classes > 2) * (filled[:, 2] > 0.4)
    model.fit(rows, classes)
    probabilities = model.predict_proba(rows)
    check_reading(model, rows, probabilities[:, 1] if n_classes == 2 else probabilities)


@pytest.mark.parametrize("model", REGRESSORS, ids=lambda model: type(model).__name__)
def test_regressors(model: Any) -> None:
    rows = rows_for(model)
    filled = np.nan_to_num(rows)
    check_reading(model.fit(rows, filled[:, 0] * filled[:, 1]), rows, model.predict(rows))


@pytest.mark.parametrize("model", SEVERAL_TARGETS, ids=lambda model: type(model).__name__)
def test_regressors_with_several_targets(model: Any) -> None:
    rows = rows_for(model)
    check_reading(model.fit(rows, rows[:, :2] * rows[:, 2:]), rows, model.predict(rows))
