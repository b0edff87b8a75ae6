"""The same words in every language the product speaks."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

LANGUAGES = ("de", "en")
"""Languages every card must be written in."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000)]
"""A text that is really there; line breaks at its ends are cut."""


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

    def __call__(self, language: str) -> str:
        """Give the text in one language; short for :meth:`in_language`."""
        return self.in_language(language)
