"""Read a document as a person does: its text, whole or by section."""

from explainer.explanations.document import ExplanationDocument


def section_text(document: ExplanationDocument, section_id: str) -> str:
    """Paragraphs of one section, one a line."""
    return "\n".join(next(part.paragraphs for part in document.text.sections if part.id == section_id))


def full_text(document: ExplanationDocument) -> str:
    """Title, headings and paragraphs, one a line."""
    lines = [document.text.title]
    for section in document.text.sections:
        lines += [section.heading, *section.paragraphs]
    return "\n".join(lines)


def with_section(document: ExplanationDocument, section_id: str, paragraphs: tuple[str, ...]) -> ExplanationDocument:
    """The document with other paragraphs in one section."""
    sections = tuple(
        part.model_copy(update={"paragraphs": paragraphs}) if part.id == section_id else part
        for part in document.text.sections
    )
    return document.model_copy(update={"text": document.text.model_copy(update={"sections": sections})})


def without(document: ExplanationDocument, section_id: str, text: str) -> ExplanationDocument:
    """The document without the paragraphs of one section that contain a text."""
    section = next(part for part in document.text.sections if part.id == section_id)
    kept = tuple(paragraph for paragraph in section.paragraphs if text not in paragraph)
    if kept == section.paragraphs:
        raise AssertionError(f"no paragraph of {section_id} contains {text!r}")
    return with_section(document, section_id, kept)
