"""Numbers and checksums that tie an explanation to its decision, its model version and the log."""

from explainer.explanations.numbers import ScoreNumbers
from explainer.narration.narrator import ADDITIVE_DECIMALS, Narrator

CHECKSUM_SIGNS = 16
"""Signs of the model's SHA-256 that people are shown: 64 bits, enough to compare by eye."""


def small_print(narrator: Narrator) -> tuple[str, ...]:
    """The section's paragraphs."""
    facts = narrator.facts
    said = [
        narrator.say(
            "small_print.explanation",
            id=facts.id,
            date=narrator.numbers.date(facts.produced_at),
            time=narrator.numbers.time(facts.produced_at),
        )
    ]
    if facts.decision is not None:
        said.append(narrator.say("small_print.decision", reference=facts.decision.reference))
    said.append(
        narrator.say(
            "small_print.model",
            name=narrator.words(facts.card.name),
            version=facts.model.version,
            slug=facts.model.slug,
            sha256=facts.model.sha256,
            sha256_start=facts.model.sha256[:CHECKSUM_SIGNS],
        )
    )
    scored = facts.numbers.score_numbers
    if scored is not None:
        said += _method(narrator, scored)
    if narrator.for_staff:
        said += _depth(narrator)
    said.append(narrator.say("small_print.logged", id=facts.id))
    return tuple(said)


def _method(narrator: Narrator, scored: ScoreNumbers) -> list[str]:
    attribution = scored.attribution
    method = attribution.method
    said = [
        narrator.say(
            "small_print.exact" if method.exact else "small_print.sampled",
            method=method.name,
            engine_version=method.engine_version,
            standard_error=f"{method.standard_error or 0:.1e}",
            gap=f"{attribution.additivity_gap:.1e}",
            tolerance=f"{attribution.tolerance:.1e}",
        )
    ]
    if narrator.for_staff:
        said.append(
            narrator.say(
                "small_print.expected_value",
                expected_value=narrator.numbers.signed(attribution.expected_value, ADDITIVE_DECIMALS),
                additive_score=narrator.numbers.signed(attribution.additive_score, ADDITIVE_DECIMALS),
                unit=narrator.additive_unit,
            )
        )
    return said


def _depth(narrator: Narrator) -> list[str]:
    facts = narrator.facts
    background = facts.background
    said = [
        narrator.say(
            "small_print.background",
            name=background.name,
            rows=narrator.numbers.count(background.rows),
            total_weight=narrator.numbers.count(background.total_weight),
            sha256=background.sha256,
        )
    ]
    fired = dict(facts.numbers.rules_fired)
    checked = [
        narrator.say(
            "small_print.rule_applied" if fired[rule.id] else "small_print.rule_not_applied",
            label=narrator.words(rule.label),
            citation=rule.citation,
        )
        for rule in facts.card.rules
    ]
    if checked:
        said.append(narrator.say("small_print.rules_checked", rules="; ".join(checked)))
    return said
