from dataclasses import replace

import numpy as np
import pytest

from explainer.attribution_methods.choose import attribute, methods_for
from explainer.attribution_methods.forests.exact_forest import ExactForest
from explainer.errors import AdditivityError
from explainer.explanations.attribution import Attribution, AttributionMethod
from models.package import ModelPackage
from tests.conformance.small_forests import Split, forest, random_rows
from tests.conformance.small_packages import feature, small_package

METHOD = AttributionMethod(name="by_hand", exact=True, engine_version="0")
TREES = forest(Split(0, 0.0, -2.0, Split(1, 0.5, 1.0, 3.0)), Split(1, -0.5, -1.0, 0.5), n_features=2)


@pytest.fixture(scope="module")
def package() -> ModelPackage:
    background = random_rows(np.random.default_rng(1), 50, 2)
    return small_package([feature("one"), feature("two")], TREES, background, weights=np.linspace(0.1, 4, 50))


def by_hand(**changes: object) -> Attribution:
    parts = {
        "contributions": (1.0, -0.25),
        "expected_value": 0.5,
        "additive_score": 1.25,
        "leaf_scale": 1.0,
        "method": METHOD,
    }
    return Attribution(**{**parts, **changes})  # type: ignore[arg-type]  # the test changes one part at a time


def test_parts_that_add_up_are_an_attribution() -> None:
    assert by_hand().additivity_gap == 0


@pytest.mark.parametrize("off", [1e-3, -1e-3, 1.1e-5])
def test_parts_that_miss_the_score_are_refused(off: float) -> None:
    with pytest.raises(AdditivityError, match="miss the model's score"):
        by_hand(additive_score=1.25 + off)


def test_rounding_of_models_with_large_leaves_is_allowed() -> None:
    assert by_hand(additive_score=1.25 + 1e-3, leaf_scale=1000.0).tolerance == pytest.approx(1e-2)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(number: float) -> None:
    with pytest.raises(AdditivityError, match="finite"):
        by_hand(contributions=(number, 0.0))


def test_the_score_comes_from_the_runtime_and_the_parts_from_the_trees(package: ModelPackage) -> None:
    row = np.array([1.0, 1.0])
    found = attribute(methods_for(package)[0].computer, package, row)
    assert found.additive_score == package.model.additive_score(row[np.newaxis])[0]
    assert found.method.exact
    assert abs(found.additivity_gap) < 1e-6


def test_contributions_of_other_trees_than_the_runtime_s_are_refused(package: ModelPackage) -> None:
    other = forest(Split(0, 0.0, -2.0, Split(1, 0.5, 1.0, 3.001)), Split(1, -0.5, -1.0, 0.5), n_features=2)
    background = package.background
    with pytest.raises(AdditivityError):
        attribute(ExactForest(other, background.rows, background.weights), package, np.array([1.0, 1.0]))


def test_contributions_of_another_row_are_refused(package: ModelPackage) -> None:
    found = attribute(methods_for(package)[0].computer, package, np.array([1.0, 1.0]))
    other = package.model.additive_score(np.array([[-1.0, 1.0]]))[0]
    with pytest.raises(AdditivityError):
        replace(found, additive_score=float(other))
