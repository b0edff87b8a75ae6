"""The copy of everything held about a person, as an HTML file that they can read; it loads nothing from elsewhere."""

from collections.abc import Mapping
from typing import Any

from explainer.explanations.document import Language
from explainer.narration.number_words import NumberWords
from explainer.narration.phrases import phrases_in
from explainer.settings import Settings
from models.card import ModelCard
from public_pages.rendering import make_renderer

TEMPLATE = "files/subject_data.html"


def readable_copy(
    settings: Settings, export: Mapping[str, Any], cards: Mapping[str, ModelCard], language: Language
) -> str:
    """Write the copy in one language.

    Args:
        settings: Settings of the installation.
        export: What ``export_subject`` gathered.
        cards: Reference of a decision to the card its values are described by.
        language: In which language.

    Returns:
        A whole HTML document.
    """
    environment = make_renderer(settings).environments[language]
    details = {
        decision["reference"]: _details(decision, cards.get(decision["reference"]), language)
        for decision in export["decisions"]
    }
    outcomes = {
        reference: {outcome.id: outcome.label.in_language(language) for outcome in card.outcomes}
        for reference, card in cards.items()
    }
    names = {reference: card.name.in_language(language) for reference, card in cards.items()}
    return environment.get_template(TEMPLATE).render(
        export=export, details=details, outcomes=outcomes, names=names, language=language
    )


def _details(decision: Mapping[str, Any], card: ModelCard | None, language: Language) -> list[tuple[str, str]]:
    inputs = decision["stated"]["inputs"]
    if card is None:
        return [(name, str(value)) for name, value in inputs.items()]
    phrases = phrases_in(language)
    words = NumberWords(phrases, phrases.voice_for("subject"))
    return [
        (feature.label.in_language(language), words.value(feature, inputs[feature.name]))
        for feature in card.features
        if feature.name in inputs
    ]
