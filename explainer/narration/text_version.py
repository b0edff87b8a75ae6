"""Which texts this program writes: changes whenever a sentence, a check or the spelling of a number may have."""

from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import explainer.explanations.document
import explainer.explanations.document_bytes
import explainer.explanations.strength

NARRATION = Path(__file__).parent
OTHER_SOURCES = (
    explainer.explanations.document,
    explainer.explanations.document_bytes,
    explainer.explanations.strength,
)
WRITERS = ("babel", "pydantic", "pyyaml")
"""Libraries that write numbers and dates, fill the document, and read the phrases."""


@cache
def text_version() -> str:
    """Fingerprint of everything a document's words come from, besides the facts and the card.

    Returns:
        SHA-256 (hex) over the files of this folder, the document's own shape and the versions of the libraries.
    """
    digest = sha256()
    files = sorted(path for path in NARRATION.rglob("*") if path.suffix in {".py", ".yaml"})
    sources = [Path(str(module.__file__)) for module in OTHER_SOURCES]
    for path in (*files, *sources):
        digest.update(f"{path.name}\0".encode() + sha256(path.read_bytes()).digest())
    for name in WRITERS:
        digest.update(f"{name} {version(name)}\0".encode())
    return digest.hexdigest()
