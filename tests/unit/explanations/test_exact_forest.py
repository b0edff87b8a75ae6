import subprocess
import sys

import numpy as np
import pytest

from explainer.attribution_methods.forests.exact_forest import ExactForest
from models.errors import UnsupportedModelError
from models.forest import Forest
from tests.conformance.small_forests import Split, forest, random_forest, random_rows


def chain(n_features: int) -> Split | float:
    """Make a path that asks about every feature once."""
    node: Split | float = 1.0
    for feature in range(n_features):
        node = Split(feature, 0.0, -1.0, node)
    return node


def exact(trees: Forest, n_rows: int = 5, **more: int) -> ExactForest:
    return ExactForest(trees, np.zeros((n_rows, trees.n_features)), np.ones(n_rows), **more)


def test_one_split_gives_the_difference_to_the_expected_value() -> None:
    trees = forest(Split(0, 10.0, 1.0, 5.0), n_features=1)
    computer = ExactForest(trees, np.array([[0.0], [20.0]]), np.array([3.0, 1.0]))
    assert computer.expected_value == pytest.approx(2.0)
    np.testing.assert_allclose(computer.contributions_of(np.array([[0.0], [20.0]])), [[-1.0], [3.0]])


def test_an_interaction_is_shared_equally() -> None:
    trees = forest(Split(0, 0.0, 0.0, Split(1, 0.0, 0.0, 4.0)), n_features=2)
    computer = ExactForest(trees, np.array([[-1.0, -1.0]]), np.ones(1))
    np.testing.assert_allclose(computer.contributions_of(np.array([[1.0, 1.0]])), [[2.0, 2.0]])


def test_thresholds_are_compared_as_32_bit_numbers() -> None:
    threshold = float(np.float32(0.1))
    trees = forest(Split(0, threshold, 1.0, 5.0), n_features=1)
    computer = ExactForest(trees, np.array([[1.0]]), np.ones(1))
    just_above = np.array([[np.nextafter(threshold, 1)]])
    assert computer.contributions_of(just_above)[0, 0] == -4.0, "as float32 this is the threshold itself"


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300, -1e300, np.nan])
def test_extreme_and_missing_values_add_up_too(value: float) -> None:
    trees = random_forest(np.random.default_rng(1), n_features=3, n_trees=5, depth=4)
    computer = ExactForest(trees, random_rows(np.random.default_rng(2), 20, 3), np.ones(20))
    rows = np.array([[value, 0.25, value]])
    gap = trees.additive_score(rows) - computer.expected_value - computer.contributions_of(rows).sum()
    assert abs(gap[0]) < 1e-12


def test_trees_without_splits_have_no_contributions() -> None:
    computer = exact(forest(0.5, 0.25, n_features=2, base_value=1.0))
    assert computer.expected_value == 1.75
    assert not computer.contributions_of(np.ones((3, 2))).any()


def test_twelve_features_on_one_path_are_exact() -> None:
    trees = forest(chain(12), n_features=12)
    computer = ExactForest(trees, np.full((1, 12), -1.0), np.ones(1))
    # All twelve must come from the row, so each has the same share of the difference of 2.
    np.testing.assert_allclose(computer.contributions_of(np.ones((1, 12))), np.full((1, 12), 2 / 12), atol=1e-12)


def test_more_features_on_one_path_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedModelError, match="13 different features"):
        exact(forest(chain(13), n_features=13))


def test_tables_beyond_the_memory_allowed_are_refused_before_they_are_made() -> None:
    with pytest.raises(UnsupportedModelError, match="1 MB of tables; 0 MB are allowed"):
        exact(forest(chain(12), n_features=12), table_bytes=2**18)


def test_large_batches_give_the_same_bits_as_single_rows() -> None:
    generator = np.random.default_rng(3)
    trees = random_forest(generator, n_features=8, n_trees=60, depth=6)
    computer = ExactForest(trees, random_rows(generator, 50, 8), np.ones(50))
    rows = random_rows(generator, 700, 8)
    together = computer.contributions_of(rows)
    assert np.array_equal(together[650], computer.contributions_of(rows[650:651])[0])


def test_explaining_imports_no_training_or_explanation_library() -> None:
    heavy = "shap sklearn pandas numba scipy lightgbm pyarrow"
    code = (
        "import sys, explainer.use_cases.explained_model\n"
        f"print(*[name for name in '{heavy}'.split() if name in sys.modules])"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.split() == []
