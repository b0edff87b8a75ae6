"""Who decided, what they saw, whether they followed the program, and their own reasons in their words."""

from explainer.narration.narrator import Narrator, Situation


def who_checked(narrator: Narrator) -> tuple[str, ...]:
    """The section's paragraphs; reasons are quoted word for word and never interpreted."""
    decision = narrator.facts.decision
    said = []
    if decision is not None and decision.was_diverted:
        said.append(
            narrator.say("who_checked.diverted" if decision.outcome is None else "who_checked.diverted_decided")
        )
    said.append(
        narrator.say(
            who_phrase(narrator.situation),
            decider_role=narrator.decider_role,
            oversight=narrator.words(narrator.facts.card.oversight),
            new_reference=narrator.superseded_by or "",
        )
    )
    if decision is not None and narrator.situation == "decided_by_person":
        said.append(narrator.say(compared_phrase(narrator.facts.card.role, departed=narrator.departed)))
        said.append(
            narrator.say("who_checked.reasons", reasons=decision.private.reasons)
            if decision.private.reasons
            else narrator.say("who_checked.reasons_missing")
        )
    return tuple(said)


def who_phrase(situation: Situation) -> str:
    """Key of the sentence that says who checked."""
    names: dict[Situation, str] = {
        "decided_by_person": "person",
        "decided_by_model": "model",
        "awaiting": "awaiting",
        "diverted": "awaiting",
        "superseded_waiting": "superseded_waiting",
        "no_decision": "no_decision",
    }
    return f"who_checked.{names[situation]}"


def compared_phrase(role: str, *, departed: bool) -> str:
    """Key of the sentence that compares the person's decision with the program's result."""
    return f"who_checked.{'departed' if departed else 'followed'}_{role}"
