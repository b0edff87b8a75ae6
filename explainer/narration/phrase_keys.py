"""Every phrase the product says and the placeholders it must have: what a translator of a new language needs.

``subject`` is the voice for the person a decision is about, ``staff`` the one for caseworkers and auditors. A phrase
says exactly its placeholders, so that no translation can lose a value.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

VoiceName = Literal["subject", "staff"]


@dataclass(frozen=True, kw_only=True)
class Placeholders:
    """Which values a phrase must name.

    Attributes:
        subject: In the subject's version; None where only staff read such a phrase.
        staff: In the version for caseworkers and auditors.
    """

    subject: frozenset[str] | None
    staff: frozenset[str]

    def of(self, voice: VoiceName) -> frozenset[str] | None:
        """Placeholders in one voice, or None where the voice has no such phrase."""
        return self.subject if voice == "subject" else self.staff


def _both(names: str) -> Placeholders:
    return _each(subject=names, staff=names)


def _each(*, subject: str, staff: str) -> Placeholders:
    return Placeholders(subject=frozenset(subject.split()), staff=frozenset(staff.split()))


def _staff(names: str) -> Placeholders:
    return Placeholders(subject=None, staff=frozenset(names.split()))


PHRASE_KEYS: Mapping[str, Placeholders] = {
    "title.decided": _each(subject="", staff="reference"),
    "title.waiting": _each(subject="", staff="reference"),
    "title.no_decision": _both(""),
    "heading.in_short": _both(""),
    "heading.program_role": _both(""),
    "heading.procedure": _both(""),
    "heading.factors": _both(""),
    "heading.counterfactual": _both(""),
    "heading.data": _both(""),
    "heading.who_checked": _both(""),
    "heading.reliability": _both(""),
    "heading.what_you_can_do": _both(""),
    "heading.small_print": _both(""),
    "in_short.superseded": _both("new_reference"),
    "in_short.superseded_waiting": _both("new_reference"),
    "in_short.decided_by_person": _both("decided decider_role date"),
    "in_short.decided_by_model": _both("decided date"),
    "in_short.awaiting": _both("decider_role"),
    "in_short.diverted": _both("decider_role"),
    "in_short.no_decision": _both(""),
    "in_short.rule_decided": _both(""),
    "in_short.program_would": _both("suggested"),
    "in_short.program_decides": _both("suggested"),
    "in_short.program_prepares": _both("suggested"),
    "in_short.program_suggests": _both("suggested"),
    "in_short.program_sorts": _both("suggested"),
    "in_short.program_sorts_money": _both("suggested"),
    "in_short.program_calculates": _both("suggested"),
    "in_short.remedy_until": _both("until phone"),
    "in_short.remedy_ended": _both("until phone"),
    "in_short.remedy_given": _both("phone"),
    "in_short.remedy_unknown": _both("phone"),
    "in_short.remedy_superseded": _both("phone"),
    "in_short.remedy_waiting": _both("phone"),
    "program_role.purpose": _both("name purpose"),
    "program_role.step_decides": _both("law"),
    "program_role.step_decides_without_law": _both(""),
    "program_role.step_suggests": _both(""),
    "program_role.step_sorts": _both(""),
    "program_role.step_calculates": _both(""),
    "program_role.weight_model": _both("department"),
    "program_role.weight_person_instead": _both("decider_role"),
    "program_role.weight_suggestion_followed": _both("decider_role"),
    "program_role.weight_suggestion_departed": _both("decider_role"),
    "program_role.weight_sorted": _both("decider_role"),
    "program_role.weight_calculated": _both("decider_role"),
    "program_role.weight_waiting": _both("decider_role"),
    "program_role.weight_superseded_waiting": _both("decider_role"),
    "program_role.weight_no_decision": _both("decider_role"),
    "program_role.uses_ai": _both(""),
    "program_role.uses_no_ai": _both(""),
    "program_role.number": _both("scale meaning"),
    "program_role.threshold_decides": _both("threshold above below"),
    "program_role.threshold_suggests": _both("threshold above below"),
    "program_role.threshold_calculates": _both("threshold above below"),
    "program_role.score": _each(subject="score_label score", staff="score exact_score unit additive_score"),
    "program_role.reached": _both("threshold"),
    "program_role.below": _both("threshold"),
    "program_role.would_result": _both("suggested"),
    "program_role.result": _both("suggested"),
    "program_role.no_score": _both(""),
    "program_role.rule_after": _both(""),
    "program_role.since": _both("why_used date"),
    "procedure.legal_basis": _both("citation text"),
    "program_role.register": _both("register_version url"),
    "factors.intro.one": _each(subject="", staff="expected_value unit"),
    "factors.intro.other": _each(subject="", staff="expected_value unit"),
    "factors.higher_is_better": _both(""),
    "factors.lower_is_better": _both(""),
    "factors.none_stood_out": _both(""),
    "factors.strong_raised": _each(subject="label value", staff="label value contribution unit"),
    "factors.clear_raised": _each(subject="label value", staff="label value contribution unit"),
    "factors.slight_raised": _each(subject="label value", staff="label value contribution unit"),
    "factors.strong_lowered": _each(subject="label value", staff="label value contribution unit"),
    "factors.clear_lowered": _each(subject="label value", staff="label value contribution unit"),
    "factors.slight_lowered": _each(subject="label value", staff="label value contribution unit"),
    "factors.negligible": _each(subject="label value", staff="label value contribution unit"),
    "factors.no_influence": _each(subject="label value", staff="label value contribution unit"),
    "factors.smaller.one": _both("count"),
    "factors.smaller.other": _both("count"),
    "factors.remaining.one": _both("count"),
    "factors.remaining.other": _both("count"),
    "factors.says_not": _both(""),
    "factors.not_the_grounds": _both(""),
    "factors.rule": _both("sentence citation"),
    "factors.rule_value": _both("label value"),
    "factors.rule_ignores_rest": _both(""),
    "counterfactual.change": _both("label after before"),
    "counterfactual.example.one": _both("changes result"),
    "counterfactual.example.other": _both("count changes result"),
    "counterfactual.result_score_decides": _both("score outcome"),
    "counterfactual.result_score_suggests": _both("score outcome"),
    "counterfactual.result_score_sorts": _both("score suggested"),
    "counterfactual.result_score_calculates": _both("score outcome"),
    "counterfactual.result_rule_decides": _both("outcome"),
    "counterfactual.result_rule_suggests": _both("outcome"),
    "counterfactual.result_rule_sorts": _both("suggested"),
    "counterfactual.result_rule_calculates": _both("outcome"),
    "counterfactual.no_single_change": _both(""),
    "counterfactual.not_a_promise": _both(""),
    "counterfactual.person_decides": _both(""),
    "counterfactual.nothing_actionable": _both(""),
    "counterfactual.nothing_actionable_matters": _both(""),
    "counterfactual.none_found_proven": _both(""),
    "counterfactual.none_found": _both(""),
    "counterfactual.closest": _both("score"),
    "counterfactual.disputed_intro": _both(""),
    "data.intro.one": _both("count"),
    "data.intro.other": _both("count"),
    "data.item": _both("label value source"),
    "data.item_dated": _both("label value source date"),
    "data.item_unused": _both("label value source"),
    "data.item_unused_dated": _both("label value source date"),
    "data.unused_inputs": _both("names"),
    "data.wrong": _both(""),
    "who_checked.person": _both("decider_role oversight"),
    "who_checked.model": _both(""),
    "who_checked.awaiting": _both("decider_role oversight"),
    "who_checked.superseded_waiting": _both("new_reference"),
    "who_checked.no_decision": _both(""),
    "who_checked.diverted": _both(""),
    "who_checked.diverted_decided": _both(""),
    "who_checked.followed_decides": _both(""),
    "who_checked.followed_suggests": _both(""),
    "who_checked.followed_sorts": _both(""),
    "who_checked.followed_calculates": _both(""),
    "who_checked.departed_decides": _both(""),
    "who_checked.departed_suggests": _both(""),
    "who_checked.departed_sorts": _both(""),
    "who_checked.departed_calculates": _both(""),
    "who_checked.reasons": _both("reasons"),
    "who_checked.reasons_missing": _both(""),
    "reliability.calibrated": _both("n as_of count label other_count other_label low high"),
    "reliability.not_calibrated": _both(""),
    "reliability.near_threshold": _each(subject="threshold", staff="threshold distance"),
    "reliability.outside.one": _both("labels"),
    "reliability.outside.other": _both("labels"),
    "reliability.rule_is_certain": _both(""),
    "reliability.evaluation": _both("about"),
    "reliability.limits_intro": _both(""),
    "reliability.equal_treatment": _both("equal_treatment"),
    "reliability.background_gap": _staff("gap"),
    "can_do.correction": _both(""),
    "can_do.human_review": _both(""),
    "can_do.contact": _both("phone hours postal_address"),
    "can_do.contact_room": _both("room"),
    "can_do.email": _both("email"),
    "can_do.free_of_charge": _both(""),
    "can_do.remedy_quoted": _both("text"),
    "can_do.remedy_until": _both("until"),
    "can_do.remedy_ended": _both("until"),
    "can_do.remedy_in_letter": _both(""),
    "can_do.remedy_superseded": _both(""),
    "can_do.remedy_waiting": _both(""),
    "can_do.data_protection": _both("name postal_address phone"),
    "can_do.market_surveillance": _both("name postal_address phone"),
    "can_do.help": _both(""),
    "small_print.explanation": _both("id date time"),
    "small_print.decision": _both("reference"),
    "small_print.model": _each(subject="name version sha256_start", staff="name version slug sha256"),
    "small_print.exact": _each(subject="", staff="method engine_version gap tolerance"),
    "small_print.sampled": _each(subject="", staff="method standard_error engine_version gap tolerance"),
    "small_print.background": _staff("name rows total_weight sha256"),
    "small_print.expected_value": _staff("expected_value unit additive_score"),
    "small_print.rules_checked": _staff("rules"),
    "small_print.rule_applied": _staff("label citation"),
    "small_print.rule_not_applied": _staff("label citation"),
    "small_print.logged": _each(subject="", staff="id"),
    "value.yes": _both(""),
    "value.no": _both(""),
    "value.with_unit": _both("number unit"),
    "value.quoted": _both("text"),
    "value.just_below": _both("threshold"),
    "value.more_than": _both("number"),
    "value.less_than": _both("number"),
    "value.just_above": _both("threshold"),
    "unit.log_odds": _staff(""),
}
