"""scikit-learn models and pipelines saved by skops become packages that score as the original and explain."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from typer.testing import CliRunner, Result

from explainer.cli import app
from explainer.use_cases.explained_model import ExplainedModel
from models.errors import KlarbescheidError
from models.features import from_row
from models.package import load_package
from tests import model_kinds
from tests.unit.models.native_cards import COUNT, DISTRICTS, NUMBER, THREE, TWO, score_columns, write_card

NAMES = ["income", "balance", "children", "district"]
SUMS = model_kinds.with_threshold(model_kinds.PROBABILITY, "score", 0.5)
HIST: dict[str, Any] = {"max_iter": 6, "max_leaf_nodes": 8, "random_state": 1}


def cases() -> pd.DataFrame:
    generator = np.random.default_rng(17)
    return pd.DataFrame(
        {
            "income": generator.normal(1500, 400, 400).astype(np.float32).astype(float),
            "balance": generator.normal(0, 1, 400).astype(np.float32).astype(float),
            "children": generator.integers(0, 5, 400).astype(float),
            "district": generator.choice([one["value"] for one in DISTRICTS[:-1]], 400),  # the last was never seen
        }
    )


def sums(frame: pd.DataFrame) -> np.ndarray:
    odd = frame["district"].isin(["d1", "d4"]) * 1.5
    return ((frame["income"] - 1500) / 400 + odd - frame["children"] * 0.4 + frame["balance"] ** 2).to_numpy()


def with_categories(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(district=frame["district"].astype("category"))


def encoded(last: Any, encoder: Any) -> Any:
    scaled = ("scale", StandardScaler(), ["income", "balance"])
    return make_pipeline(
        ColumnTransformer([("words", encoder, ["district"]), scaled, ("rest", "passthrough", ["children"])]), last
    )


def numbers_only(last: Any) -> Any:
    return make_pipeline(StandardScaler(), last)


ONE_HOT = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
NETWORK = MLPClassifier((4,), max_iter=2000, tol=1e-2, random_state=1)
MODELS: dict[str, tuple[Any, Any, list[str]]] = {
    "own_categories": (HistGradientBoostingClassifier(**HIST, categorical_features="from_dtype"), TWO, NAMES),
    "hist_classes": (encoded(HistGradientBoostingClassifier(**HIST), OrdinalEncoder()), THREE, NAMES),
    "hist_number": (HistGradientBoostingRegressor(**HIST), NUMBER, ["children", "income", "balance"]),
    "hist_counts": (HistGradientBoostingRegressor(**HIST, loss="poisson"), COUNT, ["income", "balance", "children"]),
    "one_hot_boosting": (encoded(GradientBoostingClassifier(n_estimators=6), ONE_HOT), TWO, NAMES),
    "one_hot_linear": (encoded(LogisticRegression(), ONE_HOT), TWO, NAMES),
    "scaled_linear": (numbers_only(LogisticRegression()), TWO, ["balance", "children", "income"]),
    "calibrated": (CalibratedClassifierCV(LogisticRegression(), cv=2), SUMS, ["income", "balance", "children"]),
    "network": (numbers_only(NETWORK), SUMS, ["income", "balance", "children"]),
    "forest": (RandomForestClassifier(12, max_depth=4, random_state=2), SUMS, ["income", "balance", "children"]),
}  # fmt: skip


def target_of(name: str, frame: pd.DataFrame) -> np.ndarray:
    learned = sums(frame)
    if "number" in name:
        return 100 + 10 * learned
    if "counts" in name:
        return np.round(np.exp(learned / 3))
    return np.digitize(learned, np.quantile(learned, [0.3, 0.7] if "classes" in name else [0.65]))


def fitted(name: str) -> tuple[Any, pd.DataFrame, np.ndarray]:
    model, _, columns = MODELS[name]
    frame = with_categories(cases()) if name == "own_categories" else cases()
    read = frame[columns]
    model.fit(read, target_of(name, frame))
    if not hasattr(model, "predict_proba"):
        return model, frame, model.predict(read)
    scores = model.predict_proba(read)
    return model, frame, scores if scores.shape[1] > 2 else scores[:, 1]


def add(folder: Path, name: str, content: bytes, frame: pd.DataFrame, scores: np.ndarray, *more: str) -> Result:
    model = folder / "model.skops"
    model.write_bytes(content)
    card = write_card(folder / "card.yaml", MODELS[name][1])
    frame.to_csv(folder / "people.csv", index=False)
    frame.assign(**score_columns(scores)).to_csv(folder / "reference.csv", index=False)
    tables = ["--background", str(folder / "people.csv"), "--reference", str(folder / "reference.csv")]
    into = ["--into", str(folder / "packages")]
    return CliRunner().invoke(app, ["models", "add", str(model), "--card", str(card), *tables, *into, *more])


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_added_and_explained(name: str, tmp_path: Path) -> None:
    model, frame, scores = fitted(name)
    result = add(tmp_path, name, skops.io.dumps(model), frame, scores)
    assert result.exit_code == 0, result.exception
    package = load_package(tmp_path / "packages" / "grants")
    assert (package.reading is None) == (name in ("calibrated", "network"))
    inputs = from_row(package.card.features, package.background.rows[0])
    numbers = ExplainedModel.prepare(package).numbers_for(inputs).score_numbers
    assert numbers is not None
    assert abs(numbers.attribution.additivity_gap) <= package.additive_tolerance


def test_a_category_that_was_never_seen_goes_where_scikit_learn_sends_it(tmp_path: Path) -> None:
    model, frame, scores = fitted("own_categories")
    assert add(tmp_path, "own_categories", skops.io.dumps(model), frame, scores).exit_code == 0
    package = load_package(tmp_path / "packages" / "grants")
    known = frame["district"].cat.categories
    rows = np.column_stack([frame[NAMES[:3]].to_numpy(), np.full(len(frame), 5.0)])
    unseen = frame.assign(district=pd.Categorical([None] * len(frame), categories=known))
    np.testing.assert_allclose(package.model.score(rows), model.predict_proba(unseen[NAMES])[:, 1], atol=1e-6)


def test_types_that_nobody_looked_at_are_named_and_refused(tmp_path: Path) -> None:
    model, frame, scores = fitted("forest")
    sneaky = make_pipeline(FunctionTransformer(print), model)
    result = add(tmp_path, "forest", skops.io.dumps(sneaky), frame, scores)
    assert isinstance(result.exception, KlarbescheidError)
    assert "builtins.print" in str(result.exception)
    assert "--trust builtins.print" in str(result.exception)
    assert not (tmp_path / "packages").exists()


def test_bytes_that_are_no_skops_file_are_refused(tmp_path: Path) -> None:
    _, frame, scores = fitted("forest")
    result = add(tmp_path, "forest", b"\x80\x04not a zip", frame, scores)
    assert "not a skops file" in str(result.exception)
