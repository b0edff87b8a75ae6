"""A package is used only if every file is the approved one and all ways of scoring agree."""

import io
import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from onnx import helper, load_model_from_string

from models.errors import (
    MalformedPackageError,
    ModelFeaturesMismatchError,
    ModelFileChangedError,
    ModelScoresDifferError,
    UnsupportedModelError,
)
from models.manifest import COMMON_FILES, MANIFEST, MODEL
from models.package import load_package, write_manifest
from tests.unit.models.tree_models import WOHNGELD, copy_of_wohngeld


def test_bundled_package_loads_and_all_ways_of_scoring_agree() -> None:
    package = load_package(WOHNGELD)
    assert package.sha256 == sha256((WOHNGELD / MANIFEST).read_bytes()).hexdigest()
    np.testing.assert_allclose(package.model.score(package.reference_rows), package.reference_scores, atol=1e-6)
    rows = package.background.rows
    difference = np.abs(package.model.additive_score(rows) - package.forest.additive_score(rows)).max()
    assert difference <= package.additive_tolerance


@pytest.mark.parametrize("name", [*COMMON_FILES, MODEL])
def test_one_changed_byte_in_any_file_is_named(tmp_path: Path, name: str) -> None:
    folder = copy_of_wohngeld(tmp_path)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(ModelFileChangedError, match=f"'{name}' was changed") as caught:
        load_package(folder)
    assert caught.value.slug == "wohngeld"


@pytest.mark.parametrize("name", [*COMMON_FILES, MODEL, MANIFEST])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = copy_of_wohngeld(tmp_path)
    (folder / name).unlink()
    with pytest.raises(ModelFileChangedError, match=name):
        load_package(folder)


@pytest.mark.parametrize("name", ["model.pkl", "card.yaml.bak", "ünï\x1b.txt"])
def test_a_file_that_is_not_listed_is_named(tmp_path: Path, name: str) -> None:
    folder = copy_of_wohngeld(tmp_path)
    (folder / name).write_text("surprise")
    with pytest.raises(ModelFileChangedError, match="not listed") as caught:
        load_package(folder)
    assert "\x1b" not in str(caught.value)


