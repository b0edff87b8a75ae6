"""How far the score can be trusted, and where the program's limits are."""

import math
from datetime import date

from explainer.explanations.document import ReliabilityPart, SimilarCasesPart, SpreadPart, StabilityPart
from explainer.explanations.numbers import ScoreNumbers
from explainer.explanations.reliability import CalibratedCount
from explainer.explanations.similar_cases import SimilarCases
from explainer.explanations.stability import Stability
from explainer.narration.narrator import ADDITIVE_DECIMALS, Narrator
from models.card import ModelCard

DISTANCE_DECIMALS = 1
"""Digits of distances in typical spreads; more would promise a precision that nobody needs."""


def reliability_part(narrator: Narrator) -> ReliabilityPart | None:
    """The numbers about reliability, or None where a rule decided and nothing was estimated."""
    scored = narrator.facts.numbers.score_numbers
    if scored is None:
        return None
    reliability = scored.reliability
    calibrated = reliability.calibrated
    return ReliabilityPart(
        favourable_per_100=calibrated.favourable_per_100 if calibrated else None,
        low_per_100=calibrated.low_per_100 if calibrated else None,
        high_per_100=calibrated.high_per_100 if calibrated else None,
        n=calibrated.n if calibrated else None,
        as_of=calibrated.as_of if calibrated else None,
        distance_to_threshold=reliability.distance_to_threshold,
        near_threshold=reliability.near_threshold,
        outside_background=reliability.outside_background,
        background_gap=reliability.background_gap,
        similar=_similar_part(reliability.similar),
        stability=_stability_part(narrator, reliability.stability),
    )


def _similar_part(similar: SimilarCases | None) -> SimilarCasesPart | None:
    if similar is None:
        return None
    return SimilarCasesPart(
        rows=similar.rows,
        weight=similar.weight,
        same_outcome_per_100=similar.same_outcome_per_100,
        distance=similar.distance,
        usual_distance=similar.usual_distance,
        rare=similar.rare,
    )


def _stability_part(narrator: Narrator, stability: Stability | None) -> StabilityPart | None:
    if stability is None:
        return None
    names = narrator.facts.card.feature_names
    return StabilityPart(
        blocks=stability.blocks,
        same_top_reason=stability.same_top_reason,
        spreads=tuple(
            SpreadPart(feature=names[position], spread=stability.spreads[position])
            for group in narrator.ordered_contributions()
            for position in group
        ),
    )


def reliability_words(narrator: Narrator) -> tuple[str, ...]:
    """The section's paragraphs."""
    card = narrator.facts.card
    limits = [narrator.words(limit) for limit in card.limits]
    return (
        *_about_the_score(narrator),
        *((narrator.say("reliability.limits_intro"), *limits) if limits else ()),
        narrator.say("reliability.equal_treatment", equal_treatment=narrator.words(card.equal_treatment)),
    )


def _about_the_score(narrator: Narrator) -> list[str]:
    scored = narrator.facts.numbers.score_numbers
    if scored is None:
        return [narrator.say("reliability.rule_is_certain")]
    reliability = scored.reliability
    said = [_near(narrator, scored)] if reliability.near_threshold else []
    outside = [
        narrator.say("value.quoted", text=narrator.label(narrator.feature(name)))
        for name in reliability.outside_background
    ]
    if outside:
        said.append(narrator.say_count("reliability.outside", len(outside), labels=narrator.numbers.listed(outside)))
    similar = reliability.similar
    if similar is not None and similar.rare:
        said.append(_rare(narrator, similar))
    said += _tested(narrator, reliability.calibrated)
    said.append(narrator.say("reliability.evaluation", about=narrator.words(narrator.facts.evaluation.about)))
    if similar is not None:
        said.append(_similar(narrator, similar))
    said += _stability(narrator, reliability.stability)
    if narrator.for_staff:
        in_unit = "" if narrator.facts.card.score.is_probability else "_in_unit"
        gap = narrator.difference(reliability.background_gap)
        said.append(narrator.say(f"reliability.background_gap{in_unit}", gap=gap))
    return said


