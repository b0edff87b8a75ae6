from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from explainer.attribution_methods.interactions.forest_interactions import ForestInteractions
from explainer.attribution_methods.method import AttributionComputer
from explainer.decisions.decision import Value
from explainer.errors import AdditivityError, UntrustworthyExplanationError
from explainer.explanations.numbers import ExplanationNumbers
from explainer.use_cases.explained_model import ExplainedModel
from models.errors import InvalidInputError
from models.linear_model import LinearModel, PointsTable
from models.package import load_package
from tests.conformance.broken_twins import KeepsTheCaseInItself
from tests.conformance.checks_attribution import THREADS
from tests.conformance.small_forests import Split, forest
from tests.conformance.small_packages import feature, small_package
from tests.model_kinds import KINDS, Kind

FEATURES = [feature("income", actionable=("down", 0, 5000, 10)), feature("rent"), feature("children", "integer")]
RULE = {"id": "much", "condition": {"greater": [{"feature": "rent"}, 2000]}, "outcome": "refused"}
INPUTS: dict[str, Value] = {"income": 1805.5, "rent": 600, "children": 2}
ROW = np.array([1805.5, 600.0, 2.0])


@pytest.fixture(scope="module")
def model() -> ExplainedModel:
    trees = forest(Split(0, 1000.0, 2.0, -3.0), Split(1, 500.0, -1.0, Split(2, 1.0, 0.5, 1.0)), n_features=3)
    generator = np.random.default_rng(1)
    columns = [generator.integers(0, 3000, 300), generator.integers(100, 1500, 300), generator.integers(0, 5, 300)]
    background = np.column_stack(columns).astype(np.float64)
    package = small_package(FEATURES, trees, background, weights=generator.uniform(0.5, 2, 300), rules=[RULE])
    return ExplainedModel.prepare(package)


def test_numbers_of_a_scored_case_add_up_and_belong_to_it(model: ExplainedModel) -> None:
    numbers = model.numbers_for(INPUTS)
    scored = numbers.score_numbers
    assert scored is not None
    assert abs(scored.attribution.additivity_gap) <= scored.attribution.tolerance
    assert scored.score == model.outcome_of(INPUTS).score
    assert numbers.input_digest == model.input_digest(INPUTS)
    assert (numbers.model_sha256, numbers.background_sha256) == ("0" * 64, "1" * 64)
    assert numbers.rules_fired == (("much", False),)
    assert numbers.recourse.counterfactuals[0].changes[0].after == 1000


def test_a_case_decided_by_a_rule_has_no_score_numbers(model: ExplainedModel) -> None:
    numbers = model.numbers_for({**INPUTS, "rent": 2500})
    assert numbers.score_numbers is None
    assert numbers.rules_fired == (("much", True),)


def test_expected_value_and_spread_are_weighted(model: ExplainedModel) -> None:
    package = model.package
    scores = package.model.additive_score(package.background.rows)
    weights = package.background.weights
    mean = np.average(scores, weights=weights)
    assert model.computer.expected_value == pytest.approx(mean, abs=1e-6)
    assert model.spread == pytest.approx(np.sqrt(np.average((scores - mean) ** 2, weights=weights)), abs=1e-6)
    assert abs(scores.mean() - mean) > 1e-3, "the weights must make a difference here"


def test_the_digest_depends_on_values_not_on_how_they_are_written(model: ExplainedModel) -> None:
    digest = model.input_digest(INPUTS)
    assert digest == model.input_digest({"rent": 600.0, "children": 2.0, "income": 1805.5})
    assert digest != model.input_digest({**INPUTS, "children": 3})
    assert len(model.input_digest({**INPUTS, "children": 10**30})) == 64


def test_inputs_that_do_not_fit_the_card_are_refused(model: ExplainedModel) -> None:
    for ask in (model.outcome_of, model.numbers_for, model.input_digest):
        with pytest.raises(InvalidInputError, match="children"):
            ask({"income": 1.0, "rent": 1.0})


def with_computer(model: ExplainedModel, computer: AttributionComputer) -> ExplainedModel:
    return replace(model, methods=(replace(model.methods[0], computer=computer),))