def test_a_file_behind_a_link_is_not_read(tmp_path: Path) -> None:
    folder = copy_of_wohngeld(tmp_path)
    (folder / "card.yaml").rename(tmp_path / "elsewhere.yaml")
    (folder / "card.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    with pytest.raises(ModelFileChangedError, match=r"card\.yaml"):
        load_package(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": "x"}', b'{"format": 1, "files": {"../x": "y"}}'])
def test_a_manifest_of_another_shape_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = copy_of_wohngeld(tmp_path)
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(MalformedPackageError, match=MANIFEST):
        load_package(folder)


def test_training_material_does_not_change_the_identity(tmp_path: Path) -> None:
    folder = copy_of_wohngeld(tmp_path)
    (folder / "train.py").write_text("# other comments")
    assert load_package(folder).sha256 == load_package(WOHNGELD).sha256


def _replace_arrays(folder: Path, name: str, **changes: np.ndarray) -> None:
    with np.load(folder / name) as arrays:
        kept = {key: arrays[key] for key in arrays.files}
    stream = io.BytesIO()
    np.savez(stream, **{**kept, **changes})
    (folder / name).write_bytes(stream.getvalue())
    write_manifest(folder)


def _rewrite_model(folder: Path, name: str, value: object) -> None:
    model = load_model_from_string((folder / "model.onnx").read_bytes())
    node = model.graph.node[0]
    kept = [attribute for attribute in node.attribute if attribute.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    write_manifest(folder)


def test_reference_scores_of_another_model_are_refused_with_row_and_distance(tmp_path: Path) -> None:
    folder = copy_of_wohngeld(tmp_path)
    scores = load_package(folder).reference_scores.copy()
    scores[17] += 0.001 if scores[17] < 0.5 else -0.001
    _replace_arrays(folder, "reference.npz", scores=scores)
    with pytest.raises(ModelScoresDifferError, match=r"row 17 of reference\.npz.*1 of 200"):
        load_package(folder)


@pytest.mark.parametrize("base_values", [[0.25, 0.25], [-0.25, 0.25]])
def test_a_model_whose_probabilities_the_runtime_inverts_is_refused_by_name(
    tmp_path: Path, base_values: list[float]
) -> None:
    folder = copy_of_wohngeld(tmp_path)
    _rewrite_model(folder, "base_values", base_values)
    # The reference is right: the ONNX standard adds the base value of the class. Only the runtime reads it wrongly.
    scores = load_package(WOHNGELD).forest.additive_score(load_package(WOHNGELD).reference_rows) + 0.25
    _replace_arrays(folder, "reference.npz", scores=1 / (1 + np.exp(-scores)))
    with pytest.raises(ModelScoresDifferError, match="base_values"):
        load_package(folder)


def test_one_base_value_is_read_rightly_by_runtime_and_trees(tmp_path: Path) -> None:
    folder = copy_of_wohngeld(tmp_path)
    _rewrite_model(folder, "base_values", [0.25])
    scores = load_package(WOHNGELD).forest.additive_score(load_package(WOHNGELD).reference_rows) + 0.25
    _replace_arrays(folder, "reference.npz", scores=1 / (1 + np.exp(-scores)))
    assert load_package(folder).forest.base_value == pytest.approx(0.25)


def test_a_model_that_gives_no_log_odds_is_refused(tmp_path: Path) -> None:
    folder = copy_of_wohngeld(tmp_path)
    _rewrite_model(folder, "post_transform", "NONE")
    with pytest.raises(UnsupportedModelError, match="log-odds"):
        load_package(folder)


@pytest.mark.parametrize("score", [1.01, -0.01])
def test_reference_scores_of_a_probability_lie_between_0_and_1(tmp_path: Path, score: float) -> None:
    folder = copy_of_wohngeld(tmp_path)
    scores = load_package(folder).reference_scores.copy()
    scores[0] = score
    _replace_arrays(folder, "reference.npz", scores=scores)
    with pytest.raises(MalformedPackageError, match="between 0 and 1"):
        load_package(folder)


def test_counts_of_a_probability_cover_all_scores(tmp_path: Path) -> None:
    folder = copy_of_wohngeld(tmp_path)
    evaluation = json.loads((folder / "evaluation.json").read_bytes())
    evaluation["calibration"].pop()
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    write_manifest(folder)
    with pytest.raises(MalformedPackageError, match="cover 0 to 1"):
        load_package(folder)


def test_tables_with_other_columns_are_refused(tmp_path: Path) -> None:
    folder = copy_of_wohngeld(tmp_path)
    _replace_arrays(folder, "background.npz", rows=np.zeros((1000, 4)))
    with pytest.raises(ModelFeaturesMismatchError, match="4 columns"):
        load_package(folder)


@pytest.mark.parametrize(
    ("old", "new", "error", "sentence"),
    [
        ('version: "2026.1"', 'version: "2026.2"', MalformedPackageError, "version"),
        ("threshold: 0.5", "threshold: 0.6", MalformedPackageError, "threshold"),
        ("\n  - name: assets_eur", "\n  - name: household_size", MalformedPackageError, "listed twice"),
    ],
)
def test_files_that_contradict_each_other_are_refused(
    tmp_path: Path, old: str, new: str, error: type[Exception], sentence: str
) -> None:
    folder = copy_of_wohngeld(tmp_path)
    content = (folder / "card.yaml").read_text("utf-8")
    assert old in content
    (folder / "card.yaml").write_text(content.replace(old, new), encoding="utf-8")
    write_manifest(folder)
    with pytest.raises(error, match=sentence):
        load_package(folder)
