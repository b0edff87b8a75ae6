"""Models of scikit-learn, as skl2onnx exports them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import skl2onnx
from one_export import FEW_TREES, OPSET, Export, by_shap, raw_of, scores_of
from skl2onnx.common.data_types import FloatTensorType
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier
from synthetic_table import N_FEATURES, Table, table


def gradient_boosting_binary(n_trees: int) -> Export:
    """scikit-learn's GradientBoostingClassifier, two classes."""
    data = table(seed=131)
    model = GradientBoostingClassifier(n_estimators=n_trees, max_depth=3, random_state=7).fit(*data.training_set())
    return _sklearn_export(model, data)


def gradient_boosting_classes(n_trees: int) -> Export:
    """scikit-learn's GradientBoostingClassifier, three classes."""
    data = table(seed=132, n_classes=3)
    model = GradientBoostingClassifier(n_estimators=n_trees, max_depth=3, random_state=7).fit(*data.training_set())
    return _sklearn_export(model, data, shap_is_exact=False, note="shap: several classes are not supported")


def gradient_boosting_regression(n_trees: int) -> Export:
    """scikit-learn's GradientBoostingRegressor."""
    data = table(seed=133, kind="numbers")
    model = GradientBoostingRegressor(n_estimators=n_trees, max_depth=3, random_state=7).fit(*data.training_set())
    return _sklearn_export(model, data)


def gradient_boosting_exponential(n_trees: int) -> Export:
    """scikit-learn's GradientBoostingClassifier with AdaBoost's loss: half the log-odds are summed."""
    data = table(seed=134)
    model = GradientBoostingClassifier(n_estimators=n_trees, max_depth=3, loss="exponential", random_state=7)
    export = _sklearn_export(model.fit(*data.training_set()), data)
    return replace(export, raw=2 * export.raw, contributions=2 * export.contributions)


def hist_gradient_boosting_binary(n_trees: int) -> Export:
    """scikit-learn's HistGradientBoostingClassifier, two classes, missing values."""
    data = table(seed=141, missing=True)
    return _sklearn_export(HistGradientBoostingClassifier(**hist(n_trees)).fit(*data.training_set()), data)


def hist_gradient_boosting_classes(n_trees: int) -> Export:
    """scikit-learn's HistGradientBoostingClassifier, three classes, missing values."""
    data = table(seed=142, n_classes=3, missing=True)
    return _sklearn_export(HistGradientBoostingClassifier(**hist(n_trees)).fit(*data.training_set()), data)


def hist_gradient_boosting_regression(n_trees: int) -> Export:
    """scikit-learn's HistGradientBoostingRegressor, missing values."""
    data = table(seed=143, kind="numbers", missing=True)
    return _sklearn_export(HistGradientBoostingRegressor(**hist(n_trees)).fit(*data.training_set()), data)


def hist_gradient_boosting_counts(n_trees: int) -> Export:
    """scikit-learn's HistGradientBoostingRegressor, counts; skl2onnx 1.20 leaves the exponential out."""
    data = table(seed=145, kind="counts")
    model = HistGradientBoostingRegressor(**hist(n_trees), loss="poisson").fit(*data.training_set())
    return _sklearn_export(model, data, shap_is_exact=False)


def hist_gradient_boosting_categories(n_trees: int) -> Export:
    """scikit-learn's HistGradientBoostingClassifier with categories, which skl2onnx 1.20 reads as numbers."""
    data = table(seed=144, word_sizes=(6, 9))
    model = HistGradientBoostingClassifier(**hist(n_trees), categorical_features=[6, 7])
    model.fit(data.rows[data.training], data.target[data.training])
    return _sklearn_export(model, data, word_sizes=(6, 9), shap_is_exact=False)


def random_forest_binary(n_trees: int) -> Export:
    """scikit-learn's RandomForestClassifier, two classes: shares of trees' leaves are averaged."""
    data = table(seed=151)
    return _sklearn_export(RandomForestClassifier(**forest(n_trees)).fit(*data.training_set()), data)


def random_forest_classes(n_trees: int) -> Export:
    """scikit-learn's RandomForestClassifier, three classes."""
    data = table(seed=152, n_classes=3)
    return _sklearn_export(RandomForestClassifier(**forest(n_trees)).fit(*data.training_set()), data)


def random_forest_regression(n_trees: int) -> Export:
    """scikit-learn's RandomForestRegressor."""
    data = table(seed=153, kind="numbers")
    return _sklearn_export(RandomForestRegressor(**forest(n_trees)).fit(*data.training_set()), data)


def random_forest_two_targets(n_trees: int) -> Export:
    """scikit-learn's RandomForestRegressor, two numbers at once."""
    data = table(seed=154, kind="numbers")
    target = np.column_stack([data.target, data.target**2])[data.training]
    model = RandomForestRegressor(**forest(n_trees)).fit(data.numbers[data.training], target)
    return _sklearn_export(model, data)


