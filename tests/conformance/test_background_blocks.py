"""Every way to contributions against blocks gives those of an exact method that knows this block alone."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explainer.attribution_methods.black_boxes.exact_enumeration import ExactEnumeration
from explainer.attribution_methods.black_boxes.sampled_permutation import SampledPermutation
from explainer.attribution_methods.blocks import block_tables, compiled_block_tables
from explainer.attribution_methods.blocks.asked_blocks import AskedBlocks
from explainer.attribution_methods.blocks.background_blocks import (
    N_BLOCKS,
    BlockContributions,
    BlockDivision,
    split_background,
)
from explainer.attribution_methods.blocks.block_tables import BlockTables
from explainer.attribution_methods.blocks.choose_blocks import (
    ComputerPerBlock,
    PreparedBlocks,
    blocks_for_closed_form,
    blocks_for_forest,
)
from explainer.attribution_methods.blocks.compiled_block_tables import CompiledBlockTables, bytes_of_block_tables
from explainer.attribution_methods.forests.deep_forest import DeepForest
from explainer.attribution_methods.forests.exact_forest import ExactForest
from explainer.attribution_methods.sums.linear import ExactLinear
from explainer.attribution_methods.table_cache import TableCache
from models.forest import Forest, read_forest
from models.linear_model import LinearModel
from tests.conformance.black_boxes import SmoothModel
from tests.conformance.checks_attribution import TOLERANCE, Numbers
from tests.conformance.small_forests import random_forest, random_rows
from tests.conformance.small_pipelines import one_hot_pipeline

BlockNumbers = np.ndarray
Maker = Callable[[Forest, Numbers, Numbers, BlockNumbers], BlockContributions]


def one_per_block(forest: Forest, rows: Numbers, weights: Numbers, blocks: BlockNumbers) -> ComputerPerBlock:
    return ComputerPerBlock(lambda some, their: ExactForest(forest, some, their), rows, weights, blocks)


MAKERS: dict[str, Maker] = {"numpy": BlockTables, "compiled": CompiledBlockTables, "one_per_block": one_per_block}


def check_blocks(make: Maker, forest: Forest, rows: Numbers, weights: Numbers, cases: Numbers) -> None:
    blocks = split_background(rows, weights)
    assert blocks is not None
    before = [array.copy() for array in (rows, weights, blocks, cases)]
    computer = make(forest, rows, weights, blocks)
    found = np.stack([computer.contributions_of(case) for case in cases])
    assert np.array_equal(found, np.stack([computer.contributions_of(case) for case in cases]))
    for block in range(N_BLOCKS):
        alone = ExactForest(forest, rows[blocks == block], weights[blocks == block]).contributions_of(cases)
        np.testing.assert_allclose(found[:, block], alone, rtol=0, atol=TOLERANCE + computer.rounding)
        assert computer.shares[block] == pytest.approx(weights[blocks == block].sum() / weights.sum())
    whole = ExactForest(forest, rows, weights).contributions_of(cases)
    mean = np.einsum("b,nbf->nf", computer.shares, found)
    np.testing.assert_allclose(mean, whole, rtol=0, atol=TOLERANCE + computer.rounding)
    for array, copy in zip((rows, weights, blocks, cases), before, strict=True):
        assert np.array_equal(array, copy, equal_nan=True)


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), depth=st.integers(0, 6), n_features=st.integers(1, 6))
def test_blocks_of_random_forests(name: str, seed: int, depth: int, n_features: int) -> None:
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=n_features, n_trees=4, depth=depth)
    rows, weights = random_rows(generator, 160, n_features, missing=0.1), generator.uniform(1, 1.5, 160)
    check_blocks(MAKERS[name], trees, rows, weights, random_rows(generator, 3, n_features, missing=0.2))


@pytest.mark.parametrize("name", MAKERS)
def test_blocks_behind_preprocessing(name: str) -> None:
    pipeline = one_hot_pipeline()
    trees = read_forest(pipeline.content, pipeline.card.features)
    check_blocks(MAKERS[name], trees, pipeline.rows[:150], np.ones(150), pipeline.rows[150:155])


def test_rounding_of_the_compiled_tables_is_small_and_stated() -> None:
    generator = np.random.default_rng(3)
    trees = random_forest(generator, n_features=12, n_trees=20, depth=10)
    rows, weights = random_rows(generator, 200, 12), np.ones(200)
    check_blocks(CompiledBlockTables, trees, rows, weights, random_rows(generator, 20, 12))
    blocks = split_background(rows, weights)
    assert blocks is not None
    assert 0 < CompiledBlockTables(trees, rows, weights, blocks).rounding < 1e-4 * trees.sum_of_largest_leaves


def far_from_everybody() -> tuple[Forest, Numbers, Numbers]:
    """A forest, a background of people who are all alike, and cases that meet what none of them meets."""
    generator = np.random.default_rng(12)
    trees = random_forest(generator, n_features=8, n_trees=12, depth=7)
    alike = np.repeat(random_rows(generator, 12, 8), 15, axis=0)
    return trees, alike + generator.normal(scale=1e-3, size=alike.shape), random_rows(generator, 12, 8, missing=0.3)


def test_what_nobody_in_the_background_meets_is_worked_out() -> None:
    trees, rows, cases = far_from_everybody()
    check_blocks(CompiledBlockTables, trees, rows, np.ones(len(rows)), cases)


def test_taking_what_nobody_meets_for_nothing_is_caught() -> None:
    class LeavesOutTheUnseen(CompiledBlockTables):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            unit = np.zeros_like(self._tables.share_unit)
            unit.flags.writeable = False
            self._tables = self._tables._replace(share_unit=unit)

    trees, rows, cases = far_from_everybody()
    with pytest.raises(AssertionError):
        check_blocks(LeavesOutTheUnseen, trees, rows, np.ones(len(rows)), cases)


def test_the_memory_that_tables_will_take_is_known_before_they_are_made() -> None:
    trees, rows, _ = far_from_everybody()
    blocks = split_background(rows, np.ones(len(rows)))
    assert blocks is not None
    made = CompiledBlockTables(trees, rows, np.ones(len(rows)), blocks)
    assert bytes_of_block_tables(trees, rows, blocks) == made.memory_bytes
    fits = blocks_for_forest(trees, rows, np.ones(len(rows)), budget_bytes=made.memory_bytes)
    assert fits.memory_bytes == made.memory_bytes, "although more would be needed if every row met sets of its own"
    walked = blocks_for_forest(trees, rows, np.ones(len(rows)), budget_bytes=made.memory_bytes - 1)
    assert not isinstance(walked.computer, CompiledBlockTables)


class ForgetsWeights(BlockTables):
    def __init__(self, forest: Forest, rows: Numbers, weights: Numbers, blocks: BlockNumbers) -> None:
        super().__init__(forest, rows, np.ones_like(weights), blocks)


class MixesTwoBlocks(CompiledBlockTables):
    def __init__(self, forest: Forest, rows: Numbers, weights: Numbers, blocks: BlockNumbers) -> None:
        super().__init__(forest, rows, weights, np.where(blocks == 1, 0, np.where(blocks == 0, 1, blocks)))


class SumsColumns(BlockTables):
    """Takes every encoded column for a player of its own and adds them up."""

    def __init__(self, forest: Forest, rows: Numbers, weights: Numbers, blocks: BlockNumbers) -> None:
        self.whole = forest
        apart = Forest(base_value=forest.base_value, trees=forest.trees, n_features=forest.n_columns)
        super().__init__(apart, forest.encode(rows).astype(float), weights, blocks)

    def contributions_of(self, row: Numbers) -> Numbers:
        found = super().contributions_of(self.whole.encode(row[np.newaxis])[0].astype(float))
        return np.stack([found[:, columns].sum(axis=1) for columns in self.whole.columns_of_feature], axis=1)


@pytest.mark.parametrize("broken", [ForgetsWeights, MixesTwoBlocks, SumsColumns])
def test_broken_blocks_are_caught(broken: Maker) -> None:
    pipeline = one_hot_pipeline()
    trees = read_forest(pipeline.content, pipeline.card.features)
    weights = np.random.default_rng(1).uniform(0.5, 2, 150)
    check_blocks(BlockTables, trees, pipeline.rows[:150], weights, pipeline.rows[150:155])
    with pytest.raises(AssertionError):
        check_blocks(broken, trees, pipeline.rows[:150], weights, pipeline.rows[150:155])


def test_pairs_weighted_otherwise_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken twin of the closed form: everybody on the path shares alike."""
    right_ones = block_tables._shapley_of_pairs

    def shared_alike(depth: int) -> Numbers:
        right = right_ones(depth).reshape(1 << depth, 1 << depth, depth)
        totals = np.repeat(right.sum(axis=2, keepdims=True), depth, axis=2) / depth
        return totals.reshape(1 << depth, -1)

    generator = np.random.default_rng(5)
    trees = random_forest(generator, n_features=4, n_trees=4, depth=4)
    rows, cases = random_rows(generator, 150, 4), random_rows(generator, 3, 4)
    monkeypatch.setattr(block_tables, "_shapley_of_pairs", shared_alike)
    with pytest.raises(AssertionError):
        check_blocks(BlockTables, trees, rows, np.ones(150), cases)


