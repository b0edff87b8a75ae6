"""Small scikit-learn models and pipelines as ONNX, over raw rows as a card codes them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pandas as pd
from numpy.typing import NDArray
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from models.card import ModelCard
from tests.unit.models.cards import card_with_features, feature_data

HOUSING = ("rent", "own", "shelter", "family")
STATUS = ("job", "none")
FEATURES = ("income", "age", "housing", "status", "children")


@dataclass(frozen=True)
class Pipeline:
    """A fitted pipeline over named inputs of three types.

    Attributes:
        content: As ONNX.
        card: Its features, in another order than the graph's inputs.
        rows: Raw rows, shape (n, 5), in the card's order.
        scores: scikit-learn's probabilities of these rows; one column per class if there are more than two.
    """

    content: bytes
    card: ModelCard
    rows: NDArray[np.float64]
    scores: NDArray[np.float64]


def one_hot_pipeline(*, zipmap: bool = False, n_rows: int = 160) -> Pipeline:
    """Fit imputer, scaler, one-hot and ordinal encoders and boosted trees for two classes."""
    frame, odds = _cases(n_rows)
    trees = GradientBoostingClassifier(n_estimators=25, max_depth=4, random_state=1)
    return _fitted(frame, (odds > odds.median()).astype(int), trees, zipmap=zipmap)


def linear_pipeline(*, only_scaled: bool = False, n_rows: int = 160) -> Pipeline:
    """Fit a linear model for three classes behind the same encoders, or with all numbers imputed and scaled."""
    frame, odds = _cases(n_rows)
    if only_scaled:
        frame["children"] = frame["children"].astype(np.float32)
    return _fitted(frame, np.digitize(odds, [-0.3, 0.5]), LogisticRegression(max_iter=1000))


def _cases(n_rows: int) -> tuple[pd.DataFrame, pd.Series]:
    generator = np.random.default_rng(11)
    frame = pd.DataFrame(
        {
            "income": np.round(generator.normal(1500, 400, n_rows)).astype(np.float32),
            "age": generator.integers(18, 90, n_rows).astype(np.float32),
            "housing": generator.choice(HOUSING, n_rows),
            "status": generator.choice(STATUS, n_rows),
            "children": generator.integers(0, 4, n_rows),
        }
    )
    # Which housing counts depends on income and status, so that columns of one feature interact with others.
    wanted = frame["housing"].map({"rent": 0.4, "own": -1.5, "shelter": 1.5, "family": -0.2})
    odds = wanted * np.where(frame["income"] < 1500, 1.6, -0.5) + frame["children"] * (frame["status"] == "none")
    return frame, odds + generator.normal(0, 0.3, n_rows)


def _fitted(
    frame: pd.DataFrame, target: Any, classifier: Any, *, zipmap: bool = False, encode: ColumnTransformer | None = None
) -> Pipeline:
    counted = frame["children"].dtype == np.int64
    encode = encode or ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["income", "age"]),
            ("texts", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["housing", "status"]),
            ("counts", OrdinalEncoder() if counted else StandardScaler(), ["children"]),
        ]
    )
    model = make_pipeline(encode, classifier)
    model.fit(frame, target)
    kinds: dict[str, Any] = {"housing": StringTensorType, "status": StringTensorType}
    kinds |= {"children": Int64TensorType} if counted else {}
    inputs = [(name, kinds.get(name, FloatTensorType)([None, 1])) for name in FEATURES]
    content = convert_sklearn(model, initial_types=inputs, options={"zipmap": zipmap}).SerializeToString()
    card = card_with_features(
        [
            feature_data("status", "category", categories=_categories(STATUS)),
            feature_data("income"),
            feature_data("housing", "category", categories=_categories(HOUSING)),
            feature_data("children", "integer"),
            feature_data("age"),
        ]
    )
    columns = {**frame, "housing": frame["housing"].map(HOUSING.index), "status": frame["status"].map(STATUS.index)}
    rows = np.column_stack([np.asarray(columns[name], dtype=np.float64) for name in card.feature_names])
    chances = np.asarray(model.predict_proba(frame))
    return Pipeline(content, card, rows, chances[:, 1] if chances.shape[1] == 2 else chances)


def random_pipeline(seed: int) -> Pipeline:
    """Fit random preprocessing and random trees: numbers scaled, filled or not, texts and counts encoded or not."""
    generator = np.random.default_rng(seed)
    frame, odds = _cases(60)
    frame = frame.iloc[generator.permutation(len(frame))].reset_index(drop=True)
    numbers = [
        StandardScaler(),
        make_pipeline(SimpleImputer(strategy="median"), MinMaxScaler()),
        "passthrough",
    ]
    texts = [
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        OneHotEncoder(drop="first", sparse_output=False),
        OrdinalEncoder(),
    ]
    counts = [OrdinalEncoder(), OneHotEncoder(sparse_output=False), "passthrough"]
    encode = ColumnTransformer(
        [
            ("income", _drawn(generator, numbers), ["income"]),
            ("age", _drawn(generator, numbers), ["age"]),
            ("housing", _drawn(generator, texts), ["housing"]),
            ("status", _drawn(generator, texts), ["status"]),
            ("children", _drawn(generator, counts), ["children"]),
        ]
    )
    size: dict[str, Any] = {"n_estimators": 4, "max_depth": 4, "random_state": seed % 1000}
    trees = _drawn(
        generator,
        [GradientBoostingClassifier(**size), RandomForestClassifier(**size), ExtraTreesClassifier(**size)],
    )
    return _fitted(frame, (odds > odds.median()).astype(int), trees, encode=encode)


def _drawn(generator: np.random.Generator, choices: list[Any]) -> Any:
    return choices[int(generator.integers(len(choices)))]


def with_plain_integers(make_node: Callable[..., onnx.NodeProto]) -> Callable[..., onnx.NodeProto]:
    """Let the converter of histogram boosting write its node lists, which numpy 2 gives as numpy numbers."""

    def plain(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [int(entry) if isinstance(entry, (np.integer, np.bool_, bool)) else entry for entry in value]

    def patched(*positional: Any, **named: Any) -> onnx.NodeProto:
        return make_node(*positional, **{name: plain(value) for name, value in named.items()})

    return patched


def _categories(values: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{"value": value, "label": {"de": value, "en": value}} for value in values]