def random_forest_missing(n_trees: int) -> Export:
    """scikit-learn's RandomForestClassifier, missing values; skl2onnx 1.20 forgets which way they go."""
    data = table(seed=155, missing=True)
    return _sklearn_export(RandomForestClassifier(**forest(n_trees)).fit(*data.training_set()), data)


def extra_trees_binary(n_trees: int) -> Export:
    """scikit-learn's ExtraTreesClassifier, two classes."""
    data = table(seed=161)
    return _sklearn_export(ExtraTreesClassifier(**forest(n_trees)).fit(*data.training_set()), data)


def extra_trees_classes(n_trees: int) -> Export:
    """scikit-learn's ExtraTreesClassifier, three classes."""
    data = table(seed=165, n_classes=3)
    return _sklearn_export(ExtraTreesClassifier(**forest(n_trees)).fit(*data.training_set()), data)


def extra_trees_regression(n_trees: int) -> Export:
    """scikit-learn's ExtraTreesRegressor."""
    data = table(seed=162, kind="numbers")
    return _sklearn_export(ExtraTreesRegressor(**forest(n_trees)).fit(*data.training_set()), data)


def decision_tree(n_trees: int) -> Export:
    """One tree of scikit-learn, three classes."""
    data = table(seed=163, n_classes=3)
    depth = 4 if n_trees < FEW_TREES else 6
    return _sklearn_export(DecisionTreeClassifier(max_depth=depth, random_state=7).fit(*data.training_set()), data)


def isolation_forest(n_trees: int) -> Export:
    """scikit-learn's IsolationForest, whose score is a power of the mean path length."""
    data = table(seed=164)
    model = IsolationForest(
        n_estimators=min(n_trees, 20), max_samples=16 if n_trees < FEW_TREES else 64, random_state=7
    )
    model.fit(data.numbers[data.training])
    return _sklearn_export(model, data, shap_is_exact=False)


def calibrated_random_forest(n_trees: int) -> Export:
    """Three random forests of scikit-learn, each calibrated, and averaged."""
    data = table(seed=166)
    model = CalibratedClassifierCV(RandomForestClassifier(**forest(min(n_trees, 10))), cv=3)
    return _sklearn_export(model.fit(*data.training_set()), data, shap_is_exact=False)


def ada_boost(_: int) -> Export:
    """scikit-learn's AdaBoostClassifier: trees that vote."""
    data = table(seed=167)
    model = AdaBoostClassifier(n_estimators=4, random_state=7).fit(*data.training_set())
    return _sklearn_export(model, data, shap_is_exact=False)


def hist(n_trees: int) -> dict[str, Any]:
    """Settings of histogram gradient boosting."""
    return {
        "max_iter": n_trees,
        "max_leaf_nodes": 8 if n_trees < FEW_TREES else 24,
        "early_stopping": False,
        "random_state": 7,
    }


def forest(n_trees: int) -> dict[str, Any]:
    """Settings of random forests and extra trees."""
    depth = 4 if n_trees < FEW_TREES else 8
    return {"n_estimators": n_trees, "max_depth": depth, "random_state": 7, "n_jobs": 1}


def _sklearn_export(
    model: Any, data: Table, *, word_sizes: tuple[int, ...] = (), shap_is_exact: bool = True, note: str = ""
) -> Export:
    rows = data.rows.astype(np.float32)
    options = {id(model): {"zipmap": False}} if hasattr(model, "predict_proba") else None
    types = [("input", FloatTensorType([None, N_FEATURES]))]
    converted = skl2onnx.convert_sklearn(model, initial_types=types, target_opset=OPSET, options=options)
    held_out = rows[data.held_out]
    return Export(
        framework="scikit-learn",
        exporter="skl2onnx",
        content=converted.SerializeToString(),
        table=data,
        raw=raw_of(model, held_out),
        scores=model.decision_function(held_out) if isinstance(model, IsolationForest) else scores_of(model, held_out),
        contributions=by_shap(model, rows, data) if shap_is_exact else None,
        word_sizes=word_sizes,
        note=note,
    )


SCIKIT_LEARN: dict[str, Callable[[int], Export]] = {
    one.__name__: one
    for one in (
        gradient_boosting_binary,
        gradient_boosting_classes,
        gradient_boosting_regression,
        gradient_boosting_exponential,
        hist_gradient_boosting_binary,
        hist_gradient_boosting_classes,
        hist_gradient_boosting_regression,
        hist_gradient_boosting_counts,
        hist_gradient_boosting_categories,
        random_forest_binary,
        random_forest_classes,
        random_forest_regression,
        random_forest_two_targets,
        random_forest_missing,
        extra_trees_binary,
        extra_trees_classes,
        extra_trees_regression,
        decision_tree,
        isolation_forest,
        calibrated_random_forest,
        ada_boost,
    )
}
