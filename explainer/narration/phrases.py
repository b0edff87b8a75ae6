"""Phrases of one language: whole sentences from ``languages/<language>/phrases.yaml``, checked when they are loaded.

Adding a language is adding a folder; nothing here knows a language by name.
"""

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import ClassVar, get_args

import yaml
from babel import Locale, UnknownLocaleError

from explainer.errors import SettingsError
from explainer.narration.phrase_keys import PHRASE_KEYS, VoiceName
from models.yaml_document import SAFE_LOADER

LANGUAGES_FOLDER = Path(__file__).parent / "languages"


class MalformedPhrasesError(SettingsError):
    """A language's phrases are incomplete or name values nobody gives them; whoever translated them can mend it."""

    code: ClassVar[str] = "malformed_phrases"


@dataclass(frozen=True)
class Voice:
    """The phrases of one language as one kind of reader gets them.

    Attributes:
        name: ``subject`` or ``staff``.
        templates: Key to template.
    """

    name: VoiceName
    templates: Mapping[str, str]

    def say(self, key: str, **values: str) -> str:
        """Say one phrase.

        Args:
            key: One of ``PHRASE_KEYS``.
            values: Placeholder to text; values this voice does not name are left out.

        Returns:
            The sentence or sentences; the first letter is a capital.

        Raises:
            KeyError: If the voice has no such phrase, or the phrase names a value that was not given.
        """
        constant = self._constants.get(key)
        if constant is not None:
            return constant
        template = self.templates[key]
        said = template.format_map(values)
        return said[:1].upper() + said[1:] if template[0] == "{" else said

    @cached_property
    def _constants(self) -> Mapping[str, str]:
        """Phrases that name no value."""
        return {key: text.format_map({}) for key, text in self.templates.items() if not _placeholders(text)}

    def beginning_of(self, key: str) -> str:
        """The phrase up to its first placeholder: what can be recognised without knowing the values."""
        return self.templates[key].partition("{")[0]


@dataclass(frozen=True)
class Phrases:
    """Everything one language says.

    Attributes:
        language: Name of its folder.
        locale: Babel locale for numbers and dates.
        subject: For the person a decision is about.
        staff: For caseworkers and auditors.
    """

    language: str
    locale: Locale
    subject: Voice
    staff: Voice

    def voice_for(self, audience: str) -> Voice:
        """The voice an audience is spoken to in."""
        return self.subject if audience == "subject" else self.staff


def available_languages(folder: Path = LANGUAGES_FOLDER) -> tuple[str, ...]:
    """Languages that have a folder, sorted."""
    return tuple(sorted(path.parent.name for path in folder.glob("*/phrases.yaml")))


@cache
def phrases_in(language: str) -> Phrases:
    """The bundled phrases of a language; read once, because they never change while a process runs."""
    return load_phrases(LANGUAGES_FOLDER / language / "phrases.yaml")


def load_phrases(path: Path) -> Phrases:
    """Read and check the phrases of one language.

    Args:
        path: The ``phrases.yaml`` in the language's folder.

    Returns:
        Phrases that have every key and exactly the placeholders of ``PHRASE_KEYS``.

    Raises:
        MalformedPhrasesError: With every problem of the file.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), SAFE_LOADER)  # noqa: S506 -- it is one of the safe loaders
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise MalformedPhrasesError(f"The phrases in {path.name} cannot be read: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("locale"), str):
        raise MalformedPhrasesError(f"{path.name} must be a mapping and name its 'locale', such as de_DE.")
    try:
        locale = Locale.parse(content.pop("locale"))
    except (ValueError, UnknownLocaleError) as error:
        raise MalformedPhrasesError(f"{path.name} names a 'locale' that Babel does not know: {error}") from error
    voices: dict[VoiceName, dict[str, str]] = {"subject": {}, "staff": {}}
    problems = []
    for key, voice, template in _templates(content, ""):
        if not isinstance(template, str) or not template.strip():
            problems.append(f"{key} is not a text")
        else:
            voices[voice][key] = template
    problems += [problem for voice in voices for problem in _problems(voice, voices[voice])]
    if problems:
        raise MalformedPhrasesError(f"{path.parent.name}/{path.name}: " + "; ".join(sorted(set(problems))) + ".")
    return Phrases(
        language=path.parent.name,
        locale=locale,
        subject=Voice("subject", voices["subject"]),
        staff=Voice("staff", voices["staff"]),
    )


def _templates(content: Mapping[object, object], prefix: str) -> Iterator[tuple[str, VoiceName, object]]:
    names: tuple[VoiceName, ...] = get_args(VoiceName)
    for name, inner in content.items():
        key = f"{prefix}{name}"
        if not isinstance(inner, dict):
            yield from ((key, voice, inner) for voice in names)
        elif set(inner) <= set(names):
            yield from ((key, voice, inner[voice]) for voice in names if voice in inner)
        else:
            yield from _templates(inner, f"{key}.")


def _problems(voice: VoiceName, templates: Mapping[str, str]) -> Iterator[str]:
    wanted = {key: names for key, both in PHRASE_KEYS.items() if (names := both.of(voice)) is not None}
    yield from (f"{key} is missing for {voice}" for key in wanted if key not in templates)
    for key, template in templates.items():
        if key not in wanted:
            yield f"{key} is a phrase nobody says to {voice}"
            continue
        try:
            named = _placeholders(template)
        except ValueError as error:
            yield f"{key} for {voice}: {error}"
            continue
        yield from (f"{key} for {voice} does not know {{{name}}}" for name in named - wanted[key])
        yield from (f"{key} for {voice} leaves out {{{name}}}" for name in wanted[key] - named)


def _placeholders(template: str) -> frozenset[str]:
    named = set()
    for _, name, spec, conversion in string.Formatter().parse(template):
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            raise ValueError("placeholders are plain names in braces")
        named.add(name)
    return frozenset(named)
