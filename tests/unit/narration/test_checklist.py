"""Each item of the legal checklist is checked on the text: a document mutilated in one place fails exactly there."""

from collections.abc import Callable

import pytest

from explainer.errors import ChecklistError
from explainer.explanations.document import Audience, ExplanationDocument, Language
from explainer.narration.checklist import checklist_items, evaluate_checklist, require_checklist
from explainer.narration.document_builder import build_document
from models.card import ModelCard
from tests.builders import a_card, a_decision, a_private_part, an_undecided_case, some_facts
from tests.unit.narration.cases import AUDIENCES, CASES, LANGUAGES
from tests.unit.narration.reading import with_section, without

Mutilation = Callable[[ExplanationDocument, ModelCard], ExplanationDocument]


def _not_met(document: ExplanationDocument, card: ModelCard) -> list[str]:
    return [item for item, verdict in evaluate_checklist(document, card).items() if verdict == "not_met"]


def _words(document: ExplanationDocument, german: str, english: str) -> str:
    return german if document.language == "de" else english


def _changed_contribution(document: ExplanationDocument, card: ModelCard) -> ExplanationDocument:
    first, *others = document.contributions
    changed = first.model_copy(update={"contribution": first.contribution + 0.01})
    return document.model_copy(update={"contributions": (changed, *others)})


def _dropped_data_item(document: ExplanationDocument, card: ModelCard) -> ExplanationDocument:
    return document.model_copy(update={"data": document.data[1:]})


def _dropped_rule(document: ExplanationDocument, card: ModelCard) -> ExplanationDocument:
    return document.model_copy(update={"rules": document.rules[1:]})


MUTILATIONS: dict[str, Mutilation] = {
    "x_role": lambda document, _: without(document, "program_role", "/register/"),
    "x_step": lambda document, _: without(
        document, "program_role", _words(document, "wie wir einen Fall prüfen", "how we check a case")
    ),
    "x_weight": lambda document, card: without(
        document, "program_role", card.decider_role.in_language(document.language)
    ),
    "x_oversight": lambda document, card: without(
        document, "who_checked", card.oversight.in_language(document.language)
    ),
    "x_result": lambda document, card: without(
        document, "in_short", card.outcome("refused").decided.in_language(document.language)
    ),
    "x_factors": _changed_contribution,
    "x_data": lambda document, card: without(document, "data", card.features[3].source.in_language(document.language)),
    "x_procedure": lambda document, card: without(
        document, "procedure", card.how_it_works.in_language(document.language)
    ),
    "x_counter": lambda document, _: without(document, "counterfactual", document.counterfactuals[0].sentence),
    "x_law": lambda document, card: without(document, "procedure", card.legal_basis[0].citation),
    "x_limits": lambda document, card: without(document, "reliability", card.limits[0].in_language(document.language)),
    "x_rights": lambda document, card: without(
        document, "what_you_can_do", card.data_protection_authority.postal_address
    ),
    "x_contact": lambda document, card: without(document, "what_you_can_do", card.contact.postal_address),
    "x_secret": _dropped_rule,
    "x_version": lambda document, _: without(document, "small_print", document.id),
}

