"""Documents are complete, in order, and say each special case in its own honest words."""

import math

import pytest

from explainer.errors import UntrustworthyExplanationError
from explainer.explanations.document import Audience, ExplanationDocument, Language
from explainer.narration.document_builder import build_document
from tests.builders import (
    INPUTS,
    a_card,
    a_decision,
    a_private_part,
    no_recourse,
    some_facts,
    some_numbers,
    some_score_numbers,
)
from tests.unit.narration.cases import AUDIENCES, CASES, LANGUAGES, LARGE_HOUSEHOLD, case_with_numbers, document_of
from tests.unit.narration.reading import full_text, section_text

SECTIONS = (
    "in_short",
    "program_role",
    "factors",
    "counterfactual",
    "data",
    "who_checked",
    "reliability",
    "procedure",
    "what_you_can_do",
    "small_print",
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("case", CASES)
def test_every_case_has_all_sections_and_meets_the_checklist(case: str, audience: Audience, language: Language) -> None:
    document = document_of(case, audience, language)
    told = CASES[case](audience, language).interactions is not None
    more = ("interactions",) if told else ()
    assert tuple(section.id for section in document.text.sections) == (*SECTIONS[:3], *more, *SECTIONS[3:])
    assert all(section.heading and section.paragraphs for section in document.text.sections)
    assert all(paragraph.strip() for section in document.text.sections for paragraph in section.paragraphs)
    assert "{" not in full_text(document)
    assert len(section_text(document, "in_short").splitlines()) <= 3
    assert [item for item, verdict in document.checklist.items() if verdict == "not_met"] == []
    assert document.canonical_bytes() == ExplanationDocument.model_validate(document.as_json()).canonical_bytes()


def test_same_facts_give_the_same_bytes() -> None:
    assert build_document(some_facts()).canonical_bytes() == build_document(some_facts()).canonical_bytes()


def test_contributions_are_ordered_and_add_up() -> None:
    document = document_of("seven_factors_reversed")
    sizes = [abs(part.contribution) for part in document.contributions]
    assert sizes == sorted(sizes, reverse=True)
    assert document.score is not None
    assert document.expected_value is not None
    total = document.expected_value + math.fsum(part.contribution for part in document.contributions)
    assert total == pytest.approx(document.score.additive_value, abs=1e-9)


def test_equal_contributions_stay_in_card_order() -> None:
    scored = some_score_numbers(contributions=(0.2,) * 6, strengths=("slight",) * 6)
    document = build_document(some_facts(numbers=some_numbers(score_numbers=scored)))
    assert [part.feature for part in document.contributions] == list(INPUTS)


def test_factors_name_the_persons_own_values_strongest_first() -> None:
    lines = section_text(document_of("refused"), "factors").splitlines()
    assert lines[2:6] == [
        "Ihre Miete ohne Heizung: 1.180 Euro im Monat. Das hat die Zahl stark erhöht.",
        "Ihr Einkommen: 1.842,50 Euro im Monat. Das hat die Zahl deutlich gesenkt.",
        "Personen in Ihrem Haushalt: 3. Das hat die Zahl etwas erhöht.",
        "Ihre Umzüge in 12 Monaten: 2. Das hat die Zahl etwas erhöht.",
    ]
    assert "2 weitere Angaben hatten kaum Einfluss." in lines


def test_no_more_than_five_factors_are_told_and_none_is_called_smaller_than_it_is() -> None:
    text = section_text(document_of("many_features"), "factors")
    assert text.count("Das hat die Zahl") == 5
    assert "3 weitere Angaben hatten einen kleineren Einfluss." in text
    assert "1 weitere Angabe hatte kaum Einfluss." in text


def test_where_nothing_stood_out_the_text_says_so() -> None:
    text = section_text(document_of("nothing_stood_out"), "factors")
    assert "Keine Angabe stach hervor." in text
    assert "Ihre Miete ohne Heizung: 1.180 Euro im Monat. Das hatte kaum Einfluss auf die Zahl." in text
    assert "am meisten verändert" not in text


def test_score_just_below_the_threshold_is_not_rounded_to_it() -> None:
    text = section_text(document_of("near_threshold"), "program_role")
    assert "Ihre Zahl war knapp unter 60. Sie lag unter der Grenze von 60." in text
    assert "nahe an der Grenze von 60" in section_text(document_of("near_threshold"), "reliability")


def test_program_that_sorts_never_seems_to_decide() -> None:
    for case in ("refused", "departed", "awaiting", "rule_before_score"):
        german, english = full_text(document_of(case)), full_text(document_of(case, language="en"))
        assert "nicht über Ihr Geld entschieden" in german
        assert "did not decide about your money" in english
        for wrong in ("Programm hat abgelehnt", "Programm hat entschieden", "Programm entscheidet"):
            assert wrong not in german
        # The outcomes of a program that sorts are named only as what persons decided in evaluated cases.
        assert "Ablehnung" not in section_text(document_of(case), "program_role")
        assert "Ablehnung" not in section_text(document_of(case), "counterfactual")
    assert "wie Ihr Fall ausgeht" in section_text(document_of("sorts_without_money"), "in_short")


def test_roles_read_differently() -> None:
    roles = {
        "refused": "Das Programm sortiert.",
        "suggestion_followed": "Das Programm schlägt etwas vor.",
        "calculated": "Das Programm rechnet.",
        "decided_by_model": "Das Programm darf allein entscheiden. Dieses Gesetz erlaubt das: § 31a",
    }
    for case, sentence in roles.items():
        text = section_text(document_of(case), "program_role")
        assert [other for other in roles.values() if other in text] == [sentence]


def test_departing_from_the_program_is_said_and_whose_word_counts() -> None:
    followed, departed = (full_text(document_of(case)) for case in ("suggestion_followed", "suggestion_departed"))
    assert "Die Entscheidung folgt dem Vorschlag des Programms." in followed
    assert "Die Entscheidung folgt dem Vorschlag des Programms nicht." in departed
    assert "Es gilt die Entscheidung des Menschen." in departed
    assert "Die Entscheidung folgt dem Vorschlag des Programms nicht." not in followed


def test_decision_by_the_program_alone_says_that_nobody_checked() -> None:
    document = document_of("decided_by_model")
    assert "Kein Mensch hat es vorher geprüft." in section_text(document, "in_short")
    assert "Kein Mensch hat diese Entscheidung geprüft." in section_text(document, "who_checked")
    assert "Sachbearbeiter" not in full_text(document)


def test_statutory_rule_before_the_score_is_the_factor() -> None:
    document = document_of("rule_before_score")
    assert document.score is None
    assert document.expected_value is None
    assert document.contributions == ()
    assert document.reliability is None
    text = section_text(document, "factors")
    assert "Wer mehr als 5.000 Euro im Monat hat" in text
    assert "§ 21 WoGG" in text
    assert "Ihr Einkommen: 6.200 Euro im Monat." in text
    assert "Ihre Miete" not in text
    assert {item.feature for item in document.data if item.used} == {"income_eur_month"}


def test_rule_after_the_score_is_told_beside_the_factors() -> None:
    document = document_of("rule_after_score")
    assert document.score is not None
    assert "Sie geht der Zahl vor." in section_text(document, "program_role")
    assert "§ 22 WoGG" in section_text(document, "factors")


def test_waiting_case_claims_no_decision() -> None:
    for case in ("awaiting", "diverted"):
        document = document_of(case)
        assert document.outcome is None
        assert document.decided_by is None
        text = full_text(document)
        assert "noch nicht entschieden" in text
        assert "abgelehnt" not in text
        assert "Gründe der Entscheidung" not in text
    assert "besondere Umstände" in section_text(document_of("diverted"), "in_short")
    assert "Ich pflege" not in full_text(document_of("diverted"))
    assert "besondere Umstände" not in full_text(document_of("awaiting"))


def test_superseded_decision_says_so_first() -> None:
    text = section_text(document_of("superseded"), "in_short")
    assert text.startswith("Diese Entscheidung gilt nicht mehr.")
    assert "KB-8GHJ-3KMN-5P" in text
    assert "7. Dezember" not in full_text(document_of("superseded"))


def test_case_that_waited_and_was_decided_later_does_not_claim_to_wait() -> None:
    text = full_text(document_of("superseded_waiting"))
    assert "KB-8GHJ-3KMN-5P" in text
    for wrong in ("noch nicht entschieden", "Bisher", "gilt nicht mehr"):
        assert wrong not in text


def test_explanation_of_mere_inputs_claims_no_decision_and_no_remedy() -> None:
    document = document_of("no_decision")
    text = full_text(document)
    assert document.decision is None
    assert document.outcome == "refused"
    assert "Eine Entscheidung gibt es dazu nicht." in text
    assert "Bescheid" not in text
    assert "abgelehnt" not in text
    assert "Das Ergebnis des Programms wäre:" in text


def test_no_counterfactual_says_what_is_known_and_no_more() -> None:
    proven, unproven = (
        section_text(document_of(case), "counterfactual")
        for case in ("no_counterfactual_proven", "no_counterfactual_unproven")
    )
    assert "Keine Änderung davon hätte zu einem anderen Ergebnis" in proven
    assert "Am nächsten an die Grenze kam eine Rechnung mit der Zahl 61." in proven
    assert "Es kann trotzdem eines geben." in unproven
    assert "Zusage" not in proven + unproven


def test_counterfactual_is_an_example_and_no_promise() -> None:
    text = section_text(document_of("refused"), "counterfactual")
    assert "950 Euro im Monat statt 1.180 Euro im Monat. Dann wäre die Zahl 55 gewesen." in text
    assert "Es ist keine Zusage." in text
    two = section_text(document_of("two_changes"), "counterfactual")
    assert "Von den Angaben, die Sie selbst ändern können, hätte eine allein nicht gereicht." in two


def test_the_own_number_is_never_told_as_the_closest_example() -> None:
    own = some_facts("subject", "de").numbers.score_numbers
    assert own is not None
    case = case_with_numbers(recourse=no_recourse(closest_score=own.score + 0.0001))
    assert "Am nächsten" not in section_text(build_document(case("subject", "de")), "counterfactual")


@pytest.mark.parametrize(
    ("closest", "told"),
    [
        (0.613, "mit der Zahl 61. Die Grenze ist 60. Der Abstand ist: 1 Punkt."),
        (0.66, "mit der Zahl 66. Die Grenze ist 60. Der Abstand ist: 6 Punkte."),
        (0.601, "mit der Zahl 60. Die Grenze ist 60. Der Abstand ist: weniger als 1 Punkt."),
        (None, "Ihre Zahl war 72. Die Grenze ist 60. Der Abstand ist: 12 Punkte."),
    ],
)
def test_how_far_away_it_is_said_as_the_difference_of_the_printed_numbers(closest: float | None, told: str) -> None:
    case = case_with_numbers(recourse=no_recourse(closest_score=closest))
    assert told in section_text(build_document(case("subject", "de")), "counterfactual")


def test_where_a_rule_decided_no_distance_is_told() -> None:
    case = case_with_numbers(LARGE_HOUSEHOLD, recourse=no_recourse())
    assert "Abstand" not in section_text(build_document(case("subject", "de")), "counterfactual")


def test_reasons_are_quoted_word_for_word_or_said_to_be_missing() -> None:
    assert "„Das Einkommen liegt über der Grenze für 3 Personen.“" in section_text(
        document_of("refused"), "who_checked"
    )
    assert "Wir erfinden keine." in section_text(document_of("reasons_missing"), "who_checked")


def test_remedy_is_only_what_the_decision_letter_says() -> None:
    given, without_date, unknown = (
        section_text(document_of(case), "what_you_can_do")
        for case in ("refused", "remedy_without_date", "remedy_unknown")
    )
    assert "Widerspruch beim Amt für Wohnen" in given
    assert "7. Dezember 2026" in given
    assert "Frist endet" not in without_date
    assert "Widerspruch" not in unknown
    assert "steht im Bescheid" in unknown


def test_complaint_about_ai_is_offered_only_for_ai() -> None:
    assert "Marktaufsicht" in full_text(document_of("refused"))
    assert "Marktaufsicht" not in full_text(document_of("not_ai"))
    assert "Das Programm nutzt keine Künstliche Intelligenz." in full_text(document_of("not_ai"))


def test_that_the_program_uses_ai_stands_with_its_role_whatever_the_card_says() -> None:
    sentence = "Das Programm nutzt Künstliche Intelligenz."
    for how_it_works in (f"{sentence} Es rechnet viel.", "Es rechnet viel."):
        card = a_card(how_it_works={"de": how_it_works, "en": "It does many sums."})
        assert section_text(build_document(some_facts(card=card)), "program_role").count(sentence) == 1


def test_text_from_outside_stays_text() -> None:
    nasty = "{label} {0} %s <b>fett</b> „Zitat“ \u202e"
    document = build_document(some_facts(decision=a_decision(private=a_private_part(reasons=nasty))))
    assert nasty in section_text(document, "who_checked")
    assert document.reasons == nasty


def test_facts_of_another_case_are_refused_not_told() -> None:
    with pytest.raises(UntrustworthyExplanationError):
        build_document(some_facts(numbers=some_numbers(model_sha256="00" * 32)))


def test_only_sampled_contributions_say_why_sampling_stopped() -> None:
    exact, sampled = (
        document_of("seven_factors_reversed").as_json()["method"],
        document_of("sampled").as_json()["method"],
    )
    assert "stopped" not in exact
    assert sampled["stopped"] == "precise_enough"
    assert sampled["standard_error"] == 0.02


def test_details_that_nobody_can_tell_apart_are_said_to_count_equally() -> None:
    document = document_of("tied")
    assert (
        "Diese Angaben zählten gleich viel: „Ihre Miete ohne Heizung“ und „Personen in Ihrem Haushalt“."
        in section_text(document, "factors")
    )
    names = [part.feature for part in document.contributions]
    assert names[:3] == ["income_eur_month", "rent_eur_month", "household_size"], "tied ones stand in card order"
    assert [part.strength for part in document.contributions[1:3]] == ["strong", "strong"]
    assert "gleich viel" not in section_text(document_of("refused"), "factors")
    assert "Equally strong: “Rent without heating” and “People in the household”." in section_text(
        document_of("tied", "auditor", "en"), "factors"
    )


def test_of_equally_strong_details_none_is_left_out_because_only_five_are_told() -> None:
    text = section_text(document_of("tied_at_the_end_of_what_is_told"), "factors")
    assert text.count("Das hat die Zahl") == 6
    assert "zählten gleich viel: „So wohnen Sie“ und „Sie bekommen Kindergeld“." in text


def test_similar_cases_are_told_in_counts_and_never_one_by_one() -> None:
    said = section_text(document_of("refused"), "reliability")
    assert "Bei 85 von 100 dieser Fälle führt die Zahl zum selben Ergebnis wie bei Ihnen." in said
    staff = section_text(document_of("refused", "caseworker", "en"), "reliability")
    assert "20 rows, which stand for 400 cases. In 85 out of 100 of them" in staff
    assert "1.1 typical spreads away" in staff
    assert "ähnlichsten" not in section_text(document_of("no_similar_cases"), "reliability")


def test_a_rare_combination_is_warned_of() -> None:
    assert "Fälle wie Ihren gibt es in der Vergleichsgruppe kaum." in section_text(
        document_of("rare_combination"), "reliability"
    )
    assert "Fälle wie Ihren" not in section_text(document_of("refused"), "reliability")
    document = document_of("rare_combination")
    assert document.reliability is not None
    assert document.reliability.similar is not None
    assert document.reliability.similar.rare


def test_whether_another_group_gives_the_same_reasons_is_told_or_said_to_be_unknown() -> None:
    certain, uncertain = document_of("refused"), document_of("order_uncertain")
    assert "In 9 von diesen 10 Gruppen zählte dieselbe Angabe am meisten." in section_text(certain, "reliability")
    assert "nicht sicher, welche Angabe" not in section_text(certain, "reliability")
    assert "In 6 von diesen 10 Gruppen" in section_text(uncertain, "reliability")
    assert "nicht sicher, welche Angabe" in section_text(uncertain, "reliability")
    assert "haben wir nicht berechnet" in section_text(document_of("stability_not_computed"), "reliability")
    staff = section_text(document_of("refused", "auditor", "en"), "reliability")
    assert "by up to 0.120 log-odds (standard deviation)" in staff


def test_spreads_stand_in_the_order_of_the_contributions() -> None:
    document = document_of("seven_factors_reversed")
    assert document.reliability is not None
    assert document.reliability.stability is not None
    assert [one.feature for one in document.reliability.stability.spreads] == [
        one.feature for one in document.contributions
    ]
