"""One whole explanation for each audience and language, kept in the repository and reviewed like code.

Write them anew after a change that was meant, and read the difference:

    WRITE_GOLDEN=1 .venv/bin/python -m pytest tests/unit/narration/test_golden_documents.py
"""

import json
import os
from pathlib import Path

import pytest

from explainer.explanations.document import Audience, ExplanationDocument, Language
from explainer.narration.document_builder import build_document
from tests.builders import some_facts, some_interactions
from tests.unit.narration.cases import AUDIENCES, LANGUAGES

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("audience", AUDIENCES)
def test_document_is_the_golden_one(audience: Audience, language: Language) -> None:
    path = GOLDEN / f"explanation_{audience}_{language}.json"
    interactions = None if audience == "subject" else some_interactions()
    document = build_document(some_facts(audience, language, interactions=interactions))
    written = json.dumps(document.as_json(), ensure_ascii=False, indent=2) + "\n"
    if os.environ.get("WRITE_GOLDEN"):
        path.write_text(written, "utf-8")
    assert path.read_text("utf-8") == written
    assert ExplanationDocument.model_validate_json(written).canonical_bytes() == document.canonical_bytes()
