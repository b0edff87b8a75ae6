"""What staff pages take from cards to write names instead of identifiers."""

from collections.abc import Mapping

from explainer.decisions.decision import Decision
from explainer.explanations.document import Language
from explainer.narration.number_words import NumberWords
from explainer.narration.phrases import phrases_in
from explainer.use_cases.service import Service
from models.card import ModelCard
from models.features import Feature
from public_pages.staff_page_contexts import DecisionDataRow


def model_names(service: Service, language: Language) -> Mapping[str, str]:
    """Names of all installed models by slug."""
    return {slug: package.card.name(language) for slug, package in service.catalogue.packages.items()}


def outcome_names(service: Service, language: Language) -> Mapping[str, str]:
    """Nouns for all outcomes of installed models by id."""
    return {
        outcome.id: outcome.label(language)
        for package in service.catalogue.packages.values()
        for outcome in package.card.outcomes
    }


def data_rows(decision: Decision, card: ModelCard | None, language: Language) -> tuple[DecisionDataRow, ...]:
    """Values of a decision as staff see them, in the order of the card.

    Args:
        decision: The decision with its private part.
        card: Card of its model; without it names and values stand as they were sent.
        language: Language of the page.

    Returns:
        One row per value.
    """
    features: Mapping[str, Feature] = {feature.name: feature for feature in card.features} if card else {}
    private = decision.private
    phrases = phrases_in(language)
    words = NumberWords(phrases, phrases.staff)
    ordered = [name for name in features if name in private.inputs]
    ordered += [name for name in private.inputs if name not in features]
    rows = []
    for name in ordered:
        feature, provenance = features.get(name), private.sources.get(name)
        source = provenance.source if provenance else feature.source_for_all(language) if feature else ""
        rows.append(
            DecisionDataRow(
                label=feature.label_for_all(language) if feature else name,
                name=name,
                value=words.value(feature, private.inputs[name]) if feature else str(private.inputs[name]),
                source=source,
                as_of=provenance.as_of if provenance else None,
            )
        )
    return tuple(rows)
