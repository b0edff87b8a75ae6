"""Cards, decisions, numbers and facts for tests: valid as they come, and any one thing can be made different.

The town is invented; phone numbers lie in the block that is set aside for fiction.
"""

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Literal

from explainer.decisions.decision import (
    Decision,
    DecisionStatus,
    ModelVersion,
    PrivatePart,
    Provenance,
    Remedy,
    Value,
)
from explainer.explanations.attribution import Attribution, AttributionMethod
from explainer.explanations.counterfactual import Change, Counterfactual, NoCounterfactual, Recourse
from explainer.explanations.document import Audience, BackgroundRef, Language
from explainer.explanations.interactions import CaseInteractions, Interaction
from explainer.explanations.numbers import ExplanationNumbers, ScoreNumbers
from explainer.explanations.reliability import CalibratedCount, Reliability
from explainer.explanations.similar_cases import SimilarCases
from explainer.explanations.stability import Stability
from explainer.explanations.strength import StrengthClass
from explainer.narration.facts import Facts
from models.card import ModelCard
from models.evaluation import Evaluation
from models.statutory_rules import fired

MODEL_SHA256 = "3f" * 32
BACKGROUND_SHA256 = "b7" * 32
PRODUCED_AT = datetime(2026, 11, 23, 7, 15, tzinfo=UTC)
DECIDED_AT = datetime(2026, 11, 3, 10, 0, tzinfo=UTC)

INPUTS: Mapping[str, Value] = {
    "rent_eur_month": 1180.0,
    "income_eur_month": 1842.5,
    "household_size": 3,
    "moves_in_year": 2,
    "home": "rented",
    "gets_child_benefit": True,
}

