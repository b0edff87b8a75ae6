"""The bundled package keeps what its card promises, and its training script writes what scikit-learn means."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from models.forest import read_forest
from models.onnx_model import OnnxModel
from models.package import ModelPackage, load_package
from models.statutory_rules import fired_on_rows
from models.wilson import wilson_interval
from tests.unit.models.tree_models import WOHNGELD, copy_of_wohngeld


@pytest.fixture(scope="module")
def package() -> ModelPackage:
    return load_package(WOHNGELD)


@pytest.fixture(scope="module")
def train() -> ModuleType:
    return importlib.import_module("models.packages.wohngeld.train")


def _ladder(package: ModelPackage, name: str, values: np.ndarray) -> np.ndarray:
    """Additive scores, shape (n_cases, n_values), of background cases with one value moved through a ladder."""
    column = package.card.feature_names.index(name)
    cases = package.background.rows[::50]
    rows = np.repeat(cases, len(values), axis=0)
    rows[:, column] = np.tile(values, len(cases))
    return package.forest.additive_score(rows).reshape(len(cases), len(values))


@pytest.mark.parametrize(
    ("name", "values", "direction"),
    [
        ("income_eur_month", np.arange(136, 8449, 16.0), -1),
        ("gross_cold_rent_eur_month", np.arange(173, 2561, 7.0), 1),
        ("household_size", np.arange(1.0, 8), 1),
        ("rent_level", np.arange(1.0, 8), 1),
    ],
)
def test_score_moves_only_in_the_direction_of_the_law(
    package: ModelPackage, name: str, values: np.ndarray, direction: int
) -> None:
    steps = np.diff(_ladder(package, name, values), axis=1) * direction
    # Monotone trees keep their order within each tree; summing many of them rounds in the last bits.
    assert steps.min() >= -1e-6
    assert steps.max() > 0.1


def test_assets_do_not_change_the_number(package: ModelPackage) -> None:
    assert package.card.feature_names.index("assets_eur") not in package.forest.features_used
    assert np.ptp(_ladder(package, "assets_eur", np.array([0.0, 1e4, 1e8])), axis=1).max() == 0


def test_background_is_large_weighted_and_passes_the_statutory_rule(package: ModelPackage) -> None:
    background = package.background
    assert len(background.rows) >= 1000
    assert background.weights.sum() > 10_000
    assert abs(background.mean_score_gap) < 0.005
    assert not any(fired_on_rows(rule, package.card.features, background.rows).any() for rule in package.card.rules)


def test_evaluation_counts_every_group_of_household_size_and_rent_level(package: ModelPackage) -> None:
    groups = package.evaluation.groups
    for feature in ("household_size", "rent_level"):
        members = [group for group in groups if group.feature == feature]
        assert len(members) == 7
        assert sum(group.n or 0 for group in members) <= package.evaluation.n
    for part in package.evaluation.calibration:
        if part.favourable_per_100 is not None and part.interval is not None:
            assert part.interval[0] <= part.favourable_per_100 <= part.interval[1]


def test_reference_rows_reach_both_outcomes(package: ModelPackage) -> None:
    outcomes = {package.card.outcome_of_score(float(score)).id for score in package.reference_scores}
    assert outcomes == {"granted", "refused"}
    assert len(package.reference_scores) == 200


def test_written_trees_score_like_scikit_learn(package: ModelPackage, train: ModuleType) -> None:
    pytest.importorskip("sklearn")
    random = np.random.default_rng(1)
    rows = random.integers([1, 136, 173, 1, 0], [8, 4000, 1500, 8, 60_000], size=(400, 5)).astype(np.float64)
    entitled = rows[:, 1] + random.normal(0, 200, 400) < 900 + 400 * rows[:, 0]
    original = train.fit(rows, entitled, package.card, max_iter=5)
    content = train.to_onnx(original, package.card)
    expected = train.original_scores(original, rows, package.card)
    np.testing.assert_allclose(OnnxModel(content, package.card).score(rows), expected, atol=1e-6)
    np.testing.assert_allclose(read_forest(content).score(rows), expected, atol=1e-6)
    assert content == train.to_onnx(original, package.card)
    assert b"base_values" not in content


def test_a_twin_that_loses_the_baseline_is_caught(package: ModelPackage, train: ModuleType) -> None:
    pytest.importorskip("sklearn")
    random = np.random.default_rng(2)
    rows = random.integers([1, 136, 173, 1, 0], [8, 4000, 1500, 8, 60_000], size=(400, 5)).astype(np.float64)
    original = train.fit(rows, rows[:, 1] < 1500, package.card, max_iter=3)
    expected = train.original_scores(original, rows, package.card)
    original._baseline_prediction = np.zeros((1, 1))
    twin = read_forest(train.to_onnx(original, package.card))
    assert np.abs(twin.score(rows) - expected).max() > 1e-3


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"), [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962)]
)
def test_intervals_are_wilsons(successes: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=1e-4)


def test_a_threshold_is_rounded_down_to_32_bits(train: ModuleType) -> None:
    for threshold in (0.1, 0.3, 1 / 3, 1e9 + 0.1, -0.1):
        rounded = train._rounded_down(threshold)
        assert rounded <= threshold < float(np.nextafter(np.float32(rounded), np.float32(np.inf)))


@pytest.mark.long
def test_training_again_gives_the_same_model_evaluation_and_rows(tmp_path: Path, train: ModuleType) -> None:
    """Bytes, except for the tables of rows: Python's releases write the frame of a zip file differently."""
    pytest.importorskip("pandas")
    folder = copy_of_wohngeld(tmp_path)
    identity = train.build(WOHNGELD / "data" / "households.parquet", folder, train.EVALUATED_ON)
    assert load_package(folder).sha256 == identity
    for name in ("model.onnx", "evaluation.json"):
        assert (folder / name).read_bytes() == (WOHNGELD / name).read_bytes(), name
    for name in ("background.npz", "reference.npz"):
        with np.load(folder / name) as again, np.load(WOHNGELD / name) as committed:
            assert set(again.files) == set(committed.files)
            for table in committed.files:
                assert np.array_equal(again[table], committed[table]), (name, table)
