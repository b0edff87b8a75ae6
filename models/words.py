"""The same words in every language the product speaks."""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

LANGUAGES = ("de", "en")
"""Languages every card must be written in."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000)]
"""A text that is really there; line breaks at its ends are cut."""


_ADDRESS = {
    "de": re.compile(r"\b(?:Ihr(?:e[mnrs]?)?|Sie|Ihnen|[Dd]u|[Dd]ich|[Dd]ir|[Dd]eine?[mnrs]?)\b"),
    "en": re.compile(r"\b(?:you|your|yours|yourself)\b", re.IGNORECASE),
}


class Words(BaseModel):
    """One text in German and in English.

    Attributes:
        de: German text.
        en: English text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    de: Text
    en: Text

    def in_language(self, language: str) -> str:
        """Give the text in one language.

        Args:
            language: ``de`` or ``en``.

        Returns:
            The text.

        Raises:
            KeyError: If the language is neither.
        """
        if language not in LANGUAGES:
            raise KeyError(language)
        return self.de if language == "de" else self.en

    @property
    def addressing(self) -> str | None:
        """The first word that speaks to the reader, such as "your" or "Ihre"; None where nobody is addressed."""
        found = [_ADDRESS[language].search(self.in_language(language)) for language in LANGUAGES]
        return next((match[0] for match in found if match), None)

    def __call__(self, language: str) -> str:
        """Give the text in one language; short for :meth:`in_language`."""
        return self.in_language(language)
