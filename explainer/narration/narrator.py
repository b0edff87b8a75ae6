"""The one who tells: facts, the phrases of a language, and the few things every section asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal

from explainer.explanations.counterfactual import Counterfactual
from explainer.explanations.numbers import ScoreNumbers
from explainer.explanations.ties import READ_DECIMALS, in_order, tie_tolerance
from explainer.narration.facts import Facts
from explainer.narration.number_words import TIME_ZONE, NumberWords
from explainer.narration.phrases import Voice, phrases_in
from models.features import Feature
from models.outcomes import Outcome
from models.words import Words

Situation = Literal[
    "decided_by_person", "decided_by_model", "awaiting", "diverted", "superseded_waiting", "no_decision"
]
"""Where a case stands: who decided; that nobody has decided yet; that it was decided later, under another reference;
or that there is nothing to decide."""

ADDITIVE_DECIMALS = READ_DECIMALS
"""Digits of contributions in texts for staff; the document itself holds nine."""


@dataclass(frozen=True)
class Narrator:
    """Says facts in one language to one audience.

    Attributes:
        facts: What is told.
        voice: Phrases for the audience.
        numbers: Writes numbers, dates and values.
    """

    facts: Facts
    voice: Voice
    numbers: NumberWords

    def say(self, key: str, **values: str) -> str:
        """Say a phrase; see :meth:`Voice.say`."""
        return self.voice.say(key, **values)

    def say_count(self, key: str, count: int, **values: str) -> str:
        """Say a phrase about a number of things, which exists for one and for several."""
        return self.voice.say(f"{key}.{'one' if count == 1 else 'other'}", count=self.numbers.count(count), **values)

    def words(self, words: Words) -> str:
        """A text of the card in the document's language."""
        return words.in_language(self.facts.language)

    @property
    def for_staff(self) -> bool:
        """Whether caseworkers or auditors read it, who get depth that would only confuse others."""
        return self.voice.name == "staff"

    @property
    def situation(self) -> Situation:
        """Where the case stands."""
        decision = self.facts.decision
        if decision is None:
            return "no_decision"
        if decision.outcome is not None:
            return "decided_by_model" if decision.decided_by == "model" else "decided_by_person"
        if self.superseded_by is not None:
            return "superseded_waiting"
        return "diverted" if decision.was_diverted else "awaiting"

    @property
    def departed(self) -> bool:
        """Whether a person decided otherwise than the program's outcome."""
        return self.facts.decision is not None and self.facts.decision.departed

    @property
    def superseded_by(self) -> str | None:
        """Reference of the decision that replaced this one, or None."""
        return self.facts.superseded_by

    @property
    def decider_role(self) -> str:
        """Who decides, as the card says it: a role, never a name."""
        return self.words(self.facts.card.decider_role)

    @property
    def threshold(self) -> str:
        """The threshold as people see it; empty for several classes, which have none."""
        threshold = self.facts.card.threshold
        return "" if threshold is None else self.numbers.threshold(threshold, self.facts.card.score)

    @property
    def score_label(self) -> str:
        """What pages call the score."""
        return self.words(self.facts.card.score.label)

    @property
    def additive_unit(self) -> str:
        """Name of the unit contributions add up in; only staff read it."""
        card = self.facts.card
        if card.additive_unit == "score" and not isinstance(card.score.unit, str):
            return self.words(card.score.unit)
        return self.say(f"unit.{card.additive_unit_name}")

    def score(self, score: float) -> str:
        """A score as people see it."""
        return self.numbers.score(score, self.facts.card.threshold, self.facts.card.score)

    def exact_score(self, score: float) -> str:
        """A score as people see it, with two digits more."""
        meaning = self.facts.card.score
        return self.numbers.with_unit(self.numbers.decimal(score * meaning.scale, meaning.decimals + 2), meaning)

    def difference(self, difference: float) -> str:
        """A difference of two scores on the scale that people see, with its sign."""
        meaning = self.facts.card.score
        return self.numbers.with_unit(self.numbers.signed(difference * meaning.scale, meaning.decimals + 2), meaning)

    def other_class_scores(self, scored: ScoreNumbers) -> list[tuple[str, float]]:
        """Outcome ids and scores of the classes that are not explained, the highest first."""
        pairs = zip(self.facts.card.outcome_of_class, scored.class_scores, strict=True)
        return sorted(((name, score) for name, score in pairs if name != scored.of_outcome), key=lambda pair: -pair[1])

    def is_past(self, day: date) -> bool:
        """Whether a day was over when this explanation was made, where people live."""
        return day < self.facts.produced_at.astimezone(TIME_ZONE).date()

    def outcome_label(self, outcome: Outcome | str) -> str:
        """The noun for an outcome, given by itself or by its id."""
        found = self.facts.card.outcome(outcome) if isinstance(outcome, str) else outcome
        return self.words(found.label)

    def feature(self, name: str) -> Feature:
        """A feature of the card."""
        return self._features[name]

    def label(self, feature: Feature) -> str:
        """The noun for a feature; only to the person it says whose it is."""
        language = self.facts.language
        return feature.label_for_all(language) if self.for_staff else feature.label(language)

    def source(self, feature: Feature) -> str:
        """Where the card says that a feature comes from."""
        language = self.facts.language
        return feature.source_for_all(language) if self.for_staff else feature.source(language)

    def value(self, feature: Feature) -> str:
        """The person's value of a feature."""
        return self._values[feature.name]

    def ordered_contributions(self) -> tuple[tuple[int, ...], ...]:
        """Positions of the features, strongest contribution first, those of equal strength together; see ties."""
        return self._ordered

    @cached_property
    def _features(self) -> Mapping[str, Feature]:
        return {feature.name: feature for feature in self.facts.card.features}

    @cached_property
    def _values(self) -> Mapping[str, str]:
        # Written once, because three sections tell each of them.
        inputs = self.facts.inputs
        return {name: self.numbers.value(feature, inputs[name]) for name, feature in self._features.items()}

    @cached_property
    def _ordered(self) -> tuple[tuple[int, ...], ...]:
        scored = self.facts.numbers.score_numbers
        if scored is None:
            return ()
        attribution = scored.attribution
        tolerance = tie_tolerance(attribution.tolerance, attribution.method.standard_error)
        return in_order(attribution.contributions, tolerance)

    def shown_counterfactuals(self) -> tuple[Counterfactual, ...]:
        """The counterfactuals worth telling: three at most, more would bury the answer."""
        return self.facts.numbers.recourse.counterfactuals[:MAX_COUNTERFACTUALS]

    def shown_disputed(self) -> tuple[Counterfactual, ...]:
        """What other values of disputable features would have meant, three at most."""
        return self.facts.numbers.recourse.disputed[:MAX_COUNTERFACTUALS]


MAX_COUNTERFACTUALS = 3
"""No audience is told more than three: each one is checked and worth reading."""


def narrator_of(facts: Facts) -> Narrator:
    """Make the narrator for these facts."""
    phrases = phrases_in(facts.language)
    voice = phrases.voice_for(facts.audience)
    return Narrator(facts=facts, voice=voice, numbers=NumberWords(phrases, voice))
