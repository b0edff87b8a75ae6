"""Our reading is the runtime's for every kind of node, transform, aggregation and number of outputs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import UnsupportedModelError
from models.forest import read_forest
from models.onnx_model import OnnxModel
from tests.unit.models.cards import card_with_numbers
from tests.unit.models.tree_models import MODES_5, Ensemble, Leaf, Split, to_onnx_5

N_FEATURES = 2
CARD = card_with_numbers(N_FEATURES)
VALUES = (0.0, 1.0, 2.0, 3.0, 7.0, 31.0, 32.0, 33.0, -1.0, 1000.0)
FRACTIONS = (0.5, 2.5, 0.1)
THRESHOLDS = (*VALUES, *FRACTIONS)
MODES_3 = MODES_5[:-1]
weights = st.floats(-3, 3, width=32)
# SOFTMAX_ZERO is not continuous at zero, so its leaves must add up to exactly the same zeros in 32 bits.
EIGHTHS = st.integers(-24, 24).map(lambda number: number / 8)
PROBIT_WEIGHTS = st.floats(0.0625, 0.125, width=32)
WEIGHTS_FOR = {"PROBIT": PROBIT_WEIGHTS, "SOFTMAX_ZERO": EIGHTHS}
TRANSFORMS = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT")


def splits(leaf_width: int, modes: tuple[str, ...], weight: st.SearchStrategy[float]) -> st.SearchStrategy[Split]:
    leaves = st.builds(Leaf, st.tuples(*[weight] * leaf_width))

    def split(inner: st.SearchStrategy[Split | Leaf]) -> st.SearchStrategy[Split]:
        return st.builds(
            Split,
            feature=st.integers(0, N_FEATURES - 1),
            mode=st.sampled_from(modes),
            threshold=st.sampled_from(THRESHOLDS),
            yes=inner,
            no=inner,
            missing_yes=st.booleans(),
        )

    return split(st.recursive(leaves, split, max_leaves=8))


def with_members(tree: Split | Leaf, draw: st.DrawFn) -> Split | Leaf:
    if isinstance(tree, Leaf):
        return tree
    members: tuple[float, ...] = ()
    if tree.mode == "BRANCH_MEMBER":
        members = tuple(draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=5, unique=True)))
    return Split(
        feature=tree.feature,
        mode=tree.mode,
        threshold=tree.threshold,
        yes=with_members(tree.yes, draw),
        no=with_members(tree.no, draw),
        missing_yes=tree.missing_yes,
        members=members,
    )


def modes_of(draw: st.DrawFn, modes: tuple[str, ...]) -> tuple[str, ...]:
    return draw(st.one_of(st.sampled_from([(mode,) for mode in modes]), st.just(modes)))


@st.composite
def version_3(draw: st.DrawFn) -> bytes:
    classifier = draw(st.booleans())
    n_outputs = draw(st.sampled_from((2, 3) if classifier else (1, 2, 3)))
    # Two classes may share one column of weights; with one for each, the runtime misreads base values.
    two_classes = classifier and n_outputs == 2
    width = draw(st.sampled_from((1, 2))) if two_classes else n_outputs
    transforms = TRANSFORMS if n_outputs > 1 else ("NONE", "PROBIT")
    transform = draw(st.sampled_from(transforms if width == n_outputs else ("NONE", "LOGISTIC")))
    weight = WEIGHTS_FOR.get(transform, weights)
    trees = st.lists(splits(width, modes_of(draw, MODES_3), weight), min_size=1, max_size=3)
    may_have_base = transform not in WEIGHTS_FOR and not (two_classes and width == 2)
    with_base = may_have_base and draw(st.booleans())
    return Ensemble(
        trees=tuple(draw(trees)),
        n_features=N_FEATURES,
        classifier=classifier,
        n_outputs=n_outputs,
        post_transform=transform,
        average=not classifier and transform != "SOFTMAX_ZERO" and draw(st.booleans()),
        base_values=tuple(draw(weights) for _ in range(width)) if with_base else (),
        missing_tracks=draw(st.booleans()),
    ).to_onnx()


@st.composite
def version_5(draw: st.DrawFn) -> bytes:
    n_outputs = draw(st.sampled_from((1, 2, 3)))
    transforms = ("NONE", "SOFTMAX_ZERO", "PROBIT") if n_outputs > 1 else ("NONE", "PROBIT")
    transform = draw(st.sampled_from(transforms))
    weight = WEIGHTS_FOR.get(transform, weights)
    trees = draw(st.lists(splits(1, modes_of(draw, MODES_5), weight), min_size=1, max_size=3))
    return to_onnx_5(
        Ensemble(
            trees=tuple(with_members(tree, draw) for tree in trees),
            n_features=N_FEATURES,
            post_transform=transform,
            n_outputs=n_outputs,
            average=transform != "SOFTMAX_ZERO" and draw(st.booleans()),
            sigmoid=n_outputs == 1 and transform == "NONE" and draw(st.booleans()),
        )
    )


def check(content: bytes, rows: np.ndarray) -> None:
    forest, model = read_forest(content), OnnxModel(content, CARD)
    assert forest.n_outputs == model.n_outputs
    additive = forest.additive_score(rows)
    np.testing.assert_allclose(model.additive_score(rows), additive, atol=1e-5)
    scores = forest.score(rows)
    assert scores.shape == additive.shape
    # The inverse error function is steep at both ends, and the runtime computes it in 32 bits.
    with np.errstate(invalid="ignore"):
        tolerance = 2e-4 if forest.link == "probit" else 2e-6
        np.testing.assert_allclose(model.score(rows), scores, atol=tolerance, rtol=tolerance)
    for output in range(forest.n_outputs):
        one = forest.for_output(output).additive_score(rows)
        np.testing.assert_allclose(one, additive if forest.n_outputs == 1 else additive[:, output], atol=1e-12)


def row_tables(values: tuple[float, ...]) -> st.SearchStrategy[np.ndarray]:
    row = st.tuples(*[st.sampled_from([*values, np.nan])] * N_FEATURES)
    return st.lists(row, min_size=1, max_size=8).map(np.array)


BETWEEN = tuple(float(np.nextafter(np.float32(v), np.float32(end))) for v in THRESHOLDS for end in (-np.inf, np.inf))


@settings(max_examples=80, deadline=None)
@given(version_3(), row_tables((*THRESHOLDS, 1e30)))
def test_forest_and_runtime_agree_on_classifiers_and_regressors(content: bytes, rows: np.ndarray) -> None:
    check(content, rows)


@settings(max_examples=80, deadline=None)
@given(version_5(), row_tables((*VALUES, 1e6)))
def test_forest_and_runtime_agree_on_version_5(content: bytes, rows: np.ndarray) -> None:
    check(content, rows)


ONLY_COMPARING = MODES_5[:4]


@settings(max_examples=60, deadline=None)
@given(st.data(), row_tables((*THRESHOLDS, *BETWEEN)))
def test_version_5_compares_as_the_runtime_also_beside_thresholds(data: st.DataObject, rows: np.ndarray) -> None:
    trees = data.draw(st.lists(splits(1, ONLY_COMPARING, weights), min_size=1, max_size=3))
    check(to_onnx_5(Ensemble(trees=tuple(trees), n_features=N_FEATURES, post_transform="NONE")), rows)


@pytest.mark.parametrize("mode", MODES_5[:-1])
def test_a_twin_that_reads_another_mode_is_caught(mode: str) -> None:
    wrong = {"BRANCH_LEQ": "BRANCH_LT", "BRANCH_GT": "BRANCH_GTE", "BRANCH_EQ": "BRANCH_LEQ"}
    other = wrong.get(mode) or {"BRANCH_LT": "BRANCH_LEQ", "BRANCH_GTE": "BRANCH_GT", "BRANCH_NEQ": "BRANCH_GT"}[mode]
    rows = np.array([[value, 0.0] for value in (*THRESHOLDS, *BETWEEN, np.nan)])

    def content(of_mode: str) -> bytes:
        tree = Split(feature=0, mode=of_mode, threshold=2.0, yes=Leaf((1.0,)), no=Leaf((0.0,)))
        return to_onnx_5(Ensemble(trees=(tree,), n_features=N_FEATURES, post_transform="NONE"))

    truth = OnnxModel(content(mode), CARD).additive_score(rows)
    np.testing.assert_array_equal(read_forest(content(mode)).additive_score(rows), truth)
    assert np.abs(read_forest(content(other)).additive_score(rows) - truth).max() == 1


@pytest.mark.parametrize("version", [3, 5])
def test_a_twin_that_adds_up_instead_of_averaging_is_caught(version: int) -> None:
    tree = Split(feature=0, mode="BRANCH_LEQ", threshold=2.0, yes=Leaf((1.0,)), no=Leaf((-1.0,)))
    averaged = Ensemble(trees=(tree,) * 3, n_features=N_FEATURES, classifier=False, post_transform="NONE", average=True)
    summed = replace(averaged, average=False)
    rows = np.array([[0.0, 0.0], [3.0, 0.0]])
    write = to_onnx_5 if version == 5 else Ensemble.to_onnx
    truth = OnnxModel(write(averaged), CARD).additive_score(rows)
    np.testing.assert_allclose(read_forest(write(averaged)).additive_score(rows), truth, atol=1e-6)
    assert np.abs(read_forest(write(summed)).additive_score(rows) - truth).max() == pytest.approx(2)


def test_base_values_are_added_to_the_average_once_as_the_runtime_does() -> None:
    tree = Split(feature=0, mode="BRANCH_LEQ", threshold=2.0, yes=Leaf((1.0,)), no=Leaf((-1.0,)))
    ensemble = Ensemble(
        trees=(tree,) * 3,
        n_features=N_FEATURES,
        classifier=False,
        post_transform="NONE",
        average=True,
        base_values=(6.0,),
    )
    rows = np.array([[0.0, 0.0], [3.0, 0.0]])
    truth = OnnxModel(ensemble.to_onnx(), CARD).additive_score(rows)
    np.testing.assert_allclose(truth, [7.0, 5.0], atol=1e-6)
    np.testing.assert_allclose(read_forest(ensemble.to_onnx()).additive_score(rows), truth, atol=1e-6)


def test_the_runtime_cuts_fractions_off_before_it_looks_into_a_set_and_we_do_not() -> None:
    """A set of small whole numbers is a bit mask in onnxruntime 1.32; categories are whole numbers, so both agree."""
    tree = Split(
        feature=0, mode="BRANCH_MEMBER", threshold=0, yes=Leaf((1.0,)), no=Leaf((0.0,)), members=(1.0, 2.0, 31.0)
    )
    content = to_onnx_5(Ensemble(trees=(tree,), n_features=N_FEATURES, post_transform="NONE"))
    rows = np.array([[2.0, 0.0], [3.0, 0.0], [2.5, 0.0]])
    assert read_forest(content).additive_score(rows).tolist() == [1.0, 0.0, 0.0]
    assert OnnxModel(content, CARD).additive_score(rows).tolist() == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("transform", ["LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"])
def test_transforms_the_runtime_ignores_are_refused(transform: str) -> None:
    tree = Split(feature=0, mode="BRANCH_LEQ", threshold=0.5, yes=Leaf((1.0,)), no=Leaf((0.0,)))
    with pytest.raises(UnsupportedModelError, match=f"ignores the post transform {transform}"):
        read_forest(to_onnx_5(Ensemble(trees=(tree,), n_features=N_FEATURES, post_transform=transform)))


def test_the_runtime_exchanges_two_transforms_of_version_5_so_both_are_refused() -> None:
    import onnxruntime

    tree = Split(feature=0, mode="BRANCH_LEQ", threshold=0.5, yes=Leaf((1.0,)), no=Leaf((0.0,)))
    rows = {"rows": np.zeros((1, N_FEATURES), dtype=np.float32)}
    for transform, sums_to_one in (("SOFTMAX", False), ("LOGISTIC", True)):
        content = to_onnx_5(Ensemble(trees=(tree,), n_features=N_FEATURES, post_transform=transform, n_outputs=2))
        total = onnxruntime.InferenceSession(content).run(None, rows)[0].sum()
        assert (abs(total - 1) < 1e-6) == sums_to_one
        with pytest.raises(UnsupportedModelError, match="exchanges SOFTMAX and LOGISTIC"):
            read_forest(content)
