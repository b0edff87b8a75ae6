"""The three things everybody needs first: the result and who decided, what the program did, what one can do now."""

from explainer.narration.narrator import Narrator

MONEY_DOMAINS = frozenset(
    {"subsidies, benefits and allowances", "finance", "taxes", "housing, living and living environment"}
)
"""Domains (Algorithmic Transparency Standard) in which a decision is about the person's money."""


def title(narrator: Narrator) -> str:
    """The document's title: for the subject, their own question."""
    decision = narrator.facts.decision
    if decision is None:
        return narrator.say("title.no_decision")
    key = "title.waiting" if decision.outcome is None else "title.decided"
    return narrator.say(key, reference=decision.reference)


def in_short(narrator: Narrator) -> tuple[str, ...]:
    """Three points at most."""
    points = (_result(narrator), _program(narrator), _next_step(narrator))
    return tuple(point for point in points if point)


def _result(narrator: Narrator) -> str:
    decision = narrator.facts.decision
    situation = narrator.situation
    if decision is None:
        return narrator.say("in_short.no_decision")
    if decision.outcome is None or decision.decided_at is None:
        return narrator.say(
            f"in_short.{situation}",
            decider_role=narrator.decider_role,
            new_reference=narrator.superseded_by or "",
        )
    result = narrator.say(
        f"in_short.{situation}",
        decided=narrator.words(narrator.facts.card.outcome(decision.outcome).decided),
        decider_role=narrator.decider_role,
        date=narrator.numbers.date(decision.decided_at),
    )
    if narrator.superseded_by is None:
        return result
    return narrator.say("in_short.superseded", new_reference=narrator.superseded_by) + " " + result


def _program(narrator: Narrator) -> str:
    facts = narrator.facts
    said = narrator.say(
        f"in_short.{_program_phrase(narrator)}",
        suggested=narrator.words(facts.card.outcome(facts.program_outcome).suggested),
    )
    if facts.deciding_rule is None:
        return said
    return said + " " + narrator.say("in_short.rule_decided")


def _program_phrase(narrator: Narrator) -> str:
    if narrator.facts.decision is None:
        return "program_would"
    match narrator.facts.card.role:
        case "decides":
            return "program_decides" if narrator.situation == "decided_by_model" else "program_prepares"
        case "sorts":
            return "program_sorts_money" if narrator.facts.card.domain in MONEY_DOMAINS else "program_sorts"
        case role:
            return f"program_{role}"


def _next_step(narrator: Narrator) -> str:
    phone = narrator.facts.card.contact.phone
    decision = narrator.facts.decision
    if decision is None:
        return ""
    if narrator.superseded_by is not None:
        return narrator.say("in_short.remedy_superseded", phone=phone)
    if decision.outcome is None:
        return narrator.say("in_short.remedy_waiting", phone=phone)
    remedy = decision.private.remedy
    if remedy is None:
        return narrator.say("in_short.remedy_unknown", phone=phone)
    if remedy.until is None:
        return narrator.say("in_short.remedy_given", phone=phone)
    key = "in_short.remedy_ended" if narrator.is_past(remedy.until) else "in_short.remedy_until"
    return narrator.say(key, until=narrator.numbers.date(remedy.until), phone=phone)
