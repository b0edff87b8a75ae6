"""What staff are told about details that work together, and that subjects are not."""

from dataclasses import replace
from typing import Any

import pytest

from explainer.errors import UntrustworthyExplanationError
from explainer.explanations.document import Audience, Language
from explainer.explanations.interactions import CaseInteractions
from explainer.narration.document_builder import build_document
from tests.builders import some_facts, some_interactions
from tests.unit.narration.cases import AUDIENCES, CASES, LANGUAGES, document_of
from tests.unit.narration.reading import section_text

TOLD = "interactions_clear"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("audience", AUDIENCES[1:])
def test_text_says_what_the_list_says(audience: Audience, language: Language) -> None:
    document = document_of(TOLD, audience, language)
    assert document.interactions is not None
    assert document.no_interactions is None
    text = section_text(document, "interactions")
    for part in document.interactions:
        assert part.sentence in text
        assert all(label in part.sentence for label in part.labels)
        number = f"{part.value:+.3f}".replace(".", "," if language == "de" else ".")
        assert f"{number} {'Log-Odds' if language == 'de' else 'log-odds'}" in part.sentence
    assert [part.value for part in document.interactions] == [-0.5, 0.2, -0.1]
    assert [part.strength for part in document.interactions] == ["clear", "slight", "slight"]


def test_higher_and_lower_are_not_confused() -> None:
    parts = document_of(TOLD, "caseworker", "en").interactions or ()
    assert ["lower" in part.sentence for part in parts] == [True, False, True]
    assert ["higher" in part.sentence for part in parts] == [False, True, False]


@pytest.mark.parametrize("language", LANGUAGES)
def test_bytes_of_the_subject_know_nothing_of_interactions(language: Language) -> None:
    for case in (TOLD, "interactions_none_noticeable"):
        subject = document_of(case, "subject", language)
        assert subject.canonical_bytes() == document_of("refused", "subject", language).canonical_bytes()
        assert b"interactions" not in subject.canonical_bytes()


def test_none_noticeable_is_an_empty_list_and_not_computed_is_no_list() -> None:
    nothing = document_of("interactions_none_noticeable", "caseworker", "en").as_json()
    assert nothing["interactions"] == []
    assert nothing["no_interactions"]["reason"] == "none_noticeable"
    for case in ("details_add_up", "too_many_details", "takes_too_long", "not_confirmed"):
        document = document_of(f"interactions_{case}", "auditor", "en")
        assert "interactions" not in document.as_json()
        assert document.no_interactions is not None
        assert document.no_interactions.reason == case
        assert section_text(document, "interactions") == document.no_interactions.sentence


def test_rule_that_decided_leaves_nothing_to_work_together() -> None:
    document = document_of("rule_before_score", "caseworker", "de")
    assert "interactions" not in {section.id for section in document.text.sections}
    assert "no_interactions" not in document.as_json()


@pytest.mark.parametrize(
    ("audience", "case", "interactions"),
    [
        ("subject", "refused", some_interactions()),
        ("caseworker", "rule_before_score", CaseInteractions(none_because="none_noticeable")),
        ("caseworker", "one_feature", some_interactions()),
    ],
)
def test_interactions_in_the_wrong_place_are_refused(audience: Audience, case: str, interactions: Any) -> None:
    facts = CASES[case](audience, "de")
    with pytest.raises(UntrustworthyExplanationError, match="interactions"):
        replace(facts, interactions=interactions)


def test_documents_without_interactions_read_as_before() -> None:
    assert "interactions" not in build_document(some_facts("caseworker")).as_json()