_CARD: dict[str, Any] = {
    "slug": "housing_help",
    "version": "2026.2",
    "name": {"de": "Vorprüfung Wohnhilfe", "en": "Housing help pre-check"},
    "purpose": {
        "de": "Das Programm sortiert neue Anträge auf Wohnhilfe.",
        "en": "The program sorts new applications for housing help.",
    },
    "why_used": {
        "de": "Einfache Anträge sollen schneller fertig sein.",
        "en": "Simple applications should be ready sooner.",
    },
    "in_use_since": "2026-03-01",
    "status": "operational",
    "domain": "subsidies, benefits and allowances",
    "area": "Neustadt",
    "role": "sorts",
    "procedure": "sgb_x",
    "discretion": False,
    "is_ai": True,
    "risk_class": "high",
    "risk_basis": {"de": "Es geht um eine Sozialleistung.", "en": "It is about a social benefit."},
    "legal_basis": [
        {
            "citation": "§ 4 WoGG",
            "text": {
                "de": "Die Hilfe hängt von Miete und Einkommen ab.",
                "en": "The help depends on rent and income.",
            },
        }
    ],
    "department": {"de": "Amt für Wohnen", "en": "Housing Office"},
    "decider_role": {
        "de": "eine Sachbearbeiterin oder ein Sachbearbeiter im Amt für Wohnen",
        "en": "a caseworker in the Housing Office",
    },
    "contact": {
        "phone": "+49 30 23125 210",
        "postal_address": "Marktplatz 3, 00000 Neustadt",
        "room": {"de": "Zimmer 4", "en": "Room 4"},
        "hours": {"de": "Montag bis Freitag von 8 bis 12 Uhr", "en": "Monday to Friday from 8 to 12"},
        "email": "wohnen@neustadt.example",
    },
    "data_protection_authority": {
        "name": {"de": "Landesamt für Datenschutz", "en": "State Data Protection Office"},
        "postal_address": "Schutzweg 5, 00000 Neustadt",
        "phone": "+49 30 23125 220",
    },
    "market_surveillance": {
        "name": {"de": "Marktaufsicht des Landes", "en": "State Market Surveillance"},
        "postal_address": "Prüfweg 7, 00000 Neustadt",
        "phone": "+49 30 23125 230",
    },
    "how_it_works": {
        "de": "Das Programm stellt viele kleine Fragen. Jede Antwort hebt oder senkt die Zahl ein wenig.",
        "en": "The program asks many small questions. Each answer raises or lowers the number a little.",
    },
    "oversight": {
        "de": "Der Mensch sieht den Antrag, die Nachweise und die Zahl.",
        "en": "This person sees the application, the evidence and the number.",
    },
    "affected": {"de": "Alle, die Wohnhilfe beantragen.", "en": "Everyone who applies for housing help."},
    "risks": {"de": "Die Zahl kann falsch sein.", "en": "The number can be wrong."},
    "equal_treatment": {
        "de": "Wir haben die Zahlen für jede Haushaltsgröße verglichen.",
        "en": "We compared the numbers for each household size.",
    },
    "training_data": {"de": "Erfundene Haushalte.", "en": "Made-up households."},
    "monitoring": {"de": "Das Amt prüft die Zahlen jeden Monat.", "en": "The office checks the numbers every month."},
    "objection_procedure": {"de": "Das steht im Bescheid.", "en": "The decision letter says so."},
    "score": {
        "unit": "probability",
        "scale": 100,
        "label": {"de": "Ihre Zahl", "en": "your number"},
        "meaning": {
            "de": "0 heißt: Der Antrag ist einfach. 100 heißt: Der Antrag ist schwierig.",
            "en": "0 means that the application is simple. 100 means that it is difficult.",
        },
    },
    "additive_unit": "log_odds",
    "threshold": 0.6,
    "outcomes": [
        {
            "id": "refused",
            "label": {"de": "Ablehnung", "en": "refusal"},
            "decided": {
                "de": "Ihr Antrag auf Wohnhilfe wurde abgelehnt.",
                "en": "We turned down your application for housing help.",
            },
            "suggested": {
                "de": "Das Programm hat Ihren Antrag für die ausführliche Prüfung vorgesehen.",
                "en": "The program put your application down for a full check.",
            },
            "favourable": False,
        },
        {
            "id": "granted",
            "label": {"de": "Bewilligung", "en": "approval"},
            "decided": {
                "de": "Ihr Antrag auf Wohnhilfe wurde bewilligt.",
                "en": "We approved your application for housing help.",
            },
            "suggested": {
                "de": "Das Programm hat Ihren Antrag für den kurzen Weg vorgesehen.",
                "en": "The program put your application on the short way.",
            },
            "favourable": True,
        },
    ],
    "outcome_at_or_above": "refused",
    "outcome_below": "granted",
    "features": [
        {
            "name": "rent_eur_month",
            "label": {"de": "Ihre Miete ohne Heizung", "en": "Your rent without heating"},
            "public_label": {"de": "Miete ohne Heizung", "en": "Rent without heating"},
            "kind": "number",
            "unit": {"de": "Euro im Monat", "en": "euros a month"},
            "minimum": 0,
            "maximum": 10_000_000,
            "source": {"de": "Ihr Mietvertrag", "en": "your rental contract"},
            "public_source": {"de": "Mietvertrag", "en": "rental contract"},
            "actionable": {"direction": "down", "minimum": 100, "maximum": 5000, "step": 10},
        },
        {
            "name": "income_eur_month",
            "label": {"de": "Ihr Einkommen", "en": "Your income"},
            "public_label": {"de": "Einkommen", "en": "Income"},
            "kind": "number",
            "unit": {"de": "Euro im Monat", "en": "euros a month"},
            "decimals": 2,
            "minimum": 0,
            "maximum": 10_000_000,
            "source": {"de": "Ihr Antrag", "en": "your application"},
            "public_source": {"de": "Antrag", "en": "application"},
            "actionable": {"direction": "either", "minimum": 100, "maximum": 5000, "step": 10},
        },
        {
            "name": "household_size",
            "label": {"de": "Personen in Ihrem Haushalt", "en": "People in your household"},
            "public_label": {"de": "Personen im Haushalt", "en": "People in the household"},
            "kind": "integer",
            "minimum": 1,
            "maximum": 20,
            "source": {"de": "Ihr Antrag", "en": "your application"},
            "public_source": {"de": "Antrag", "en": "application"},
        },
        {
            "name": "moves_in_year",
            "label": {"de": "Ihre Umzüge in 12 Monaten", "en": "Your moves in 12 months"},
            "public_label": {"de": "Umzüge in 12 Monaten", "en": "Moves in 12 months"},
            "kind": "integer",
            "minimum": 0,
            "maximum": 99,
            "source": {"de": "das Melderegister", "en": "the register of residents"},
        },
        {
            "name": "home",
            "label": {"de": "So wohnen Sie", "en": "How you live"},
            "public_label": {"de": "Wohnform", "en": "Kind of home"},
            "kind": "category",
            "categories": [
                {"value": "rented", "label": {"de": "zur Miete", "en": "rented home"}},
                {
                    "value": "shared",
                    "label": {
                        "de": "in einer gemeinsamen Wohnung mit mehreren anderen Menschen",
                        "en": "in a shared home together with several other people",
                    },
                },
            ],
            "source": {"de": "Ihr Antrag", "en": "your application"},
            "public_source": {"de": "Antrag", "en": "application"},
        },
        {
            "name": "gets_child_benefit",
            "label": {"de": "Sie bekommen Kindergeld", "en": "You get child benefit"},
            "public_label": {"de": "Bezug von Kindergeld", "en": "Child benefit received"},
            "kind": "boolean",
            "source": {"de": "die Familienkasse", "en": "the family benefits office"},
            "protected": True,
        },
    ],
    "not_used": {
        "de": "Das Programm kennt nicht Ihren Namen, Ihre Herkunft und Ihre Religion.",
        "en": "The program does not know your name, your origin and your religion.",
    },
    "rules": [
        {
            "id": "income_above_limit",
            "when": "before_score",
            "condition": {"greater": [{"feature": "income_eur_month"}, 5000]},
            "outcome": "refused",
            "citation": "§ 21 WoGG",
            "sentence": {
                "de": "Wer mehr als 5.000 Euro im Monat hat, bekommt keine Wohnhilfe.",
                "en": "People with more than 5,000 euros a month do not get housing help.",
            },
            "label": {"de": "Grenze für das Einkommen", "en": "limit for income"},
        },
        {
            "id": "large_household",
            "when": "after_score",
            "condition": {"greater_or_equal": [{"feature": "household_size"}, 8]},
            "outcome": "refused",
            "citation": "§ 22 WoGG",
            "sentence": {
                "de": "Anträge ab 8 Personen prüfen wir immer ausführlich.",
                "en": "We always give applications from 8 people upwards a full check.",
            },
            "label": {"de": "Große Haushalte", "en": "large households"},
        },
    ],
    "limits": [
        {
            "de": "Das Programm rechnet nicht aus, wie viel Hilfe Sie bekommen.",
            "en": "The program does not work out how much help you get.",
        }
    ],
}


