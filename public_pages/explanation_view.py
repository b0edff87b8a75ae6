"""What pages add to an explanation document: bars on one scale, and which sentences stand around them."""

from dataclasses import dataclass

from explainer.explanations.document import Contribution, ExplanationDocument, Section

MAX_FACTORS = 5
"""More than five factors are not read (docs: three to five, strongest first)."""

FULL_WIDTH = 100.0
"""Width of the longest bar, in units of the drawing."""

MIN_WIDTH = 1.0
"""Every factor that is shown has a bar that can be seen."""


FINGERPRINT_BEGIN = 16
"""Texts name fingerprints by their first 16 signs."""


@dataclass(frozen=True, kw_only=True)
class FactorBar:
    """One feature's contribution and the length of its bar.

    Attributes:
        contribution: From the document.
        width: 1 to 100, proportional to the contribution's size.
    """

    contribution: Contribution
    width: float


def bars_of(contributions: tuple[Contribution, ...]) -> tuple[FactorBar, ...]:
    """Draw contributions on one scale, in the order of the document: strongest first, equal ones as the card has them.

    Args:
        contributions: Any subset of a document's contributions.

    Returns:
        One bar each; the longest is 100 wide, zero is at the left.
    """
    longest = max((abs(one.contribution) for one in contributions), default=0.0)
    return tuple(
        FactorBar(
            contribution=one,
            width=max(MIN_WIDTH, round(FULL_WIDTH * abs(one.contribution) / longest, 1)) if longest else MIN_WIDTH,
        )
        for one in contributions
    )


def told_contributions(document: ExplanationDocument) -> tuple[Contribution, ...]:
    """Contributions that the factors section tells about, sentence by sentence.

    Args:
        document: An explanation for a subject.

    Returns:
        Those whose sentence stands in the section; where it has none of them, the strongest that are not negligible.
    """
    told = {paragraph.strip() for paragraph in _paragraphs(document, "factors")}
    in_text = tuple(one for one in document.contributions if one.sentence.strip() in told)
    worth_it = tuple(one for one in document.contributions if one.strength != "negligible")
    return in_text or tuple(bar.contribution for bar in bars_of(worth_it)[:MAX_FACTORS])


def notes_around_factors(document: ExplanationDocument) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split the factors section into what stands before and after the factors themselves.

    Args:
        document: An explanation for a subject.

    Returns:
        Paragraphs before the first factor's sentence, and all later ones that are no factor's sentence. Where no
        factor's sentence stands in the section, everything comes after.
    """
    sentences = {one.sentence.strip() for one in document.contributions}
    paragraphs = _paragraphs(document, "factors")
    places = [place for place, paragraph in enumerate(paragraphs) if paragraph.strip() in sentences]
    if not places:
        return (), paragraphs
    before = paragraphs[: places[0]]
    after = tuple(paragraph for paragraph in paragraphs[places[0] :] if paragraph.strip() not in sentences)
    return before, after


def notes_on_data(document: ExplanationDocument) -> tuple[str, ...]:
    """Paragraphs of the data section that the table does not already show.

    Args:
        document: An explanation for a subject.

    Returns:
        All paragraphs but those that repeat one item's label, value and source.
    """
    return tuple(
        paragraph
        for paragraph in _paragraphs(document, "data")
        if not any(
            paragraph.startswith(item.label) and item.value_text in paragraph and item.source in paragraph
            for item in document.data
        )
    )


def notes_in_small_print(document: ExplanationDocument) -> tuple[str, ...]:
    """Paragraphs of the small print that the list of numbers and fingerprints does not already show."""
    listed = [document.id, document.model.sha256[:FINGERPRINT_BEGIN]]
    if document.decision:
        listed.append(document.decision.reference)
    return tuple(
        paragraph
        for paragraph in _paragraphs(document, "small_print")
        if not any(number in paragraph for number in listed)
    )


def _paragraphs(document: ExplanationDocument, section_id: str) -> tuple[str, ...]:
    found: Section | None = next((section for section in document.text.sections if section.id == section_id), None)
    return found.paragraphs if found else ()
