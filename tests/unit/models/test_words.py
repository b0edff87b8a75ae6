import pytest
from pydantic import ValidationError

from models.words import Words

HELLO = Words(de=" Guten Tag ", en="Hello")


def test_words_speak_both_languages() -> None:
    assert HELLO("de") == HELLO.in_language("de") == "Guten Tag"
    assert HELLO("en") == "Hello"


@pytest.mark.parametrize("language", ["fr", "DE", "", "in_language"])
def test_other_languages_are_refused(language: str) -> None:
    with pytest.raises(KeyError):
        HELLO(language)


@pytest.mark.parametrize("data", [{"de": "Hallo"}, {"de": "Hallo", "en": "  "}, {"de": "a", "en": "b", "fr": "c"}])
def test_words_are_complete_in_every_language_and_no_other(data: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Words.model_validate(data)