def card_data(**changes: Any) -> dict[str, Any]:
    """Give the test card as plain data, some fields changed."""
    return {**deepcopy(_CARD), **changes}


def a_card(**changes: Any) -> ModelCard:
    """Give a valid card: six features of every kind, one rule before and one after the score, role ``sorts``.

    Args:
        changes: Fields of ``ModelCard`` as plain data.

    Returns:
        The card.
    """
    return ModelCard.model_validate(card_data(**changes)) if changes else _unchanged_card()


@cache
def _unchanged_card() -> ModelCard:
    return ModelCard.model_validate(_CARD)


def an_evaluation(card: ModelCard | None = None) -> Evaluation:
    """Give an evaluation that fits the card's version."""
    return Evaluation.model_validate(
        {
            "schema_name": "evaluation/1",
            "model_version": (card or a_card()).version,
            "as_of": "2026-10-01",
            "n": 1000,
            "threshold": 0.6,
            "accuracy": 0.9,
            "auc": 0.95,
            "confusion": {
                "favourable_confirmed": 450,
                "favourable_wrong": 50,
                "unfavourable_confirmed": 450,
                "unfavourable_wrong": 50,
            },
            "calibration": [{"low": 0, "high": 1, "n": 1000, "favourable_per_100": 37, "interval": [34, 40]}],
            "groups": [],
            "about": {
                "de": "Wir haben die Zahl mit fertigen Prüfungen verglichen.",
                "en": "We compared the number with checks that are done.",
            },
        }
    )


def a_background() -> BackgroundRef:
    """Give a background."""
    return BackgroundRef(name="households", rows=1000, total_weight=20000.0, sha256=BACKGROUND_SHA256)


