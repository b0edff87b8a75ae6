"""Deep forests: paths with many features, several threads, memory; and which method is chosen when."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from explainer import compiled as compiling
from explainer.attribution_methods.choose import prepare_method
from explainer.attribution_methods.forests.compiled_leaf_tables import CompiledLeafTables
from explainer.attribution_methods.forests.counted_forest import CountedForest
from explainer.attribution_methods.forests.deep_forest import DeepForest
from explainer.attribution_methods.forests.deep_forest_kernel import add_contributions
from explainer.attribution_methods.forests.exact_forest import ExactForest
from explainer.attribution_methods.forests.forest_layout import ForestLayout
from explainer.attribution_methods.method_choice import (
    MethodName,
    choose_method,
    compiled_table_bytes,
    counted_forest_bytes,
    deep_forest_bytes,
    table_bytes,
)
from models.errors import UnsupportedModelError
from models.forest import Forest
from tests.conformance.checks_attribution import SHAP_TOLERANCE, TOLERANCE
from tests.conformance.small_forests import Split, as_shap_dictionary, forest, random_forest, random_rows

Walk = type[DeepForest] | type[CountedForest]
WALKS: tuple[Walk, ...] = (DeepForest, CountedForest)


def chain(depth: int) -> Split | float:
    """A path that asks about another feature at each node; worth 2 at its end."""
    node: Split | float = 2.0
    for feature in reversed(range(depth)):
        node = Split(feature, 0.0, 0.0, node)
    return node


def deep(seed: int = 1, *, n_trees: int = 4) -> Forest:
    return random_forest(np.random.default_rng(seed), n_features=30, n_trees=n_trees, depth=14)


@pytest.mark.parametrize("n_background", [1, 129])
@pytest.mark.parametrize("depth", [8, 9, 13, 40, 64])
@pytest.mark.parametrize("make", WALKS)
def test_features_that_must_all_come_from_the_row_share_equally(make: Walk, depth: int, n_background: int) -> None:
    background = np.full((n_background, depth), -1.0)
    computer = make(forest(chain(depth), n_features=depth), background, np.ones(n_background))
    np.testing.assert_allclose(computer.contributions_of(np.ones((1, depth))), 2 / depth, rtol=1e-12)


@pytest.mark.parametrize("make", WALKS)
def test_more_features_on_one_path_than_bits_in_a_word_are_refused_by_name(make: Walk) -> None:
    trees = forest(chain(65), n_features=65)
    with pytest.raises(UnsupportedModelError, match="65 different features"):
        make(trees, np.zeros((1, 65)), np.ones(1))
    with pytest.raises(UnsupportedModelError, match="65 different features"):
        choose_method(ForestLayout.of(trees), 1)


def test_rows_that_weigh_differently_are_not_counted() -> None:
    with pytest.raises(ValueError, match="weigh differently"):
        CountedForest(deep(), np.zeros((2, 30)), np.array([1.0, 2.0]))


@pytest.mark.parametrize("make", WALKS)
def test_contributions_of_a_deep_forest_add_up_and_agree_with_shap(make: Walk) -> None:
    shap = pytest.importorskip("shap", reason="shap is a development dependency")
    trees = deep()
    assert ForestLayout.of(trees).most_players > 12
    generator = np.random.default_rng(2)
    background, rows = random_rows(generator, 150, 30), random_rows(generator, 5, 30)
    computer = make(trees, background, np.ones(150))
    found = computer.contributions_of(rows)
    sums = found.sum(axis=1) + computer.expected_value
    np.testing.assert_allclose(sums, trees.additive_score(rows), rtol=0, atol=TOLERANCE)
    masker = shap.maskers.Independent(background, max_samples=150)
    peer = shap.TreeExplainer(as_shap_dictionary(trees), masker, feature_perturbation="interventional")
    theirs = np.asarray(peer.shap_values(rows)).reshape(rows.shape)
    np.testing.assert_allclose(found, theirs, rtol=0, atol=SHAP_TOLERANCE)


@pytest.mark.parametrize("make", [*WALKS, CompiledLeafTables])
def test_threads_change_no_bit(make: Walk | type[CompiledLeafTables]) -> None:
    generator = np.random.default_rng(3)
    trees = random_forest(generator, n_features=8, n_trees=10, depth=8)
    background, rows = random_rows(generator, 100, 8), random_rows(generator, 1100, 8, missing=0.1)
    one, four = (make(trees, background, np.ones(100), threads=threads) for threads in (1, 4))
    assert np.array_equal(one.contributions_of(rows), four.contributions_of(rows))


@pytest.mark.parametrize("make", [*WALKS, CompiledLeafTables])
def test_sixteen_clients_at_once_get_their_own_numbers(make: Walk | type[CompiledLeafTables]) -> None:
    generator = np.random.default_rng(4)
    trees = random_forest(generator, n_features=8, n_trees=20, depth=8)
    computer = make(trees, random_rows(generator, 100, 8), np.ones(100), threads=2)
    rows = random_rows(generator, 400, 8)
    expected = [computer.contributions_of(row[np.newaxis]) for row in rows]
    with ThreadPoolExecutor(16) as clients:
        found = list(clients.map(lambda row: computer.contributions_of(row[np.newaxis]), rows))
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


def test_trees_without_splits_have_no_contributions() -> None:
    trees = forest(0.5, 0.25, n_features=2, base_value=1.0)
    for make in (*WALKS, CompiledLeafTables):
        computer = make(trees, np.zeros((3, 2)), np.ones(3))
        assert computer.expected_value == pytest.approx(1.75)
        assert not computer.contributions_of(np.ones((3, 2))).any()


def test_numbers_beyond_float32_are_infinite_as_in_the_runtime() -> None:
    trees = forest(Split(0, 0.0, 0.0, 1.0), n_features=1)
    for make in (*WALKS, CompiledLeafTables):
        computer = make(trees, np.array([[-1e300]]), np.ones(1))
        assert computer.contributions_of(np.array([[1e300]]))[0, 0] == 1.0


def test_thresholds_are_compared_as_float32() -> None:
    threshold = float(np.float32(0.1))
    trees = forest(Split(0, threshold, 0.0, 1.0), n_features=1)
    # 0.1 is below the float32 next to it and equal to it once cast; a hair above casts to it too.
    for make in (*WALKS, CompiledLeafTables, ExactForest):
        computer = make(trees, np.array([[5.0]]), np.ones(1))
        assert computer.contributions_of(np.array([[threshold + 1e-10]]))[0, 0] == -1.0


def test_a_shallow_forest_gets_leaf_tables() -> None:
    trees = random_forest(np.random.default_rng(5), n_features=5, n_trees=4, depth=4)
    prepared = prepare_method(trees, np.zeros((10, 5)), np.ones(10))
    assert isinstance(prepared.computer, ExactForest)
    assert prepared.choice.name is MethodName.LEAF_TABLES
    assert prepared.choice.memory_bytes == prepared.computer.memory_bytes
    many = prepare_method(trees, np.zeros((10, 5)), np.ones(10), many_rows=True)
    assert isinstance(many.computer, CompiledLeafTables)


def test_a_forest_with_many_features_on_a_path_gets_the_deep_method() -> None:
    prepared = prepare_method(deep(), np.zeros((10, 30)), np.arange(10.0))
    assert isinstance(prepared.computer, DeepForest)
    assert "at most 12" in prepared.choice.reason
    assert str(prepared.choice).startswith("deep_forest, ")


def test_rows_that_weigh_the_same_or_nothing_are_counted() -> None:
    prepared = prepare_method(deep(), np.zeros((10, 30)), np.array([0.0, *[0.5] * 9]))
    assert isinstance(prepared.computer, CountedForest)
    assert str(prepared.choice).startswith("counted_forest, ")


def test_tables_beyond_the_budget_get_the_deep_method() -> None:
    trees = random_forest(np.random.default_rng(6), n_features=12, n_trees=10, depth=9)
    layout = ForestLayout.of(trees)
    needed = compiled_table_bytes(layout)
    assert choose_method(layout, 100, budget_bytes=needed).name is MethodName.COMPILED_LEAF_TABLES
    choice = choose_method(layout, 100, budget_bytes=needed - 1)
    assert choice.name is MethodName.DEEP_FOREST
    assert choice.memory_bytes < needed


def test_what_fits_in_no_way_is_refused_with_numbers() -> None:
    with pytest.raises(UnsupportedModelError, match=r"10000 background rows would take .* 1 MB are allowed"):
        choose_method(ForestLayout.of(deep()), 10_000, budget_bytes=2**20)


@pytest.mark.parametrize("n_background", [1, 64, 1000])
def test_the_memory_that_is_estimated_is_the_memory_that_is_held(n_background: int) -> None:
    trees = deep(n_trees=8)
    held = DeepForest(trees, np.zeros((n_background, 30)), np.ones(n_background), threads=2).memory_bytes
    estimated = deep_forest_bytes(ForestLayout.of(trees), n_background, threads=2)
    assert held == pytest.approx(estimated, rel=0.05)


@pytest.mark.parametrize("n_background", [1, 128, 129, 1000])
def test_sets_that_are_counted_hold_no_more_memory_than_estimated(n_background: int) -> None:
    trees, generator = deep(n_trees=8), np.random.default_rng(8)
    rows = generator.normal(size=(n_background, 30))
    held = CountedForest(trees, rows, np.ones(n_background), threads=2).memory_bytes
    estimated = counted_forest_bytes(ForestLayout.of(trees), n_background, threads=2)
    assert 0.3 * estimated < held <= estimated


def test_tables_take_the_memory_that_was_counted() -> None:
    trees = random_forest(np.random.default_rng(7), n_features=8, n_trees=5, depth=6)
    tables = ExactForest(trees, np.zeros((3, 8)), np.ones(3)).tables
    assert tables.values.nbytes == 2 * table_bytes(ForestLayout.of(trees))


def test_without_a_folder_for_machine_code_functions_are_compiled_at_each_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = compiling.njit

    def njit(*, cache: bool = False, **more: object) -> object:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return original(**more)

    monkeypatch.setattr(compiling, "njit", njit)

    def double(number: int) -> int:
        return 2 * number

    assert compiling.compiled(double)(21) == 42


def test_machine_code_is_not_taken_over_when_any_source_beside_it_changes(tmp_path: Path) -> None:
    (tmp_path / "kernel.py").write_text("one")
    (tmp_path / "part.py").write_text("two")
    before = compiling.sources_fingerprint(tmp_path)
    (tmp_path / "part.py").write_text("three")
    assert compiling.sources_fingerprint(tmp_path) != before
    folder = Path(add_contributions.py_func.__code__.co_filename).parent
    assert compiling.sources_fingerprint(folder) in add_contributions.py_func.__qualname__
