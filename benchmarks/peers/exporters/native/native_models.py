"""Trains small models and saves them as LightGBM, XGBoost and CatBoost save them themselves.

Runs in the pinned environment of the exporters. Data are synthetic and seeded. What it writes is kept in
``tests/vectors/native_models``, so that tests need none of the libraries: ``<name>.<suffix>`` and, as JSON in
``<name>.<suffix>.scores``, rows with the scores of the model as it was loaded from that very file.
"""

import argparse
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import xgboost

N_ROWS = 600
N_KEPT = 120
N_CATEGORIES = 6
SHARE_OF_MISSING = 0.08
TREES = 6


def main() -> None:
    """Train, save, load and write down the scores."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    for write in (lightgbm_models, xgboost_models, catboost_models):
        write(folder)


def cases(*, missing: bool = False) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Make rows of two numbers, a whole number and a category by its number; and what is to be learned."""
    generator = np.random.default_rng(31)
    rows = np.column_stack(
        [
            generator.normal(1500, 400, N_ROWS),
            generator.normal(0, 1, N_ROWS),
            generator.integers(0, 5, N_ROWS),
            generator.integers(0, N_CATEGORIES, N_ROWS),
        ]
    ).astype(np.float32)
    odd = np.isin(rows[:, 3], [1, 4])
    sums = (rows[:, 0] - 1500) / 400 + odd * 1.5 - rows[:, 2] * 0.4 + rows[:, 1] ** 2
    targets = {
        "two": (sums > np.quantile(sums, 0.65)).astype(int),
        "three": np.digitize(sums, np.quantile(sums, [0.3, 0.7])),
        "number": 100 + 10 * sums,
        "count": generator.poisson(np.exp(sums / 3)),
    }
    if missing:
        rows[generator.random(N_ROWS) < SHARE_OF_MISSING, 0] = np.nan
    return rows.astype(np.float64), targets


def keep(path: Path, framework: Any, rows: np.ndarray, scores: np.ndarray) -> None:
    """Write rows and scores beside a model; two columns of two classes become that of the second."""
    shown = [[None if np.isnan(value) else value for value in row] for row in rows[:N_KEPT].tolist()]
    kept = {"made_with": f"{framework.__name__} {framework.__version__}", "rows": shown, "scores": scores.tolist()}
    path.with_name(path.name + ".scores").write_text(json.dumps(kept, separators=(",", ":")) + "\n", encoding="utf-8")


def as_frame(rows: np.ndarray) -> pd.DataFrame:
    """Write rows as a data frame that numbers districts and children in its own order."""
    districts = [f"d{int(one)}" for one in rows[:, 3]]
    backwards = [f"d{number}" for number in reversed(range(N_CATEGORIES))]
    return pd.DataFrame(
        {
            "income": rows[:, 0],
            "balance": rows[:, 1],
            "children": pd.Categorical(rows[:, 2].astype(int), categories=[4, 2, 0, 1, 3]),
            "district": pd.Categorical(districts, categories=backwards),
        }
    )


def lightgbm_models(folder: Path) -> None:
    """LightGBM text files."""
    settings = {"num_leaves": 8, "verbose": -1, "seed": 3, "num_threads": 1, "min_data_per_group": 10,
                "max_cat_to_onehot": 1, "min_data_in_leaf": 10}  # fmt: skip
    names = ["income", "balance", "children", "district"]
    forest = {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.7}
    kinds: dict[str, tuple[str, dict[str, Any], bool, bool]] = {
        "two_classes": ("two", {"objective": "binary"}, False, False),
        "two_classes_sigmoid": ("two", {"objective": "binary", "sigmoid": 1.7}, False, False),
        "categories": ("two", {"objective": "binary"}, False, True),
        "missing": ("two", {"objective": "binary"}, True, False),
        "three_classes": ("three", {"objective": "multiclass", "num_class": 3}, False, True),
        "one_against_rest": ("three", {"objective": "multiclassova", "num_class": 3}, False, False),
        "number": ("number", {"objective": "regression"}, True, True),
        "count": ("count", {"objective": "poisson"}, False, False),
        "random_forest": ("number", {"objective": "regression", **forest}, False, False),
        "random_forest_two_classes": ("two", {"objective": "binary", **forest}, False, False),
    }
    for name, (target, more, missing, categories) in kinds.items():
        rows, targets = cases(missing=missing)
        data = lightgbm.Dataset(
            rows, targets[target], feature_name=names, categorical_feature=[3] if categories else []
        )
        path = folder / f"lightgbm_{name}.txt"
        lightgbm.train({**settings, **more}, data, TREES).save_model(path)
        keep(path, lightgbm, rows, lightgbm.Booster(model_file=str(path)).predict(rows[:N_KEPT]))
    rows, targets = cases()
    path = folder / "lightgbm_data_frame.txt"
    data = lightgbm.Dataset(as_frame(rows), targets["two"])
    lightgbm.train({**settings, "objective": "binary"}, data, TREES).save_model(path)
    keep(path, lightgbm, rows, lightgbm.Booster(model_file=str(path)).predict(as_frame(rows[:N_KEPT])))


