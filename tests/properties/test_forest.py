"""Our reading of trees is the runtime's, for every forest and every row, also exactly at thresholds."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.forest import Forest, logistic, read_forest
from models.onnx_model import OnnxModel
from models.tree import NO_CHILD
from tests.unit.models.cards import card_with_numbers
from tests.unit.models.tree_models import Ensemble, Leaf, Split

N_FEATURES = 3
MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT")
# 0.1 is no float32 number, 16777217 is the first integer that is none, 1e-45 is the smallest float32 number above 0.
THRESHOLDS = (0.0, -0.0, 0.1, 0.5, 1.0, -1.0, 3.0, 1e-45, -1e-45, 16777217.0, 3e38)
weights = st.floats(-3, 3, width=32)


def trees(leaf_width: int, modes: tuple[str, ...]) -> st.SearchStrategy[Split | Leaf]:
    leaves = st.builds(Leaf, st.tuples(*[weights] * leaf_width))
    return st.recursive(
        leaves,
        lambda inner: st.builds(
            Split,
            feature=st.integers(0, N_FEATURES - 1),
            mode=st.sampled_from(modes),
            threshold=st.sampled_from(THRESHOLDS),
            yes=inner,
            no=inner,
            missing_yes=st.booleans(),
        ),
        max_leaves=12,
    )


@st.composite
def ensembles(draw: st.DrawFn) -> Ensemble:
    leaf_width = draw(st.sampled_from((1, 2)))
    modes = draw(st.one_of(st.sampled_from([(mode,) for mode in MODES]), st.just(MODES)))
    with_base = leaf_width == 1 and draw(st.booleans())
    return Ensemble(
        trees=tuple(draw(st.lists(trees(leaf_width, modes), min_size=1, max_size=4))),
        n_features=N_FEATURES,
        single_class_id=0 if with_base else draw(st.sampled_from((0, 1))),
        base_values=(draw(weights),) if with_base else (),
    )


def _neighbours(threshold: float) -> list[float]:
    exact = np.float32(threshold)
    lower, upper = (np.nextafter(exact, np.float32(end)) for end in (-np.inf, np.inf))
    # Half-way points and the decimal itself are 64-bit numbers that only a cast puts on one side.
    return [threshold, float(exact), float(lower), float(upper), (float(exact) + float(upper)) / 2]


VALUES = st.sampled_from([value for threshold in THRESHOLDS for value in _neighbours(threshold)] + [np.nan, 1e30])
row_tables = st.lists(st.tuples(*[VALUES] * N_FEATURES), min_size=1, max_size=8).map(np.array)


@settings(max_examples=100, deadline=None)
@given(ensembles(), row_tables)
def test_forest_and_runtime_agree_on_every_row(ensemble: Ensemble, rows: np.ndarray) -> None:
    content = ensemble.to_onnx()
    forest, model = read_forest(content), OnnxModel(content, card_with_numbers(N_FEATURES))
    np.testing.assert_allclose(model.additive_score(rows), forest.additive_score(rows), atol=1e-5)
    np.testing.assert_allclose(model.score(rows), logistic(forest.additive_score(rows)), atol=2e-6)


@settings(max_examples=30, deadline=None)
@given(ensembles(), row_tables)
def test_score_of_a_row_does_not_depend_on_its_neighbours(ensemble: Ensemble, rows: np.ndarray) -> None:
    forest = read_forest(ensemble.to_onnx())
    together = forest.additive_score(rows)
    np.testing.assert_array_equal(together, np.concatenate([forest.additive_score(row[None]) for row in rows]))


@settings(max_examples=30, deadline=None)
@given(ensembles(), row_tables)
def test_largest_leaves_bound_every_score(ensemble: Ensemble, rows: np.ndarray) -> None:
    forest = read_forest(ensemble.to_onnx())
    assert np.all(np.abs(forest.additive_score(rows) - forest.base_value) <= forest.sum_of_largest_leaves + 1e-9)


@settings(max_examples=30, deadline=None)
@given(ensembles(), row_tables)
def test_walking_the_arrays_one_node_at_a_time_gives_the_same_sum(ensemble: Ensemble, rows: np.ndarray) -> None:
    forest = read_forest(ensemble.to_onnx())
    np.testing.assert_allclose(forest.additive_score(rows), [_walk(forest, row) for row in rows], atol=1e-12)


def _walk(forest: Forest, row: np.ndarray) -> float:
    total = forest.base_value
    for tree in forest.trees:
        node = 0
        while tree.left[node] != NO_CHILD:
            value = np.float32(row[tree.feature[node]])
            left = bool(tree.missing_left[node]) if np.isnan(value) else bool(value <= tree.threshold[node])
            node = int(tree.left[node] if left else tree.right[node])
        total += float(tree.value[node])
    return total


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=20))
def test_logistic_is_a_probability_and_symmetric(additive: list[float]) -> None:
    values = np.array(additive)
    scores = logistic(values)
    assert np.all((scores >= 0) & (scores <= 1))
    np.testing.assert_allclose(scores + logistic(-values), 1.0, atol=1e-12)
