"""Compiled leaf tables: one row and many give the same bits, on any number of threads; when they are chosen."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from explainer.attribution_methods.choose import prepare_method
from explainer.attribution_methods.forests.compiled_leaf_tables import FEW_ROWS, CompiledLeafTables
from explainer.attribution_methods.forests.deep_forest import DeepForest
from explainer.attribution_methods.forests.exact_forest import ExactForest
from explainer.attribution_methods.forests.forest_layout import ForestLayout
from explainer.attribution_methods.forests.leaf_table_kernel import NEAR
from explainer.attribution_methods.method_choice import (
    BLOCK_ROWS,
    COMPILE_FROM_PLAYERS,
    MethodName,
    choose_method,
    compiled_table_bytes,
    table_bytes,
)
from models.errors import UnsupportedModelError
from models.forest import Forest
from tests.conformance.checks_attribution import SINGLE_TOLERANCE
from tests.conformance.small_forests import Split, forest, random_forest, random_rows

Kernel = type[ExactForest] | type[CompiledLeafTables] | type[DeepForest]


def large(seed: int = 1, *, n_trees: int = 60) -> Forest:
    return random_forest(np.random.default_rng(seed), n_features=9, n_trees=n_trees, depth=7)


@pytest.mark.parametrize("n_rows", [1, FEW_ROWS, FEW_ROWS + 1, BLOCK_ROWS, BLOCK_ROWS + 1, 3 * BLOCK_ROWS - 1])
def test_rows_together_get_the_same_bits_as_one_by_one(n_rows: int) -> None:
    generator = np.random.default_rng(2)
    computer = CompiledLeafTables(large(), random_rows(generator, 50, 9), np.ones(50))
    rows = random_rows(generator, n_rows, 9, missing=0.1)
    alone = np.concatenate([computer.contributions_of(row[np.newaxis]) for row in rows])
    assert np.array_equal(computer.contributions_of(rows), alone)


@pytest.mark.parametrize("n_trees", [2, 60], ids=["near", "far"])
def test_small_and_large_tables_are_read_alike(n_trees: int) -> None:
    generator = np.random.default_rng(3)
    trees, background, rows = large(n_trees=n_trees), random_rows(generator, 50, 9), random_rows(generator, 20, 9)
    assert (table_bytes(ForestLayout.of(trees)) // 4 > NEAR) == (n_trees == 60)
    found = CompiledLeafTables(trees, background, np.ones(50)).contributions_of(rows[:5])
    expected = ExactForest(trees, background, np.ones(50)).contributions_of(rows[:5])
    np.testing.assert_allclose(found, expected, rtol=0, atol=SINGLE_TOLERANCE)


@pytest.mark.parametrize("make", [ExactForest, CompiledLeafTables, DeepForest])
def test_sixteen_threads_on_different_rows_get_the_bits_of_one(make: Kernel) -> None:
    generator = np.random.default_rng(4)
    computer = make(large(n_trees=20), random_rows(generator, 80, 9), np.ones(80))
    rows = random_rows(generator, 320, 9, missing=0.05)
    expected = np.concatenate([computer.contributions_of(row[np.newaxis]) for row in rows])
    together = threading.Barrier(16)

    def explain(part: np.ndarray) -> np.ndarray:
        together.wait()
        return np.concatenate([computer.contributions_of(row[np.newaxis]) for row in part])

    with ThreadPoolExecutor(16) as pool:
        found = np.concatenate(list(pool.map(explain, np.array_split(rows, 16))))
    assert np.array_equal(found, expected)
    assert not np.array_equal(found, np.roll(expected, 1, axis=0)), "rows differ, so an exchange would be seen"


def test_the_memory_that_is_estimated_is_the_memory_that_is_held() -> None:
    computer = CompiledLeafTables(large(), np.zeros((5, 9)), np.ones(5), threads=3)
    assert computer.memory_bytes == pytest.approx(compiled_table_bytes(ForestLayout.of(large()), threads=3), rel=0.01)


def test_tables_beyond_the_memory_allowed_are_refused_before_they_are_made() -> None:
    with pytest.raises(UnsupportedModelError, match=r"would need \d+ MB; 0 MB are allowed"):
        CompiledLeafTables(large(), np.zeros((5, 9)), np.ones(5), table_bytes=2**16)


def test_more_features_on_one_path_are_refused_by_name() -> None:
    node: Split | float = 1.0
    for feature in range(13):
        node = Split(feature, 0.0, -1.0, node)
    with pytest.raises(UnsupportedModelError, match="13 different features"):
        CompiledLeafTables(forest(node, n_features=13), np.zeros((1, 13)), np.ones(1))


def test_a_tree_that_is_one_leaf_among_others_changes_nothing() -> None:
    generator = np.random.default_rng(5)
    trees, rows = large(n_trees=3), random_rows(generator, 20, 9)
    constant = forest(0.5, n_features=9).trees[0]
    more = replace(trees, trees=(constant, trees.trees[0], constant, *trees.trees[1:], constant))
    with_it, without = (CompiledLeafTables(one, rows, np.ones(20)) for one in (more, trees))
    assert np.array_equal(with_it.contributions_of(rows), without.contributions_of(rows))
    assert with_it.expected_value == pytest.approx(without.expected_value + 1.5)


def test_large_forests_get_compiled_tables_and_small_ones_do_without() -> None:
    layout = ForestLayout.of(large())
    assert layout.leaf_players.sum() >= COMPILE_FROM_PLAYERS
    assert choose_method(layout, 100).name is MethodName.COMPILED_LEAF_TABLES
    small = choose_method(layout, 100, compile_from=10**9)
    assert small.name is MethodName.LEAF_TABLES
    assert small.memory_bytes == 2 * table_bytes(layout)
    assert choose_method(layout, 100, compile_from=10**9, many_rows=True).name is MethodName.COMPILED_LEAF_TABLES
    prepared = prepare_method(large(), np.zeros((5, 9)), np.ones(5))
    assert isinstance(prepared.computer, CompiledLeafTables)


def test_tables_of_64_bits_that_do_not_fit_give_way_to_tables_of_32() -> None:
    layout = ForestLayout.of(large())
    budget = compiled_table_bytes(layout)
    assert choose_method(layout, 100, compile_from=10**9, budget_bytes=budget).name is MethodName.COMPILED_LEAF_TABLES


def test_more_memory_of_the_same_model_is_charged_to_its_budget() -> None:
    choice = choose_method(ForestLayout.of(large()), 100, budget_bytes=100 * 2**20)
    free = choice.free_bytes
    charged = choice.charged("tables of ten blocks of the background", free - 2**20)
    assert charged.free_bytes == 2**20
    assert charged.memory_bytes == choice.memory_bytes
    assert ", 99.0 of 100 MB" in str(charged)
    with pytest.raises(UnsupportedModelError, match="ten blocks of the background would take 2 MB; of the 100 MB that"):
        charged.charged("tables of ten blocks of the background", 2 * 2**20)


def test_trees_of_other_outputs_are_left_out() -> None:
    two = tuple(
        replace(tree, value=np.stack([tree.value * (place == 0), tree.value * (place > 0)], axis=1))
        for place, tree in enumerate(large(n_trees=3).trees)
    )
    several = Forest(base_value=0.0, trees=two, n_features=9, output_base_values=(1.0, 2.0))
    assert [len(several.for_output(output).trees) for output in (0, 1)] == [1, 2]
    rows = random_rows(np.random.default_rng(6), 10, 9)
    for output in (0, 1):
        np.testing.assert_allclose(
            several.for_output(output).additive_score(rows), several.additive_score(rows)[:, output]
        )
