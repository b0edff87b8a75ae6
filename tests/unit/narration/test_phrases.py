"""Languages are complete, name exactly the values they are given, and hold no sentence that nobody says."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from explainer.explanations.document import Audience, Language
from explainer.narration.phrase_keys import PHRASE_KEYS
from explainer.narration.phrases import (
    LANGUAGES_FOLDER,
    MalformedPhrasesError,
    Voice,
    available_languages,
    load_phrases,
    phrases_in,
)
from tests.unit.narration.cases import CASES, LANGUAGES, document_of


def _changed(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    content = yaml.safe_load((LANGUAGES_FOLDER / "de" / "phrases.yaml").read_text("utf-8"))
    change(content)
    folder = tmp_path / "xx"
    folder.mkdir()
    path = folder / "phrases.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return path


def test_the_bundled_languages_load() -> None:
    assert available_languages() == ("de", "en")
    for language in available_languages():
        phrases = phrases_in(language)
        assert phrases.staff.templates.keys() == PHRASE_KEYS.keys()
        assert phrases.subject.templates.keys() == {
            key for key, wanted in PHRASE_KEYS.items() if wanted.subject is not None
        }


def test_an_unchanged_copy_loads(tmp_path: Path) -> None:
    loaded = load_phrases(_changed(tmp_path, lambda _: None))
    assert loaded.subject.templates == phrases_in("de").subject.templates


def test_missing_key_is_refused_by_name(tmp_path: Path) -> None:
    path = _changed(tmp_path, lambda content: content["data"].pop("item"))
    with pytest.raises(MalformedPhrasesError, match=r"data\.item is missing for subject"):
        load_phrases(path)


def test_missing_version_for_one_reader_is_refused(tmp_path: Path) -> None:
    path = _changed(tmp_path, lambda content: content["data"]["wrong"].pop("staff"))
    with pytest.raises(MalformedPhrasesError, match=r"data\.wrong is missing for staff"):
        load_phrases(path)


def test_phrase_nobody_says_is_refused(tmp_path: Path) -> None:
    path = _changed(tmp_path, lambda content: content["data"].update(extra="Noch ein Satz."))
    with pytest.raises(MalformedPhrasesError, match=r"data\.extra is a phrase nobody says"):
        load_phrases(path)


def test_unknown_placeholder_is_refused(tmp_path: Path) -> None:
    path = _changed(tmp_path, lambda content: content["data"].update(item="{label}: {value}. {source} {colour}"))
    with pytest.raises(MalformedPhrasesError, match=r"data\.item for subject does not know \{colour\}"):
        load_phrases(path)


def test_translation_that_loses_a_value_is_refused(tmp_path: Path) -> None:
    path = _changed(tmp_path, lambda content: content["data"].update(item="{label}. {source}"))
    with pytest.raises(MalformedPhrasesError, match=r"data\.item for subject leaves out \{value\}"):
        load_phrases(path)


@pytest.mark.parametrize("trick", ["{label.__class__}", "{label!r}", "{label:>900}", "{}", "{0}", "{label"])
def test_placeholders_can_reach_nothing_but_their_value(tmp_path: Path, trick: str) -> None:
    path = _changed(tmp_path, lambda content: content["data"].update(item=trick + ": {value}. {source}"))
    with pytest.raises(MalformedPhrasesError, match=r"data\.item"):
        load_phrases(path)


@pytest.mark.parametrize("content", ["", "a: [", "just text", "title: {}", "locale: nowhere_at_all", "locale: 5"])
def test_file_that_is_no_language_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "phrases.yaml"
    path.write_text(content, "utf-8")
    with pytest.raises(MalformedPhrasesError):
        load_phrases(path)
    with pytest.raises(MalformedPhrasesError):
        load_phrases(tmp_path / "nowhere.yaml")


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["data"]["item"] = "{colour}"
        content["value"].pop("yes")
        content["value"]["no"] = 5

    with pytest.raises(MalformedPhrasesError) as caught:
        load_phrases(_changed(tmp_path, change))
    for word in ("colour", "label", "value.yes", "value.no is not a text"):
        assert word in str(caught.value)


@cache
def _everything_said(audience: Audience, language: Language) -> str:
    texts = []
    for case in CASES:
        document = document_of(case, audience, language)
        texts.append(document.text.title)
        for section in document.text.sections:
            texts += [section.heading, *section.paragraphs]
        texts += [part.sentence for part in document.contributions]
    return "\n".join(texts)


def _is_said(voice: Voice, key: str, text: str) -> bool:
    wanted = ".+".join(re.escape(part) for part in re.split(r"\{\w+\}", voice.templates[key]))
    return re.search(wanted, text) is not None


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("audience", ["subject", "auditor"])
def test_every_phrase_is_said_in_some_case(audience: Audience, language: Language) -> None:
    text = _everything_said(audience, language)
    voice = phrases_in(language).voice_for(audience)
    assert [key for key in voice.templates if not _is_said(voice, key, text)] == []


def test_a_phrase_that_is_never_said_would_be_noticed() -> None:
    twin = Voice("subject", {"data.item": "Das sagt {label} nie."})
    assert not _is_said(twin, "data.item", _everything_said("subject", "de"))
