"""Every sentence of templates and code exists in every language."""

import re

import pytest

from explainer.explanations.document import Language
from explainer.transparency_log.log_entry import LogEvent
from public_pages.catalogue_update import updated_text, used_messages
from public_pages.labels import LABELS
from public_pages.language_negotiation import LANGUAGES
from public_pages.translations import catalogue_path, load_translations, read_catalogue

BANNED = ("leider", "Algorithmus", "SHAP", "Risikoscore", "Tool", "TODO")
LONGEST_SENTENCE = 20


def used() -> set[str | tuple[str, ...]]:
    return {sentence for _, sentence in used_messages()}


def plain(entry_id: object) -> object:
    return tuple(entry_id) if isinstance(entry_id, list) else entry_id


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue_holds_exactly_the_sentences_in_use(language: str) -> None:
    kept = {plain(entry.id) for entry in read_catalogue(language) if entry.id}
    assert kept == used(), "run python -m public_pages.catalogue_update and translate what is new"


@pytest.mark.parametrize("language", LANGUAGES)
def test_updating_a_catalogue_that_is_up_to_date_changes_nothing(language: Language) -> None:
    assert updated_text(language) == catalogue_path(language).read_bytes()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_translated(language: str) -> None:
    missing = [
        entry.id
        for entry in read_catalogue(language)
        if entry.id and not (all(entry.string) if isinstance(entry.string, (tuple, list)) else entry.string)
    ]
    assert missing == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_the_same_placeholders(language: str) -> None:
    for entry in read_catalogue(language):
        if isinstance(entry.id, str):
            assert sorted(re.findall(r"%\(\w+\)s", entry.id)) == sorted(re.findall(r"%\(\w+\)s", str(entry.string)))


def test_german_pages_speak_plainly() -> None:
    for entry in filter(lambda one: one.id, read_catalogue("de")):
        for sentence in [entry.string] if isinstance(entry.string, str) else list(entry.string or ()):
            assert not [word for word in BANNED if word in sentence], sentence
            assert "(" not in re.sub(r"%\(\w+\)s", "", sentence), sentence
            for part in re.split(r"[.!?:]\s", sentence):
                assert len(part.split()) <= LONGEST_SENTENCE, part


def test_english_is_the_source() -> None:
    english = load_translations()["en"]
    assert english.gettext("Sign in") == "Sign in"
    assert load_translations()["de"].gettext("Sign in") == "Anmelden"


def test_counts_choose_singular_and_plural() -> None:
    german = load_translations()["de"]
    forms = ("%(num)s decision found", "%(num)s decisions found")
    assert german.ngettext(*forms, 1) == "%(num)s Entscheidung gefunden"
    assert german.ngettext(*forms, 0) == german.ngettext(*forms, 2) == "%(num)s Entscheidungen gefunden"


def test_every_kind_of_log_entry_has_words() -> None:
    assert set(LABELS["event"]) == {event.value for event in LogEvent}
