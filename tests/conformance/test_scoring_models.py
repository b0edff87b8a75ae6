"""What every scoring model must keep, whatever runs it; each check takes a model and rows it can score."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from onnx import TensorProto

from models.errors import ModelFeaturesMismatchError
from models.onnx_model import OnnxModel
from models.package import load_package
from models.scoring_model import Rows, Scores, ScoringModel
from tests.unit.models.cards import card_with_features, card_with_numbers, feature_data
from tests.unit.models.tree_models import STUMP, WOHNGELD, Ensemble, Leaf, Split

Case = tuple[ScoringModel, Rows]


def bundled() -> Case:
    package = load_package(WOHNGELD)
    return package.model, package.background.rows[:200]


def bundled_as_forest() -> Case:
    package = load_package(WOHNGELD)
    return package.forest, package.background.rows[:200]


def one_column() -> Case:
    return OnnxModel(Ensemble(trees=(STUMP,)).to_onnx(), card_with_numbers(1)), np.linspace(-2, 2, 9)[:, None]


def named_inputs() -> Case:
    tree = Split(feature=1, mode="BRANCH_GT", threshold=0.5, yes=Leaf((1.0,)), no=Leaf((-2.0,)))
    ensemble = Ensemble(trees=(STUMP, tree), named_inputs=("a", "b"), input_type=TensorProto.DOUBLE)
    card = card_with_features([feature_data("b"), feature_data("a")])
    return OnnxModel(ensemble.to_onnx(), card), np.random.default_rng(3).normal(size=(20, 2))


MODELS: list[Callable[[], Case]] = [bundled, bundled_as_forest, one_column, named_inputs]


def check_scores_are_one_probability_per_row(model: ScoringModel, rows: Rows) -> None:
    scores = model.score(rows)
    assert scores.shape == (len(rows),)
    assert scores.dtype == np.float64
    assert np.all((scores >= 0) & (scores <= 1))


def check_score_follows_from_additive_score(model: ScoringModel, rows: Rows) -> None:
    np.testing.assert_allclose(model.score(rows), 1 / (1 + np.exp(-model.additive_score(rows))), atol=1e-6)


def check_one_row_scores_as_in_company(model: ScoringModel, rows: Rows) -> None:
    alone = np.concatenate([model.score(row[None]) for row in rows])
    np.testing.assert_allclose(model.score(rows), alone, atol=1e-7)


def check_order_of_rows_does_not_matter(model: ScoringModel, rows: Rows) -> None:
    np.testing.assert_allclose(model.score(rows)[::-1], model.score(rows[::-1]), atol=1e-7)


def check_same_rows_same_scores(model: ScoringModel, rows: Rows) -> None:
    np.testing.assert_array_equal(model.additive_score(rows), model.additive_score(rows))


def check_rows_are_left_as_they_are(model: ScoringModel, rows: Rows) -> None:
    before = rows.copy()
    model.score(rows)
    np.testing.assert_array_equal(rows, before)


def check_no_rows_no_scores(model: ScoringModel, rows: Rows) -> None:
    assert model.score(rows[:0]).shape == model.additive_score(rows[:0]).shape == (0,)


def check_rows_of_another_width_are_refused(model: ScoringModel, rows: Rows) -> None:
    assert model.n_features == rows.shape[1]
    for wrong in (np.zeros((1, model.n_features + 1)), np.zeros(model.n_features)):
        with pytest.raises(ModelFeaturesMismatchError):
            model.score(wrong)


CHECKS = [
    check_scores_are_one_probability_per_row,
    check_score_follows_from_additive_score,
    check_one_row_scores_as_in_company,
    check_order_of_rows_does_not_matter,
    check_same_rows_same_scores,
    check_rows_are_left_as_they_are,
    check_no_rows_no_scores,
    check_rows_of_another_width_are_refused,
]


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("check", CHECKS)
def test_scoring_model_keeps(check: Callable[[ScoringModel, Rows], None], make: Callable[[], Case]) -> None:
    model, rows = make()
    check(model, rows)


@dataclass
class DriftingModel:
    """Deliberately broken: its scores depend on what it scored before and on the position of the row."""

    n_features: int = 1
    calls: int = 0

    def score(self, rows: Rows) -> Scores:
        return 1 / (1 + np.exp(-self.additive_score(rows)))

    def additive_score(self, rows: Rows) -> Scores:
        self.calls += 1
        return rows[:, 0] + self.calls + np.arange(len(rows))


@pytest.mark.parametrize(
    "check",
    [
        check_one_row_scores_as_in_company,
        check_order_of_rows_does_not_matter,
        check_same_rows_same_scores,
        check_score_follows_from_additive_score,
    ],
)
def test_a_drifting_model_is_caught(check: Callable[[ScoringModel, Rows], None]) -> None:
    with pytest.raises(AssertionError):
        check(DriftingModel(), np.zeros((3, 1)))
