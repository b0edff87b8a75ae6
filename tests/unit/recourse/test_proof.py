"""What is called proven holds for every value the card allows, compared with brute force over far finer values."""

import itertools
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from explainer.decisions.decision import Value
from explainer.explanations.counterfactual import Recourse
from explainer.explanations.model_outcome import outcome_of_row, reaches_outcome
from explainer.recourse import search
from explainer.recourse.action_set import SearchSpace
from explainer.recourse.case import Case
from explainer.recourse.cell_ranges import AllowedRange, cells_between
from explainer.recourse.proof import Proof
from explainer.recourse.rule_boxes import possible_outcome
from explainer.recourse.search import Search, find_recourse
from explainer.recourse.target import Target
from models.catalogue import bundled_packages_folder
from models.features import to_row
from models.forest import Forest
from models.package import ModelPackage, load_package
from tests.conformance.small_forests import Split, forest, random_forest
from tests.conformance.small_packages import feature, small_package

NAMES = ("one", "two")
RULES = (
    {
        "id": "sum",
        "condition": {"greater": [{"sum": [{"feature": "one"}, {"feature": "two"}]}, 1.1]},
        "outcome": "refused",
    },
    {"id": "low", "when": "after_score", "condition": {"less": [{"feature": "two"}, -1.2]}, "outcome": "granted"},
)
SEEDS = range(40)
LARGE_HOUSEHOLD: dict[str, Value] = {
    "household_size": 7,
    "income_eur_month": 1768,
    "gross_cold_rent_eur_month": 726,
    "rent_level": 7,
    "assets_eur": 1000,
}


def random_case(seed: int, *, with_rules: bool) -> tuple[ModelPackage, NDArray[np.float64], list[NDArray[np.float64]]]:
    """Make a package whose steps and background leave out much of what its card allows.

    Returns:
        The package, a person, and for each feature allowed values that reach every cell of the model and every corner
        of one: its thresholds are multiples of 0.25.
    """
    generator = np.random.default_rng(seed)
    trees = random_forest(generator, n_features=2, n_trees=4, depth=3)
    features, values = [], []
    row = np.round(generator.uniform(-1, 1, 2), 2)
    for name, own in zip(NAMES, row.tolist(), strict=True):
        direction = str(generator.choice(["up", "down", "either"]))
        low, high = (round(float(generator.uniform(*span)), 2) for span in ((-1.8, -0.2), (0.2, 1.8)))
        features.append(feature(name, actionable=(direction, low, high, 0.7), decimals=1))
        low, high = (max(low, own) if direction == "up" else low), (min(high, own) if direction == "down" else high)
        fine = np.concatenate([np.arange(-16, 17) / 8, np.arange(-8, 9) / 4 + 1e-6, [low, high]])
        values.append(fine[(fine >= low) & (fine <= high)])
    background = np.column_stack([np.linspace(-0.5, 0.5, 11)] * 2)
    trees = Forest(base_value=0.0, trees=trees.trees, n_features=2)
    threshold = float(generator.uniform(0.2, 0.8))
    rules = RULES if with_rules else ()
    return small_package(features, trees, background, rules=rules, threshold=threshold), row, values


def fewest_changes(package: ModelPackage, row: NDArray[np.float64], values: list[NDArray[np.float64]]) -> int | None:
    """Find by brute force how many changes the other outcome takes; None where two are not enough."""
    now = outcome_of_row(package, row).outcome
    other = next(outcome.id for outcome in package.card.outcomes if outcome.id != now)
    for size in (1, 2):
        for positions in itertools.combinations(range(2), size):
            changed = np.array(list(itertools.product(*(values[p] for p in positions)))).reshape(-1, size)
            rows = np.tile(row, (len(changed), 1))
            rows[:, positions] = changed
            if len(rows) and reaches_outcome(package.card, rows, package.model.score(rows), other).any():
                return size
    return None


def claimed_least(found: Recourse) -> int | None:
    """How many changes the answer claims are needed at least; 3 where it claims that two are not enough."""
    if found.none is not None:
        return 3 if found.none.proven else None
    first = found.counterfactuals[0]
    return len(first.changes) if first.fewest_changes_proven else None


def false_and_missing_claims(*, with_rules: bool) -> tuple[int, int]:
    """Count the seeds whose claim is false, and those where a true one about several changes is not made."""
    false = missing = 0
    for seed in SEEDS:
        package, row, values = random_case(seed, with_rules=with_rules)
        found = find_recourse(package, dict(zip(NAMES, row.tolist(), strict=True)))
        truth, claimed = fewest_changes(package, row, values) or 3, claimed_least(found)
        false += claimed is not None and claimed != truth
        shown = len(found.counterfactuals[0].changes) if found.counterfactuals else 3
        missing += claimed is None and shown == truth
    return false, missing


@pytest.mark.parametrize("with_rules", [False, True])
def test_claims_hold_for_every_allowed_value_and_none_that_holds_is_left_out(*, with_rules: bool) -> None:
    assert false_and_missing_claims(with_rules=with_rules) == (0, 0)


