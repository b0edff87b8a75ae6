"""That nothing helps is said where it is true, and found out by looking at far fewer rows than there are."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from explainer.decisions.decision import Value
from explainer.errors import CounterfactualError
from explainer.explanations.model_outcome import outcome_of_row
from explainer.recourse import forest_cells, profile_kernel, search
from explainer.recourse.action_set import SearchSpace
from explainer.recourse.forest_bounds import ForestBounds
from explainer.recourse.infeasibility import ProofProgress, prove_infeasible
from explainer.recourse.nearest import nearest_by_score
from explainer.recourse.search import find_recourse
from models.forest import Forest
from models.linear_model import IntervalPoints, LinearModel, PointsTable
from models.package import ModelPackage
from tests.conformance.small_forests import Split, forest, random_forest
from tests.conformance.small_packages import feature, small_package

NAMES = ("one", "two", "three", "four")
GRID = np.arange(-5, 6) / 4
"""Reaches every cell: thresholds are multiples of 0.25 from -1 to 1."""

RULES = [
    {
        "id": "sum",
        "condition": {"less": [{"sum": [{"feature": "one"}, {"feature": "two"}]}, -1.6]},
        "outcome": "granted",
    }
]


def random_case(seed: int, *, with_rules: bool = False) -> tuple[ModelPackage, dict[str, Value]]:
    """Make a package in which three of four features can change to every value of the grid."""
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=4, n_trees=5, depth=4)
    trees = Forest(base_value=0.0, trees=trees.trees, n_features=4)
    features = [feature(name, actionable=("either", -1.25, 1.25, 0.25), decimals=2) for name in NAMES[:3]]
    features.append(feature("four", disputable=False))
    background = np.column_stack([GRID] * 4)
    threshold = float(generator.uniform(0.55, 0.95))
    package = small_package(features, trees, background, rules=RULES if with_rules else (), threshold=threshold)
    return package, dict(zip(NAMES, np.round(generator.uniform(-1, 1, 4), 2).tolist(), strict=True))


def fewest_changes(package: ModelPackage, inputs: dict[str, Value]) -> int | None:
    """Try every combination: the fewest changes that give the other outcome; None where none does."""
    row = np.array(list(inputs.values()), dtype=np.float64)
    now = outcome_of_row(package, row).outcome
    for size in (1, 2, 3):
        for positions in itertools.combinations(range(3), size):
            for values in itertools.product(GRID, repeat=size):
                changed = row.copy()
                changed[list(positions)] = values
                if outcome_of_row(package, changed).outcome != now:
                    return size
    return None


def wrong_answers(seeds: range, *, with_rules: bool) -> int:
    """Count answers that brute force contradicts, or that leave open what is true."""
    wrong = 0
    for seed in seeds:
        package, inputs = random_case(seed, with_rules=with_rules)
        found, truth = find_recourse(package, inputs), fewest_changes(package, inputs)
        if found.none is not None:
            wrong += (truth is None) != found.none.proven
        else:
            first = found.counterfactuals[0]
            wrong += truth is None or len(first.changes) < truth
            wrong += first.fewest_changes_proven and len(first.changes) != truth
    return wrong


def answers(seeds: range) -> list[object]:
    return [find_recourse(*random_case(seed)) for seed in seeds]


def test_the_compiled_search_gives_the_answers_of_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = answers(range(40))
    monkeypatch.setattr(forest_cells, "MANY_DEMANDS", 0)
    assert answers(range(40)) == plain
    monkeypatch.setattr(search, "nearest_by_score", lambda *_: None)
    assert answers(range(40)) == plain


def test_the_compiled_search_decides_nothing_where_the_runtime_must(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forest_cells, "MANY_DEMANDS", 0)
    package, inputs = random_case(1)
    space = SearchSpace.of(package)
    row = np.array(list(inputs.values()), dtype=np.float64)
    case = search.case_of(package, row, outcome_of_row(package, row), space)
    assert nearest_by_score(case, space.action_moves, 3) is not None
    vars(case)["tolerance"] = 100.0
    assert nearest_by_score(case, space.action_moves, 3) is None


def test_a_compiled_search_that_takes_another_value_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = answers(range(40))
    monkeypatch.setattr(forest_cells, "MANY_DEMANDS", 0)
    find = profile_kernel.nearest_reaching

    def farther(person: object, table: object, scores: object, wanted: object, nearest: Any) -> bool:
        found = find(person, table, scores, wanted, nearest)
        nearest.value[:] += 0.25
        return found

    monkeypatch.setattr(profile_kernel, "nearest_reaching", farther)
    wrong = 0
    for seed, right in enumerate(plain):
        try:
            wrong += find_recourse(*random_case(seed)) != right
        except CounterfactualError:
            wrong += 1
    assert wrong > 0


@pytest.mark.parametrize("with_rules", [False, True])
@pytest.mark.parametrize("pairs", [search.MAX_PAIR_CELLS, 0], ids=["pairs looked up", "beam"])
def test_brute_force_over_one_two_and_three_changes_agrees(
    pairs: int, monkeypatch: pytest.MonkeyPatch, *, with_rules: bool
) -> None:
    monkeypatch.setattr(search, "MAX_PAIR_CELLS", pairs)
    assert wrong_answers(range(12), with_rules=with_rules) == 0


def test_a_search_that_skips_a_feature_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    ranges = SearchSpace.allowed_ranges
    monkeypatch.setattr(SearchSpace, "allowed_ranges", lambda self, row: ranges(self, row)[1:])
    monkeypatch.setattr(search.Beam, "search", lambda *_: [])
    monkeypatch.setattr(search, "nearest_singles", lambda *_: [])
    monkeypatch.setattr(search, "nearest_pair", lambda *_: None)
    assert wrong_answers(range(12), with_rules=False) > 0


def test_a_proof_with_bounds_that_are_too_high_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    score = ForestBounds.score
    monkeypatch.setattr(ForestBounds, "score", lambda self, low, high: score(self, low, high) - self._sign * -3.0)
    monkeypatch.setattr(search.Beam, "search", lambda *_: [])
    monkeypatch.setattr(search, "nearest_pair", lambda *_: None)
    assert wrong_answers(range(12), with_rules=False) > 0


def an_open_case(monkeypatch: pytest.MonkeyPatch) -> tuple[ModelPackage, dict[str, Value]]:
    """Give a case in which nothing helps, and leave the search no time to prove it."""
    monkeypatch.setattr(search, "MAX_BOXES", 1)
    for seed in range(100):
        package, inputs = random_case(seed)
        none = find_recourse(package, inputs).none
        if none is not None and not none.proven and fewest_changes(package, inputs) is None:
            return package, inputs
    raise AssertionError("no such case")


def test_a_longer_proof_improves_what_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    package, inputs = an_open_case(monkeypatch)
    reports: list[ProofProgress] = []
    progress = prove_infeasible(package, inputs, time.monotonic() + 60, report=reports.append)
    assert progress.state == "proven"
    assert progress.open_boxes == 0
    assert progress.recourse is not None
    assert progress.recourse.none is not None
    assert progress.recourse.none.proven


def test_a_proof_whose_time_is_over_claims_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    package, inputs = an_open_case(monkeypatch)
    monkeypatch.setattr("explainer.recourse.infeasibility.BOXES_AT_A_TIME", 1)
    progress = prove_infeasible(package, inputs, time.monotonic())
    assert (progress.state, progress.recourse) == ("open", None)
    assert progress.open_boxes > 0


def test_a_combination_that_the_search_had_missed_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Split(0, 0.1, -1.0, Split(1, 0.1, -1.0, Split(2, 0.1, -1.0, 1.0)))
    features = random_case(0)[0].card.features
    package = small_package(features, forest(chain, n_features=4), np.column_stack([GRID] * 4))
    inputs: dict[str, Value] = dict.fromkeys(NAMES, 0.0)
    monkeypatch.setattr(search, "MAX_BOXES", 1)
    assert find_recourse(package, inputs).counterfactuals == ()
    progress = prove_infeasible(package, inputs, time.monotonic() + 60)
    assert progress.state == "refuted"
    assert progress.recourse is not None
    assert [change.after for change in progress.recourse.counterfactuals[0].changes] == [0.25, 0.25, 0.25]


def test_sixteen_threads_get_the_answers_of_one() -> None:
    package, _ = random_case(3, with_rules=True)
    space = SearchSpace.of(package)
    rows = np.round(np.random.default_rng(4).uniform(-1, 1, (64, 4)), 2)
    people = [dict(zip(NAMES, row.tolist(), strict=True)) for row in rows]
    alone = [find_recourse(package, inputs, space) for inputs in people]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda inputs: find_recourse(package, inputs, SearchSpace.of(package)), people))
        shared = list(pool.map(lambda inputs: find_recourse(package, inputs, space), people))
    assert alone == together == shared


def additive_package(model: LinearModel | PointsTable) -> ModelPackage:
    package, _ = random_case(0)
    return replace(package, model=model, reading=model)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["points", "linear"])
def test_sums_of_parts_are_proven_in_closed_form(kind: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    if kind == "points":
        points = [tuple(generator.normal(0, 0.7, 3).tolist()) for _ in range(4)]
        tables = tuple(IntervalPoints(limits=(-0.5, 0.5), points=one) for one in points)
        package = additive_package(PointsTable(intercept=-0.3, tables=tables, link="logistic"))
    else:
        package = additive_package(linear(generator.normal(0, 0.7, 4), -0.3))
    row: NDArray[np.float64] = np.round(generator.uniform(-1, 1, 4), 2)
    inputs: dict[str, Value] = dict(zip(NAMES, row.tolist(), strict=True))
    found, truth = find_recourse(package, inputs), fewest_changes(package, inputs)
    if truth is None:
        assert found.none is not None
        assert found.none.proven
    else:
        assert len(found.counterfactuals[0].changes) == truth
        assert found.counterfactuals[0].fewest_changes_proven


def linear(coefficients: NDArray[np.float64], intercept: float) -> LinearModel:
    return LinearModel(intercepts=np.array([intercept]), coefficients=coefficients[np.newaxis], link="logistic")
