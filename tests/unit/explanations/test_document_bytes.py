"""A document's bytes are exactly those of the RFC 8785 library for its dumped, rounded values, whatever it holds."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, field_serializer, model_serializer

from explainer.explanations.document import Audience, Language
from explainer.explanations.document_bytes import document_bytes
from tests.unit.narration.cases import AUDIENCES, CASES, LANGUAGES, document_of

NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.floats(-1e-3, 1e-3) | st.floats(-1e7, 1e7)


class Inner(BaseModel):
    word: str = Field(alias="from")
    number: float | None = None


class Whole(BaseModel):
    zoe: float
    anna: int | bool | str = 1
    parts: tuple[Inner, ...] = ()
    said: dict[str, str] = {}
    day: date | None = None
    left_out: str | None = Field(default=None, exclude_if=lambda value: value is None)
    moment: datetime = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
    spelled: datetime = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)

    @field_serializer("spelled")
    def _year(self, moment: datetime) -> str:
        return f"{self.zoe < 0} {moment:%Y}"


def by_the_library(part: BaseModel) -> bytes:
    def rounded(value: Any) -> Any:
        if isinstance(value, float):
            return round(value, 9) + 0.0
        if isinstance(value, dict):
            return {name: rounded(item) for name, item in value.items()}
        return [rounded(item) for item in value] if isinstance(value, list) else value

    return rfc8785.dumps(rounded(part.model_dump(mode="json", by_alias=True)))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_document_is_spelled_as_the_library_spells_it(
    case: str, audience: Audience, language: Language
) -> None:
    document = document_of(case, audience, language)
    assert document_bytes(document) == by_the_library(document) == rfc8785.dumps(document.as_json())


@given(
    number=NUMBERS,
    anna=st.integers(-(2**53) + 1, 2**53 - 1) | st.booleans() | st.text(st.characters(exclude_categories=["Cs"])),
    said=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.just("x")),
    day=st.none() | st.dates(),
)
def test_every_value_of_a_part_is_spelled_as_the_library_spells_it(
    number: float, anna: int | bool | str, said: dict[str, str], day: date | None
) -> None:
    inner = Inner.model_validate({"from": 'ä\x1f"\\\x7f\u2028', "number": number})
    whole = Whole(zoe=number, anna=anna, parts=(inner, inner), said=said, day=day, left_out=str(day) if day else None)
    assert document_bytes(whole) == by_the_library(whole)


@pytest.mark.parametrize(
    "number", [0.0, -0.0, 4e-10, -4e-10, 5e-10, 1e-9, 9.999999999e-7, 1e-6, 1e-5, 999999.9999999996]
)
def test_numbers_at_the_edges_of_the_quick_spelling(number: float) -> None:
    for one in (number, -number):
        assert document_bytes(Whole(zoe=one)) == by_the_library(Whole(zoe=one))


def test_a_number_that_was_not_rounded_would_be_spelled_otherwise() -> None:
    """The broken twin: why the library alone, without rounding, does not give these bytes."""
    whole = Whole(zoe=0.1 + 0.2)
    assert document_bytes(whole) != rfc8785.dumps(whole.model_dump(mode="json", by_alias=True))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        document_bytes(Whole(zoe=number))


def test_half_a_character_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        document_bytes(Whole.model_construct(zoe=1.0, anna="\ud800", parts=(), said={}, day=None, left_out=None))


def test_a_class_that_spells_itself_is_refused_rather_than_misspelled() -> None:
    class Own(BaseModel):
        @model_serializer
        def _own(self) -> str:
            return "own"

    with pytest.raises(TypeError, match="Own spells itself"):
        document_bytes(Own())
