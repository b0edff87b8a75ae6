"""Every kind of case an explanation is written for, by name: what the tests of narration run over."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any, get_args

from explainer.decisions.decision import DecisionStatus, Remedy, Value
from explainer.explanations.counterfactual import Change, Counterfactual
from explainer.explanations.document import Audience, ExplanationDocument, Language
from explainer.explanations.interactions import CaseInteractions, WhyNoInteractions
from explainer.explanations.numbers import ScoreNumbers
from explainer.explanations.similar_cases import SimilarCases
from explainer.explanations.stability import Stability
from explainer.narration.document_builder import build_document
from explainer.narration.facts import Facts
from tests.builders import (
    INPUTS,
    a_card,
    a_counterfactual,
    a_decision,
    a_model_version,
    a_private_part,
    an_evaluation,
    an_undecided_case,
    card_data,
    no_recourse,
    some_facts,
    some_interactions,
    some_numbers,
    some_recourse,
    some_reliability,
    some_score_numbers,
)

AUDIENCES: tuple[Audience, ...] = ("subject", "caseworker", "auditor")
LANGUAGES: tuple[Language, ...] = ("de", "en")

Case = Callable[[Audience, Language], Facts]

LAW = {"de": "§ 31a des Zehnten Sozialgesetzbuchs.", "en": "Section 31a of Social Code Book 10."}

RULED_INPUTS: Mapping[str, Value] = {**INPUTS, "income_eur_month": 6200.0}
LARGE_HOUSEHOLD: Mapping[str, Value] = {**INPUTS, "household_size": 9}
LONG_INPUTS: Mapping[str, Value] = {
    "rent_eur_month": 9_876_543.0,
    "income_eur_month": 4_999.99,
    "household_size": 7,
    "moves_in_year": 98,
    "home": "shared",
    "gets_child_benefit": False,
}
SHORT_INPUTS: Mapping[str, Value] = {**INPUTS, "rent_eur_month": 0.0, "income_eur_month": 1.0, "household_size": 1}


def case_with(**changes: Any) -> Case:
    """Make a case out of changes to the valid facts."""
    return lambda audience, language: some_facts(audience, language, **changes)


def case_with_numbers(inputs: Mapping[str, Value] = INPUTS, **changes: Any) -> Case:
    """Make a case that differs in its numbers."""
    return case_with(inputs=inputs, numbers=some_numbers(inputs=inputs, **changes))


def case_with_score(*args: Any, **changes: Any) -> Case:
    """Make a case that differs in its score, contributions or reliability."""
    return case_with_numbers(score_numbers=some_score_numbers(*args, **changes))


def case_in_role(role: str, *, outcome: str = "refused", **changes: Any) -> Case:
    """Make a case of a program with another role, decided by a person."""
    card = a_card(role=role, **changes)
    return case_with(card=card, decision=a_decision(role=card.role, outcome=outcome, model=a_model_version(card)))


def case_with_interactions(interactions: CaseInteractions) -> Case:
    """Make a case whose details work together, or whose explanation says why none do; subjects are not told."""
    return lambda audience, language: some_facts(
        audience, language, interactions=None if audience == "subject" else interactions
    )


def granted() -> Case:
    """A case below the threshold: the favourable outcome, decided like that."""
    numbers = some_numbers(
        score_numbers=some_score_numbers(0.31, reliability=some_reliability(distance_to_threshold=-0.29)),
        recourse=some_recourse(counterfactuals=(a_counterfactual(outcome="refused", score=0.64),)),
    )
    return case_with(numbers=numbers, decision=a_decision(outcome="granted", model_outcome="granted"))


def decided_by_model() -> Case:
    """A program that decides alone, and did."""
    card = a_card(role="decides", permitting_law=LAW)
    return case_with(
        card=card,
        decision=a_decision(
            role="decides", decided_by="model", model=a_model_version(card), private=a_private_part(reasons=None)
        ),
    )


def ruled(recourse_score: float | None = 0.58, role: str = "sorts") -> Case:
    """A case that a statutory rule decided before the score."""
    card = a_card(role=role)
    change = Change(feature="income_eur_month", before=6200.0, after=4990.0)
    numbers = some_numbers(
        card=card,
        inputs=RULED_INPUTS,
        score_numbers=None,
        recourse=some_recourse(counterfactuals=(a_counterfactual(changes=(change,), score=recourse_score),)),
    )
    decision = a_decision(
        role=card.role,
        private=a_private_part(inputs=dict(RULED_INPUTS), score=None, fired_rule="income_above_limit"),
    )
    return case_with(card=card, inputs=RULED_INPUTS, numbers=numbers, decision=decision)


def ruled_without_recourse() -> Case:
    """A case decided by a rule, where nothing that counts could be changed."""
    numbers = some_numbers(inputs=RULED_INPUTS, score_numbers=None, recourse=no_recourse("nothing_actionable"))
    decision = a_decision(
        private=a_private_part(inputs=dict(RULED_INPUTS), score=None, fired_rule="income_above_limit", sources={})
    )
    return case_with(inputs=RULED_INPUTS, numbers=numbers, decision=decision)


def without_actionable_features() -> Case:
    """A program none of whose details the person could change."""
    features = [{**feature, "actionable": None} for feature in card_data()["features"]]
    card = a_card(features=features)
    return case_with(card=card, numbers=some_numbers(card=card, recourse=no_recourse("nothing_actionable")))


def of_one_feature() -> Case:
    """The smallest program there can be: one detail, no rule."""
    card = a_card(features=card_data()["features"][:1], rules=[])
    inputs = {"rent_eur_month": 1180.0}
    numbers = some_numbers(
        card=card, inputs=inputs, score_numbers=some_score_numbers(contributions=(0.9,), strengths=("strong",))
    )
    return case_with(card=card, inputs=inputs, numbers=numbers)


def two_changes() -> Counterfactual:
    """A counterfactual that needs two changes, and no fewer."""
    return a_counterfactual(
        changes=(
            Change(feature="rent_eur_month", before=1180.0, after=990.0),
            Change(feature="income_eur_month", before=1842.5, after=1700.0),
        )
    )


def a_disputed_value() -> Counterfactual:
    """What another household size would have meant."""
    return a_counterfactual(changes=(Change(feature="household_size", before=3, after=5),), score=0.41)


def with_remedy(remedy: Remedy | None) -> Case:
    """A case with another remedy, and nothing that was submitted and not used."""
    return case_with(decision=a_decision(private=a_private_part(remedy=remedy, unused_inputs=(), sources={})))


def where_a_rule_would_decide(role: str) -> Case:
    """A case in which one change would let a statutory rule decide."""
    card = a_card(
        role=role,
        rules=[{**card_data()["rules"][0], "outcome": "granted"}],
    )
    change = Change(feature="income_eur_month", before=1842.5, after=5010.0)
    numbers = some_numbers(
        card=card, recourse=some_recourse(counterfactuals=(a_counterfactual(changes=(change,), score=None),))
    )
    return case_with(card=card, numbers=numbers)


def with_many_features() -> Case:
    """A program of nine details, eight of which count."""
    features = card_data()["features"]
    more = [{**features[3], "name": f"more_{index}"} for index in range(3)]
    card = a_card(features=[*features, *more])
    inputs = {**INPUTS, "more_0": 1, "more_1": 2, "more_2": 3}
    numbers = some_numbers(
        card=card,
        inputs=inputs,
        score_numbers=some_score_numbers(
            contributions=(0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.0),
            strengths=("strong", *("clear",) * 7, "negligible"),
        ),
    )
    return case_with(card=card, inputs=inputs, numbers=numbers)


def near_the_threshold() -> Case:
    """A score that lies just below the threshold, so that the case goes the short way."""
    reliability = some_reliability(near_threshold=True, distance_to_threshold=-0.003)
    return case_with_numbers(
        score_numbers=some_score_numbers(0.597, reliability=reliability),
        recourse=some_recourse(counterfactuals=(a_counterfactual(outcome="refused", score=0.603),)),
    )


def almost_nought() -> Case:
    """A score that rounds to nought without being nought, favourable and decided like that."""
    numbers = some_numbers(
        score_numbers=some_score_numbers(0.002, reliability=some_reliability(distance_to_threshold=-0.598)),
        recourse=some_recourse(counterfactuals=(a_counterfactual(outcome="refused", score=0.64),)),
    )
    return case_with(numbers=numbers, decision=a_decision(outcome="granted", model_outcome="granted"))


def deadline_over() -> Case:
    """A case that is read after the deadline in its letter."""
    remedy = Remedy(kind="Widerspruch", text="Sie können Widerspruch einlegen.", until=date(2026, 9, 1))
    return case_with(decision=a_decision(private=a_private_part(remedy=remedy)))


def a_rare_combination() -> SimilarCases:
    """Similar cases that are further away than those of 99 of 100 others."""
    return SimilarCases(rows=20, weight=400.0, same_outcome_per_100=60.0, distance=4.2, usual_distance=2.6)


def some_stability() -> Stability:
    """The stability of the valid numbers."""
    stability = some_reliability().stability
    assert stability is not None
    return stability


def where_higher_is_better() -> Case:
    """A program whose high numbers are good for the person."""
    card = a_card(outcome_at_or_above="granted", outcome_below="refused")
    recourse = some_recourse(counterfactuals=(a_counterfactual(outcome="refused"),))
    return case_with(card=card, numbers=some_numbers(card=card, recourse=recourse))


def just_above_a_crooked_threshold() -> Case:
    """A score that rounding would put below a threshold which is no whole number."""
    card = a_card(threshold=0.604)
    return case_with(card=card, numbers=some_numbers(card=card, score_numbers=some_score_numbers(0.6045)))


EUROS = {"unit": {"de": "Euro", "en": "euros"}, "scale": 1, "decimals": 2}
NOT_COUNTED = {"confusion": None, "auc": None, "calibration": (), "threshold": None}


def in_euros(score: float = 720.5, additive_unit: str = "score", **evaluation: Any) -> Case:
    """A program whose number is an amount of money: a little help is refused."""
    card = a_card(score={**card_data()["score"], **EUROS}, additive_unit=additive_unit, threshold=600)
    scored = score_in_own_unit(score, score - 600.0)
    recourse = some_recourse(counterfactuals=(a_counterfactual(score=580.25),))
    numbers = some_numbers(card=card, score_numbers=scored, recourse=recourse)
    measured = {**NOT_COUNTED, "threshold": 600.0, "mean_absolute_error": 12.5, **evaluation}
    return case_with(card=card, numbers=numbers, evaluation=an_evaluation(card).model_copy(update=measured))


def score_in_own_unit(score: float, distance: float, **changes: Any) -> ScoreNumbers:
    """Numbers of a model whose contributions add up to the score itself."""
    base = some_score_numbers(reliability=some_reliability(calibrated=None, distance_to_threshold=distance, **changes))
    expected = score - math.fsum(base.attribution.contributions)
    attribution = replace(base.attribution, additive_score=score, expected_value=expected)
    return replace(base, score=score, attribution=attribution)


def of_three_classes(role: str = "sorts", **changes: Any) -> Case:
    """A program that gives each of three results a number; the one for the refusal is the highest."""
    refused, granted = card_data()["outcomes"]
    partly = {**granted, "id": "partly", "label": {"de": "Teil der Hilfe", "en": "part of the help"}}
    meaning = {**card_data()["score"], **changes.pop("score", {})}
    card = a_card(
        role=role, score=meaning, additive_unit=changes.pop("additive_unit", "class_score"), threshold=None,
        outcome_at_or_above=None, outcome_below=None, outcomes=[refused, granted, partly],
        outcome_of_class=["granted", "refused", "partly"],
    )  # fmt: skip
    scores = changes.pop("scores", (0.12, 0.6, 0.28))
    near = {"near_threshold": changes.pop("near", False)}
    scored = replace(
        score_in_own_unit(scores[1], scores[1] - scores[2], **near), of_outcome="refused", class_scores=scores
    )
    numbers = some_numbers(card=card, score_numbers=scored, **changes)
    evaluation = an_evaluation(card).model_copy(update=NOT_COUNTED)
    decision = a_decision(role=card.role, model=a_model_version(card))
    return case_with(card=card, numbers=numbers, evaluation=evaluation, decision=decision)


CASES: Mapping[str, Case] = {
    "euros": in_euros(),
    "euros_near_the_threshold": in_euros(600.004, accuracy=None),
    "logarithms_of_euros": in_euros(additive_unit="log_score"),
    "three_classes": of_three_classes(near=True),
    "three_classes_suggested": of_three_classes("suggests"),
    "three_classes_calculated": of_three_classes("calculates"),
    "three_classes_of_a_program_that_decides": of_three_classes("decides"),
    "three_classes_in_euros": of_three_classes(score=EUROS, additive_unit="score", scores=(120.0, 720.5, 580.25)),
    "three_shares": of_three_classes(additive_unit="score"),
    "nothing_better_proven": of_three_classes(recourse=no_recourse()),
    "nothing_better_found": of_three_classes(recourse=no_recourse(proven=False)),
    "refused": case_with(),
    "granted": granted(),
    "departed": case_with(decision=a_decision(outcome="granted")),
    "suggestion_followed": case_in_role("suggests"),
    "suggestion_departed": case_in_role("suggests", outcome="granted"),
    "calculated": case_in_role("calculates"),
    "calculated_departed": case_in_role("calculates", outcome="granted"),
    "decided_by_model": decided_by_model(),
    "decides_but_person_decided": case_in_role("decides", permitting_law=LAW),
    "decides_but_person_departed": case_in_role("decides", outcome="granted"),
    "sorts_without_money": case_with(card=a_card(domain="education and science")),
    "awaiting": case_with(decision=an_undecided_case()),
    "diverted": case_with(decision=an_undecided_case(status=DecisionStatus.DIVERTED)),
    "diverted_decided": case_with(
        decision=a_decision(private=a_private_part(special_circumstances="Ich pflege meine Mutter."))
    ),
    "superseded": case_with(decision=a_decision(status=DecisionStatus.SUPERSEDED), superseded_by="KB-8GHJ-3KMN-5P"),
    "superseded_waiting": case_with(
        decision=an_undecided_case(status=DecisionStatus.SUPERSEDED), superseded_by="KB-8GHJ-3KMN-5P"
    ),
    "no_decision": case_with(decision=None),
    "rule_before_score": ruled(),
    "rule_before_score_nothing_to_change": ruled_without_recourse(),
    "rule_after_score": case_with_numbers(LARGE_HOUSEHOLD),
    "rule_would_sort": where_a_rule_would_decide("sorts"),
    "rule_would_suggest": where_a_rule_would_decide("suggests"),
    "rule_would_calculate": where_a_rule_would_decide("calculates"),
    "rule_would_decide": where_a_rule_would_decide("decides"),
    "nothing_actionable": without_actionable_features(),
    "no_counterfactual_proven": case_with_numbers(recourse=no_recourse(closest_score=0.613)),
    "no_counterfactual_unproven": case_with_numbers(recourse=no_recourse(proven=False)),
    "two_changes": case_with_numbers(recourse=some_recourse(counterfactuals=(two_changes(),))),
    "disputed": case_with_numbers(recourse=some_recourse(disputed=(a_disputed_value(),))),
    "nothing_stood_out": case_with_score(
        contributions=(0.01, -0.008, 0.004, 0.0, -0.001, 0.0), strengths=("negligible",) * 6
    ),
    "six_factors": case_with_score(
        contributions=(0.9, -0.5, 0.4, 0.3, -0.2, 0.1),
        strengths=("strong", "clear", "clear", "clear", "slight", "slight"),
    ),
    "seven_factors_reversed": case_with_score(
        contributions=(-0.9, 0.5, -0.2, 0.0, 0.15, 0.0),
        strengths=("strong", "clear", "slight", "negligible", "slight", "negligible"),
    ),
    "one_detail_left": case_with_score(
        contributions=(0.9, -0.5, 0.4, 0.3, -0.2, 0.001),
        strengths=("strong", "clear", "clear", "clear", "slight", "negligible"),
    ),
    "interactions_strong": case_with_interactions(some_interactions(1.2, -1.1, 0.5)),
    "interactions_clear": case_with_interactions(some_interactions(-0.5, 0.2, -0.1)),
    **{
        f"interactions_{why}": case_with_interactions(CaseInteractions(none_because=why))
        for why in get_args(WhyNoInteractions)
    },
    "higher_is_better": where_higher_is_better(),
    "near_threshold": near_the_threshold(),
    "almost_certain": case_with_score(0.998),
    "almost_nought": almost_nought(),
    "deadline_over": deadline_over(),
    "outside_background": case_with_score(reliability=some_reliability(outside_background=("rent_eur_month",))),
    "twice_outside_background": case_with_score(
        reliability=some_reliability(outside_background=("rent_eur_month", "moves_in_year"))
    ),
    "rare_combination": case_with_score(reliability=some_reliability(similar=a_rare_combination())),
    "no_similar_cases": case_with_score(reliability=some_reliability(similar=None)),
    "order_uncertain": case_with_score(
        reliability=some_reliability(stability=replace(some_stability(), same_top_reason=6))
    ),
    "stability_not_computed": case_with_score(reliability=some_reliability(stability=None)),
    "tied": case_with_score(
        contributions=(0.5, -0.9, -0.5002, 0.06, -0.01, 0.0),
        strengths=("clear", "strong", "strong", "slight", "negligible", "negligible"),
    ),
    "tied_at_the_end_of_what_is_told": case_with_score(
        contributions=(0.9, -0.5, 0.4, 0.3, -0.2, 0.2),
        strengths=("strong", "clear", "clear", "clear", "slight", "slight"),
    ),
    "not_calibrated": case_with_score(reliability=some_reliability(calibrated=None)),
    "sampled": case_with_score(exact=False),
    "remedy_unknown": with_remedy(None),
    "remedy_without_date": with_remedy(Remedy(kind="objection", text="Sie können Widerspruch erheben.")),
    "reasons_missing": case_with(decision=a_decision(private=a_private_part(reasons=None))),
    "not_ai": case_with(card=a_card(is_ai=False, risk_class="not_ai")),
    "one_feature": of_one_feature(),
    "many_features": with_many_features(),
    "crooked_threshold": just_above_a_crooked_threshold(),
    "long_values": case_with_numbers(LONG_INPUTS, recourse=no_recourse()),
    "short_values": case_with_numbers(SHORT_INPUTS, recourse=no_recourse()),
}


@cache
def document_of(case: str, audience: Audience = "subject", language: Language = "de") -> ExplanationDocument:
    """The document of a case; built once, because documents cannot be changed."""
    return build_document(CASES[case](audience, language))
