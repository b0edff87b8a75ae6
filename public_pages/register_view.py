"""What pages take from a model's card and its register entry."""

from dataclasses import dataclass

from explainer.explanations.document import Language
from explainer.narration.number_words import NumberWords
from explainer.narration.phrases import phrases_in
from explainer.register.entry import RegisterEntry
from explainer.register.overview import FeatureOverview
from models.card import ModelCard
from models.features import Feature
from public_pages.explanation_view import FULL_WIDTH, MIN_WIDTH
from public_pages.page_frame import ContactPoint


def contact_of(card: ModelCard, language: Language) -> ContactPoint:
    """Office that uses a program, and how it is reached.

    Args:
        card: The program's card.
        language: Language of the name.

    Returns:
        The office.
    """
    return ContactPoint(
        name=card.department(language),
        phone=card.contact.phone,
        email=card.contact.email,
        postal_address=card.contact.postal_address,
    )


@dataclass(frozen=True, kw_only=True)
class MeanBar:
    """The mean number at one value of a feature.

    Attributes:
        value: With its unit, in the page's language.
        number: In words of the page's language, on the scale that people see.
        start: 0 to 99: where the bar begins on the axis: at nought, or for numbers below it at the number.
        width: 1 to 100: how far the number lies from nought.
    """

    value: str
    number: str
    start: float
    width: float


@dataclass(frozen=True, kw_only=True)
class FeatureInfluence:
    """What one feature does over all cases of the comparison group.

    Attributes:
        feature: Its technical name.
        label: What people call it.
        strength: One of the strength words, or ``none`` where it does nothing.
        share: Its part of the influence of all features, in percent.
        direction: One of the labels of ``overall_direction``.
        bars: Mean number at some of its values; empty for all but the strongest.
    """

    feature: str
    label: str
    strength: str
    share: float
    direction: str
    bars: tuple[MeanBar, ...]


@dataclass(frozen=True, kw_only=True)
class WhatWeighs:
    """What weighs most in a program, and the axis of its drawings.

    Attributes:
        influences: All features, strongest first; empty where nobody computes them.
        lowest: Score at the left end of the axis, in the card's score unit.
        highest: Score at the right end of the axis.
        limit: The threshold in words of the page's language; None for several results.
        limit_place: 0 to 100: where it lies on the axis; None for several results.
    """

    influences: tuple[FeatureInfluence, ...]
    lowest: float
    highest: float
    limit: str | None
    limit_place: float | None


def what_weighs(entry: RegisterEntry, language: Language) -> WhatWeighs | None:
    """Draw the overview of a published entry.

    Args:
        entry: The entry.
        language: Language of labels and values.

    Returns:
        What the page shows; None where the entry has no overview.
    """
    overview, card = entry.overview, entry.card
    if overview is None:
        return None
    limits = [] if card.threshold is None else [card.threshold]
    scores = [one.score for feature in overview.features for one in feature.mean_scores]
    # Nought is on the axis and bars begin there, so that twice as long means twice as much.
    lowest, highest = min([0.0, *limits, *scores]), max([0.0, *limits, *scores])
    if card.score.is_probability:
        highest = max(1.0, highest)

    def place(score: float) -> float:
        return round(FULL_WIDTH * (score - lowest) / ((highest - lowest) or 1.0), 1)

    features = {feature.name: feature for feature in card.features}
    words = _number_words(language)
    return WhatWeighs(
        influences=tuple(
            FeatureInfluence(
                feature=one.feature,
                label=features[one.feature].label_for_all(language),
                strength=one.strength if one.importance else "none",
                share=one.share * 100,
                direction=_direction(one, features[one.feature], several_results=card.threshold is None),
                bars=tuple(
                    _bar(
                        words.value(features[one.feature], mean.value),
                        words.score(mean.score, card.threshold, card.score),
                        nought=place(0.0),
                        number_place=place(mean.score),
                    )
                    for mean in one.mean_scores
                ),
            )
            for one in overview.features
        ),
        lowest=lowest,
        highest=highest,
        limit=None if card.threshold is None else words.threshold(card.threshold, card.score),
        limit_place=None if card.threshold is None else place(card.threshold),
    )


def _bar(value: str, number: str, *, nought: float, number_place: float) -> MeanBar:
    width = max(MIN_WIDTH, round(abs(number_place - nought), 1))
    return MeanBar(value=value, number=number, start=min(nought, number_place, FULL_WIDTH - width), width=width)


def _direction(overview: FeatureOverview, feature: Feature, *, several_results: bool) -> str:
    if not overview.importance:
        return "nothing"
    if several_results:
        return "by_result"
    if feature.kind == "boolean" and overview.direction in ("rising", "falling"):
        return f"yes_{overview.direction}"
    return overview.direction


def _number_words(language: Language) -> NumberWords:
    phrases = phrases_in(language)
    return NumberWords(phrases, phrases.voice_for("subject"))
