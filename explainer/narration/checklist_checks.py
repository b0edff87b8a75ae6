"""One check for each item of the legal checklist. A check reads the rendered text, not the code that made it."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

from explainer.explanations.document import (
    ChecklistResult,
    Contribution,
    ExplanationDocument,
    ReliabilityPart,
)
from explainer.explanations.document_bytes import QUANTUM_DIGITS
from explainer.explanations.stability import is_certain
from explainer.explanations.ties import in_order, tie_tolerance
from explainer.narration.program_role import step_phrase, weight_phrase
from explainer.narration.reliability_words import near_phrase
from explainer.narration.rendered_text import RenderedText
from explainer.narration.small_print import CHECKSUM_SIGNS
from explainer.narration.who_checked import compared_phrase, who_phrase

MET: ChecklistResult = "met"
NOT_MET: ChecklistResult = "not_met"
NOT_APPLICABLE: ChecklistResult = "not_applicable"


def _role(text: RenderedText) -> ChecklistResult:
    card = text.card
    return _met(
        text.document.model.slug == card.slug
        and text.shows("program_role", text.words(card.name), text.words(card.purpose))
        and text.shows("program_role", f"/register/{card.slug}", str(text.document.register_version))
    )


def _step(text: RenderedText) -> ChecklistResult:
    law = text.card.permitting_law
    key = step_phrase(text.card.role, has_law=law is not None)
    return _met(text.says("program_role", key, law=text.words(law) if law else ""))


def _weight(text: RenderedText) -> ChecklistResult:
    card = text.card
    key = weight_phrase(card.role, text.situation, departed=text.departed)
    return _met(
        text.says(
            "program_role", key, decider_role=text.words(card.decider_role), department=text.words(card.department)
        )
    )


def _oversight(text: RenderedText) -> ChecklistResult:
    card = text.card
    situation = text.situation
    said = text.says(
        "who_checked",
        who_phrase(situation),
        decider_role=text.words(card.decider_role),
        oversight=text.words(card.oversight),
        new_reference=text.superseded_by,
    )
    if situation == "decided_by_person":
        said = said and text.says("who_checked", compared_phrase(card.role, departed=text.departed))
        reasons = text.document.reasons
        said = said and (
            text.shows("who_checked", reasons) if reasons else text.says("who_checked", "who_checked.reasons_missing")
        )
    return _met(said)


def _result(text: RenderedText) -> ChecklistResult:
    outcome = text.document.outcome
    situation = text.situation
    if situation == "no_decision":
        return _met(text.says("in_short", "in_short.no_decision"))
    if outcome is not None:
        return _met(text.shows("in_short", text.words(text.card.outcome(outcome).decided)))
    return _met(
        text.says(
            "in_short",
            f"in_short.{situation}",
            decider_role=text.words(text.card.decider_role),
            new_reference=text.superseded_by,
        )
    )


def _factors(text: RenderedText) -> ChecklistResult:
    document = text.document
    if document.score is None:
        return _met(
            not document.contributions
            and any(rule.fired and text.shows("factors", rule.sentence, rule.citation) for rule in document.rules)
        )
    sentences = {part.sentence for part in document.contributions}
    said = [paragraph for paragraph in text.paragraphs("factors") if paragraph in sentences]
    told = document.contributions[: len(said)]
    return _met(
        _adds_up(document)
        and _strongest_first(document)
        and bool(said)
        # The told ones are the first ones in their order: nothing strong is passed over.
        and said == [part.sentence for part in told]
        and all(part.value_text in part.sentence and part.label in part.sentence for part in told)
        and _ties_are_told(text, told)
    )


def _ties_are_told(text: RenderedText, told: Sequence[Contribution]) -> bool:
    """Of equally strong ones that are told it is said that they are."""
    if told[0].strength == "negligible":
        return True
    groups = in_order([part.contribution for part in told], _tie_tolerance(text.document))
    quoted = [text.numbers.voice.say("value.quoted", text=part.label) for part in told]
    return all(
        text.says("factors", "factors.tied", labels=text.numbers.listed([quoted[place] for place in group]))
        for group in groups
        if len(group) > 1
    )


def _strongest_first(document: ExplanationDocument) -> bool:
    """Nothing that is stronger by more than a tie allows stands behind something weaker."""
    sizes = [abs(part.contribution) for part in document.contributions]
    still_to_come = list(accumulate(reversed(sizes), max))[::-1]
    tolerance = _tie_tolerance(document) + 10.0**-QUANTUM_DIGITS
    return all(later - size <= tolerance for size, later in zip(sizes, still_to_come, strict=True))


def _tie_tolerance(document: ExplanationDocument) -> float:
    standard_error = document.method.standard_error if document.method else None
    return tie_tolerance(document.additivity_tolerance or 0.0, standard_error)


def _adds_up(document: ExplanationDocument) -> bool:
    if document.score is None or document.expected_value is None:
        return False
    if document.additivity_gap is None or document.additivity_tolerance is None:
        return False
    total = document.expected_value + math.fsum(part.contribution for part in document.contributions)
    # Each number of the document is rounded to 1e-9.
    rounding = (len(document.contributions) + 3) * 10.0**-QUANTUM_DIGITS
    return (
        abs(document.score.additive_value - total) <= document.additivity_tolerance + rounding
        and abs(document.additivity_gap) <= document.additivity_tolerance + rounding
    )


def _data(text: RenderedText) -> ChecklistResult:
    document = text.document
    items = {item.feature: item for item in document.data}
    paragraphs = text.paragraphs("data")
    listed = set(items) == set(text.card.feature_names) and all(
        any(item.label in said and item.value_text in said and item.source in said for said in paragraphs)
        for item in document.data
        if item.source
    )
    with_source = all(item.source for item in document.data)
    return _met(listed and with_source and all(text.shows("data", name) for name in document.unused_inputs))


def _procedure(text: RenderedText) -> ChecklistResult:
    same_version = text.document.model.version == text.card.version
    return _met(same_version and text.shows("procedure", text.words(text.card.how_it_works)))


def _counter(text: RenderedText) -> ChecklistResult:
    document = text.document
    paragraphs = text.paragraphs("counterfactual")
    if document.no_counterfactual is not None:
        return _met(not document.counterfactuals and document.no_counterfactual.sentence in paragraphs)
    start = document.decision.model_outcome if document.decision else document.outcome
    told = document.counterfactuals
    return _met(bool(told) and all(part.sentence in paragraphs and part.outcome != start for part in told))


def _law(text: RenderedText) -> ChecklistResult:
    if text.card.procedure == "none":
        return NOT_APPLICABLE
    told = all(text.shows("procedure", basis.citation, text.words(basis.text)) for basis in text.card.legal_basis)
    # Of several rules that fired before the score only the first decides, so at least one must be cited.
    fired = [rule.citation for rule in text.document.rules if rule.fired]
    return _met(told and (not fired or any(text.shows("factors", citation) for citation in fired)))


def _discretion(text: RenderedText) -> ChecklistResult:
    if not text.card.discretion or text.situation != "decided_by_person":
        return NOT_APPLICABLE
    reasons = text.document.reasons
    return _met(bool(reasons and reasons.strip()) and text.shows("who_checked", reasons or ""))


def _limits(text: RenderedText) -> ChecklistResult:
    document = text.document
    known = all(text.shows("reliability", text.words(limit)) for limit in text.card.limits)
    reliability = document.reliability
    if reliability is None:
        return _met(known and document.score is None and text.says("reliability", "reliability.rule_is_certain"))
    voice = text.numbers.voice
    if reliability.favourable_per_100 is None:
        uncertain = any(text.says("reliability", f"reliability.{why}") for why in ("not_calibrated", "not_counted"))
    else:
        uncertain = text.shows("reliability", text.numbers.count(reliability.favourable_per_100)) and any(
            said.startswith(voice.beginning_of("reliability.calibrated")) for said in text.paragraphs("reliability")
        )
    if reliability.near_threshold:
        beginning = voice.beginning_of(near_phrase(text.card))
        uncertain = uncertain and text.shows("reliability", beginning)
    labels = {part.feature: part.label for part in document.contributions}
    unusual = all(text.shows("reliability", labels[name]) for name in reliability.outside_background)
    return _met(known and uncertain and unusual and _warnings_are_told(text, reliability))


def _warnings_are_told(text: RenderedText, reliability: ReliabilityPart) -> bool:
    rare = reliability.similar is not None and reliability.similar.rare
    stability = reliability.stability
    uncertain = stability is not None and not is_certain(stability.same_top_reason, stability.blocks)
    return (not rare or text.shows("reliability", text.numbers.voice.beginning_of("reliability.rare"))) and (
        not uncertain or text.says("reliability", "reliability.order_uncertain")
    )


def _rights(text: RenderedText) -> ChecklistResult:
    section = "what_you_can_do"
    authorities = [text.card.data_protection_authority]
    if text.card.is_ai:
        authorities.append(text.card.market_surveillance)
    return _met(
        text.says(section, "can_do.correction")
        and text.says(section, "can_do.human_review")
        and all(text.shows(section, text.words(one.name), one.postal_address, one.phone) for one in authorities)
        and _remedy_is_told(text)
    )


def _remedy_is_told(text: RenderedText) -> bool:
    decision = text.document.decision
    if decision is None:
        return True
    if decision.superseded_by is not None:
        keys = ["can_do.remedy_superseded"]
    elif text.document.outcome is None:
        keys = ["can_do.remedy_waiting"]
    else:
        keys = ["can_do.remedy_quoted", "can_do.remedy_in_letter"]
    return any(text.shows("what_you_can_do", text.numbers.voice.beginning_of(key)) for key in keys)


def _contact(text: RenderedText) -> ChecklistResult:
    contact = text.card.contact
    return _met(
        text.says(
            "what_you_can_do",
            "can_do.contact",
            phone=contact.phone,
            hours=text.words(contact.hours),
            postal_address=contact.postal_address,
        )
    )


def _secret(text: RenderedText) -> ChecklistResult:
    """Nothing is withheld today, so the check is that nothing is left out in silence."""
    document = text.document
    told = {part.feature for part in document.contributions}
    complete = document.score is None or told == set(text.card.feature_names)
    complete = complete and [rule.id for rule in document.rules] == [rule.id for rule in text.card.rules]
    return NOT_APPLICABLE if complete else NOT_MET


def _version(text: RenderedText) -> ChecklistResult:
    document = text.document
    wanted = [
        document.id,
        text.numbers.date(document.produced_at),
        text.numbers.time(document.produced_at),
        document.model.version,
        document.model.sha256[:CHECKSUM_SIGNS],
    ]
    if document.decision is not None:
        wanted.append(document.decision.reference)
    return _met(text.shows("small_print", *wanted))


def _met(holds: bool) -> ChecklistResult:
    return MET if holds else NOT_MET


CHECKS: Mapping[str, Callable[[RenderedText], ChecklistResult]] = {
    "x_role": _role,
    "x_step": _step,
    "x_weight": _weight,
    "x_oversight": _oversight,
    "x_result": _result,
    "x_factors": _factors,
    "x_data": _data,
    "x_procedure": _procedure,
    "x_counter": _counter,
    "x_law": _law,
    "x_discretion": _discretion,
    "x_limits": _limits,
    "x_rights": _rights,
    "x_contact": _contact,
    "x_secret": _secret,
    "x_version": _version,
}
"""Item id to its check, in the order of the law file."""
