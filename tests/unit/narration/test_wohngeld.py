"""The bundled housing-benefit package, explained with its real numbers, in the same tests as the made-up card."""

from collections.abc import Mapping
from functools import cache

import pytest

from explainer.decisions.decision import ModelVersion, Value
from explainer.explanations.background import background_ref_of
from explainer.explanations.document import Audience, ExplanationDocument, Language
from explainer.narration.checklist import require_checklist
from explainer.narration.document_builder import build_document
from explainer.narration.readability import readability_problems
from explainer.use_cases.explained_model import ExplainedModel
from models.catalogue import bundled_packages_folder
from models.package import load_package
from tests.builders import a_decision, a_private_part, some_facts
from tests.unit.narration.cases import AUDIENCES, LANGUAGES
from tests.unit.narration.reading import full_text, section_text
from tests.unit.narration.test_readability import banned_words

HOUSEHOLD: Mapping[str, Value] = {
    "household_size": 2,
    "income_eur_month": 2900.0,
    "gross_cold_rent_eur_month": 700.0,
    "rent_level": 4,
    "assets_eur": 8000.0,
}
HOUSEHOLDS: Mapping[str, Mapping[str, Value]] = {
    "refused": HOUSEHOLD,
    "granted": {**HOUSEHOLD, "income_eur_month": 1500.0, "household_size": 3},
    "near_threshold": {**HOUSEHOLD, "income_eur_month": 2060.0},
    "ruled": {**HOUSEHOLD, "assets_eur": 300_000.0},
    "smallest_values": {
        "household_size": 1,
        "income_eur_month": 136.0,
        "gross_cold_rent_eur_month": 173.0,
        "rent_level": 1,
        "assets_eur": 0.0,
    },
    "largest_values": {
        "household_size": 7,
        "income_eur_month": 8448.0,
        "gross_cold_rent_eur_month": 2560.0,
        "rent_level": 7,
        "assets_eur": 239_999.0,
    },
}


@cache
def _model() -> ExplainedModel:
    return ExplainedModel.prepare(load_package(bundled_packages_folder() / "wohngeld"))


@cache
def _document(household: str, audience: Audience, language: Language) -> ExplanationDocument:
    inputs, package = HOUSEHOLDS[household], _model().package
    version = ModelVersion(slug=package.card.slug, version=package.card.version, sha256=package.sha256)
    outcome = _model().outcome_of(inputs)
    private = a_private_part(inputs=dict(inputs), sources={}, score=outcome.score, fired_rule=outcome.deciding_rule)
    decision = a_decision(
        model=version,
        model_outcome=outcome.outcome,
        outcome=outcome.outcome,
        private=private,
    )
    facts = some_facts(
        audience,
        language,
        card=package.card,
        evaluation=package.evaluation,
        background=background_ref_of(package),
        model=version,
        numbers=_model().numbers_for(inputs),
        inputs=dict(inputs),
        decision=decision,
    )
    return build_document(facts)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("household", HOUSEHOLDS)
def test_every_explanation_meets_the_checklist(household: str, audience: Audience, language: Language) -> None:
    require_checklist(_document(household, audience, language), _model().package.card)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("household", HOUSEHOLDS)
def test_every_citizen_text_passes_gate_and_banned_words(household: str, language: Language) -> None:
    text = full_text(_document(household, "subject", language))
    assert readability_problems(text, language) == []
    assert banned_words(text, language) == []


def test_the_program_is_never_said_to_have_refused_anybody() -> None:
    for household in HOUSEHOLDS:
        document = _document(household, "subject", "de")
        assert "Es hat nicht über Ihr Geld entschieden." in section_text(document, "in_short")
        assert "Ablehnung" not in section_text(document, "program_role")
        assert "Ablehnung" not in section_text(document, "counterfactual")


def test_wealth_above_the_limit_is_told_as_a_rule_without_any_number() -> None:
    document = _document("ruled", "subject", "de")
    assert document.score is None
    assert "§ 21 Nummer 3 WoGG" in section_text(document, "factors")
    assert "Ihr Vermögen: 300.000 Euro" in section_text(document, "factors")
    assert "Ihre Zahl war" not in full_text(document)
