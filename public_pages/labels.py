"""Words for fixed values: what a status, a role or a result is called on pages (English source, translated)."""

from collections.abc import Mapping

from public_pages.translations import message

LABELS: Mapping[str, Mapping[str, str]] = {
    "model_status": {
        "planned": message("planned"),
        "design": message("being designed"),
        "development": message("being developed"),
        "pilot": message("pilot"),
        "evaluation": message("being evaluated"),
        "operational": message("in use"),
        "retired": message("no longer in use"),
    },
    "role": {
        "decides": message("decides alone"),
        "suggests": message("suggests"),
        "sorts": message("sorts"),
        "calculates": message("calculates"),
    },
    "role_sentence": {
        "decides": message("The program decides alone. A law allows this."),
        "suggests": message("The program suggests. A person decides every case."),
        "sorts": message("The program sorts. A person decides every case."),
        "calculates": message("The program calculates. A person decides every case."),
    },
    "decision_status": {
        "awaiting_person": message("waits for a person"),
        "diverted": message("goes to a person, because of special circumstances"),
        "decided": message("decided"),
        "superseded": message("replaced by a new decision"),
    },
    "decided_by": {"model": message("the program"), "person": message("a person")},
    "risk_class": {
        "high": message("high-risk AI system under the AI Act"),
        "limited": message("AI system with transparency duties under the AI Act"),
        "minimal": message("AI system without special duties under the AI Act"),
        "not_ai": message("not an AI system under the AI Act"),
    },
    "strength": {
        "strong": message("strong"),
        "clear": message("clear"),
        "slight": message("slight"),
        "negligible": message("hardly any"),
    },
    "overall_strength": {
        "strong": message("strong"),
        "clear": message("clear"),
        "slight": message("slight"),
        "negligible": message("hardly any"),
        "none": message("no influence"),
    },
    "overall_direction": {
        "rising": message("Higher values mostly raise the number."),
        "falling": message("Higher values mostly lower the number."),
        "mixed": message("It raises the number in some cases and lowers it in others."),
        "none": message("Some values raise the number, others lower it."),
        "yes_rising": message("“Yes” mostly raises the number."),
        "yes_falling": message("“Yes” mostly lowers the number."),
        "by_result": message("It raises the number of some results and lowers that of others."),
        "nothing": message("It does not change the number."),
    },
    "direction": {
        "raised": message("raised the number"),
        "lowered": message("lowered the number"),
        "none": message("did not change the number"),
    },
    "event": {
        "decision.recorded": message("Decision recorded"),
        "decision.superseded": message("Decision replaced"),
        "decision.read": message("Decision read by staff"),
        "decision.score_mismatch": message("Score did not match"),
        "explanation.requested": message("Explanation requested"),
        "explanation.delivered": message("Explanation delivered"),
        "explanation.refused": message("Explanation refused"),
        "explanation.read": message("Explanation read again by staff"),
        "batch.explained": message("Many cases explained together"),
        "review.opened": message("Review opened"),
        "review.answered": message("Review answered"),
        "model.registered": message("Model registered"),
        "model.refused": message("Model refused"),
        "register.published": message("Register entry published"),
        "staff.signed_in": message("Staff signed in"),
        "policy.changed": message("Policy changed"),
        "key.rotated": message("Key of the log changed"),
        "erasure.applied": message("Personal data erased"),
        "log.read": message("Log read"),
        "log.restored": message("Log restored from a copy"),
    },
    "log_outcome": {
        "overview": message("list of entries"),
        "entries": message("bundles of entries"),
        "entry": message("single entries"),
        "bundle": message("the whole log as a file"),
        "replay": message("checked again"),
        "delivered": message("delivered"),
        "case_system_added": message("case system was given access"),
        "staff_added": message("member of staff was given access"),
    },
    "refused_attempt": {
        "access_code": message("Wrong reference number or code"),
        "password": message("Wrong user name or password"),
        "token": message("Unknown key or token"),
        "log_entries": message("Log entries asked for without an account"),
    },
    "sealed_field": {
        "actor": message("who did it"),
        "subject": message("whom it is about"),
        "decision": message("which decision"),
        "explanation": message("which explanation"),
        "purpose": message("for what purpose"),
    },
    "task": {
        "explanation_refused": message("Explain the decision in person: the explanation did not pass its check"),
        "diverted": message("Look at the special circumstances and decide"),
        "numbers_missing": message("Have the explanation calculated again"),
    },
    "staff_role": {
        "caseworker": message("caseworker"),
        "supervisor": message("supervisor"),
        "oversight": message("oversight"),
        "publisher": message("register editor"),
        "auditor": message("auditor"),
        "administrator": message("administrator"),
    },
    "unit": {
        "log_odds": message("log odds"),
        "class_score": message("logits"),
        "log_score": message("log units"),
        "probability": message("probability"),
    },
    "yes_no": {"True": message("yes"), "False": message("no")},
}


def label_of(group: str, value: object) -> str:
    """English words for one fixed value.

    Args:
        group: Key of ``LABELS``.
        value: The value; one that has no words is written as it is, so that nothing is hidden.

    Returns:
        The sentence or words, not yet translated.
    """
    return LABELS[group].get(str(value), str(value))
