"""Bring ``languages/*/messages.po`` up to date: ``python -m public_pages.catalogue_update``.

Sentences that are new in templates or code are added without a translation, those that are gone are removed.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po

from explainer.explanations.document import Language
from public_pages.language_negotiation import LANGUAGES
from public_pages.translations import catalogue_path, read_catalogue

_KEYWORDS: Mapping[str, tuple[int, int] | None] = {"gettext": None, "message": None, "_": None, "ngettext": (1, 2)}
_METHODS = (("templates/**.html", "jinja2"), ("**.py", "python"))
_OPTIONS = {"templates/**.html": {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}}

_HEADER_DATE = datetime(2026, 11, 23, tzinfo=UTC)

MessageId = str | tuple[str, ...]


def used_messages() -> Iterator[tuple[str, MessageId]]:
    """Find every sentence in templates and code.

    Yields:
        File and sentence (singular and plural for counts).
    """
    found = extract_from_dir(Path(__file__).parent, _METHODS, _OPTIONS, keywords=dict(_KEYWORDS))
    for filename, _, sentence, _, _ in found:
        yield filename, sentence


def updated_catalogue(language: Language) -> Catalog:
    """Make the catalogue as it should be: exactly the sentences in use, with the translations there are.

    Args:
        language: Which language; English is its own translation.

    Returns:
        The catalogue.
    """
    known = read_catalogue(language) if catalogue_path(language).exists() else Catalog(locale=language)
    fresh = Catalog(
        locale=language,
        fuzzy=False,
        header_comment="# The pages' own words. Updated by python -m public_pages.catalogue_update",
        project="Klarbescheid",
        version="1",
        msgid_bugs_address="see README.md",
        last_translator="Klarbescheid",
        language_team=language,
        # A fixed date: the true one would change the file on every run and say nothing.
        creation_date=_HEADER_DATE,
        revision_date=_HEADER_DATE,
    )
    for filename, sentence in used_messages():
        entry = known.get(sentence)
        kept = entry.string if entry and entry.string else None
        empty = "" if isinstance(sentence, str) else ("", "")
        fresh.add(
            sentence,
            string=sentence if language == "en" else kept or empty,
            # Lines would change with every edit of a template, so only the file is named.
            locations=[(Path(filename).as_posix(), 0)],
        )
    return fresh


def updated_text(language: Language) -> bytes:
    """Content that ``messages.po`` of a language should have."""
    text = BytesIO()
    write_po(text, updated_catalogue(language), width=120, sort_output=True, include_lineno=False)
    return text.getvalue()


def main() -> None:
    """Write both files."""
    for language in LANGUAGES:
        catalogue_path(language).write_bytes(updated_text(language))


if __name__ == "__main__":
    main()