def xgboost_models(folder: Path) -> None:
    """XGBoost JSON and UBJSON files."""
    settings = {"max_depth": 3, "eta": 0.4, "seed": 3, "nthread": 1}
    kinds: dict[str, tuple[str, dict[str, Any], bool, bool, str]] = {
        "two_classes": ("two", {"objective": "binary:logistic"}, False, False, "json"),
        "two_classes_binary": ("two", {"objective": "binary:logistic"}, True, False, "ubj"),
        "categories": ("two", {"objective": "binary:logistic", "max_cat_to_onehot": 1}, False, True, "json"),
        "three_classes": ("three", {"objective": "multi:softprob", "num_class": 3}, True, False, "ubj"),
        "number": ("number", {"objective": "reg:squarederror"}, True, False, "json"),
        "count": ("count", {"objective": "count:poisson"}, False, False, "json"),
        "dart": ("two", {"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.5}, False, False, "json"),
        "random_forest": ("two", {"objective": "binary:logistic", "num_parallel_tree": 5, "subsample": 0.7, "eta": 1},
                          False, False, "ubj"),
    }  # fmt: skip
    for name, (target, more, missing, categories, suffix) in kinds.items():
        rows, targets = cases(missing=missing)
        types = ["q", "q", "q", "c" if categories else "q"]
        data = xgboost.DMatrix(rows, targets[target], feature_types=types, enable_categorical=categories)
        path = folder / f"xgboost_{name}.{suffix}"
        xgboost.train({**settings, **more}, data, TREES).save_model(path)
        shown = xgboost.DMatrix(rows[:N_KEPT], feature_types=types, enable_categorical=categories)
        keep(path, xgboost, rows, xgboost.Booster(model_file=path).predict(shown))
    rows, targets = cases()
    path = folder / "xgboost_data_frame.json"
    data = xgboost.DMatrix(as_frame(rows), targets["two"], enable_categorical=True)
    one = {"objective": "binary:logistic", "max_cat_to_onehot": 1}
    xgboost.train({**settings, **one}, data, TREES).save_model(path)
    shown = xgboost.DMatrix(as_frame(rows[:N_KEPT]), enable_categorical=True)
    keep(path, xgboost, rows, xgboost.Booster(model_file=path).predict(shown))


def catboost_models(folder: Path) -> None:
    """CatBoost's binary files, and the same models as JSON."""
    settings = {"iterations": TREES, "depth": 3, "random_seed": 3, "thread_count": 1, "verbose": False,
                "allow_writing_files": False}  # fmt: skip
    classifier, regressor = catboost.CatBoostClassifier, catboost.CatBoostRegressor
    kinds: dict[str, tuple[str, Callable[..., Any], dict[str, Any], bool]] = {
        "two_classes": ("two", classifier, {"boost_from_average": True}, False),
        "missing": ("two", classifier, {}, True),
        "missing_largest": ("two", classifier, {"nan_mode": "Max"}, True),
        "three_classes": ("three", classifier, {"loss_function": "MultiClass"}, False),
        "one_against_rest": ("three", classifier, {"loss_function": "MultiClassOneVsAll"}, False),
        "number": ("number", regressor, {}, False),
        "count": ("count", regressor, {"loss_function": "Poisson"}, False),
    }
    for name, (target, kind, more, missing) in kinds.items():
        rows, targets = cases(missing=missing)
        path = folder / f"catboost_{name}.cbm"
        kind(**settings, **more).fit(rows, targets[target]).save_model(path)
        model = kind().load_model(path)
        model.save_model(folder / f"catboost_{name}.json", format="json")
        if kind is classifier:
            scores = model.predict_proba(rows[:N_KEPT])
            scores = scores[:, 1] if target == "two" else scores
        else:
            scores = model.predict(rows[:N_KEPT], prediction_type="Exponent" if name == "count" else "RawFormulaVal")
        keep(path, catboost, rows, scores)


if __name__ == "__main__":
    main()
