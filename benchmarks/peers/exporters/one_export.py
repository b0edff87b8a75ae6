"""What is written about one model, and what every framework has in common."""

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import shap
from sklearn.pipeline import Pipeline
from synthetic_table import Table

N_EXPLAINED_ROWS = 5
FEW_TREES = 50
"""Below, trees are kept small as well: files that are committed."""

OPSET = {"": 17, "ai.onnx.ml": 3}


@dataclass(frozen=True, kw_only=True)
class Export:
    """What is written about one model.

    Attributes:
        framework: Distribution that trained it.
        exporter: Distribution that exported it.
        content: The ONNX file.
        table: The data.
        raw: Raw scores of rows as the framework gives them, before any link; (n,) or (n, n_outputs).
        scores: The framework's scores: probability of the second class, of each class, or the number.
        contributions: shap's contributions of the explained rows, (n, n_features) or (n, n_features, n_outputs);
            None where shap cannot or is not exact.
        word_sizes: Categories of each categorical feature.
        note: What was done to get past a fault of the exporter, or why there is nothing of shap.
    """

    framework: str
    exporter: str
    content: bytes
    table: Table
    raw: np.ndarray
    scores: np.ndarray
    contributions: np.ndarray | None = None
    word_sizes: tuple[int, ...] = ()
    note: str = ""


def scores_of(model: Any, rows: Any) -> np.ndarray:
    """Give the framework's scores: the second of two classes, all of several, or the number."""
    if not hasattr(model, "predict_proba"):
        return np.asarray(model.predict(rows))
    shares = np.asarray(model.predict_proba(rows))
    return shares[:, 1] if shares.shape[1] == 2 else shares  # noqa: PLR2004 -- the second of two classes


def by_shap(model: Any, columns: np.ndarray, data: Table) -> np.ndarray:
    """Give shap's interventional contributions of the first held-out rows, in the additive unit."""
    explainer = shap.TreeExplainer(
        model, data=columns[data.background], feature_perturbation="interventional", model_output="raw"
    )
    values = np.asarray(explainer.shap_values(columns[data.held_out][:N_EXPLAINED_ROWS], check_additivity=False))
    if hasattr(model, "predict_proba") and values.ndim == 3 and values.shape[2] == 2:  # noqa: PLR2004 -- random forests of two classes: the second
        return values[:, :, 1]
    return values


def raw_of(model: Any, rows: Any) -> np.ndarray:
    """Give the raw scores of scikit-learn: log-odds where it has them, else the scores themselves."""
    if hasattr(model, "decision_function"):
        return model.decision_function(rows)
    last = model.steps[-1][1] if isinstance(model, Pipeline) else model
    if isinstance(last, lightgbm.LGBMClassifier):
        return last.predict(model[:-1].transform(rows), raw_score=True)
    return scores_of(model, rows)