def test_split_is_even_and_does_not_depend_on_the_order_of_rows() -> None:
    generator = np.random.default_rng(7)
    rows, weights = generator.normal(size=(400, 3)), generator.uniform(1, 3, 400)
    blocks = split_background(rows, weights)
    assert blocks is not None
    held = np.bincount(blocks, weights=weights)
    assert np.ptp(held) <= 2 * weights.max()
    order = generator.permutation(400)
    again = split_background(rows[order], weights[order])
    assert again is not None
    assert np.array_equal(again, blocks[order])


def test_too_few_rows_are_not_split() -> None:
    generator = np.random.default_rng(7)
    assert split_background(generator.normal(size=(99, 3)), np.ones(99)) is None
    heavy = np.ones(200)
    heavy[0] = 100
    assert split_background(generator.normal(size=(200, 3)), heavy) is None
    trees = random_forest(generator, n_features=3, n_trees=2, depth=3)
    prepared = blocks_for_forest(trees, generator.normal(size=(99, 3)), np.ones(99), budget_bytes=10**9)
    assert prepared.computer is None
    assert "99 background rows" in str(prepared)


def check_prepared(prepared: PreparedBlocks, forest: Forest, rows: Numbers, weights: Numbers, cases: Numbers) -> None:
    computer = prepared.computer
    assert computer is not None
    check_blocks(lambda *_: computer, forest, rows, weights, cases)