MORE_MUTILATIONS: list[tuple[str, str, Mutilation]] = [
    ("refused", "x_factors", lambda document, _: without(document, "factors", document.contributions[0].sentence)),
    (
        "refused",
        "x_factors",
        lambda document, _: document.model_copy(update={"contributions": document.contributions[::-1]}),
    ),
    ("refused", "x_factors", lambda document, _: document.model_copy(update={"additivity_gap": None})),
    ("refused", "x_factors", lambda document, _: document.model_copy(update={"additivity_gap": 0.5})),
    ("refused", "x_data", _dropped_data_item),
    ("refused", "x_data", lambda document, _: without(document, "data", "Telefon")),
    (
        "refused",
        "x_counter",
        lambda document, _: document.model_copy(
            update={
                "counterfactuals": tuple(
                    part.model_copy(update={"outcome": "refused"}) for part in document.counterfactuals
                )
            }
        ),
    ),
    (
        "refused",
        "x_rights",
        lambda document, card: without(document, "what_you_can_do", card.market_surveillance.phone),
    ),
    (
        "refused",
        "x_rights",
        lambda document, _: without(document, "what_you_can_do", _words(document, "Artikel 16", "Article 16")),
    ),
    ("refused", "x_rights", lambda document, _: without(document, "what_you_can_do", "Widerspruch")),
    ("refused", "x_oversight", lambda document, _: without(document, "who_checked", document.reasons or "")),
    ("refused", "x_version", lambda document, _: without(document, "small_print", document.model.sha256[:16])),
    ("refused", "x_version", lambda document, _: without(document, "small_print", "KB-7F3K-9QXW-2M")),
    (
        "refused",
        "x_limits",
        lambda document, _: without(document, "reliability", _words(document, " von 100 ", " out of 100 ")),
    ),
    (
        "near_threshold",
        "x_limits",
        lambda document, _: without(document, "reliability", _words(document, "nahe an", "close to")),
    ),
    (
        "outside_background",
        "x_limits",
        lambda document, card: without(document, "reliability", card.features[0].label.in_language(document.language)),
    ),
    (
        "rare_combination",
        "x_limits",
        lambda document, _: without(
            document, "reliability", _words(document, "gibt es in der Vergleichsgruppe kaum", "hardly any case")
        ),
    ),
    (
        "order_uncertain",
        "x_limits",
        lambda document, _: without(document, "reliability", _words(document, "nicht sicher", "not certain")),
    ),
    ("tied", "x_factors", lambda document, _: without(document, "factors", _words(document, "gleich viel", "equally"))),
    ("rule_before_score", "x_factors", lambda document, _: with_section(document, "factors", ("?",))),
    (
        "no_counterfactual_proven",
        "x_counter",
        lambda document, _: with_section(document, "counterfactual", ("?",)),
    ),
    ("awaiting", "x_result", lambda document, _: with_section(document, "in_short", ("?",))),
    ("superseded_waiting", "x_result", lambda document, _: with_section(document, "in_short", ("?",))),
    ("no_decision", "x_result", lambda document, _: with_section(document, "in_short", ("?",))),
]


def test_there_are_sixteen_items_and_each_has_its_mutilation() -> None:
    ids = [item.id for item in checklist_items()]
    assert len(ids) == len(set(ids)) == 16
    # x_discretion needs a card that leaves discretion; it has tests of its own.
    assert set(ids) == {*MUTILATIONS, "x_discretion"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("item", MUTILATIONS)
def test_mutilated_document_fails_exactly_its_item(item: str, audience: Audience, language: Language) -> None:
    facts = some_facts(audience, language)
    document = build_document(facts)
    assert _not_met(document, facts.card) == []
    assert _not_met(MUTILATIONS[item](document, facts.card), facts.card) == [item]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("case", "item", "mutilate"), MORE_MUTILATIONS)
def test_other_mutilations_are_noticed_too(case: str, item: str, mutilate: Mutilation, language: Language) -> None:
    facts = CASES[case]("subject", language)
    document = build_document(facts)
    assert item in _not_met(mutilate(document, facts.card), facts.card)


def test_explanation_by_another_version_than_the_cards_is_noticed() -> None:
    facts = some_facts()
    assert _not_met(build_document(facts), a_card(version="2027.1")) == ["x_procedure"]


def test_discretion_needs_reasons_a_person_wrote() -> None:
    card = a_card(discretion=True)
    with_reasons = some_facts(card=card)
    without_reasons = some_facts(card=card, decision=a_decision(private=a_private_part(reasons=None)))
    waiting = some_facts(card=card, decision=an_undecided_case())
    assert build_document(with_reasons).checklist["x_discretion"] == "met"
    assert _not_met(build_document(without_reasons), card) == ["x_discretion"]
    assert build_document(waiting).checklist["x_discretion"] == "not_applicable"
    assert build_document(some_facts()).checklist["x_discretion"] == "not_applicable"


def test_law_is_not_asked_for_where_no_procedure_applies() -> None:
    assert build_document(some_facts(card=a_card(procedure="none"))).checklist["x_law"] == "not_applicable"


def test_complete_document_may_leave() -> None:
    facts = some_facts()
    require_checklist(build_document(facts), facts.card)


def test_incomplete_document_is_refused_with_every_missing_item_named() -> None:
    facts = some_facts()
    document = without(build_document(facts), "small_print", facts.id)
    document = without(document, "what_you_can_do", facts.card.contact.postal_address)
    with pytest.raises(ChecklistError, match=r"x_contact \(.+\) x_version \(.+\)"):
        require_checklist(document, facts.card)


def test_document_whose_checklist_is_not_that_of_its_text_is_refused() -> None:
    facts = some_facts()
    document = build_document(facts).model_copy(update={"checklist": {}})
    with pytest.raises(ChecklistError, match="not that of its text"):
        require_checklist(document, facts.card)
