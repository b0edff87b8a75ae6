"""Readability formulas and the gate every citizen text passes. They measure length only, not sense.

LIX: Björnsson 1968. WSTF 1 (erste Wiener Sachtextformel): Bamberger and Vanecek 1984. Amstad 1978 is Flesch for German.
Flesch-Kincaid grade: Kincaid and others 1975. Bounds are ours; no standard fixes them.
"""

import re
from dataclasses import dataclass

from babel.dates import get_month_names

LONG_WORD = 7
"""LIX and WSTF count words of more than six letters."""

_QUOTED = re.compile(r"„[^“]*“|“[^”]*”")
_CODE = re.compile(r"\S+://\S+|\S*@\S+|\b(?=\w*\d)(?=\w*[^\W\d])[\w.-]{6,}")
_MONTHS = "|".join(name for locale in ("de_DE", "en_GB") for name in get_month_names("wide", locale=locale).values())
_SENTENCE_END = re.compile(rf"(?<!\bAbs)(?<!\bNr)(?<!\bArt)[.!?]+[“”\"]?\s+(?!(?:{_MONTHS})\b)(?=[A-ZÄÖÜ„“\d])|\n+")
_WORD = re.compile(r"[^\W\d_]+(?:[-'][^\W\d_]+)*|\d[\d.,:]*")
_SYLLABLES = {"de": re.compile(r"[aeiouäöüy]+", re.IGNORECASE), "en": re.compile(r"[aeiouy]+", re.IGNORECASE)}


@dataclass(frozen=True, kw_only=True)
class Readability:
    """Measures of one text."""

    mean_sentence: float
    longest_sentence: int
    lix: float
    wstf1: float
    amstad: float
    grade: float


def own_words(text: str) -> str:
    """The text without quotations and without codes and addresses, which nobody reads as words."""
    return _CODE.sub("", _QUOTED.sub("", text))


def sentences(text: str) -> list[str]:
    """Split into sentences; a line break ends one too, a dot after the day of a date does not."""
    return [part for part in _SENTENCE_END.split(text) if _WORD.search(part)]


def measure(text: str, language: str) -> Readability:
    """Measure a text.

    Args:
        text: Paragraphs, one a line.
        language: ``de`` or ``en``; decides how syllables are counted.

    Returns:
        All measures, also those made for the other language.
    """
    lengths = [len(_WORD.findall(sentence)) for sentence in sentences(text)]
    words = _WORD.findall(text)
    syllables = [_syllables(word, language) for word in words]
    mean_sentence = sum(lengths) / len(lengths)
    mean_syllables = sum(syllables) / len(words)
    long_words = 100 * sum(len(word) >= LONG_WORD for word in words) / len(words)
    many = 100 * sum(count >= 3 for count in syllables) / len(words)  # noqa: PLR2004 - WSTF counts from three on
    single = 100 * sum(count == 1 for count in syllables) / len(words)
    return Readability(
        mean_sentence=mean_sentence,
        longest_sentence=max(lengths),
        lix=mean_sentence + long_words,
        wstf1=0.1935 * many + 0.1672 * mean_sentence + 0.1297 * long_words - 0.0327 * single - 0.875,
        amstad=180 - mean_sentence - 58.5 * mean_syllables,
        grade=0.39 * mean_sentence + 11.8 * mean_syllables - 15.59,
    )


def readability_problems(text: str, language: str) -> list[str]:
    """Say how a text misses the gate; empty if it passes."""
    measured = measure(own_words(text), language)
    bounds = (
        [
            ("mean sentence", measured.mean_sentence, 12.0),
            ("longest sentence", measured.longest_sentence, 20),
            ("LIX", measured.lix, 40.0),
            ("WSTF 1", measured.wstf1, 7.0),
            ("Amstad below 60, negated", -measured.amstad, -60.0),
        ]
        if language == "de"
        else [
            ("mean sentence", measured.mean_sentence, 15.0),
            ("longest sentence", measured.longest_sentence, 25),
            ("Flesch-Kincaid grade", measured.grade, 6.0),
        ]
    )
    return [f"{name}: {value:.1f}, at most {bound:g}" for name, value, bound in bounds if value > bound]


def _syllables(word: str, language: str) -> int:
    if word[0].isdigit():
        return 1
    count = len(_SYLLABLES[language].findall(word))
    if language == "en" and re.search(r"[^aeiouyl]e$|[^td]ed$", word, re.IGNORECASE):
        count -= 1
    return max(count, 1)
