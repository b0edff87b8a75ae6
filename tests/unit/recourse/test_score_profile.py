"""What profiles say about changed rows is what the model says when it is run on them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from explainer.recourse import forest_cells, leaf_masks
from explainer.recourse.forest_bounds import ForestBounds
from explainer.recourse.forest_cells import ForestCells
from explainer.recourse.moves import Moves
from explainer.recourse.range_minimum import RangeMinimum
from explainer.recourse.score_profile import AdditiveProfile, AskedProfile, ForestProfile, ScoreProfile
from models.forest import Forest
from models.linear_model import CategoryPoints, IntervalPoints, PointsTable
from tests.conformance.small_forests import Split, random_forest, random_rows
from tests.conformance.small_forests import forest as small_forest

N_FEATURES = 4
SEEDS = st.integers(0, 2**32 - 1)


def moves_of(cells: ForestCells | None, positions: NDArray[np.int64], values: NDArray[np.float64]) -> Moves:
    cell = np.full(len(positions), -1)
    if cells is not None:
        pairs = zip(positions, values, strict=True)
        cell = np.array([cells.first_cell[p] + cells.cells_of_values(p, np.array([v]))[0] for p, v in pairs])
    return Moves(position=positions, value=values, cell=cell, cost=np.zeros(len(positions)))


def check(profile: ScoreProfile, cells: ForestCells | None, ask: object, rows: NDArray[np.float64]) -> None:
    """Hold single changes, pairs of changes and changed profiles against running the model."""
    asked = AskedProfile(ask=ask, row=profile.row)  # type: ignore[arg-type]
    positions = np.tile(np.arange(rows.shape[1]), len(rows))
    moves = moves_of(cells, positions, rows.ravel())
    assert profile.score == pytest.approx(asked.score, abs=1e-9)
    np.testing.assert_allclose(profile.scores_of(moves), asked.scores_of(moves), atol=1e-9)
    pair = (0, rows[:, 0], 2, rows[:, 2])
    np.testing.assert_allclose(profile.scores_of_pair(*pair), asked.scores_of_pair(*pair), atol=1e-9)
    moved, asked_moved = (
        profile.moved(1, rows[0, 1]).moved(0, rows[1, 0]),
        asked.moved(1, rows[0, 1]).moved(0, rows[1, 0]),
    )
    np.testing.assert_allclose(moved.scores_of(moves), asked_moved.scores_of(moves), atol=1e-9)
    np.testing.assert_array_equal(profile.row, asked.row, err_msg="a profile is never changed")


@pytest.mark.parametrize(("many", "leaves"), [(0, 64), (0, 0), (10**9, 0)], ids=["masks", "compiled", "numpy"])
@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, depth=st.integers(1, 6))
def test_profiles_of_forests_say_what_the_forest_says(many: int, leaves: int, seed: int, depth: int) -> None:
    generator = np.random.default_rng(seed)
    forest = random_forest(generator, n_features=N_FEATURES, n_trees=5, depth=depth)
    rows = random_rows(generator, 12, N_FEATURES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forest_cells, "MANY_DEMANDS", many)
        patch.setattr(leaf_masks, "MAX_LEAVES", leaves)
        cells = ForestCells.of(forest)
        assert cells is not None
        check(ForestProfile.of(cells, rows[0]), cells, forest.additive_score, rows[1:])


def test_a_tree_of_sixty_four_leaves_still_has_masks_and_a_larger_one_has_none() -> None:
    def full(levels: int, low: float, high: float) -> Split | float:
        middle = (low + high) / 2
        if levels == 0:
            return middle
        return Split(levels % 2, middle, full(levels - 1, low, middle), full(levels - 1, middle, high))

    rows = random_rows(np.random.default_rng(1), 40, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forest_cells, "MANY_DEMANDS", 0)
        for levels, fits in ((6, True), (7, False)):
            forest = small_forest(full(levels, -1.0, 1.0), full(1, -1.0, 1.0), 0.25, n_features=3)
            cells = ForestCells.of(forest)
            assert cells is not None
            # Contradicting splits leave fewer leaves than were written down.
            assert (cells.masks is not None) == (fits or np.bincount(cells.tree).max() <= 64)
            for row in np.column_stack([rows, np.zeros(len(rows))]):
                assert ForestProfile.of(cells, row).score == pytest.approx(forest.additive_score(row[np.newaxis])[0])


@pytest.mark.parametrize("field", ["mask", "asking", "ends", "bound", "value"])
def test_masks_with_one_wrong_number_are_caught(field: str) -> None:
    generator = np.random.default_rng(5)
    forest = random_forest(generator, n_features=N_FEATURES, n_trees=5, depth=4)
    rows = random_rows(generator, 60, N_FEATURES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forest_cells, "MANY_DEMANDS", 0)
        cells = ForestCells.of(forest)
        assert cells is not None
        assert cells.masks is not None
        right = np.stack([ForestProfile.of(cells, row).scores_in_cells for row in rows])
        broken = getattr(cells.masks, field).copy()
        broken[len(broken) // 2] += 1
        vars(cells)["masks"] = cells.masks._replace(**{field: broken})
        wrong = np.stack([ForestProfile.of(cells, row).scores_in_cells for row in rows])
    assert np.abs(right - wrong).max() > 1e-3


def test_profiles_of_points_say_what_the_table_says() -> None:
    interval = IntervalPoints(limits=(-0.5, 0.25), points=(1.0, -2.0, 0.5))
    table = PointsTable(intercept=0.5, tables=(interval, interval, CategoryPoints(points=(0.0, 3.0))))
    rows = np.array([[0.0, -1.0, 1.0], [0.25, 0.3, 0.0], [-0.5, -0.6, 1.0]])
    check(AdditiveProfile(model=table, row=rows[0]), None, table.additive_score, rows[1:])


def test_trees_over_other_columns_than_raw_features_have_no_cells(encoded_forest: Forest) -> None:
    assert ForestCells.of(encoded_forest) is None


@pytest.fixture
def encoded_forest() -> Forest:
    from models.encoding import Encoding

    trees = random_forest(np.random.default_rng(0), n_features=2, n_trees=1, depth=2)
    return Forest(base_value=0.0, trees=trees.trees, n_features=2, encoding=Encoding.of_raw_features(2))


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, least=st.booleans())
def test_bounds_hold_everywhere_in_a_box_and_are_exact_where_nothing_is_split(seed: int, least: bool) -> None:
    assert bounds_are_right(seed, least=least)


def bounds_are_right(seed: int, *, least: bool) -> bool:
    generator = np.random.default_rng(seed)
    forest = random_forest(generator, n_features=N_FEATURES, n_trees=8, depth=4)
    cells = ForestCells.of(forest)
    assert cells is not None
    row = random_rows(generator, 1, N_FEATURES)[0]
    positions = np.array([0, 2, 3])
    n_cells = np.array([len(cells.splits[position]) + 1 for position in positions])
    first, second = (generator.integers(0, n_cells, (20, 3)) for _ in range(2))
    lowest, highest = np.minimum(first, second), np.maximum(first, second)
    bounds = ForestBounds(ForestProfile.of(cells, row), positions, least=least)
    right = True
    for share in generator.random((10, 20, 3)):
        inside = lowest + np.floor(share * (highest - lowest + 1)).astype(np.int64)
        rows = np.tile(row, (20, 1))
        for place, position in enumerate(positions):
            splits = np.append(cells.splits[position], np.float32(1e9))
            rows[:, position] = splits[inside[:, place]]
        scores, bound = forest.additive_score(rows), bounds.score(lowest, highest)
        right &= bool(((scores >= bound - 1e-9) if least else (scores <= bound + 1e-9)).all())
        right &= bool(np.allclose(bounds.score(inside, inside), scores, atol=1e-9))
    return right


def test_bounds_that_forget_a_feature_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = RangeMinimum.of
    monkeypatch.setattr(RangeMinimum, "of", lambda self, top, _, left, right: look_up(self, top, top, left, right))
    assert not all(bounds_are_right(seed, least=True) for seed in range(5))


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, rows=st.integers(1, 17), columns=st.integers(1, 17))
def test_the_least_number_of_a_rectangle_is_looked_up_exactly(seed: int, rows: int, columns: int) -> None:
    generator = np.random.default_rng(seed)
    table = generator.normal(size=(rows, columns))
    top, bottom = np.sort(generator.integers(0, rows, (2, 30)), axis=0)
    left, right = np.sort(generator.integers(0, columns, (2, 30)), axis=0)
    boxes = zip(top, bottom, left, right, strict=True)
    expected = [table[a : b + 1, c : d + 1].min() for a, b, c, d in boxes]
    np.testing.assert_array_equal(RangeMinimum(table).of(top, bottom, left, right), expected)
