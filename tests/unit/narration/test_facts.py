"""Facts of different cases, models or decisions are never told together."""

from dataclasses import replace
from typing import Any

import pytest

from explainer.decisions.decision import ModelVersion
from explainer.errors import CounterfactualError, UntrustworthyExplanationError
from explainer.explanations.counterfactual import Change
from tests.builders import (
    INPUTS,
    MODEL_SHA256,
    a_background,
    a_card,
    a_counterfactual,
    a_decision,
    a_private_part,
    an_evaluation,
    no_recourse,
    some_facts,
    some_numbers,
    some_recourse,
    some_score_numbers,
)


def test_facts_that_belong_together_are_accepted() -> None:
    facts = some_facts()
    assert facts.program_outcome == "refused"
    assert facts.applied_rule is None


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"model": ModelVersion(slug="housing_help", version="2025.9", sha256=MODEL_SHA256)}, "another model version"),
        ({"evaluation": an_evaluation(a_card(version="2025.9"))}, "evaluation"),
        ({"numbers": some_numbers(model_sha256="00" * 32)}, "another model file"),
        ({"background": a_background().model_copy(update={"sha256": "00" * 32})}, "background"),
        ({"numbers": some_numbers(rules_fired=())}, "rules"),
        ({"inputs": {"rent_eur_month": 1180.0}, "numbers": some_numbers(), "decision": None}, "inputs"),
        ({"numbers": some_numbers(score_numbers=None)}, "neither a score nor"),
        ({"numbers": some_numbers(score_numbers=some_score_numbers(0.7, (0.5,), ("strong",)))}, "one contribution"),
        ({"decision": a_decision(model=ModelVersion(slug="x", version="1", sha256="00" * 32))}, "another model"),
        ({"decision": a_decision(private=a_private_part(inputs={**INPUTS, "household_size": 4}))}, "of the decision"),
        ({"decision": a_decision(role="suggests")}, "another role"),
        ({"decision": a_decision(model_outcome="granted")}, "another outcome"),
    ],
)
def test_facts_that_do_not_belong_together_are_refused(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(UntrustworthyExplanationError, match=word):
        some_facts(**changes)


@pytest.mark.parametrize(
    ("recourse", "word"),
    [
        (some_recourse(counterfactuals=(a_counterfactual(outcome="refused"),)), "already has"),
        (some_recourse(disputed=(a_counterfactual(outcome="refused"),)), "already has"),
        (
            some_recourse(
                counterfactuals=(
                    a_counterfactual(changes=(Change(feature="rent_eur_month", before=900.0, after=950.0),)),
                )
            ),
            "not those of the case",
        ),
        (
            some_recourse(counterfactuals=(a_counterfactual(changes=(Change(feature="nothing", before=1, after=2),)),)),
            "not those of the case",
        ),
        (
            some_recourse(
                counterfactuals=(
                    a_counterfactual(changes=(Change(feature="gets_child_benefit", before=True, after=False),)),
                )
            ),
            "must not be proposed",
        ),
    ],
)
def test_counterfactual_that_must_not_be_told_is_refused(recourse: Any, word: str) -> None:
    with pytest.raises(CounterfactualError, match=word):
        some_facts(numbers=replace(some_numbers(), recourse=recourse))


def test_rule_before_the_score_sets_the_outcome() -> None:
    inputs = {**INPUTS, "income_eur_month": 6200.0}
    numbers = some_numbers(inputs=inputs, score_numbers=None, recourse=no_recourse())
    facts = some_facts(inputs=inputs, numbers=numbers, decision=None)
    assert facts.deciding_rule is not None
    assert facts.deciding_rule.id == "income_above_limit"
    assert facts.program_outcome == "refused"


def test_rule_after_the_score_goes_before_the_scores_outcome() -> None:
    inputs = {**INPUTS, "household_size": 9}
    numbers = some_numbers(inputs=inputs, score_numbers=some_score_numbers(0.2), recourse=no_recourse())
    facts = some_facts(inputs=inputs, numbers=numbers, decision=None)
    assert facts.deciding_rule is None
    assert facts.rule_after_score is not None
    assert facts.program_outcome == "refused"