def test_trees_are_walked_where_tables_do_not_fit_and_nothing_is_done_where_neither_fits() -> None:
    generator = np.random.default_rng(8)
    trees = random_forest(generator, n_features=12, n_trees=4, depth=9)
    rows, cases = random_rows(generator, 150, 12, missing=0.1), random_rows(generator, 3, 12, missing=0.2)
    fits = blocks_for_forest(trees, rows, np.ones(150), budget_bytes=10**9)
    assert isinstance(fits.computer, CompiledBlockTables)
    walked = blocks_for_forest(trees, rows, np.ones(150), budget_bytes=fits.memory_bytes // 2)
    assert isinstance(walked.computer, ComputerPerBlock)
    assert "MB are left" in walked.reason
    assert walked.memory_bytes <= fits.memory_bytes // 2
    check_prepared(walked, trees, rows, np.ones(150), cases)
    refused = blocks_for_forest(trees, rows, np.ones(150), budget_bytes=1000)
    assert refused.computer is None
    assert "Walking the trees with each block would take" in refused.reason


@pytest.mark.parametrize("alike", [True, False])
def test_deep_trees_are_walked_with_each_block(*, alike: bool) -> None:
    generator = np.random.default_rng(8)
    deep = random_forest(generator, n_features=30, n_trees=4, depth=14)
    rows, cases = random_rows(generator, 150, 30), random_rows(generator, 3, 30)
    weights = np.ones(150) if alike else generator.uniform(1, 1.5, 150)
    prepared = blocks_for_forest(deep, rows, weights, budget_bytes=10**9)
    assert "at most 12" in prepared.reason
    assert prepared.memory_bytes > 0
    # Tables by numpy would need too much memory for these paths, so the deep method is the judge of itself per block.
    blocks = split_background(rows, weights)
    assert blocks is not None
    assert prepared.computer is not None
    found = np.stack([prepared.computer.contributions_of(case) for case in cases])
    for block in range(N_BLOCKS):
        alone = DeepForest(deep, rows[blocks == block], weights[blocks == block]).contributions_of(cases)
        np.testing.assert_allclose(found[:, block], alone, rtol=0, atol=TOLERANCE)
    whole = DeepForest(deep, rows, weights).contributions_of(cases)
    np.testing.assert_allclose(np.einsum("b,nbf->nf", prepared.computer.shares, found), whole, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("weights_differ", [True, False])
def test_a_model_that_is_asked_divides_its_scores_among_the_blocks(*, weights_differ: bool) -> None:
    generator = np.random.default_rng(9)
    rows, cases = generator.normal(size=(130, 5)), generator.normal(size=(3, 5))
    weights = generator.uniform(1, 1.4, 130) if weights_differ else np.ones(130)
    model, blocks = SmoothModel(5), split_background(rows, weights)
    assert blocks is not None
    division = BlockDivision(blocks, weights)
    computer = ExactEnumeration(model, rows, weights, division=division)
    asked = AskedBlocks(computer, division)
    plain = ExactEnumeration(model, rows, weights)
    for case in cases:
        whole = computer.contributions_of(case[np.newaxis])[0]
        before = model.evaluations
        found = asked.contributions_of(case)
        assert model.evaluations == before, "no score is asked for twice"
        np.testing.assert_array_equal(whole, plain.contributions_of(case[np.newaxis])[0])
        np.testing.assert_allclose(asked.shares @ found, whole, rtol=0, atol=TOLERANCE)
        for block in range(N_BLOCKS):
            alone = ExactEnumeration(model, rows[blocks == block], weights[blocks == block])
            np.testing.assert_allclose(
                found[block], alone.contributions_of(case[np.newaxis])[0], rtol=0, atol=TOLERANCE
            )
        np.testing.assert_array_equal(asked.contributions_of(cases[0]), computer.by_block(cases[0]))
    mixed = BlockDivision(np.roll(blocks, 1), weights)
    twin = ExactEnumeration(model, rows, weights, division=mixed).by_block(cases[0])
    assert np.abs(twin - asked.contributions_of(cases[0])).max() > 1e-3, "a twin with other blocks is caught"


def test_sampled_contributions_are_the_mean_of_those_against_the_blocks() -> None:
    generator = np.random.default_rng(10)
    rows, weights = generator.normal(size=(140, 6)), generator.uniform(1, 1.4, 140)
    division = BlockDivision.of(rows, weights)
    assert division is not None
    model, case = SmoothModel(6), generator.normal(size=6)
    sampling = SampledPermutation(model, rows, weights, division=division)
    asked = AskedBlocks(sampling, division)
    found = sampling.sample(case)
    before = model.evaluations
    by_block = asked.contributions_of(case)
    assert model.evaluations == before, "no score is asked for twice"
    np.testing.assert_allclose(division.shares @ by_block, found.contributions, rtol=0, atol=TOLERANCE)
    exact = ExactEnumeration(model, rows, weights, division=division).by_block(case)
    assert np.abs(by_block - exact).max() <= 6 * np.sqrt(N_BLOCKS) * found.standard_errors.max()
    other = generator.normal(size=6)
    sampling.sample(other)
    np.testing.assert_array_equal(asked.contributions_of(case), by_block, "asked anew, the same walks are drawn")


def test_threads_that_ask_about_different_cases_get_their_own_blocks() -> None:
    generator = np.random.default_rng(12)
    rows, weights, cases = generator.normal(size=(130, 4)), np.ones(130), generator.normal(size=(16, 4))
    division = BlockDivision.of(rows, weights)
    assert division is not None
    computer = ExactEnumeration(SmoothModel(4), rows, weights, division=division)
    asked, barrier = AskedBlocks(computer, division), Barrier(len(cases))
    alone = [computer.by_block(case).copy() for case in cases]

    def both(case: Numbers) -> Numbers:
        barrier.wait()
        computer.contributions_of(case[np.newaxis])
        barrier.wait()
        return asked.contributions_of(case)

    with ThreadPoolExecutor(len(cases)) as pool:
        for found, wanted in zip(pool.map(both, cases), alone, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_a_background_that_nobody_divided_has_no_blocks() -> None:
    rows = np.random.default_rng(1).normal(size=(99, 3))
    assert BlockDivision.of(rows, np.ones(99)) is None
    for make in (ExactEnumeration, SampledPermutation):
        with pytest.raises(TypeError, match="not divided"):
            make(SmoothModel(3), rows, np.ones(99)).by_block(rows[0])


def test_closed_forms_are_made_once_for_each_block() -> None:
    generator = np.random.default_rng(9)
    model = LinearModel(intercepts=np.array([0.5]), coefficients=generator.normal(size=(1, 4)))
    rows, weights, case = generator.normal(size=(200, 4)), generator.uniform(1, 2, 200), generator.normal(size=4)

    def make(some: Numbers, their: Numbers) -> ExactLinear:
        return ExactLinear(model, some, their)

    prepared = blocks_for_closed_form(make, rows, weights, budget_bytes=10**6).computer
    assert prepared is not None
    refused = blocks_for_closed_form(make, rows, weights, budget_bytes=prepared.memory_bytes - 1)
    assert refused.computer is None
    assert "MB are left" in refused.reason
    mean = prepared.shares @ prepared.contributions_of(case)
    whole = ExactLinear(model, rows, weights).contributions_of(case[np.newaxis])[0]
    np.testing.assert_allclose(mean, whole, rtol=0, atol=TOLERANCE)


def test_kept_tables_give_the_same_bits_and_damaged_ones_are_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(10)
    trees = random_forest(generator, n_features=6, n_trees=4, depth=5)
    rows, weights, case = random_rows(generator, 150, 6), np.ones(150), random_rows(generator, 1, 6)[0]
    blocks, cache = split_background(rows, weights), TableCache(tmp_path)
    assert blocks is not None

    def found(weights: Numbers = weights) -> Numbers:
        return CompiledBlockTables(trees, rows, weights, blocks, cache=cache).contributions_of(case)

    first, filled = found(), []
    fill = compiled_block_tables.fill_tables
    monkeypatch.setattr(compiled_block_tables, "fill_tables", lambda *parts: (filled.append(1), fill(*parts)))
    assert np.array_equal(found(), first)
    assert filled == [], "the second time they are read"
    assert not np.array_equal(found(generator.uniform(1, 2, 150)), first)
    assert filled == [1], "other weights have other tables"
    for file in tmp_path.iterdir():
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    assert np.array_equal(found(), first)
    assert filled == [1, 1]
