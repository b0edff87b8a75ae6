"""The pages' own words in each language, read from ``languages/<language>/messages.po`` when the service starts.

English sentences in templates and code are the source; explanations and card texts come in both languages already.
"""

import gettext
from collections.abc import Mapping
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from explainer.explanations.document import Language
from public_pages.language_negotiation import LANGUAGES

LANGUAGES_FOLDER = Path(__file__).parent / "languages"


def message(text: str) -> str:
    """Mark an English sentence for translation where it is written down; it is translated where it is shown."""
    return text


class PageTranslations(gettext.NullTranslations):
    """One language's sentences.

    Attributes:
        language: Which language.
    """

    def __init__(self, language: Language, catalogue: Catalog) -> None:
        super().__init__()
        self.language = language
        self._sentences: dict[str, tuple[str, ...]] = {}
        for entry in catalogue:
            if entry.id:
                first = entry.id if isinstance(entry.id, str) else entry.id[0]
                translated = (entry.string,) if isinstance(entry.string, str) else tuple(entry.string or ())
                self._sentences[first] = translated

    def gettext(self, message: str) -> str:
        """The sentence in this language; the English one where it has no translation (a test forbids that)."""
        forms = self._sentences.get(message)
        return (forms[0] if forms else "") or message

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """The sentence for a count; German and English both have one form for 1 and one for all others."""
        forms = self._sentences.get(msgid1) or (msgid1, msgid2)
        return forms[0] if n == 1 else forms[-1]


def load_translations() -> Mapping[Language, PageTranslations]:
    """Read all catalogues.

    Returns:
        Language to its sentences.
    """
    return {language: PageTranslations(language, read_catalogue(language)) for language in LANGUAGES}


def read_catalogue(language: Language) -> Catalog:
    """Read one ``messages.po``."""
    with catalogue_path(language).open("rb") as file:
        return read_po(file, locale=language)


def catalogue_path(language: Language) -> Path:
    """Where the sentences of a language are kept."""
    return LANGUAGES_FOLDER / language / "messages.po"
