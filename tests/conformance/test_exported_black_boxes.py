"""Models of scikit-learn that nobody can read as trees or sums are scored as scikit-learn scores them."""

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skl2onnx import to_onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import SVR

from models.card import ModelCard
from models.read_model import read_model
from tests import model_kinds as kinds

ROWS = kinds.some_rows(300, seed=1).astype(np.float32)
TWO = ((ROWS[:, 0] < 1500) ^ (ROWS[:, 3] > 0)).astype(np.int64)
THREE = np.digitize(ROWS[:, 0], [1200, 2600])
AMOUNTS = ROWS[:, 0] / 10 + ROWS[:, 1]

CLASSIFIERS: dict[str, Any] = {
    "neural network": MLPClassifier(max_iter=40, random_state=0),
    "naive Bayes": GaussianNB(),
    "stacking": StackingClassifier(
        [("forest", RandomForestClassifier(5, random_state=0)), ("line", LogisticRegression())]
    ),
    "calibrated boosting": CalibratedClassifierCV(GradientBoostingClassifier(n_estimators=5, random_state=0)),
    "bagging": BaggingClassifier(n_estimators=3, random_state=0),
    "AdaBoost": AdaBoostClassifier(n_estimators=4),
    "principal components": make_pipeline(PCA(3), LogisticRegression()),
    "products of features": make_pipeline(PolynomialFeatures(2), LogisticRegression()),
}


def exported(model: Any, target: NDArray[Any], **options: Any) -> tuple[Any, bytes]:
    """Fit a model and write it as ONNX."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few steps are enough here, and scikit-learn says so
        fitted = make_pipeline(StandardScaler(), model).fit(ROWS, target)
    chosen = {id(fitted): options} if options else None
    content: bytes = to_onnx(fitted, ROWS[:1], options=chosen).SerializeToString()
    return fitted, content


@pytest.mark.parametrize("zipmap", [False, True])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_two_and_three_classes_are_scored_as_scikit_learn_does(name: str, *, zipmap: bool) -> None:
    for kind, target in ((kinds.BLACK_BOX, TWO), (kinds.BLACK_BOX_OF_CLASSES, THREE)):
        original, content = exported(CLASSIFIERS[name], target, zipmap=zipmap)
        read = read_model("model.onnx", content, ModelCard.model_validate(kind.card()))
        expected = original.predict_proba(ROWS)
        assert read.reading is None
        scores = read.model.score(ROWS.astype(np.float64))
        np.testing.assert_allclose(scores, expected if kind.classes else expected[:, 1], rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    "model", [MLPRegressor(max_iter=40, random_state=0), SVR()], ids=["network", "support vectors"]
)
def test_regressions_are_scored_as_scikit_learn_does(model: Any) -> None:
    original, content = exported(model, AMOUNTS)
    read = read_model("model.onnx", content, ModelCard.model_validate(kinds.LINEAR_EUROS.card()))
    expected = original.predict(ROWS)
    assert read.reading is None
    np.testing.assert_allclose(read.model.score(ROWS.astype(np.float64)), expected, rtol=1e-5, atol=1e-4)
