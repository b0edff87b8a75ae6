"""A finished document as its reader sees it: what the checklist looks at."""

from dataclasses import dataclass
from functools import cached_property

from explainer.explanations.document import ExplanationDocument
from explainer.narration.narrator import Situation
from explainer.narration.number_words import NumberWords
from explainer.narration.phrases import phrases_in
from models.card import ModelCard
from models.words import Words


@dataclass(frozen=True)
class RenderedText:
    """A document as a reader sees it, with the card to compare it with.

    Attributes:
        document: The rendered document.
        card: Of the model version that was applied.
    """

    document: ExplanationDocument
    card: ModelCard

    @cached_property
    def _sections(self) -> dict[str, tuple[tuple[str, ...], str]]:
        # Paragraphs and whole text; of two sections with one name, which nobody writes, the first would count.
        sections = reversed(self.document.text.sections)
        return {section.id: (section.paragraphs, "\n".join(section.paragraphs)) for section in sections}

    def paragraphs(self, section_id: str) -> tuple[str, ...]:
        """Paragraphs of one section; empty where it is missing."""
        section = self._sections.get(section_id)
        return section[0] if section else ()

    def shows(self, section_id: str, *wanted: str) -> bool:
        """Whether a section contains every one of these texts."""
        section = self._sections.get(section_id)
        return section is not None and all(part and part in section[1] for part in wanted)

    def says(self, section_id: str, key: str, **values: str) -> bool:
        """Whether a section contains a phrase with these values."""
        return self.shows(section_id, self.numbers.voice.say(key, **values))

    def words(self, words: Words) -> str:
        """A text of the card in the document's language."""
        return words.in_language(self.document.language)

    @cached_property
    def numbers(self) -> NumberWords:
        """Writes numbers as the document does."""
        phrases = phrases_in(self.document.language)
        return NumberWords(phrases, phrases.voice_for(self.document.audience))

    @property
    def situation(self) -> Situation:
        """Where the case stands, read from the document."""
        document = self.document
        if document.decision is None:
            return "no_decision"
        if document.outcome is not None:
            return "decided_by_model" if document.decided_by == "model" else "decided_by_person"
        if document.decision.superseded_by is not None:
            return "superseded_waiting"
        return "diverted" if document.decision.diverted else "awaiting"

    @property
    def superseded_by(self) -> str:
        """Reference of the decision that replaced this one; empty where none did."""
        return (self.document.decision and self.document.decision.superseded_by) or ""

    @property
    def departed(self) -> bool:
        """Whether a person decided otherwise than the program's outcome."""
        return self.document.decision is not None and self.document.decision.departed