def near_phrase(card: ModelCard) -> str:
    """Key of the sentence that says how little it takes to change the result."""
    return "reliability.near_other_class" if card.threshold is None else "reliability.near_threshold"


def _near(narrator: Narrator, scored: ScoreNumbers) -> str:
    next_best = narrator.other_class_scores(scored)
    return narrator.say(
        near_phrase(narrator.facts.card),
        threshold=narrator.threshold,
        label=narrator.outcome_label(next_best[0][0]) if next_best else "",
        distance=narrator.difference(scored.reliability.distance_to_threshold),
    )


def _tested(narrator: Narrator, count: CalibratedCount | None) -> list[str]:
    if count is not None:
        return [_calibrated(narrator, count)]
    evaluation, numbers = narrator.facts.evaluation, narrator.numbers
    if evaluation.calibration:
        return [narrator.say("reliability.not_calibrated")]
    said = [narrator.say("reliability.not_counted")]
    tested = {"n": numbers.count(evaluation.n), "as_of": numbers.date(evaluation.as_of)}
    if evaluation.accuracy is not None:
        said.append(narrator.say("reliability.right_overall", **tested, count=numbers.count(evaluation.accuracy * 100)))
    if evaluation.mean_absolute_error is not None:
        error = narrator.exact_score(evaluation.mean_absolute_error)
        said.append(narrator.say("reliability.mean_error", **tested, error=error))
    return said


def _calibrated(narrator: Narrator, count: CalibratedCount) -> str:
    # The program's own outcome first: a person whom it put with the refusals asks how often that is right.
    mine, other = sorted(narrator.facts.card.outcomes, key=lambda outcome: outcome.id != narrator.facts.program_outcome)
    favourable = round(count.favourable_per_100)
    # Rounded outwards, so that the range people read is never narrower than the one that was measured.
    low, high = math.floor(count.low_per_100), math.ceil(count.high_per_100)
    if not mine.favourable:
        favourable, low, high = 100 - favourable, 100 - high, 100 - low
    return narrator.say(
        "reliability.calibrated",
        n=narrator.numbers.count(count.n),
        as_of=narrator.numbers.date(date.fromisoformat(count.as_of)),
        count=narrator.numbers.count(favourable),
        label=narrator.outcome_label(mine),
        other_count=narrator.numbers.count(100 - favourable),
        other_label=narrator.outcome_label(other),
        low=narrator.numbers.count(low),
        high=narrator.numbers.count(high),
    )


def _rare(narrator: Narrator, similar: SimilarCases) -> str:
    distances = {
        "distance": narrator.numbers.decimal(similar.distance, DISTANCE_DECIMALS),
        "usual_distance": narrator.numbers.decimal(similar.usual_distance, DISTANCE_DECIMALS),
    }
    return narrator.say("reliability.rare", **(distances if narrator.for_staff else {}))


def _similar(narrator: Narrator, similar: SimilarCases) -> str:
    numbers = narrator.numbers
    depth = {
        "rows": numbers.count(similar.rows),
        "weight": numbers.count(similar.weight),
        "distance": numbers.decimal(similar.distance, DISTANCE_DECIMALS),
    }
    count = numbers.count(similar.same_outcome_per_100)
    return narrator.say("reliability.similar", count=count, **(depth if narrator.for_staff else {}))


def _stability(narrator: Narrator, stability: Stability | None) -> list[str]:
    if stability is None:
        return [narrator.say("reliability.stability_not_computed")]
    spread = narrator.numbers.decimal(max(stability.spreads), ADDITIVE_DECIMALS)
    said = narrator.say(
        "reliability.stable",
        blocks=narrator.numbers.count(stability.blocks),
        count=narrator.numbers.count(stability.same_top_reason),
        **({"spread": spread, "unit": narrator.additive_unit} if narrator.for_staff else {}),
    )
    return [said] if stability.certain else [said, narrator.say("reliability.order_uncertain")]
