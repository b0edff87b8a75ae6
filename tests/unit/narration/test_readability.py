"""Every text for citizens passes the readability gate and holds none of the words that scare or mislead."""

import re

import pytest

from explainer.explanations.document import Language
from explainer.narration.readability import measure, own_words, readability_problems, sentences
from tests.unit.narration.cases import CASES, LANGUAGES, document_of
from tests.unit.narration.reading import full_text

BANNED: dict[Language, tuple[str, ...]] = {
    "de": (
        "leider", "SHAP", "Shapley", "Log-Odds", "Logit", "Risikoscore", "Score", "Algorithmus", "KI", "System", "Tool",
        "Modell", "Feature", "Parameter", "Wahrscheinlichkeit", "p-Wert", "bzw", "ggf", "gemäß", "hinsichtlich",
        "aufgrund", "diesbezüglich", "Risiko", "verdächtig",
    ),
    "en": (
        "unfortunately", "SHAP", "Shapley", "log-odds", "logit", "risk score", "score", "algorithm", "AI", "system",
        "tool", "model", "feature", "parameter", "probability", "p-value", "can't", "won't", "pursuant", "regarding",
        "hereby", "risk", "suspicious",
    ),
}  # fmt: skip

OFFICIALESE = (
    "Unter Berücksichtigung der im Rahmen des Verwaltungsverfahrens zur Verfügung gestellten Unterlagen konnte die "
    "Anspruchsberechtigung hinsichtlich der beantragten Leistung nicht festgestellt werden."
)


def banned_words(text: str, language: Language) -> list[str]:
    """Banned words that a text holds, in the order of the list."""
    return [word for word in BANNED[language] if re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", CASES)
def test_every_citizen_text_passes_the_gate(case: str, language: Language) -> None:
    text = full_text(document_of(case, "subject", language))
    assert readability_problems(text, language) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", CASES)
def test_no_citizen_text_holds_a_banned_word_or_a_bracket(case: str, language: Language) -> None:
    text = full_text(document_of(case, "subject", language))
    assert banned_words(text, language) == []
    assert re.findall(r"[()\[\]{}]", text) == []


def test_the_gate_stops_officialese() -> None:
    assert len(readability_problems(OFFICIALESE, "de")) >= 4
    english = (
        "Notwithstanding the aforementioned considerations, the administrative determination regarding eligibility for "
        "the requested accommodation assistance necessitates additional documentation from the responsible applicant."
    )
    assert len(readability_problems(english, "en")) >= 2
    assert readability_problems("Ihr Antrag wurde abgelehnt. Das hat das Amt entschieden.", "de") == []


def test_banned_words_would_be_noticed() -> None:
    assert banned_words("Leider ist Ihr Risikoscore hoch.", "de") == ["leider", "Risikoscore"]
    assert banned_words("Your risk score is high.", "en") == ["risk score", "score", "risk"]


def test_dates_and_numbers_do_not_end_sentences() -> None:
    text = "Das war am 3. November 2026. Ihre Miete war 1.180 Euro. Ab 60 prüfen wir. Ihre Zahl war 72. Das war alles."
    assert len(sentences(text)) == 5
    assert len(sentences("This was on 3 November 2026. Your rent was 1,180.50 euros.\nThat is all")) == 3


def test_quotations_codes_and_addresses_are_not_read_as_words() -> None:
    text = "Im Bescheid: „Unter Berücksichtigung aller Unterlagen.“ Mehr: https://stadt.example/de/x Nummer 5e5e5e5e5e."
    assert "Berücksichtigung" not in own_words(text)
    assert "https" not in own_words(text)
    assert "5e5e" not in own_words(text)
    assert "Nummer" in own_words(text)


def test_measures_of_a_text_counted_by_hand() -> None:
    measured = measure("Das Programm rechnet. Es liest 5 Angaben heute.", "de")
    assert measured.mean_sentence == 4
    assert measured.longest_sentence == 5
    # long words: Programm, rechnet, Angaben
    assert measured.lix == pytest.approx(4 + 100 * 3 / 8)
    # syllables 1 2 2 | 1 1 1 3 2 = 13
    assert measured.amstad == pytest.approx(180 - 4 - 58.5 * 13 / 8)
    many, single = 100 / 8, 100 * 4 / 8
    assert measured.wstf1 == pytest.approx(0.1935 * many + 0.1672 * 4 + 0.1297 * 37.5 - 0.0327 * single - 0.875)
    # 7 words of one syllable each; the e at the end of "came", "home" and "like" is silent
    english = measure("The cat came home. We like it.", "en")
    assert english.grade == pytest.approx(0.39 * 3.5 + 11.8 * 7 / 7 - 15.59)
