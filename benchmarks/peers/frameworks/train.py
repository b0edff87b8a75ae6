"""Trains the models that benchmarks explain, each with the framework a city might use, and writes them as ONNX.

Runs in a pinned environment of its own. Data are synthetic and seeded; nothing is said about real cities. What is
written: ``model.onnx``, ``rows.npz`` (raw rows the model has not seen) and their scores by the original framework.
"""

import argparse
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
import onnxmltools
import pandas as pd
import skl2onnx
import xgboost
from onnx import ModelProto
from onnxmltools.convert.common.data_types import FloatTensorType as OnnxmlFloats
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

N_TRAINING_ROWS = 20_000
N_OTHER_ROWS = 12_000
OPSET = {"": 17, "ai.onnx.ml": 3}

Trained = tuple[ModelProto, dict[str, np.ndarray], np.ndarray]


def boosting_300x31() -> Trained:
    """LightGBM: 300 trees of 31 leaves over 20 numbers."""
    data, labels = _numbers(20, n_informative=14, seed=11)
    model = lightgbm.LGBMClassifier(n_estimators=300, num_leaves=31, learning_rate=0.05, verbose=-1, random_state=11)
    model.fit(data[:N_TRAINING_ROWS], labels[:N_TRAINING_ROWS])
    converted = onnxmltools.convert_lightgbm(model, initial_types=[("input", OnnxmlFloats([None, 20]))], zipmap=False)
    rest = data[N_TRAINING_ROWS:]
    return converted, {"rows": rest.astype(np.float64)}, model.predict_proba(rest)[:, 1]


def boosting_315_features() -> Trained:
    """XGBoost: 500 trees of depth 5 over 75 numbers and 240 yes-or-no columns."""
    numbers, labels = _numbers(75, n_informative=30, seed=13)
    generator = np.random.default_rng(13)
    chances = generator.uniform(0.05, 0.6, 240)
    binary = generator.random((len(labels), 240)) < chances
    # Some of the yes-or-no columns matter, or trees would never ask about them.
    moved = binary[:, :60] @ generator.normal(0, 0.8, 60)
    labels = (labels + (moved - moved.mean()) / moved.std() > 0.5).astype(int)  # noqa: PLR2004 -- half
    data = np.column_stack([numbers, binary]).astype(np.float32)
    model = xgboost.XGBClassifier(n_estimators=500, max_depth=5, learning_rate=0.1, random_state=13, base_score=0.5)
    model.fit(data[:N_TRAINING_ROWS], labels[:N_TRAINING_ROWS])
    converted = onnxmltools.convert_xgboost(model, initial_types=[("input", OnnxmlFloats([None, 315]))])
    rest = data[N_TRAINING_ROWS:]
    return converted, {"rows": rest.astype(np.float64)}, model.predict_proba(rest)[:, 1]


def one_hot_boosting() -> Trained:
    """scikit-learn: one-hot encoder, scaler and gradient boosting, 150 trees of depth 4 over 12 raw features."""
    return _pipeline(GradientBoostingClassifier(n_estimators=150, max_depth=4, random_state=17))


def linear_pipeline() -> Trained:
    """scikit-learn: one-hot encoder, scaler and logistic regression over 12 raw features."""
    return _pipeline(LogisticRegression(max_iter=1000))


def _pipeline(classifier: object) -> Trained:
    numbers, labels = _numbers(8, n_informative=6, seed=17)
    generator = np.random.default_rng(17)
    sizes = (4, 6, 9, 12)
    words = np.column_stack([generator.integers(size, size=len(labels)) for size in sizes])
    shift = sum(generator.normal(0, 0.6, size)[words[:, place]] for place, size in enumerate(sizes))
    labels = (labels + shift > 0.5).astype(int)  # noqa: PLR2004 -- half
    frame = pd.DataFrame(numbers, columns=[f"n{place}" for place in range(8)])
    for place in range(len(sizes)):
        frame[f"w{place}"] = np.char.add("c", words[:, place].astype(str)).astype(object)
    names = list(frame.columns)
    steps = ColumnTransformer(
        [("numbers", StandardScaler(), names[:8]), ("words", OneHotEncoder(), names[8:])], sparse_threshold=0
    )
    model = Pipeline([("columns", steps), ("classifier", classifier)])
    model.fit(frame[:N_TRAINING_ROWS], labels[:N_TRAINING_ROWS])
    types = [(name, FloatTensorType([None, 1])) for name in names[:8]]
    types += [(name, StringTensorType([None, 1])) for name in names[8:]]
    converted = skl2onnx.convert_sklearn(
        model, initial_types=types, target_opset=OPSET, options={id(model): {"zipmap": False}}
    )
    rest = frame[N_TRAINING_ROWS:]
    rows = np.column_stack([numbers[N_TRAINING_ROWS:].astype(np.float64), words[N_TRAINING_ROWS:].astype(np.float64)])
    return (
        converted,
        {"rows": rows, "category_counts": np.array([0] * 8 + list(sizes))},
        model.predict_proba(rest)[:, 1],
    )


def _numbers(n_features: int, *, n_informative: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    data, labels = make_classification(
        n_samples=N_TRAINING_ROWS + N_OTHER_ROWS,
        n_features=n_features,
        n_informative=n_informative,
        n_redundant=0,
        n_clusters_per_class=4,
        flip_y=0.05,
        class_sep=0.7,
        random_state=seed,
    )
    return data.astype(np.float32), labels


MODELS: dict[str, Callable[[], Trained]] = {
    one.__name__: one for one in (boosting_300x31, boosting_315_features, one_hot_boosting, linear_pipeline)
}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=sorted(MODELS))
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    model, arrays, scores = MODELS[given.name]()
    given.folder.mkdir(parents=True, exist_ok=True)
    (given.folder / "model.onnx").write_bytes(model.SerializeToString())
    np.savez(given.folder / "rows.npz", scores=scores.astype(np.float64), **arrays)
    print(json.dumps({"inputs": [one.name for one in model.graph.input]}))
