"""Tables over one or two details are laid out to the last 64-bit number, and so proofs reach sums of terms."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from explainer.decisions.decision import Value
from explainer.errors import CounterfactualError
from explainer.explanations.model_outcome import outcome_of_row, outcomes_of_rows
from explainer.recourse import search, term_cells
from explainer.recourse.action_set import SearchSpace
from explainer.recourse.forest_cells import ForestCells
from explainer.recourse.infeasibility import prove_infeasible
from explainer.recourse.score_profile import ForestProfile
from explainer.recourse.search import find_recourse
from explainer.recourse.term_cells import cells_of_terms
from models.features import from_row
from models.forest import Forest
from models.package import ModelPackage
from models.term_model import TermModel
from models.term_tables import CategoryBins, IntervalBins, TermTable, TermTables
from tests.conformance.small_forests import random_forest
from tests.conformance.small_packages import feature, small_package

GRID = np.arange(-5, 6) / 4
CUTS = (-1.0, -0.1, 0.3, 0.7)
"""0.1, 0.3 and 0.7 are no 32-bit numbers, so that a layout that rounds to them is found out."""

KINDS = ("low", "middle", "high")
SEEDS = range(25)


def random_terms(seed: int) -> TermModel:
    """Make tables over three numbers and a category, which stand in pairs as well and are cut differently there."""
    generator = np.random.default_rng(seed)

    def table(*features: int) -> TermTable:
        binnings: list[IntervalBins | CategoryBins] = []
        for one in features:
            if one == 3:
                order = tuple(int(number) for number in generator.permutation(3))
                binnings.append(CategoryBins(bin_of_category=order, n_bins=4))
            else:
                chosen = sorted(generator.choice(CUTS, size=2, replace=False).tolist())
                binnings.append(IntervalBins(cuts=tuple(chosen), has_missing=bool(generator.integers(2))))
        shape = (*(one.n_bins for one in binnings), 1)
        return TermTable(features=features, binnings=tuple(binnings), scores=generator.normal(0, 0.8, shape))

    tables = tuple(table(*features) for features in ((0,), (1,), (2,), (3,), (0, 1), (1, 3), (2, 0)))
    return TermModel(intercepts=generator.normal(size=1), terms=TermTables(tables=tables, n_features=4))


def rows_at_every_cut() -> NDArray[np.float64]:
    cuts = np.array(CUTS)
    values = np.concatenate([np.nextafter(cuts, -9), cuts, np.nextafter(cuts, 9), np.float32(cuts), [-1e30, 0.0, 1e30]])
    generator = np.random.default_rng(3)
    rows = np.column_stack([generator.permutation(np.tile(values, 9)) for _ in range(3)])
    return np.column_stack([rows, np.arange(len(rows)) % 3.0])


def largest_difference(seed: int) -> float:
    model = random_terms(seed)
    cells = cells_of_terms(model)
    assert cells is not None
    rows = rows_at_every_cut()
    scores = np.array([ForestProfile.of(cells, row).score for row in rows])
    return float(np.abs(scores - model.additive_score(rows)).max())


@pytest.mark.parametrize("seed", SEEDS)
def test_cells_say_what_the_tables_say_at_every_cut_and_beside_it(seed: int) -> None:
    assert largest_difference(seed) < 1e-12


def test_cuts_that_belong_to_the_range_below_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    last = term_cells._last_values

    def with_cut(binning: object) -> NDArray[np.float64] | None:
        if isinstance(binning, IntervalBins):
            return np.array(binning.cuts)
        return last(binning)  # type: ignore[arg-type]

    monkeypatch.setattr(term_cells, "_last_values", with_cut)
    assert largest_difference(0) > 1e-3


def test_cuts_that_are_rounded_to_32_bits_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = ForestCells.of_paths.__func__  # type: ignore[attr-defined]

    def rounded(cls: type[ForestCells], path: object, splits: tuple[NDArray[np.float64], ...], **more: float) -> object:
        return begin(cls, path, tuple(one.astype(np.float32) for one in splits), **more)

    monkeypatch.setattr(ForestCells, "of_paths", classmethod(rounded))
    assert largest_difference(0) > 1e-3


def test_tables_that_leave_out_a_category_or_are_too_large_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    binning = CategoryBins(bin_of_category=(0, -1, 1), n_bins=2)
    table = TermTable(features=(0,), binnings=(binning,), scores=np.zeros((2, 1)))
    model = TermModel(intercepts=np.zeros(1), terms=TermTables(tables=(table,), n_features=1))
    assert cells_of_terms(model) is None
    monkeypatch.setattr(term_cells, "MAX_ENTRIES", 10)
    assert cells_of_terms(random_terms(0)) is None


def package_of(seed: int) -> ModelPackage:
    model = random_terms(seed)
    features = [feature(name, actionable=("either", -1.25, 1.25, 0.25), decimals=2) for name in ("one", "two", "three")]
    features.append(feature("four", "category", categories=KINDS, disputable=False))
    plain = random_forest(np.random.default_rng(1), n_features=4, n_trees=1, depth=1)
    background = np.column_stack([GRID, GRID, GRID, np.arange(len(GRID)) % 3.0])
    package = small_package(
        [feature(one.name) for one in features], Forest(base_value=0.0, trees=plain.trees, n_features=4), background
    )
    card = package.card.model_copy(
        update={"features": tuple(features), "threshold": float(np.random.default_rng(seed).uniform(0.5, 0.98))}
    )
    return replace(package, card=card, model=model, reading=model)


def fewest_changes(package: ModelPackage, row: NDArray[np.float64]) -> int | None:
    now = outcome_of_row(package, row).outcome
    for size in (1, 2, 3):
        for positions in itertools.combinations(range(3), size):
            values = np.array(list(itertools.product(GRID, repeat=size)))
            rows = np.tile(row, (len(values), 1))
            rows[:, positions] = values
            if any(one.outcome != now for one in outcomes_of_rows(package, rows)):
                return size
    return None


def wrong_claims() -> tuple[int, int, int]:
    """Count answers that brute force contradicts or that leave open what is true, and the proofs of both kinds."""
    wrong = nothing_helps = fewest = 0
    for seed in SEEDS:
        package = package_of(seed)
        generator = np.random.default_rng(seed)
        row = np.append(np.round(generator.uniform(-1, 1, 3), 2), float(generator.integers(3)))
        inputs: dict[str, Value] = from_row(package.card.features, row)
        truth = fewest_changes(package, row)
        try:
            found = find_recourse(package, inputs)
        except CounterfactualError:
            wrong += 1
            continue
        if found.none is not None:
            wrong += found.none.proven != (truth is None)
            nothing_helps += found.none.proven
        else:
            first = found.counterfactuals[0]
            wrong += len(first.changes) != truth or not first.fewest_changes_proven
            fewest += len(first.changes) > 1
    return wrong, nothing_helps, fewest


def test_what_is_proven_about_sums_of_terms_is_what_brute_force_finds() -> None:
    wrong, nothing_helps, fewest = wrong_claims()
    assert wrong == 0
    assert nothing_helps > 0
    assert fewest > 0


def test_a_layout_that_forgets_the_pairs_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out = cells_of_terms

    def without_pairs(model: TermModel) -> ForestCells | None:
        assert isinstance(model.terms, TermTables)
        alone = tuple(table for table in model.terms.tables if not table.is_pair)
        return lay_out(replace(model, terms=replace(model.terms, tables=alone)))

    monkeypatch.setattr("explainer.recourse.action_set.cells_of_terms", without_pairs)
    assert wrong_claims()[0] > 0


def test_where_a_value_is_missing_the_tables_are_asked() -> None:
    package = package_of(0)
    space = SearchSpace.of(package)
    assert space.cells is not None
    row = np.array([np.nan, 0.0, 0.0, 1.0])
    assert space.where_missing(np.isnan(row)).cells is None
    case = search.Case(space=space.where_missing(np.isnan(row)), row=row, target=space.target_other_than("granted"))
    assert search.Proof(case, case.ranges).advance(1000) == "refuted"


def test_a_longer_proof_needs_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MAX_BOXES", 0)
    states = set()
    for seed in SEEDS:
        package = package_of(seed)
        inputs = from_row(package.card.features, np.array([0.0, 0.0, 0.0, 1.0]))
        if find_recourse(package, inputs).none is not None:
            states.add(prove_infeasible(package, inputs, np.inf).state)
    assert "proven" in states
