"""Cards and tables for the models in tests/vectors/native_models."""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests import model_kinds
from tests.unit.models.cards import card_bytes, card_data, feature_data

VECTORS = Path(__file__).parents[2] / "vectors" / "native_models"
DISTRICTS = [{"value": f"d{number}", "label": {"de": f"Bezirk {number}", "en": f"District {number}"}}
             for number in range(6)]  # fmt: skip
FEATURES = [
    feature_data("income", unit={"de": "Euro", "en": "euros"}),
    feature_data("balance", decimals=2),
    feature_data("children", "integer"),
    feature_data("district", "category", categories=DISTRICTS),
]
NAMES = [feature["name"] for feature in FEATURES]
TWO = model_kinds.with_threshold(model_kinds.PROBABILITY, "log_odds", 0.5)
NUMBER = model_kinds.with_threshold(model_kinds.EUROS, "score", 100)
COUNT = model_kinds.with_threshold(model_kinds.EUROS, "log_score", 1)
THREE = model_kinds.with_classes(model_kinds.PROBABILITY, "class_score")
EACH = model_kinds.with_classes(model_kinds.PROBABILITY, "log_odds")


def outcome_part_of(name: str) -> Mapping[str, Any]:
    """What a card says about the score of a vector."""
    if "one_against_rest" in name:
        return EACH
    if "three_classes" in name:
        return THREE
    if "count" in name:
        return COUNT
    return NUMBER if name.split(".", maxsplit=1)[0] in NUMBERS else TWO


NUMBERS = ("lightgbm_number", "lightgbm_random_forest", "xgboost_number", "catboost_number")


def write_card(path: Path, outcome_part: Mapping[str, Any], **changes: Any) -> Path:
    """Write a card over the four features."""
    base = {key: value for key, value in card_data().items() if key not in model_kinds.OUTCOME_FIELDS}
    card = {**base, "rules": [], "role": "suggests", "features": FEATURES, "slug": "grants", **outcome_part, **changes}
    path.write_bytes(card_bytes(card))
    return path


def kept_of(name: str, *, missing: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Rows without missing values, or all of them, and the library's scores."""
    kept = json.loads((VECTORS / f"{name}.scores").read_text(encoding="utf-8"))
    rows = np.array([[np.nan if value is None else value for value in row] for row in kept["rows"]])
    complete = ~np.isnan(rows).any(axis=1) | missing
    return rows[complete], np.array(kept["scores"])[complete]


def write_table(path: Path, rows: np.ndarray, more: Mapping[str, Iterable[Any]] | None = None) -> Path:
    """Write rows as a table of people, districts by their names."""
    more = more or {}
    numbers = [["" if np.isnan(one) else one for one in column] for column in rows[:, :2].T.tolist()]
    columns = [*numbers, rows[:, 2].astype(int).tolist(), [f"d{int(one)}" for one in rows[:, 3]]]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*NAMES, *more])
        writer.writerows(zip(*columns, *more.values(), strict=True))
    return path


def score_columns(scores: np.ndarray) -> dict[str, Any]:
    """The columns of a reference table."""
    if scores.ndim == 1:
        return {"score": scores.tolist()}
    return {f"score_{outcome}": scores[:, place].tolist() for place, outcome in enumerate(model_kinds.CLASSES)}
