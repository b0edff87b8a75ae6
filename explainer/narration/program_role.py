"""What the program is for, at which step it works, how far its output went, and how and by what law it works."""

from typing import Literal

from explainer.explanations.numbers import ScoreNumbers
from explainer.narration.narrator import ADDITIVE_DECIMALS, Narrator, Situation

Role = Literal["decides", "suggests", "sorts", "calculates"]


def program_role(narrator: Narrator) -> tuple[str, ...]:
    """The program's role in the procedure (AI Act Article 86(1), first limb)."""
    card = narrator.facts.card
    return (
        narrator.say("program_role.purpose", name=narrator.words(card.name), purpose=narrator.words(card.purpose)),
        narrator.say(
            step_phrase(card.role, has_law=card.permitting_law is not None),
            law=narrator.words(card.permitting_law) if card.permitting_law else "",
        ),
        narrator.say(
            weight_phrase(card.role, narrator.situation, departed=narrator.departed),
            decider_role=narrator.decider_role,
            department=narrator.words(card.department),
        ),
        narrator.say("program_role.uses_ai" if card.is_ai else "program_role.uses_no_ai"),
        *_number(narrator),
        narrator.say(
            "program_role.since",
            why_used=narrator.words(card.why_used),
            date=narrator.numbers.date(card.in_use_since),
        ),
        narrator.say(
            "program_role.register",
            register_version=str(narrator.facts.register_version),
            url=register_url(narrator.facts.base_url, narrator.facts.language, card.slug),
        ),
    )


def procedure(narrator: Narrator) -> tuple[str, ...]:
    """Procedure and principles actually applied (CJEU C-203/22), and the legal basis of each."""
    card = narrator.facts.card
    return (
        narrator.words(card.how_it_works),
        *(
            narrator.say("procedure.legal_basis", citation=basis.citation, text=narrator.words(basis.text))
            for basis in card.legal_basis
        ),
    )


def register_url(base_url: str, language: str, slug: str) -> str:
    """Address of the program's public register entry in one language."""
    return f"{base_url.rstrip('/')}/{language}/register/{slug}"


def step_phrase(role: Role, *, has_law: bool) -> str:
    """Key of the sentence that says at which step the program works."""
    if role == "decides" and not has_law:
        return "program_role.step_decides_without_law"
    return f"program_role.step_{role}"


def weight_phrase(role: Role, situation: Situation, *, departed: bool) -> str:
    """Key of the sentence that says how far the program's output determined the decision, and who made it."""
    match situation:
        case "no_decision":
            name = "no_decision"
        case "superseded_waiting":
            name = "superseded_waiting"
        case "awaiting" | "diverted":
            name = "waiting"
        case "decided_by_model":
            name = "model"
        case "decided_by_person":
            by_role: dict[Role, str] = {
                "decides": "person_instead",
                "suggests": "suggestion_departed" if departed else "suggestion_followed",
                "sorts": "sorted",
                "calculates": "calculated",
            }
            name = by_role[role]
    return f"program_role.weight_{name}"


def _number(narrator: Narrator) -> tuple[str, ...]:
    facts = narrator.facts
    card = facts.card
    if facts.numbers.score_numbers is None:
        return (narrator.say("program_role.no_score"),)
    said = [_what_the_number_is(narrator)]
    # For a program that sorts, the outcomes name what persons decide later, so they do not follow from its number.
    if card.role != "sorts" and card.outcome_at_or_above is not None and card.outcome_below is not None:
        said.append(
            narrator.say(
                f"program_role.threshold_{card.role}",
                threshold=narrator.threshold,
                above=narrator.outcome_label(card.outcome_at_or_above),
                below=narrator.outcome_label(card.outcome_below),
            )
        )
    said.append(_persons_number(narrator, facts.numbers.score_numbers))
    return tuple(said)


def _what_the_number_is(narrator: Narrator) -> str:
    card = narrator.facts.card
    key = "program_role.number_per_class" if card.outcome_of_class else "program_role.number"
    meaning = narrator.words(card.score.meaning)
    if isinstance(card.score.unit, str):
        return narrator.say(key, scale=narrator.numbers.count(card.score.scale), meaning=meaning)
    return narrator.say(f"{key}_in_unit", unit=narrator.words(card.score.unit), meaning=meaning)


def _persons_number(narrator: Narrator, scored: ScoreNumbers) -> str:
    facts = narrator.facts
    card = facts.card
    of_class = scored.of_outcome is not None
    same_number = card.additive_unit == "score" and not card.score.is_probability
    kind = "score_of_class" if of_class else "score_in_unit" if same_number else "score"
    said = [
        narrator.say(
            f"program_role.{kind}",
            score_label=narrator.score_label,
            label=narrator.outcome_label(scored.of_outcome) if scored.of_outcome else "",
            score=narrator.score(scored.score),
            exact_score=narrator.exact_score(scored.score),
            **_additive_score(narrator, scored.attribution.additive_score),
        ),
        _other_classes(narrator, scored) if of_class else _side_of_threshold(narrator, scored.score),
    ]
    if facts.rule_after_score is not None:
        said.append(narrator.say("program_role.rule_after"))
    said.append(
        narrator.say(
            "program_role.result" if facts.decision else "program_role.would_result",
            suggested=narrator.words(card.outcome(facts.program_outcome).suggested),
        )
    )
    return " ".join(said)


def _side_of_threshold(narrator: Narrator, score: float) -> str:
    threshold = narrator.facts.card.threshold
    reached = threshold is not None and score >= threshold
    return narrator.say("program_role.reached" if reached else "program_role.below", threshold=narrator.threshold)


def _other_classes(narrator: Narrator, scored: ScoreNumbers) -> str:
    results = [
        narrator.say("value.of_result", label=narrator.outcome_label(outcome), score=narrator.score(score))
        for outcome, score in narrator.other_class_scores(scored)
    ]
    return narrator.say("program_role.other_classes", results=narrator.numbers.listed(results))


def _additive_score(narrator: Narrator, additive_score: float) -> dict[str, str]:
    if not narrator.for_staff:
        return {}
    return {
        "unit": narrator.additive_unit,
        "additive_score": narrator.numbers.signed(additive_score, ADDITIVE_DECIMALS),
    }
