import numpy as np
import pytest

from explainer.explanations.assess_reliability import NEAR_THRESHOLD, assess_reliability
from models.package import ModelPackage
from tests.conformance.small_forests import Split, forest
from tests.conformance.small_packages import feature, small_package

INSIDE = np.array([0.5, 5.0])


@pytest.fixture(scope="module")
def package() -> ModelPackage:
    background = np.array([[0.0, 1.0], [1.0, 10.0]])
    return small_package([feature("one"), feature("two")], forest(Split(0, 0.0, -2.0, 2.0), n_features=2), background)


def test_counts_are_those_of_the_evaluation(package: ModelPackage) -> None:
    count = assess_reliability(package, INSIDE, 0.8).calibrated
    assert count is not None
    assert (count.favourable_per_100, count.low_per_100, count.high_per_100) == (92.4, 85, 96.3)
    assert (count.n, count.as_of) == (92, "2026-01-31")


def test_too_few_comparable_cases_give_no_count(package: ModelPackage) -> None:
    assert assess_reliability(package, INSIDE, 0.2).calibrated is None


@pytest.mark.parametrize(("score", "near"), [(0.5, True), (0.54, True), (0.46, True), (0.56, False), (0.1, False)])
def test_scores_close_to_the_threshold_are_called_so(package: ModelPackage, score: float, *, near: bool) -> None:
    found = assess_reliability(package, INSIDE, score)
    assert found.near_threshold is near
    assert found.distance_to_threshold == pytest.approx(score - 0.5)
    assert near == (abs(score - 0.5) <= NEAR_THRESHOLD)


@pytest.mark.parametrize(
    ("row", "names"), [([0.5, 5.0], ()), ([0.0, 10.0], ()), ([1.1, 5.0], ("one",)), ([-0.1, 11.0], ("one", "two"))]
)
def test_values_nobody_in_the_background_has_are_named(
    package: ModelPackage, row: list[float], names: tuple[str, ...]
) -> None:
    assert assess_reliability(package, np.array(row), 0.8).outside_background == names


def test_the_gap_of_the_background_is_passed_on(package: ModelPackage) -> None:
    assert assess_reliability(package, INSIDE, 0.8).background_gap == 0.01
