"""Facts in, finished explanation document out: every number, every sentence, and the checklist's own verdict."""

from explainer.explanations.document import (
    ClassScore,
    DecisionPart,
    ExplanationDocument,
    Method,
    ModelRef,
    Rule,
    Score,
    Section,
    Text,
)
from explainer.narration.checklist import evaluate_checklist, refuse_unmet
from explainer.narration.counterfactual_words import (
    counterfactual_paragraphs,
    counterfactual_part,
    no_counterfactual_part,
)
from explainer.narration.data_words import data_items, data_paragraphs, unused_inputs
from explainer.narration.factors import contributions, factors
from explainer.narration.facts import Facts
from explainer.narration.in_short import in_short, title
from explainer.narration.interaction_words import interaction_paragraphs, interaction_parts, no_interactions_part
from explainer.narration.narrator import Narrator, narrator_of
from explainer.narration.program_role import procedure, program_role
from explainer.narration.reliability_words import reliability_part, reliability_words
from explainer.narration.rights import rights
from explainer.narration.small_print import small_print
from explainer.narration.who_checked import who_checked


def build_document(facts: Facts) -> ExplanationDocument:
    """Build the explanation for one audience in one language.

    Args:
        facts: Everything it is built from.

    Returns:
        The document with its checklist evaluated on its own text; ``require_checklist`` decides whether it may leave.
    """
    narrator = narrator_of(facts)
    document = _unchecked(narrator)
    return document.model_copy(update={"checklist": evaluate_checklist(document, facts.card)})


def build_checked_document(facts: Facts) -> ExplanationDocument:
    """Build an explanation that may leave.

    Args:
        facts: Everything it is built from.

    Returns:
        The document; everything the law asks for is in it.

    Raises:
        ChecklistError: If something is not; names every item.
    """
    document = build_document(facts)
    refuse_unmet(document.checklist)
    return document


def _unchecked(narrator: Narrator) -> ExplanationDocument:
    facts = narrator.facts
    decision = facts.decision
    scored = facts.numbers.score_numbers
    attribution = scored.attribution if scored else None
    ordered = contributions(narrator)
    told = tuple(counterfactual_part(narrator, found) for found in narrator.shown_counterfactuals())
    disputed = tuple(counterfactual_part(narrator, found) for found in narrator.shown_disputed())
    none = no_counterfactual_part(narrator)
    interactions, no_interactions = interaction_parts(narrator), no_interactions_part(narrator)
    items = data_items(narrator)
    paragraphs = {
        "in_short": in_short(narrator),
        "program_role": program_role(narrator),
        "factors": factors(narrator, ordered),
        "interactions": interaction_paragraphs(narrator, interactions, no_interactions),
        "counterfactual": counterfactual_paragraphs(narrator, told, none, disputed),
        "data": data_paragraphs(narrator, items),
        "who_checked": who_checked(narrator),
        "reliability": reliability_words(narrator),
        "procedure": procedure(narrator),
        "what_you_can_do": rights(narrator),
        "small_print": small_print(narrator),
    }
    return ExplanationDocument(
        id=facts.id,
        decision=_decision_part(facts),
        register_version=facts.register_version,
        model=ModelRef(slug=facts.model.slug, version=facts.model.version, sha256=facts.model.sha256),
        audience=facts.audience,
        language=facts.language,
        produced_at=facts.produced_at,
        decided_by=decision.decided_by if decision else None,
        outcome=decision.outcome if decision else facts.program_outcome,
        threshold=facts.card.threshold,
        score=_score(facts),
        expected_value=attribution.expected_value if attribution else None,
        unit=facts.card.additive_unit_name,
        contributions=ordered,
        interactions=interactions,
        no_interactions=no_interactions,
        additivity_gap=attribution.additivity_gap if attribution else None,
        additivity_tolerance=attribution.tolerance if attribution else None,
        method=_method(facts),
        background=facts.background,
        rules=_rules(narrator),
        counterfactuals=told,
        no_counterfactual=none,
        disputed=disputed,
        reliability=reliability_part(narrator),
        limits=tuple(narrator.words(limit) for limit in facts.card.limits),
        data=items,
        unused_inputs=unused_inputs(narrator),
        reasons=decision.private.reasons if decision else None,
        text=Text(
            title=title(narrator),
            sections=tuple(
                Section(id=name, heading=narrator.say(f"heading.{name}"), paragraphs=said)
                for name, said in paragraphs.items()
                if said or name != "interactions"
            ),
        ),
        checklist={},
    )


def _decision_part(facts: Facts) -> DecisionPart | None:
    decision = facts.decision
    if decision is None:
        return None
    return DecisionPart(
        reference=decision.reference,
        status=str(decision.status),
        decided_at=decision.decided_at,
        model_outcome=decision.model_outcome,
        departed=decision.departed,
        diverted=decision.was_diverted,
        superseded_by=facts.superseded_by,
    )


def _score(facts: Facts) -> Score | None:
    scored, card = facts.numbers.score_numbers, facts.card
    if scored is None:
        return None
    # A probability is that of one outcome; a number of euros or points is nobody's.
    upper = card.outcome_at_or_above if card.score.is_probability else None
    return Score(
        value=scored.score,
        unit=card.score.unit_name,
        additive_value=scored.attribution.additive_score,
        of_outcome=scored.of_outcome or upper,
        of_classes=tuple(
            ClassScore(outcome=outcome, value=score)
            for outcome, score in zip(card.outcome_of_class, scored.class_scores, strict=True)
        ),
    )


def _method(facts: Facts) -> Method | None:
    scored = facts.numbers.score_numbers
    if scored is None:
        return None
    method = scored.attribution.method
    return Method(
        name=method.name,
        exact=method.exact,
        standard_error=method.standard_error,
        stopped=method.stopped_because,
        engine_version=method.engine_version,
    )


def _rules(narrator: Narrator) -> tuple[Rule, ...]:
    fired = dict(narrator.facts.numbers.rules_fired)
    return tuple(
        Rule(id=rule.id, citation=rule.citation, sentence=narrator.words(rule.sentence), fired=fired[rule.id])
        for rule in narrator.facts.card.rules
    )
