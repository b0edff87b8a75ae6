"""Models of LightGBM, XGBoost and CatBoost, as onnxmltools and CatBoost itself export them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import catboost
import lightgbm
import numpy as np
import onnxmltools
import xgboost
from one_export import FEW_TREES, Export, by_shap, scores_of
from onnxmltools.convert.common.data_types import FloatTensorType
from synthetic_table import N_FEATURES, Table, table


def lightgbm_binary(n_trees: int) -> Export:
    """LightGBM, two classes, missing values."""
    data = table(seed=101, missing=True)
    model = lightgbm.LGBMClassifier(**lightgbm_settings(n_trees)).fit(*data.training_set())
    return _lightgbm_export(model, data)


def lightgbm_classes(n_trees: int) -> Export:
    """LightGBM, three classes."""
    data = table(seed=102, n_classes=3)
    model = lightgbm.LGBMClassifier(**lightgbm_settings(n_trees)).fit(*data.training_set())
    return _lightgbm_export(model, data)


def lightgbm_regression(n_trees: int) -> Export:
    """LightGBM, a number, missing values."""
    data = table(seed=103, kind="numbers", missing=True)
    model = lightgbm.LGBMRegressor(**lightgbm_settings(n_trees)).fit(*data.training_set())
    return _lightgbm_export(model, data)


def lightgbm_random_forest(_: int) -> Export:
    """LightGBM's random forest of 100 trees, whose leaves are averaged."""
    return _lightgbm_random_forest(lightgbm.LGBMRegressor, table(seed=104, kind="numbers"), 100)


def lightgbm_random_forest_of_few(_: int) -> Export:
    """LightGBM's random forest of 20 trees; onnxmltools 1.16 divides by 100 all the same."""
    return _lightgbm_random_forest(lightgbm.LGBMRegressor, table(seed=104, kind="numbers"), 20)


def lightgbm_random_forest_binary(_: int) -> Export:
    """LightGBM's random forest, two classes, which onnxmltools puts together from columns behind the trees."""
    return _lightgbm_random_forest(lightgbm.LGBMClassifier, table(seed=106), 100)


def lightgbm_counts(n_trees: int) -> Export:
    """LightGBM, counts: the trees give the logarithm of the expected count."""
    data = table(seed=107, kind="counts")
    model = lightgbm.LGBMRegressor(**lightgbm_settings(n_trees), objective="poisson").fit(*data.training_set())
    return _lightgbm_export(model, data)


def lightgbm_one_against_rest(n_trees: int) -> Export:
    """LightGBM, three classes one against the rest; onnxmltools 1.16 writes a softmax instead."""
    data = table(seed=102, n_classes=3)
    model = lightgbm.LGBMClassifier(**lightgbm_settings(n_trees), objective="multiclassova").fit(*data.training_set())
    return _lightgbm_export(model, data)


def lightgbm_categories(n_trees: int) -> Export:
    """LightGBM with categories of its own, which split by set membership."""
    data = table(seed=105, word_sizes=(6, 9))
    rows = data.rows.astype(np.float32)
    model = lightgbm.LGBMClassifier(**lightgbm_settings(n_trees), min_data_per_group=20, max_cat_to_onehot=2)
    model.fit(rows[data.training], data.target[data.training], categorical_feature=[6, 7])
    return _lightgbm_export(
        model, data, word_sizes=(6, 9), shap_is_exact=False, note="shap: sets of categories are not supported"
    )


def xgboost_binary(n_trees: int) -> Export:
    """XGBoost, two classes, missing values, base score found from the data."""
    data = table(seed=111, missing=True)
    model = xgboost.XGBClassifier(**_xgboost(n_trees)).fit(*data.training_set())
    return _xgboost_export(model, data)


def xgboost_classes(n_trees: int) -> Export:
    """XGBoost, three classes."""
    data = table(seed=112, n_classes=3)
    model = xgboost.XGBClassifier(**_xgboost(n_trees)).fit(*data.training_set())
    return _xgboost_export(model, data)


def xgboost_regression(n_trees: int) -> Export:
    """XGBoost, a number, missing values."""
    data = table(seed=113, kind="numbers", missing=True)
    model = xgboost.XGBRegressor(**_xgboost(n_trees)).fit(*data.training_set())
    return _xgboost_export(model, data)


def xgboost_random_forest(n_trees: int) -> Export:
    """XGBoost's random forest, two classes."""
    data = table(seed=114)
    model = xgboost.XGBRFClassifier(n_estimators=n_trees, max_depth=4, random_state=7, n_jobs=1)
    model.fit(*data.training_set())
    return _xgboost_export(model, data, note="shap: XGBoost's random forest is not supported")


def xgboost_counts(n_trees: int) -> Export:
    """XGBoost, counts: onnxmltools multiplies by the base score behind the exponential."""
    data = table(seed=115, kind="counts")
    model = xgboost.XGBRegressor(**_xgboost(n_trees), objective="count:poisson").fit(*data.training_set())
    return _xgboost_export(model, data)


def catboost_binary(n_trees: int) -> Export:
    """CatBoost, two classes."""
    data = table(seed=121)
    model = catboost.CatBoostClassifier(**_catboost(n_trees)).fit(*data.training_set())
    return _catboost_export(model, data)


