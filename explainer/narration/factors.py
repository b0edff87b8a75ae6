"""Which of the person's details moved the score, or which rule of the law applied instead."""

from collections.abc import Sequence
from itertools import accumulate
from typing import get_args

from explainer.explanations.document import Contribution, Direction
from explainer.explanations.document_bytes import QUANTUM_DIGITS
from explainer.explanations.strength import StrengthClass
from explainer.narration.narrator import ADDITIVE_DECIMALS, Narrator
from models.statutory_rules import StatutoryRule

MAX_FACTORS = 5
"""More sentences than this are not read; what is left out is counted."""


def contributions(narrator: Narrator) -> tuple[Contribution, ...]:
    """All contributions with their sentences, strongest first; equal ones in card order and with one strength."""
    scored = narrator.facts.numbers.score_numbers
    if scored is None:
        return ()
    return tuple(
        _contribution(
            narrator, position, scored.attribution.contributions[position], _strongest(scored.strengths, group)
        )
        for group in narrator.ordered_contributions()
        for position in group
    )


def _strongest(strengths: Sequence[StrengthClass], group: Sequence[int]) -> StrengthClass:
    # Of two that are called equally strong, one must not be "clear" and the other "slight" by a hair's breadth.
    return min((strengths[position] for position in group), key=get_args(StrengthClass).index)


def _contribution(narrator: Narrator, position: int, contribution: float, strength: StrengthClass) -> Contribution:
    feature = narrator.facts.card.features[position]
    direction = _direction(contribution)
    value_text = narrator.value(feature)
    return Contribution(
        feature=feature.name,
        label=narrator.label(feature),
        value=narrator.facts.inputs[feature.name],
        value_text=value_text,
        contribution=contribution,
        direction=direction,
        strength=strength,
        sentence=narrator.say(
            _sentence_phrase(direction, strength),
            label=narrator.label(feature),
            value=value_text,
            **_raw(narrator, contribution),
        ),
    )


def factors(narrator: Narrator, ordered: Sequence[Contribution]) -> tuple[str, ...]:
    """The main factors as sentences, how many are left, and what the explanation does not say.

    Args:
        narrator: Tells it.
        ordered: All contributions, strongest first; empty where a statutory rule decided before the score.

    Returns:
        Paragraphs; each factor is a paragraph of its own, equal to its contribution's sentence.
    """
    rule = narrator.facts.applied_rule
    if not ordered:
        return _rule(narrator, rule) if rule else ()
    told = _worth_telling(narrator, ordered)
    said = [_intro(narrator, len(told)), _what_is_better(narrator)]
    if told[0].strength == "negligible":
        said = [narrator.say("factors.none_stood_out")]
    said += [part.sentence for part in told]
    said += _ties(narrator, told)
    said += _counted(narrator, ordered[len(told) :])
    said.append(narrator.say("factors.says_not"))
    if narrator.situation == "decided_by_person":
        said.append(narrator.say("factors.not_the_grounds"))
    if rule:
        said += _rule(narrator, rule)
    return tuple(said)


def _worth_telling(narrator: Narrator, ordered: Sequence[Contribution]) -> Sequence[Contribution]:
    strong_enough = [part for part in ordered if part.strength != "negligible"]
    # With nothing above negligible the largest is still named: a person may ask what counted most.
    if not strong_enough:
        return ordered[:1]
    # Of equally strong ones none is left out because only so many are told.
    ends = accumulate(len(group) for group in narrator.ordered_contributions())
    return strong_enough[: next((end for end in ends if end >= MAX_FACTORS), MAX_FACTORS)]


def _ties(narrator: Narrator, told: Sequence[Contribution]) -> list[str]:
    names = narrator.facts.card.feature_names
    shown = {part.feature: narrator.say("value.quoted", text=part.label) for part in told}
    tied = [
        [shown[names[position]] for position in group if names[position] in shown]
        for group in narrator.ordered_contributions()
    ]
    return [narrator.say("factors.tied", labels=narrator.numbers.listed(labels)) for labels in tied if len(labels) > 1]


def _counted(narrator: Narrator, left: Sequence[Contribution]) -> list[str]:
    smaller = sum(1 for part in left if part.strength != "negligible")
    groups = (("factors.smaller", smaller), ("factors.remaining", len(left) - smaller))
    return [narrator.say_count(key, count) for key, count in groups if count]


def _intro(narrator: Narrator, told: int) -> str:
    scored = narrator.facts.numbers.score_numbers
    if scored is None or not narrator.for_staff:
        return narrator.say_count("factors.intro", told)
    return narrator.say_count(
        "factors.intro",
        told,
        expected_value=narrator.numbers.signed(scored.attribution.expected_value, ADDITIVE_DECIMALS),
        unit=narrator.additive_unit,
    )


def _what_is_better(narrator: Narrator) -> str:
    card, scored = narrator.facts.card, narrator.facts.numbers.score_numbers
    if card.outcome_at_or_above is None:
        label = narrator.outcome_label(scored.of_outcome) if scored and scored.of_outcome else ""
        return narrator.say("factors.higher_speaks_for", label=label)
    higher = card.outcome(card.outcome_at_or_above).favourable
    return narrator.say("factors.higher_is_better" if higher else "factors.lower_is_better")


def _rule(narrator: Narrator, rule: StatutoryRule) -> tuple[str, ...]:
    read = [feature for feature in narrator.facts.card.features if feature.name in rule.feature_names]
    return (
        narrator.say("factors.rule", sentence=narrator.words(rule.sentence), citation=rule.citation),
        *(
            narrator.say("factors.rule_value", label=narrator.label(feature), value=narrator.value(feature))
            for feature in read
        ),
        narrator.say("factors.rule_ignores_rest"),
    )


def _direction(contribution: float) -> Direction:
    rounded = round(contribution, QUANTUM_DIGITS)
    if rounded == 0:
        return "none"
    return "raised" if rounded > 0 else "lowered"


def _sentence_phrase(direction: Direction, strength: str) -> str:
    if direction == "none":
        return "factors.no_influence"
    if strength == "negligible":
        return "factors.negligible"
    return f"factors.{strength}_{direction}"


def _raw(narrator: Narrator, contribution: float) -> dict[str, str]:
    if not narrator.for_staff:
        return {}
    return {
        "contribution": narrator.numbers.signed(contribution, ADDITIVE_DECIMALS),
        "unit": narrator.additive_unit,
    }