def test_a_broken_method_never_becomes_an_explanation(model: ExplainedModel) -> None:
    class OffByAThousandth:
        method, leaf_scale = model.computer.method, model.computer.leaf_scale
        expected_value = model.computer.expected_value + 1e-3
        contributions_of = staticmethod(model.computer.contributions_of)

    with pytest.raises(AdditivityError):
        with_computer(model, OffByAThousandth()).numbers_for(INPUTS)


CASES: list[dict[str, Value]] = [{**INPUTS, "income": 100.0 * number, "rent": 50 * number} for number in range(40)]


def wrong_or_refused(model: ExplainedModel, expected: list[ExplanationNumbers], rounds: int = 3) -> int:
    """Ask from 16 threads at once about different cases and count what is not the case's own answer."""
    together = Barrier(THREADS)

    def ask(thread: int) -> int:
        together.wait()
        missed = 0
        for case in [*range(thread, len(CASES)), *range(thread)] * rounds:
            try:
                missed += model.numbers_for(CASES[case]) != expected[case]
            except UntrustworthyExplanationError:
                missed += 1
        return missed

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(ask, range(THREADS)))


def test_sixteen_threads_get_the_answers_one_thread_gets(model: ExplainedModel) -> None:
    assert wrong_or_refused(model, [model.numbers_for(case) for case in CASES]) == 0


def test_a_method_that_keeps_the_case_in_itself_would_be_noticed(model: ExplainedModel) -> None:
    background = model.package.background
    shared = with_computer(model, KeepsTheCaseInItself(model.package.forest, background.rows, background.weights))
    expected = [shared.numbers_for(case) for case in CASES]
    assert expected == [model.numbers_for(case) for case in CASES], "alone it is right"
    assert wrong_or_refused(shared, expected, rounds=1) > 0


def test_contributions_that_another_thread_overwrote_are_refused_even_if_they_add_up(model: ExplainedModel) -> None:
    class SwapsTwoFeatures:
        method, leaf_scale = model.computer.method, model.computer.leaf_scale
        expected_value = model.computer.expected_value

        def contributions_of(self, rows: np.ndarray) -> np.ndarray:
            return model.computer.contributions_of(rows)[:, [1, 0, 2]]

    with pytest.raises(UntrustworthyExplanationError, match="Two computations of contribution number"):
        with_computer(model, SwapsTwoFeatures()).numbers_for(INPUTS)


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_value_is_refused_with_a_sentence_and_never_scored(model: ExplainedModel, missing: object) -> None:
    inputs = {**INPUTS, "rent": missing}
    for ask in (model.outcome_of, model.numbers_for, model.input_digest):
        with pytest.raises(InvalidInputError, match=r"'rent' (is missing|must be a finite number)"):
            ask(inputs)  # type: ignore[arg-type]  # what a caller must not send


def test_interactions_of_a_case_are_those_of_its_forest(model: ExplainedModel) -> None:
    numbers = model.numbers_for(INPUTS)
    assert numbers.score_numbers is not None
    scored = numbers.score_numbers
    assert model.interactions_of(INPUTS, scored).none_because == "none_noticeable"
    found = replace(model, spreads=(0.1,)).interactions_of(INPUTS, scored)
    background = model.package.background
    pairs = ForestInteractions(model.package.forest, background.rows, background.weights).of(ROW).pairs
    assert [one.features for one in found.noticeable] == [("rent", "children")]
    assert found.noticeable[0].value == pytest.approx(pairs[1, 2])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_interactions_of_every_kind_of_model_are_confirmed_or_say_why_not(tmp_path: Path, kind: Kind) -> None:
    model = ExplainedModel.prepare(load_package(kind.write(tmp_path)))
    scored = model.numbers_for(kind.inputs).score_numbers
    assert scored is not None
    found = replace(model, spreads=tuple(1e-3 * spread for spread in model.spreads)).interactions_of(
        kind.inputs, scored
    )
    match model.package.reading:
        case LinearModel() | PointsTable():
            expected: tuple[str | None, ...] = ("details_add_up",)
        case None if model.package.model.n_features > 12:
            expected = ("too_many_details",)
        case _:
            expected = (None, "none_noticeable")
    assert found.none_because in expected


def test_interactions_of_another_case_are_not_told_with_these_contributions(model: ExplainedModel) -> None:
    other = model.numbers_for({**INPUTS, "rent": 300}).score_numbers
    assert other is not None
    assert model.interactions_of(INPUTS, other).none_because == "not_confirmed"
