"""What boosting libraries save themselves is read as their own model scores, without the libraries."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import PEERS, peer_environment
from models.conversion import ensemble_onnx as writer
from models.conversion.catboost_file import read_catboost, read_catboost_json
from models.conversion.ensemble_onnx import ensemble_onnx
from models.conversion.lightgbm_text import read_lightgbm
from models.conversion.source_trees import SourceEnsemble, in_order_of
from models.conversion.xgboost_file import read_xgboost
from models.errors import ModelUnusableError, UnsupportedModelError
from models.features import Feature
from models.forest import read_forest
from models.onnx_model import OnnxModel
from tests.unit.models.cards import card_with_numbers
from tests.unit.models.native_cards import FEATURES

VECTORS = Path(__file__).parent.parent / "vectors" / "native_models"
CARD = tuple(Feature.model_validate(feature) for feature in FEATURES)
READERS: dict[str, Callable[[bytes], SourceEnsemble]] = {
    "lightgbm": read_lightgbm,
    "xgboost": read_xgboost,
    "catboost": read_catboost_json,
}
FILES = sorted(path.name.removesuffix(".scores") for path in VECTORS.glob("*.scores"))


def difference(folder: Path, name: str) -> tuple[float, float]:
    """How far reading and runtime are off the library's scores, relative to the largest of them or 1."""
    kept = json.loads((folder / f"{name}.scores").read_text(encoding="utf-8"))
    rows = np.array([[np.nan if value is None else value for value in row] for row in kept["rows"]])
    scores = np.array(kept["scores"])
    content = (folder / name.replace(".cbm", ".json")).read_bytes()
    onnx_bytes = ensemble_onnx(in_order_of(CARD, READERS[name.partition("_")[0]](content)))
    forest, runtime = read_forest(onnx_bytes), OnnxModel(onnx_bytes, card_with_numbers(4))
    scale = max(1.0, float(np.abs(scores).max()))
    assert np.ptp(scores, axis=0).min() > 0.01 * scale
    off = [float(np.abs(model.score(rows) - scores).max() / scale) for model in (forest, runtime)]
    return off[0], off[1]


@pytest.mark.parametrize("name", FILES)
def test_every_model_scores_as_its_library(name: str) -> None:
    reading, runtime = difference(VECTORS, name)
    assert reading < 1e-6
    assert runtime < 1e-6


@pytest.mark.parametrize("name", ["xgboost_number.json", "lightgbm_missing.txt", "catboost_number.cbm"])
def test_a_reader_that_forgets_base_values_or_missing_values_is_caught(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broken twin of the writer: base values are lost and missing values always answer yes."""
    add_leaf, add_node = writer._Lists._add_leaf, writer._Lists._add_node
    monkeypatch.setattr(writer._Lists, "_add_leaf", lambda self, node, leaf, _: add_leaf(self, node, leaf, {}))
    monkeypatch.setattr(writer._Lists, "_add_node", lambda self, *a, **_: add_node(self, *a[:6], missing_yes=True))
    assert max(difference(VECTORS, name)) > 1e-3


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.cbm")), ids=lambda path: path.stem)
def test_binary_files_of_catboost_are_read_as_their_json_where_catboost_is_installed(path: Path) -> None:
    pytest.importorskip("catboost")
    assert read_catboost(path.read_bytes()) == read_catboost_json(path.with_suffix(".json").read_bytes())


def test_without_catboost_its_binary_files_are_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "catboost", None)
    with pytest.raises(UnsupportedModelError, match="format='json'"):
        read_catboost(b"CBM1")


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith(".cbm")])
@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda content: content[::-1]])
def test_damaged_files_are_refused_with_a_sentence(name: str, damage: Callable[[bytes], bytes]) -> None:
    content = (VECTORS / name).read_bytes()
    with pytest.raises(ModelUnusableError) as refused:
        READERS[name.partition("_")[0]](damage(content))
    assert re.search("save|UBJSON|ends too early", str(refused.value))


@pytest.mark.long
def test_models_trained_anew_by_the_libraries_are_read(tmp_path: Path) -> None:
    program = PEERS / "exporters" / "native" / "native_models.py"
    subprocess.run([peer_environment("exporters").absolute(), program, tmp_path], check=True, cwd=tmp_path)
    names = sorted(path.name.removesuffix(".scores") for path in tmp_path.glob("*.scores"))
    assert names == FILES
    for name in names:
        assert max(difference(tmp_path, name)) < 1e-6, name
