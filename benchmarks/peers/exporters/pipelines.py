"""Pipelines of scikit-learn: encoders, scaler and imputer before trees, as skl2onnx exports them."""

from collections.abc import Callable
from typing import Any

import lightgbm
import skl2onnx
from boosting_libraries import lightgbm_settings
from one_export import OPSET, Export, by_shap, raw_of, scores_of
from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
from scikit_learn import forest, hist
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from synthetic_table import N_FEATURES, Table, table

N_SCALED = 2
"""Numbers with a scaler: continuous and never missing, so that no value lies exactly on a threshold."""


def one_hot_gradient_boosting(n_trees: int) -> Export:
    """One-hot encoder, scaler and imputer before GradientBoostingClassifier."""
    data = table(seed=171, word_sizes=(4, 6, 9), missing=True, n_complete=N_SCALED)
    classifier = GradientBoostingClassifier(n_estimators=n_trees, max_depth=3, random_state=7)
    return _pipeline_export(classifier, data, (4, 6, 9), OneHotEncoder(handle_unknown="ignore"))


def one_hot_random_forest(n_trees: int) -> Export:
    """One-hot encoder, scaler and imputer before RandomForestClassifier, three classes."""
    data = table(seed=172, n_classes=3, word_sizes=(4, 6, 9), missing=True, n_complete=N_SCALED)
    return _pipeline_export(RandomForestClassifier(**forest(n_trees)), data, (4, 6, 9), OneHotEncoder())


def ordinal_hist_gradient_boosting(n_trees: int) -> Export:
    """Ordinal encoder, scaler and imputer before HistGradientBoostingRegressor."""
    data = table(seed=173, kind="numbers", word_sizes=(5, 8), missing=True, n_complete=N_SCALED)
    return _pipeline_export(HistGradientBoostingRegressor(**hist(n_trees)), data, (5, 8), OrdinalEncoder())


def scaled_whole_numbers(n_trees: int) -> Export:
    """Whole numbers and imputed values through a scaler: on both sides of a threshold, by the last bit."""
    data = table(seed=172, n_classes=3, word_sizes=(4, 6, 9), missing=True)
    return _pipeline_export(RandomForestClassifier(**forest(n_trees)), data, (4, 6, 9), OneHotEncoder(), scale_all=True)


def one_hot_lightgbm(n_trees: int) -> Export:
    """One-hot encoder, scaler and imputer before LightGBM in a pipeline of scikit-learn."""
    skl2onnx.update_registered_converter(
        lightgbm.LGBMClassifier,
        "LightGbmLGBMClassifier",
        calculate_linear_classifier_output_shapes,
        convert_lightgbm,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
    )
    data = table(seed=174, word_sizes=(4, 6), missing=True, n_complete=N_SCALED)
    return _pipeline_export(lightgbm.LGBMClassifier(**lightgbm_settings(n_trees)), data, (4, 6), OneHotEncoder())


def _pipeline_export(
    classifier: Any, data: Table, word_sizes: tuple[int, ...], encoder: Any, *, scale_all: bool = False
) -> Export:
    frame = data.frame()
    names = list(frame.columns)
    n_numbers = N_FEATURES - len(word_sizes)
    n_imputed = 0 if scale_all else n_numbers - N_SCALED
    steps = ColumnTransformer(
        [
            ("gaps", SimpleImputer(strategy="median"), names[:n_imputed]),
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), names[n_imputed:n_numbers]),
            ("words", encoder, names[n_numbers:]),
        ],
        sparse_threshold=0,
    )
    model = Pipeline([("columns", steps), ("model", classifier)])
    model.fit(frame[data.training], data.target[data.training])
    types = [(name, FloatTensorType([None, 1])) for name in names[:n_numbers]]
    types += [(name, StringTensorType([None, 1])) for name in names[n_numbers:]]
    options = {id(model): {"zipmap": False}} if hasattr(model, "predict_proba") else None
    converted = skl2onnx.convert_sklearn(model, initial_types=types, target_opset=OPSET, options=options)
    held_out = frame[data.held_out]
    contributions = None
    if isinstance(encoder, OrdinalEncoder):  # one column for each feature, so that columns are the players
        contributions = by_shap(classifier, steps.transform(frame), data)
    return Export(
        framework="lightgbm" if isinstance(classifier, lightgbm.LGBMClassifier) else "scikit-learn",
        exporter="skl2onnx",
        content=converted.SerializeToString(),
        table=data,
        raw=raw_of(model, held_out),
        scores=scores_of(model, held_out),
        contributions=contributions,
        word_sizes=word_sizes,
        note="" if contributions is not None else "shap: explains encoded columns, not features",
    )


PIPELINES: dict[str, Callable[[int], Export]] = {
    one.__name__: one
    for one in (
        one_hot_gradient_boosting,
        one_hot_random_forest,
        one_hot_lightgbm,
        scaled_whole_numbers,
        ordinal_hist_gradient_boosting,
    )
}