def a_model_version(card: ModelCard | None = None) -> ModelVersion:
    """Give the version a card belongs to."""
    card = card or a_card()
    return ModelVersion(slug=card.slug, version=card.version, sha256=MODEL_SHA256)


def some_reliability(**changes: Any) -> Reliability:
    """Give a reliability with a calibrated count, away from the threshold and inside the background."""
    valid = Reliability(
        calibrated=CalibratedCount(
            favourable_per_100=37.2, low_per_100=31.4, high_per_100=43.6, n=412, as_of="2026-10-01"
        ),
        distance_to_threshold=0.12,
        near_threshold=False,
        outside_background=(),
        background_gap=0.004,
        similar=SimilarCases(rows=20, weight=400.0, same_outcome_per_100=85.0, distance=1.1, usual_distance=2.6),
        stability=Stability(blocks=10, same_top_reason=9, spreads=(0.12, 0.06, 0.03, 0.02, 0.01, 0.0)),
    )
    return replace(valid, **changes)


def some_score_numbers(
    score: float = 0.72,
    contributions: Sequence[float] = (0.9, -0.41, 0.18, 0.06, -0.01, 0.0),
    strengths: Sequence[StrengthClass] = ("strong", "clear", "slight", "slight", "negligible", "negligible"),
    *,
    reliability: Reliability | None = None,
    exact: bool = True,
) -> ScoreNumbers:
    """Give numbers that add up to the score, whatever the contributions are.

    Args:
        score: From 0 to 1.
        contributions: One for each feature, in card order.
        strengths: One for each feature, in card order.
        reliability: By default :func:`some_reliability`.
        exact: Whether the method is exact or sampled.

    Returns:
        The numbers.
    """
    additive_score = math.log(score / (1 - score))
    return ScoreNumbers(
        score=score,
        attribution=Attribution(
            contributions=tuple(contributions),
            expected_value=additive_score - math.fsum(contributions),
            additive_score=additive_score,
            leaf_scale=4.0,
            method=AttributionMethod(
                name="exact interventional Shapley values",
                exact=exact,
                engine_version="1",
                standard_error=None if exact else 0.02,
                stopped_because=None if exact else "precise_enough",
            ),
        ),
        strengths=tuple(strengths),
        reliability=_for_so_many(len(contributions), reliability or some_reliability()),
    )


def some_interactions(*values: float) -> CaseInteractions:
    """Give interactions of rent, income and household size, slight at first and stronger with their size."""
    pairs = (
        ("rent_eur_month", "income_eur_month"),
        ("income_eur_month", "household_size"),
        ("rent_eur_month", "household_size"),
    )
    return CaseInteractions(
        noticeable=tuple(
            Interaction(
                features=features,
                value=value,
                strength="strong" if abs(value) >= 1 else "clear" if abs(value) >= 0.4 else "slight",
            )
            for features, value in zip(pairs, values or (-0.45, 0.12), strict=False)
        )
    )


def _for_so_many(n_features: int, reliability: Reliability) -> Reliability:
    stability = reliability.stability
    if stability is None:
        return reliability
    spreads = (stability.spreads * n_features)[:n_features]
    return replace(reliability, stability=replace(stability, spreads=spreads))


def a_counterfactual(**changes: Any) -> Counterfactual:
    """Give a counterfactual with one change: a lower rent."""
    valid = Counterfactual(
        changes=(Change(feature="rent_eur_month", before=1180.0, after=950.0),),
        score=0.55,
        outcome="granted",
        fewest_changes_proven=True,
    )
    return replace(valid, **changes)


def some_recourse(**changes: Any) -> Recourse:
    """Give a recourse with one counterfactual."""
    return replace(Recourse(counterfactuals=(a_counterfactual(),), none=None), **changes)


def no_recourse(
    reason: Literal["nothing_actionable", "none_found"] = "none_found",
    *,
    proven: bool = True,
    closest_score: float | None = None,
) -> Recourse:
    """Give a recourse without any counterfactual."""
    return Recourse(
        counterfactuals=(), none=NoCounterfactual(reason=reason, proven=proven, closest_score=closest_score)
    )


