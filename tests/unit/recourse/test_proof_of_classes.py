"""Of several classes it is proven that none of the wanted ones can win, and only where that is true."""

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest

from explainer.decisions.decision import Value
from explainer.explanations.model_outcome import outcome_of_row, outcomes_of_rows
from explainer.recourse import search
from explainer.recourse.class_bounds import LeadBounds
from explainer.recourse.infeasibility import prove_infeasible
from explainer.recourse.search import find_recourse
from models.forest import Forest
from models.package import ModelPackage
from models.tree import Tree
from tests.conformance.small_forests import random_forest
from tests.conformance.small_packages import feature, small_package

NAMES = ("one", "two", "three", "four")
GRID = np.arange(-5, 6) / 4
"""Reaches every cell: thresholds are multiples of 0.25 from -1 to 1."""

SEEDS = range(60)


def several_classes(generator: np.random.Generator, *, one_tree_each: bool) -> Forest:
    """Make trees whose leaves add to three scores, or trees of which each adds to one."""
    plain = random_forest(generator, n_features=4, n_trees=6, depth=3)
    trees = []
    for number, tree in enumerate(plain.trees):
        values = generator.normal(size=(len(tree.left), 3)) * tree.is_leaf[:, np.newaxis]
        if one_tree_each:
            values = values * (np.arange(3) == number % 3)
        trees.append(_with_values(tree, values))
    base_values = tuple(generator.normal(0, 1.5, 3).tolist())
    return Forest(base_value=0.0, trees=tuple(trees), n_features=4, link="softmax", output_base_values=base_values)


def _with_values(tree: Tree, values: np.ndarray) -> Tree:
    return replace(tree, value=values)


def random_case(seed: int) -> tuple[ModelPackage, dict[str, Value]]:
    generator = np.random.default_rng(seed)
    forest = several_classes(generator, one_tree_each=bool(seed % 2))
    features = [feature(name, actionable=("either", -1.25, 1.25, 0.25), decimals=2) for name in NAMES[:3]]
    features.append(feature("four", disputable=False))
    background = np.column_stack([GRID] * 4)
    plain = random_forest(generator, n_features=4, n_trees=1, depth=1)
    package = small_package(features, Forest(base_value=0.0, trees=plain.trees, n_features=4), background)
    granted = package.card.outcomes[0]
    outcomes = tuple(
        granted.model_copy(update={"id": name, "favourable": name == "much", "rank": rank})
        for rank, name in enumerate(("much", "some", "none"), start=1)
    )
    card = package.card.model_copy(
        update={
            "outcomes": outcomes,
            "outcome_of_class": ("much", "some", "none"),
            "threshold": None,
            "outcome_at_or_above": None,
            "outcome_below": None,
        }
    )
    package = replace(package, card=card, model=forest, reading=forest)
    return package, dict(zip(NAMES, np.round(generator.uniform(-1, 1, 4), 2).tolist(), strict=True))


def fewest_changes(package: ModelPackage, inputs: dict[str, Value], wanted: frozenset[str]) -> int | None:
    row = np.array(list(inputs.values()), dtype=np.float64)
    for size in (1, 2, 3):
        for positions in itertools.combinations(range(3), size):
            values = np.array(list(itertools.product(GRID, repeat=size)))
            rows = np.tile(row, (len(values), 1))
            rows[:, positions] = values
            if any(one.outcome in wanted for one in outcomes_of_rows(package, rows)):
                return size
    return None


def wrong_claims() -> tuple[int, int, int]:
    """Count claims that brute force contradicts, true claims that none helps, and those that fewer are not enough."""
    wrong = none_helps = fewest = 0
    for seed in SEEDS:
        package, inputs = random_case(seed)
        row = np.array(list(inputs.values()), dtype=np.float64)
        wanted = search.case_of(package, row, outcome_of_row(package, row)).target.outcomes
        truth = fewest_changes(package, inputs, wanted)
        found = find_recourse(package, inputs)
        if found.none is not None:
            wrong += found.none.proven and truth is not None
            none_helps += found.none.proven
        else:
            first = found.counterfactuals[0]
            wrong += truth is None or len(first.changes) < truth
            wrong += first.fewest_changes_proven and len(first.changes) != truth
            fewest += first.fewest_changes_proven and len(first.changes) > 1
    return wrong, none_helps, fewest


def test_brute_force_agrees_and_everything_true_is_proven() -> None:
    wrong, none_helps, fewest = wrong_claims()
    assert wrong == 0
    assert none_helps > 0
    assert fewest > 0


def test_leads_that_are_bounded_too_low_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    score = LeadBounds.score
    monkeypatch.setattr(LeadBounds, "score", lambda self, low, high: score(self, low, high) - 3.0)
    monkeypatch.setattr(search, "nearest_singles", lambda *_: [])
    monkeypatch.setattr(search, "nearest_pair", lambda *_: None)
    monkeypatch.setattr(search.Beam, "search", lambda *_: [])
    assert wrong_claims()[0] > 0


def test_leads_that_count_the_base_values_twice_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = LeadBounds.__init__

    def twice(self: LeadBounds, *args: object, target: object, base_values: np.ndarray) -> None:
        begin(self, *args, target=target, base_values=2 * base_values)  # type: ignore[arg-type]

    monkeypatch.setattr(LeadBounds, "__init__", twice)
    monkeypatch.setattr(search, "nearest_singles", lambda *_: [])
    monkeypatch.setattr(search, "nearest_pair", lambda *_: None)
    monkeypatch.setattr(search.Beam, "search", lambda *_: [])
    assert wrong_claims()[0] > 0


def test_every_case_in_which_nothing_helps_is_proven_when_there_is_time() -> None:
    proven = 0
    for seed in SEEDS:
        package, inputs = random_case(seed)
        none = find_recourse(package, inputs).none
        if none is not None:
            state = prove_infeasible(package, inputs, time.monotonic() + 60).state
            assert state == "proven"
            proven += 1
    assert proven > 0


def test_nothing_is_proven_where_a_value_is_missing() -> None:
    package, inputs = random_case(0)
    row = np.array(list(inputs.values()), dtype=np.float64)
    now = outcome_of_row(package, row)
    row[3] = np.nan
    case = search.case_of(package, row, now)
    assert search.Proof(case, case.ranges).advance(1000) == "refuted"
