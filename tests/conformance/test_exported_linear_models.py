"""What scikit-learn's linear models are exported as: read, scored alike, explained as all coalitions are."""

from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import LinearSVR

from explainer.attribution_methods.sums.linear import ExactLinear
from explainer.attribution_methods.sums.term_sums import TermSums
from models.errors import UnsupportedModelError
from models.linear_model import LinearModel
from models.onnx_graph import LINEAR
from models.onnx_linear import read_linear_model
from models.onnx_model import OnnxModel
from models.onnx_terms import OnnxSum, read_onnx_terms
from models.term_model import TermModel
from tests.conformance.checks_attribution import brute_force
from tests.unit.models.cards import card_with_features, feature_data

WORDS = ("x", "y", "z")
CARD = card_with_features(
    [
        feature_data("size"),
        feature_data("rent"),
        feature_data("word", "category", categories=[{"value": w, "label": {"de": w, "en": w}} for w in WORDS]),
        feature_data("count", "integer"),
    ]
)
GENERATOR = np.random.default_rng(1)
FRAME = pd.DataFrame(
    {
        "size": GENERATOR.normal(10, 3, 200).astype(np.float32),
        "rent": GENERATOR.normal(600, 200, 200).astype(np.float32),
        "word": GENERATOR.choice(WORDS, 200),
        "count": GENERATOR.integers(0, 3, 200),
    }
)
ROWS = np.column_stack([FRAME["size"], FRAME["rent"], FRAME["word"].map(WORDS.index), FRAME["count"]]).astype(float)
VALUE = (FRAME["size"] - FRAME["rent"] / 200 + 2 * (FRAME["word"] == "x") + GENERATOR.normal(size=200)).to_numpy()
YES = np.median(VALUE) < VALUE
THREE = np.digitize(VALUE, [6, 9])


def columns(numbers: Any = None, words: Any = None, count: Any = "passthrough") -> ColumnTransformer:
    steps = [
        ("numbers", StandardScaler() if numbers is None else numbers, ["size", "rent"]),
        ("words", OneHotEncoder() if words is None else words, ["word"]),
        ("count", count, ["count"]),
    ]
    return ColumnTransformer(steps, sparse_threshold=0)


def imputer() -> Any:
    return make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())


READ: dict[str, tuple[Any, Any, type]] = {
    "logistic": (make_pipeline(columns(), LogisticRegression()), YES, FloatTensorType),
    "logistic, three classes": (make_pipeline(columns(), LogisticRegression()), THREE, FloatTensorType),
    "logistic, 64 bits": (make_pipeline(columns(), LogisticRegression()), YES, DoubleTensorType),
    "linear": (make_pipeline(columns(), LinearRegression()), VALUE, FloatTensorType),
    "linear, 64 bits": (make_pipeline(columns(), LinearRegression()), VALUE, DoubleTensorType),
    "two targets": (make_pipeline(columns(), LinearRegression()), np.stack([VALUE, -(VALUE**2)], 1), FloatTensorType),
    "ridge, least and largest": (make_pipeline(columns(MinMaxScaler()), Ridge()), VALUE, FloatTensorType),
    "ridge, quartiles": (make_pipeline(columns(RobustScaler()), Ridge()), VALUE, FloatTensorType),
    "ridge, largest": (make_pipeline(columns(MaxAbsScaler()), Ridge()), VALUE, FloatTensorType),
    "support vectors": (make_pipeline(columns(), LinearSVR()), VALUE, FloatTensorType),
    "counts": (make_pipeline(columns(), PoissonRegressor()), np.abs(VALUE), FloatTensorType),
    "stochastic gradient": (
        make_pipeline(columns(), SGDClassifier(loss="log_loss", random_state=1)),
        YES,
        FloatTensorType,
    ),
    "imputer": (make_pipeline(columns(imputer()), LogisticRegression()), YES, FloatTensorType),
    "without the first word": (
        make_pipeline(columns(words=OneHotEncoder(drop="first")), LogisticRegression()),
        YES,
        FloatTensorType,
    ),
    "numbered words": (make_pipeline(columns(words=OrdinalEncoder()), LogisticRegression()), YES, FloatTensorType),
    "counts as words": (make_pipeline(columns(count=OneHotEncoder()), LogisticRegression()), YES, FloatTensorType),
    "scaled behind": (
        make_pipeline(columns("passthrough"), StandardScaler(), LogisticRegression()),
        YES,
        FloatTensorType,
    ),
    "powers": (make_pipeline(columns(PowerTransformer()), LogisticRegression()), YES, FloatTensorType),
    "above or not": (make_pipeline(columns(Binarizer(threshold=9)), LogisticRegression()), YES, FloatTensorType),
}
REFUSED: dict[str, tuple[Any, str]] = {
    "main components": (make_pipeline(columns(), PCA(2), LogisticRegression()), "MatMul before the linear model"),
    "shares of a row": (make_pipeline(columns(Normalizer()), LogisticRegression()), "Normalizer before the linear"),
}


def exported(model: Any, target: Any, numbers: type) -> bytes:
    model.fit(FRAME, target)
    types = {"word": StringTensorType, "count": Int64TensorType}
    inputs = [(name, types.get(name, numbers)([None, 1])) for name in CARD.feature_names]
    options = {id(model): {"zipmap": False}} if hasattr(model, "predict_proba") else None
    content: bytes = convert_sklearn(model, initial_types=inputs, options=options).SerializeToString()
    return content


def read(content: bytes) -> tuple[LinearModel | TermModel, OnnxModel | OnnxSum]:
    if any(node.op_type in LINEAR for node in onnx.load_model_from_string(content).graph.node):
        return read_linear_model(content, CARD.features), OnnxModel(content, CARD)
    return read_onnx_terms(content, CARD.features), OnnxSum(content, CARD.features)


@pytest.mark.parametrize("name", READ)
def test_exported_linear_model_is_read_and_explained_as_all_coalitions_do(name: str) -> None:
    original, target, numbers = READ[name]
    ours, runtime = read(exported(original, target, numbers))
    expected = original.predict_proba(FRAME) if hasattr(original, "predict_proba") else original.predict(FRAME)
    expected = expected[:, 1] if expected.ndim == 2 and ours.n_outputs == 1 else expected
    np.testing.assert_allclose(ours.score(ROWS), expected, rtol=5e-6, atol=5e-6)
    np.testing.assert_allclose(ours.additive_score(ROWS), runtime.additive_score(ROWS), rtol=1e-6, atol=1e-5)
    background, rows, weights = ROWS[:30], ROWS[30:33], np.random.default_rng(2).uniform(0.1, 5, 30)
    for output in range(ours.n_outputs):
        one = ours.for_output(output)
        method = ExactLinear if isinstance(one, LinearModel) else TermSums
        found = method(one, background, weights).contributions_of(rows)  # type: ignore[arg-type]
        truth = brute_force(one, background, weights, rows)
        assert np.abs(truth).max() > 0.01, "the check must have something to compare"
        np.testing.assert_allclose(found, truth, rtol=0, atol=1e-6 * max(1.0, float(np.abs(truth).max())))


@pytest.mark.parametrize("name", REFUSED)
def test_what_mixes_features_in_one_column_is_refused_by_name(name: str) -> None:
    original, said = REFUSED[name]
    with pytest.raises(UnsupportedModelError, match=said):
        read(exported(original, YES, FloatTensorType))
