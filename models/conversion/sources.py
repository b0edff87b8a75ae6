"""Which file formats a model may come in, and who reads each. Only data formats: nothing here ever unpickles."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import manifest
from models.card import ModelCard
from models.conversion.catboost_file import looks_like_catboost, read_catboost, read_catboost_json
from models.conversion.ensemble_onnx import ensemble_onnx
from models.conversion.lightgbm_text import looks_like_lightgbm, read_lightgbm
from models.conversion.source_trees import SourceEnsemble, in_order_of
from models.conversion.xgboost_file import read_xgboost
from models.errors import MalformedPackageError, UnsupportedModelError

MAX_BYTES = 1_000_000_000
"""Larger files are refused."""

_PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".sav")
_READ = (
    ".onnx, .skops (scikit-learn), .txt (LightGBM), .json or .ubj (XGBoost), .cbm or .json (CatBoost), "
    ".yaml (scorecard), .json (term tables)"
)
_TAKEN_AS_THEY_ARE = {
    ".onnx": (manifest.MODEL, "ONNX"),
    ".yaml": (manifest.SCORECARD, "scorecard"),
    ".yml": (manifest.SCORECARD, "scorecard"),
}


@dataclass(frozen=True, kw_only=True)
class ConvertedModel:
    """A model as a package holds it.

    Attributes:
        file_name: One of :data:`models.manifest.MODEL_FILES`.
        content: The file.
        read_from: What it was, for people.
    """

    file_name: str
    content: bytes
    read_from: str


def read_source(path: Path, card: ModelCard, trusted: Sequence[str] = ()) -> ConvertedModel:
    """Read a model in its own format and turn it into what a package holds.

    Args:
        path: The file.
        card: Names the features and says what the number is.
        trusted: Types in a skops file that a person has looked at, besides scikit-learn's own.

    Returns:
        The model, not yet compared with anything.

    Raises:
        UnsupportedModelError: If it is of a kind that is not read; the sentence says what to do.
        MalformedPackageError: If the file is damaged.
        ModelFeaturesMismatchError: If it reads other columns than the card lists.
    """
    refuse_pickle(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnsupportedModelError(f"{path.name} is larger than {MAX_BYTES} bytes.")
        content = path.read_bytes()
    except OSError as error:
        raise MalformedPackageError(f"{path.name} cannot be read: {error.strerror}.") from error
    return _converted(path, content, card, trusted)


def _converted(path: Path, content: bytes, card: ModelCard, trusted: Sequence[str]) -> ConvertedModel:
    suffix = path.suffix.lower()
    if path.name.lower() in ("remote.yaml", "remote.yml"):
        raise UnsupportedModelError("Models that stay on another server (remote.yaml) are not taken in yet.")
    if suffix == ".skops":
        from models.conversion.skops_file import read_skops  # noqa: PLC0415 - needs an optional extra

        exported = read_skops(content, card, trusted)
        return ConvertedModel(file_name=manifest.MODEL, content=exported, read_from="scikit-learn (skops)")
    if suffix in _TAKEN_AS_THEY_ARE:
        file_name, read_from = _TAKEN_AS_THEY_ARE[suffix]
        return ConvertedModel(file_name=file_name, content=content, read_from=read_from)
    data = _json_of(content) if suffix == ".json" else None
    if isinstance(data, dict) and str(data.get("format", "")).startswith("klarbescheid-terms/"):
        return ConvertedModel(file_name=manifest.TERMS, content=content, read_from="term tables")
    reader, read_from = _tree_reader(path, content, data)
    trees = in_order_of(card.features, reader(content))
    return ConvertedModel(file_name=manifest.MODEL, content=ensemble_onnx(trees), read_from=read_from)


def _tree_reader(path: Path, content: bytes, data: Any) -> tuple[Callable[[bytes], SourceEnsemble], str]:
    match path.suffix.lower():
        case ".txt" if looks_like_lightgbm(content):
            return read_lightgbm, "LightGBM text"
        case ".cbm":
            return read_catboost, "CatBoost"
        case ".ubj":
            return read_xgboost, "XGBoost UBJSON"
        case ".json":
            return (
                (read_catboost_json, "CatBoost JSON") if looks_like_catboost(data) else (read_xgboost, "XGBoost JSON")
            )
    raise UnsupportedModelError(f"{path.name} is of no format that is read. Read are: {_READ}.")


def refuse_pickle(path: Path) -> None:
    """Refuse a pickle by its name, without opening it.

    Args:
        path: A model file.

    Raises:
        UnsupportedModelError: Says how to save the model instead.
    """
    if path.suffix.lower() in _PICKLES:
        raise UnsupportedModelError(
            f"{path.name} is a pickle: opening it could run any program, so it is never opened. Where the model was "
            "trained, save it with skops and add that file: import skops.io; skops.io.dump(model, 'model.skops')."
        )


def _json_of(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None  # damaged: the reader that is tried last says so