def some_numbers(
    *, card: ModelCard | None = None, inputs: Mapping[str, Value] = INPUTS, **changes: Any
) -> ExplanationNumbers:
    """Give numbers for inputs, with the card's real rules evaluated on them.

    Args:
        card: By default :func:`a_card`.
        inputs: One value for each feature.
        changes: Fields of ``ExplanationNumbers``.

    Returns:
        The numbers.
    """
    card = card or a_card()
    valid = ExplanationNumbers(
        input_digest="11" * 32,
        model_sha256=MODEL_SHA256,
        background_sha256=BACKGROUND_SHA256,
        score_numbers=some_score_numbers(),
        rules_fired=tuple((rule.id, fired(rule, card.features, inputs)) for rule in card.rules),
        recourse=some_recourse(),
    )
    return replace(valid, **changes)


def a_remedy() -> Remedy:
    """Give a remedy as a decision letter names it."""
    return Remedy(
        kind="objection",
        text="Gegen diesen Bescheid können Sie Widerspruch beim Amt für Wohnen erheben.",
        until=date(2026, 12, 7),
    )


def a_private_part(**changes: Any) -> PrivatePart:
    """Give the personal part of a decision: all inputs, one stated source, reasons and a remedy."""
    valid = PrivatePart(
        case_reference="AZ 50-4711",
        subject_reference=None,
        inputs=dict(INPUTS),
        sources={"rent_eur_month": Provenance(source="Ihr Mietvertrag", as_of=date(2026, 9, 1))},
        unused_inputs=("Telefon",),
        reasons="Das Einkommen liegt über der Grenze für 3 Personen.",
        remedy=a_remedy(),
        score=0.72,
    )
    return replace(valid, **changes)


def a_decision(*, private: PrivatePart | None = None, **changes: Any) -> Decision:
    """Give a decision: a person refused, as the program's sorting made likely.

    Args:
        private: By default :func:`a_private_part`.
        changes: Fields of ``Decision``.

    Returns:
        The decision.
    """
    valid = Decision(
        reference="KB-7F3K-9QXW-2M",
        model=a_model_version(),
        register_version=3,
        status=DecisionStatus.DECIDED,
        role="sorts",
        decided_by="person",
        model_outcome="refused",
        outcome="refused",
        decided_at=DECIDED_AT,
        recorded_at=DECIDED_AT,
        supersedes=None,
        private=private or a_private_part(),
    )
    return replace(valid, **changes)


def an_undecided_case(*, status: DecisionStatus = DecisionStatus.AWAITING, **changes: Any) -> Decision:
    """Give a case that waits for a person: no outcome, no reasons, no remedy."""
    private = a_private_part(
        reasons=None,
        remedy=None,
        special_circumstances="Ich pflege meine Mutter." if status is DecisionStatus.DIVERTED else None,
    )
    return a_decision(private=private, status=status, decided_by=None, outcome=None, decided_at=None, **changes)


def some_facts(audience: Audience = "subject", language: Language = "de", **changes: Any) -> Facts:
    """Give facts that belong together; see the other builders for what they say.

    Args:
        audience: Who reads.
        language: In which language.
        changes: Fields of ``Facts``; numbers and decision follow the card and the inputs unless they are given too.

    Returns:
        The facts.
    """
    card = changes.get("card") or a_card()
    inputs = changes.get("inputs", INPUTS)
    valid: dict[str, Any] = {
        "id": "5e" * 16,
        "produced_at": PRODUCED_AT,
        "audience": audience,
        "language": language,
        "card": card,
        "evaluation": an_evaluation(card),
        "background": a_background(),
        "model": a_model_version(card),
        "register_version": 3,
        "inputs": dict(inputs),
        "superseded_by": None,
        "base_url": "https://klarbescheid.neustadt.example",
    } | changes
    if "numbers" not in changes:
        valid["numbers"] = some_numbers(card=card, inputs=inputs)
    if "decision" not in changes:
        arrived_at = Facts(**valid, decision=None).program_outcome
        valid["decision"] = a_decision(
            private=a_private_part(inputs=dict(inputs)),
            role=card.role,
            model=valid["model"],
            model_outcome=arrived_at,
            outcome=arrived_at,
        )
    return Facts(**valid)
