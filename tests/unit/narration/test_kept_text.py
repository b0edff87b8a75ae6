"""A kept document with its gaps filled is, byte for byte, the document built with that number and at that moment."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explainer.explanations.document import Audience, ExplanationDocument, Language, Section, Text
from explainer.narration.document_builder import build_document
from explainer.narration.kept_text import DAY, ID, MOMENT, TIME, DeliveryMarks, filled, with_gaps
from tests.unit.narration.cases import AUDIENCES, CASES, LANGUAGES

BEFORE_EVERY_DEADLINE = datetime(2026, 11, 4, tzinfo=UTC)
moments = st.integers(0, 5 * 24 * 3600).map(lambda seconds: BEFORE_EVERY_DEADLINE + timedelta(seconds=seconds))
numbers = st.binary(min_size=16, max_size=16).map(bytes.hex)
deliveries = st.tuples(numbers, moments)


@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("language", LANGUAGES)
@given(case=st.sampled_from(sorted(CASES)), made=deliveries, asked=deliveries)
def test_filled_gaps_give_the_document_built_then(
    audience: Audience, language: Language, case: str, made: tuple[str, datetime], asked: tuple[str, datetime]
) -> None:
    facts = CASES[case](audience, language)
    kept = with_gaps(build_document(replace(facts, id=made[0], produced_at=made[1])))
    expected = build_document(replace(facts, id=asked[0], produced_at=asked[1])).canonical_bytes()
    assert filled(kept, DeliveryMarks.of(*asked, language=language)) == expected


def test_a_document_read_back_from_its_bytes_is_the_same() -> None:
    for case in CASES.values():
        raw = build_document(case("subject", "de")).canonical_bytes()
        assert ExplanationDocument.model_validate_json(raw).canonical_bytes() == raw


def test_a_person_cannot_write_a_gap() -> None:
    """Control characters in what people wrote are escaped, so they never look like a gap."""
    facts = CASES["refused"]("subject", "de")
    assert facts.decision is not None
    reasons = "".join(sign.decode() for sign in (ID, MOMENT, DAY, TIME))
    private = replace(facts.decision.private, reasons=reasons)
    document = build_document(replace(facts, decision=replace(facts.decision, private=private)))
    kept = with_gaps(document)
    assert [kept.count(gap) for gap in (ID, MOMENT, DAY, TIME)] == [2, 1, 1, 1]
    marks = DeliveryMarks.of(document.id, document.produced_at, language="de")
    assert filled(kept, marks) == document.canonical_bytes()


def test_a_number_in_an_unknown_place_is_noticed() -> None:
    """The broken twin: a phrase that repeats the explanation's number where no gap is made."""
    document = build_document(CASES["refused"]("subject", "de"))
    sections = (*document.text.sections, Section(id="more", heading="", paragraphs=(f"No. {document.id}",)))
    changed = document.model_copy(update={"text": Text(title=document.text.title, sections=sections)})
    with pytest.raises(ValueError, match="no gap was expected"):
        with_gaps(changed)
