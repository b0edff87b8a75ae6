"""The subject, the caseworker and the auditor read the same facts; only the depth differs."""

import pytest

from explainer.explanations.document import Audience, ExplanationDocument, Language
from tests.unit.narration.cases import AUDIENCES, CASES, LANGUAGES, document_of
from tests.unit.narration.reading import full_text, section_text

DEPTH = ("Log-Odds", "log-odds", "SHA-256", "Shapley")


def _facts_told(document: ExplanationDocument, case: str) -> set[str]:
    """What a document states about the case, as short texts that must be in every audience's version."""
    facts = CASES[case]("subject", document.language)
    card, language = facts.card, document.language
    told = {item.value_text for item in document.data}
    told |= {change.to_text for part in document.counterfactuals for change in part.changes}
    told |= {limit.in_language(language) for limit in card.limits}
    told |= {basis.citation for basis in card.legal_basis}
    told |= {card.contact.phone, card.contact.postal_address, card.data_protection_authority.phone}
    told |= {card.name.in_language(language), card.how_it_works.in_language(language), document.id}
    told |= set(document.unused_inputs)
    if document.decision and document.outcome:
        told.add(card.outcome(document.outcome).decided.in_language(language))
    told.add(card.outcome(facts.program_outcome).suggested.in_language(language))
    if document.reasons:
        told.add(document.reasons)
    if document.decision:
        told.add(document.decision.reference)
    if facts.applied_rule:
        told |= {facts.applied_rule.citation, facts.applied_rule.sentence.in_language(language)}
    return told


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", CASES)
def test_every_audience_is_told_the_same_facts(case: str, language: Language) -> None:
    documents = [document_of(case, audience, language) for audience in AUDIENCES]
    told = _facts_told(documents[0], case)
    for document in documents:
        text = full_text(document)
        assert {fact for fact in told if fact not in text} == set()
        # The person's details are "yours" to the person alone; they are the same details.
        assert {name for item in document.data for name in (item.label, item.source) if name not in text} == set()
        assert [item.feature for item in document.data] == [item.feature for item in documents[0].data]
        assert [part.contribution for part in document.contributions] == [
            part.contribution for part in documents[0].contributions
        ]
        assert document.rules == documents[0].rules
        assert document.checklist == documents[0].checklist
        assert section_text(document, "in_short").count("\n") == section_text(documents[0], "in_short").count("\n")


@pytest.mark.parametrize("language", LANGUAGES)
def test_subject_reads_no_statistics(language: Language) -> None:
    for case in CASES:
        text = full_text(document_of(case, "subject", language))
        assert [word for word in DEPTH if word in text] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("audience", AUDIENCES[1:])
def test_staff_read_the_raw_numbers(audience: Audience, language: Language) -> None:
    document = document_of("refused", audience, language)
    text = full_text(document)
    raw = ["+0.900", "-0.410", "+0.180"] if language == "en" else ["+0,900", "-0,410", "+0,180"]
    for wanted in (*raw, document.model.sha256, document.background.sha256, "Shapley"):
        assert wanted in text
    assert all(rule.citation in section_text(document, "small_print") for rule in document.rules)


def test_whole_numbers_for_the_subject_and_exact_ones_for_staff() -> None:
    subject = section_text(document_of("near_threshold", "subject"), "program_role")
    staff = section_text(document_of("near_threshold", "auditor"), "program_role")
    assert "59,70" not in subject
    assert "knapp unter 60, genau 59,70" in staff
