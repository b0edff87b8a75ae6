"""A finished document with gaps: number and moment of one delivery are filled in, everything else stays as checked.

Canonical JSON holds no control characters, so one of them stands in each gap. Filling the gaps gives the very bytes
that building the document with this number and moment would have given; this is proven for each document when the gaps
are made, and by tests for other numbers and moments.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from explainer.explanations.document import ExplanationDocument, moment_text
from explainer.narration.number_words import NumberWords
from explainer.narration.phrases import phrases_in
from models.canonical_json import canonical_json

ID, MOMENT, DAY, TIME = b"\x01", b"\x02", b"\x03", b"\x04"

SECTION = "small_print"
PHRASES = ("small_print.explanation", "small_print.logged")
"""The only phrases that name the number or the moment of a delivery."""


@dataclass(frozen=True, kw_only=True)
class DeliveryMarks:
    """What differs from one delivery of a document to the next.

    Attributes:
        id: Random number of the explanation, hex.
        moment: When it was produced, as the document spells it.
        day: The same day as the text says it.
        time: The same time of day as the text says it.
    """

    id: str
    moment: str
    day: str
    time: str

    @classmethod
    def of(cls, explanation_id: str, produced_at: datetime, *, language: str) -> "DeliveryMarks":
        """Say number and moment of a delivery in one language."""
        day, time = _day_and_time(produced_at.replace(second=0, microsecond=0), language)
        return cls(id=explanation_id, moment=moment_text(produced_at), day=day, time=time)


@lru_cache(maxsize=16)
def _day_and_time(minute: datetime, language: str) -> tuple[str, str]:
    # Deliveries of the same minute come one after the other.
    phrases = phrases_in(language)
    numbers = NumberWords(phrases, phrases.subject)
    return numbers.date(minute), numbers.time(minute)


def with_gaps(document: ExplanationDocument) -> bytes:
    """Write a document with gaps where its number and moment stand.

    Args:
        document: A finished document.

    Returns:
        Its RFC 8785 bytes with a control character in each gap.

    Raises:
        ValueError: If filling the gaps would not give the document back: a phrase names the number or the moment that
            is not among those this module knows.
    """
    marks = DeliveryMarks.of(document.id, document.produced_at, language=document.language)
    # Random texts that nothing else in the document can hold.
    stand_ins = DeliveryMarks(**{name: secrets.token_hex(16) for name in ("id", "moment", "day", "time")})
    voice = phrases_in(document.language).voice_for(document.audience)
    said = {_said(voice.say, key, marks): _said(voice.say, key, stand_ins) for key in PHRASES}
    content = document.as_json()
    content["id"], content["produced_at"] = stand_ins.id, stand_ins.moment
    for section in content["text"]["sections"]:
        if section["id"] == SECTION:
            section["paragraphs"] = [said.get(paragraph, paragraph) for paragraph in section["paragraphs"]]
    gapped = canonical_json(content)
    for gap, stand_in in _gaps(stand_ins):
        gapped = gapped.replace(stand_in, gap)
    other = replace(marks, id=secrets.token_hex(16))
    if filled(gapped, marks) != document.canonical_bytes() or document.id.encode() in filled(gapped, other):
        raise ValueError("The number or the moment of this document stands where no gap was expected.")
    return gapped


def filled(gapped: bytes, marks: DeliveryMarks) -> bytes:
    """Fill the gaps for one delivery.

    Args:
        gapped: From :func:`with_gaps`.
        marks: Number and moment of the delivery.

    Returns:
        RFC 8785 bytes of the delivered document.
    """
    for gap, value in _gaps(marks):
        gapped = gapped.replace(gap, value)
    return gapped


def _gaps(marks: DeliveryMarks) -> tuple[tuple[bytes, bytes], ...]:
    values = ((ID, marks.id), (MOMENT, marks.moment), (DAY, marks.day), (TIME, marks.time))
    # Without the quotation marks around them: most gaps are inside a longer text.
    return tuple((gap, canonical_json(value)[1:-1]) for gap, value in values)


def _said(say: Callable[..., str], key: str, marks: DeliveryMarks) -> str:
    return say(key, id=marks.id, date=marks.day, time=marks.time)