def catboost_missing(n_trees: int) -> Export:
    """CatBoost, two classes, missing values, which count as smaller than all others."""
    data = table(seed=122, missing=True)
    model = catboost.CatBoostClassifier(**_catboost(n_trees)).fit(*data.training_set())
    return _catboost_export(model, data)


def catboost_classes(n_trees: int) -> Export:
    """CatBoost, three classes."""
    data = table(seed=123, n_classes=3)
    model = catboost.CatBoostClassifier(**_catboost(n_trees)).fit(*data.training_set())
    return _catboost_export(model, data, note="shap: several classes of CatBoost end its process")


def catboost_regression(n_trees: int) -> Export:
    """CatBoost, a number."""
    data = table(seed=124, kind="numbers")
    model = catboost.CatBoostRegressor(**_catboost(n_trees)).fit(*data.training_set())
    return _catboost_export(model, data)


def catboost_from_average(n_trees: int) -> Export:
    """CatBoost, two classes, beginning at the average: base values for both classes."""
    data = table(seed=125)
    model = catboost.CatBoostClassifier(**_catboost(n_trees), boost_from_average=True).fit(*data.training_set())
    return _catboost_export(model, data)


def catboost_counts(n_trees: int) -> Export:
    """CatBoost, counts; its own exporter leaves the exponential out."""
    data = table(seed=126, kind="counts")
    model = catboost.CatBoostRegressor(**_catboost(n_trees), loss_function="Poisson").fit(*data.training_set())
    return _catboost_export(model, data)


def _lightgbm_random_forest(kind: Any, data: Table, n_trees: int) -> Export:
    settings = {**lightgbm_settings(n_trees), "num_leaves": 3, "boosting_type": "rf", "bagging_freq": 1}
    model = kind(**settings, bagging_fraction=0.6, feature_fraction=0.8).fit(*data.training_set())
    export = _lightgbm_export(model, data, shap_is_exact=False, note="shap: adds the trees up instead of averaging")
    return replace(export, raw=export.scores)  # LightGBM's raw scores are the sum


def lightgbm_settings(n_trees: int) -> dict[str, Any]:
    """Settings of LightGBM."""
    return {
        "n_estimators": n_trees,
        "num_leaves": 8 if n_trees < FEW_TREES else 24,
        "random_state": 7,
        "n_jobs": 1,
        "verbose": -1,
    }


def _xgboost(n_trees: int) -> dict[str, Any]:
    return {
        "n_estimators": n_trees,
        "max_depth": 3 if n_trees < FEW_TREES else 5,
        "learning_rate": 0.15,
        "random_state": 7,
        "n_jobs": 1,
    }


def _catboost(n_trees: int) -> dict[str, Any]:
    return {
        "iterations": n_trees,
        "depth": 3 if n_trees < FEW_TREES else 5,
        "random_seed": 7,
        "thread_count": 1,
        "verbose": False,
        "allow_writing_files": False,
    }


def _lightgbm_export(
    model: Any, data: Table, *, word_sizes: tuple[int, ...] = (), shap_is_exact: bool = True, note: str = ""
) -> Export:
    rows = data.rows.astype(np.float32)
    types = [("input", FloatTensorType([None, N_FEATURES]))]
    options = {"zipmap": False} if hasattr(model, "predict_proba") else {}
    converted = onnxmltools.convert_lightgbm(model, initial_types=types, **options)
    held_out = rows[data.held_out]
    return Export(
        framework="lightgbm",
        exporter="onnxmltools",
        content=converted.SerializeToString(),
        table=data,
        raw=model.predict(held_out, raw_score=True),
        scores=scores_of(model, held_out),
        contributions=by_shap(model, rows, data) if shap_is_exact else None,
        word_sizes=word_sizes,
        note=note,
    )


def _xgboost_export(model: Any, data: Table, note: str = "") -> Export:
    converted = onnxmltools.convert_xgboost(model, initial_types=[("input", FloatTensorType([None, N_FEATURES]))])
    held_out = data.numbers[data.held_out]
    return Export(
        framework="xgboost-cpu",
        exporter="onnxmltools",
        content=converted.SerializeToString(),
        table=data,
        raw=model.predict(held_out, output_margin=True),
        scores=scores_of(model, held_out),
        contributions=None if note else by_shap(model, data.numbers, data),
        note=note,
    )


def _catboost_export(model: Any, data: Table, note: str = "") -> Export:
    held_out = data.numbers[data.held_out]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        model.save_model(str(path), format="onnx")
        content = path.read_bytes()
    return Export(
        framework="catboost",
        exporter="catboost",
        content=content,
        table=data,
        raw=model.predict(held_out, prediction_type="RawFormulaVal"),
        scores=scores_of(model, held_out),
        contributions=None if note else by_shap(model, data.numbers, data),
        note=note,
    )


BOOSTING_LIBRARIES: dict[str, Callable[[int], Export]] = {
    one.__name__: one
    for one in (
        lightgbm_binary,
        lightgbm_classes,
        lightgbm_regression,
        lightgbm_counts,
        lightgbm_categories,
        lightgbm_random_forest,
        lightgbm_random_forest_of_few,
        lightgbm_random_forest_binary,
        lightgbm_one_against_rest,
        xgboost_binary,
        xgboost_classes,
        xgboost_regression,
        xgboost_counts,
        xgboost_random_forest,
        catboost_binary,
        catboost_missing,
        catboost_classes,
        catboost_regression,
        catboost_from_average,
        catboost_counts,
    )
}