def test_a_search_that_takes_the_shown_values_for_all_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    claim_everything(monkeypatch)
    assert false_and_missing_claims(with_rules=False)[0] > 0
    assert false_and_missing_claims(with_rules=True)[0] > 0


def claim_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take everything for proven at once: the broken twin of the proofs."""

    def proven(self: Proof, _: int) -> str:
        self.state = "proven"
        return self.state

    monkeypatch.setattr(Proof, "advance", proven)
    monkeypatch.setattr(Search, "_singles_are_ruled_out", lambda _: True)


@cache
def wohngeld() -> tuple[ModelPackage, SearchSpace]:
    package = load_package(bundled_packages_folder() / "wohngeld")
    return package, SearchSpace.of(package)


def one_change_is_enough(package: ModelPackage, row: NDArray[np.float64]) -> bool:
    """Try every half euro of income and rent that the card allows."""
    now = outcome_of_row(package, row).outcome
    other = next(outcome.id for outcome in package.card.outcomes if outcome.id != now)
    for position, one in enumerate(package.card.features):
        if one.actionable is not None:
            values = np.arange(one.actionable.minimum, one.actionable.maximum + 0.25, 0.5)
            rows = np.tile(row, (len(values), 1))
            rows[:, position] = values
            if reaches_outcome(package.card, rows, package.model.score(rows), other).any():
                return True
    return False


def wrongly_proven_pairs() -> int:
    package, space = wohngeld()
    generator = np.random.default_rng(3)
    wrong = 0
    for _ in range(6):
        inputs = {
            **LARGE_HOUSEHOLD,
            "income_eur_month": int(generator.integers(1500, 2200)),
            "gross_cold_rent_eur_month": int(generator.integers(700, 1000)),
        }
        first = find_recourse(package, inputs, space).counterfactuals[0]
        claimed = len(first.changes) > 1 and first.fewest_changes_proven
        wrong += claimed and one_change_is_enough(package, to_row(package.card.features, inputs))
    return wrong


def test_large_households_are_not_told_that_one_change_is_too_little_where_it_is_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert wrongly_proven_pairs() == 0
    claim_everything(monkeypatch)
    assert wrongly_proven_pairs() > 0


def test_a_pair_inside_the_background_is_no_proof_against_one_value_beyond_it() -> None:
    package, space = wohngeld()
    first = find_recourse(package, LARGE_HOUSEHOLD, space).counterfactuals[0]
    after = {**LARGE_HOUSEHOLD, "income_eur_month": 5028.01}
    assert space.background_values[1][-1] < after["income_eur_month"], (
        "the background stops before, the card allows up to 8440"
    )
    assert outcome_of_row(package, to_row(package.card.features, after)).outcome == first.outcome
    assert (len(first.changes), first.fewest_changes_proven) == (2, False)


def test_a_value_that_nobody_has_is_never_shown_and_its_absence_never_claimed() -> None:
    one = forest(Split(0, 6.2, -1.0, 1.0), n_features=2)
    both = forest(Split(0, 6.2, -1.0, Split(1, 7.1, -1.0, 1.0)), n_features=2)
    chosen = [feature(name, actionable=("either", 0, 9, 0.5), disputable=False) for name in NAMES]
    for trees in (one, both):
        found = find_recourse(small_package(chosen, trees, np.array([[0.0, 0.0], [5.0, 5.0]])), {"one": 1, "two": 1})
        assert found.counterfactuals == ()
        assert found.none is not None
        assert (found.none.reason, found.none.proven) == ("none_found", False)


def test_a_value_that_is_never_shown_forbids_the_claim_that_there_is_none() -> None:
    trees = forest(Split(0, 2.2, -1.0, Split(0, 2.3, 1.0, -1.0)), n_features=1)
    background = np.array([[0.0], [5.0]])
    for kind, proven in (("number", False), ("integer", True)):
        package = small_package([feature("one", kind, actionable=("either", 0, 9, 1))], trees, background)
        none = find_recourse(package, {"one": 1}).none
        assert none is not None
        assert (none.reason, none.proven) == ("none_found", proven)


def proven_with_rules(*conditions: tuple[object, str]) -> bool:
    """Say whether it is proven that nothing between -4 and 4 grants what the model always refuses."""
    rules = [
        {"id": f"rule{number}", "condition": condition, "outcome": outcome}
        for number, (condition, outcome) in enumerate(conditions)
    ]
    chosen = [feature(name, actionable=("either", -4, 4, 0.5)) for name in NAMES]
    trees = forest(Split(0, 1.0, -1.0, -2.0), n_features=2)
    package = small_package(chosen, trees, np.array([[-4.0, -4.0], [4.0, 4.0]]), rules=rules)
    none = find_recourse(package, {"one": 0.3, "two": 0.6}).none
    assert none is not None
    return none.proven


def test_rules_are_proven_at_every_value_not_only_on_the_step() -> None:
    one: dict[str, object] = {"feature": "one"}
    assert not proven_with_rules(({"equal": [one, 0.123]}, "granted"))
    assert proven_with_rules(({"equal": [one, 4.123]}, "granted"))
    square = {"product": [one, one]}
    between = {"all": [{"greater": [square, 2.3]}, {"less": [square, 2.5]}]}
    assert not proven_with_rules(({"all": [between, {"less": [one, 1.58]}, {"greater": [one, 1.52]}]}, "granted"))
    assert proven_with_rules(({"less": [square, -0.1]}, "granted"))


def test_a_proof_that_ignores_a_rule_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Proof, "_possible", lambda self, _, shortfalls: shortfalls <= self._case.tolerance)
    assert proven_with_rules(({"equal": [{"feature": "one"}, 0.123]}, "granted")), "0.123 grants"


def test_rules_that_exclude_each_other_are_seen_to_leave_nothing() -> None:
    one = {"feature": "one"}
    both = {"all": [{"greater": [one, 0.7]}, {"less_or_equal": [one, 0.7]}]}
    assert proven_with_rules((both, "granted"))
    assert proven_with_rules(({"not": {"any": [{"greater": [one, 0]}, {"less_or_equal": [one, 0]}]}}, "granted"))


def test_a_proof_cut_short_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    both = {"all": [{"greater": [{"feature": "one"}, 0.7]}, {"less_or_equal": [{"feature": "one"}, 0.7]}]}
    monkeypatch.setattr(search, "MAX_BOXES", 1)
    assert not proven_with_rules((both, "granted"))


def test_a_score_within_rounding_of_the_threshold_proves_nothing() -> None:
    whole_range = AllowedRange(position=0, low=0, high=4, whole=False)
    for leaf, expected in ((-0.4, "proven"), (-1e-9, "refuted")):
        trees = forest(Split(0, 1.0, -1.0, leaf), n_features=1)
        package = small_package([feature("one", actionable=("either", 0, 4, 1))], trees, np.array([[0.0], [4.0]]))
        target = Target.other_than(package.card, "refused")
        case = Case(space=SearchSpace.of(package), row=np.array([0.5]), target=target)
        assert Proof(case, [whole_range]).advance(100) == expected


def test_cells_leave_out_no_number_and_mix_none() -> None:
    splits = np.array([-np.float32(0.1), 0.0, 0.1, 1 / 3, 16_777_216.0], dtype=np.float32)
    lows, highs = cells_between(splits, AllowedRange(position=0, low=-3.0, high=1e9, whole=False))
    assert (lows[0], highs[-1], len(lows)) == (-3.0, 1e9, 6)
    np.testing.assert_array_equal(np.nextafter(highs[:-1], np.inf), lows[1:])
    for ends in (lows, highs):
        assert np.searchsorted(splits, ends.astype(np.float32), side="left").tolist() == list(range(6))


def test_cells_of_whole_numbers_hold_whole_numbers() -> None:
    splits = np.array([0.5, 0.7, 2.0], dtype=np.float32)
    lows, highs = cells_between(splits, AllowedRange(position=0, low=0, high=5, whole=True))
    assert (lows.tolist(), highs.tolist()) == ([0, 1, 3], [0, 2, 5])


@pytest.mark.parametrize("seed", range(5))
def test_what_boxes_call_impossible_never_happens_in_them(seed: int) -> None:
    generator = np.random.default_rng(seed)
    one, two = {"feature": "one"}, {"feature": "two"}
    mixed = {"greater_or_equal": [{"product": [one, two, -1.5]}, {"sum": [one, -0.4]}]}
    rules = [
        {"id": "mixed", "condition": {"any": [mixed, {"equal": [two, 0.5]}]}, "outcome": "granted"},
        {"id": "no", "condition": {"not": {"less": [{"product": [two, two]}, 0.8]}}, "outcome": "refused"},
    ]
    trees = forest(Split(0, 0.0, -1.0, 1.0), n_features=2)
    package = small_package([feature(name) for name in NAMES], trees, np.zeros((1, 2)), rules=rules)
    lowest = np.round(generator.uniform(-1.5, 1, (300, 2)), 1)
    highest = lowest + np.round(generator.uniform(0, 0.5, (300, 2)), 1)
    scores = generator.choice([0.2, 0.8], 300)
    possible = possible_outcome(package.card, lowest, highest, scores, "granted")
    assert (~possible.yes).any()
    assert (~possible.no).any()
    for share in itertools.product(np.linspace(0, 1, 6), repeat=2):
        rows = np.minimum(lowest + (highest - lowest) * np.array(share), highest)
        reached = reaches_outcome(package.card, rows, scores, "granted")
        assert not (reached & ~possible.yes).any()
        assert not (~reached & ~possible.no).any()
    points = possible_outcome(package.card, lowest, lowest, scores, "granted")
    np.testing.assert_array_equal(points.yes, reaches_outcome(package.card, lowest, scores, "granted"))
    np.testing.assert_array_equal(points.no, ~points.yes)
