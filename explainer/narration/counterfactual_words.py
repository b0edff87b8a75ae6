"""What would have changed the program's result, or the honest reason why nothing is offered."""

from explainer.explanations.counterfactual import Counterfactual, NoCounterfactual
from explainer.explanations.document import ChangePart, CounterfactualPart, NoCounterfactualPart
from explainer.narration.narrator import Narrator
from explainer.narration.number_words import MAX_DECIMALS
from models.outcomes import more_favourable


def counterfactual_part(narrator: Narrator, counterfactual: Counterfactual) -> CounterfactualPart:
    """One counterfactual with its sentence."""
    changes = []
    for change in counterfactual.changes:
        feature = narrator.feature(change.feature)
        before, after = narrator.numbers.value_pair(feature, change.before, change.after)
        changes.append(
            ChangePart(
                feature=change.feature,
                label=narrator.label(feature),
                from_=change.before,
                to=change.after,
                from_text=before,
                to_text=after,
            )
        )
    said = " ".join(
        narrator.say("counterfactual.change", label=change.label, after=change.to_text, before=change.from_text)
        for change in changes
    )
    return CounterfactualPart(
        changes=tuple(changes),
        score=counterfactual.score,
        outcome=counterfactual.outcome,
        fewest_changes_proven=counterfactual.fewest_changes_proven,
        sentence=narrator.say_count(
            "counterfactual.example", len(changes), changes=said, result=_result(narrator, counterfactual)
        ),
    )


def no_counterfactual_part(narrator: Narrator) -> NoCounterfactualPart | None:
    """Why there is no counterfactual, or None where there is one."""
    none = narrator.facts.numbers.recourse.none
    if none is None:
        return None
    sentence = narrator.say(f"counterfactual.{_reason_phrase(narrator, none)}")
    if none.reason == "none_found":
        sentence += _how_far_away(narrator, none)
    return NoCounterfactualPart(reason=none.reason, proven=none.proven, sentence=sentence)


def _how_far_away(narrator: Narrator, none: NoCounterfactual) -> str:
    """How near the best change comes to the threshold; else how far away the person's own number is."""
    numbers, threshold = narrator.facts.numbers, narrator.facts.card.threshold
    # Where a rule decided, the number did not.
    if numbers.score_numbers is None or threshold is None or any(fired for _, fired in numbers.rules_fired):
        return ""
    own = numbers.score_numbers.score
    key, score = "own_distance", own
    # Nearer by less than is printed would be told as the person's own number.
    if none.closest_score is not None and narrator.score(none.closest_score) != narrator.score(own):
        key, score = "closest", none.closest_score
    return " " + narrator.say(
        f"counterfactual.{key}",
        score=narrator.score(score),
        threshold=narrator.threshold,
        distance=_distance(narrator, score, threshold),
    )


def _distance(narrator: Narrator, score: float, threshold: float) -> str:
    """What lies between two numbers as they are printed, so that readers who subtract them find the same."""
    meaning = narrator.facts.card.score
    limit = round(threshold * meaning.scale, MAX_DECIMALS)
    shown = round(score * meaning.scale, meaning.decimals)
    gap = abs(shown - limit)
    if not gap or (score >= threshold) != (shown >= limit):
        return narrator.say("value.less_than", number=_in_points(narrator, 10.0**-meaning.decimals))
    return _in_points(narrator, gap)


def _in_points(narrator: Narrator, gap: float) -> str:
    meaning = narrator.facts.card.score
    text = narrator.numbers.threshold(gap / meaning.scale, meaning)
    if not meaning.is_probability:
        return text
    point = narrator.say(f"counterfactual.{'point' if gap == 1 else 'points'}")
    return narrator.say("value.with_unit", number=text, unit=point)


def counterfactual_paragraphs(
    narrator: Narrator,
    told: tuple[CounterfactualPart, ...],
    none: NoCounterfactualPart | None,
    disputed: tuple[CounterfactualPart, ...],
) -> tuple[str, ...]:
    """The section's paragraphs; each counterfactual is one, equal to its sentence."""
    said = [none.sentence] if none else []
    if told and len(told[0].changes) > 1 and told[0].fewest_changes_proven:
        said.append(narrator.say("counterfactual.no_single_change"))
    said += [part.sentence for part in told]
    if disputed:
        said.append(narrator.say("counterfactual.disputed_intro"))
        said += [part.sentence for part in disputed]
    if told or disputed:
        said.append(narrator.say("counterfactual.not_a_promise"))
        if narrator.situation == "decided_by_person":
            said.append(narrator.say("counterfactual.person_decides"))
    return tuple(said)


def _reason_phrase(narrator: Narrator, none: NoCounterfactual) -> str:
    if none.reason == "nothing_actionable":
        # Details that could be changed may still not count, above all where a rule of the law decided.
        changeable = any(feature.actionable is not None for feature in narrator.facts.card.features)
        return "nothing_actionable_matters" if changeable else "nothing_actionable"
    # Of several classes only better ones are looked for, as long as there are better ones.
    facts = narrator.facts
    better = facts.card.outcome_of_class and more_favourable(facts.card.outcomes, facts.program_outcome)
    return f"none_found{'_better' if better else ''}{'_proven' if none.proven else ''}"


def _result(narrator: Narrator, counterfactual: Counterfactual) -> str:
    outcome = narrator.facts.card.outcome(counterfactual.outcome)
    values = {"outcome": narrator.outcome_label(outcome), "suggested": narrator.words(outcome.suggested)}
    role = narrator.facts.card.role
    if counterfactual.score is None:
        return narrator.say(f"counterfactual.result_rule_{role}", **values)
    kind = "class" if narrator.facts.card.outcome_of_class else "score"
    return narrator.say(f"counterfactual.result_{kind}_{role}", score=narrator.score(counterfactual.score), **values)
