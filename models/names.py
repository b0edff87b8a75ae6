"""Names that travel: from a card into calls, addresses, files and log entries. One grammar, the log's, for all."""

import re
from typing import Annotated

from pydantic import AfterValidator

MAX_SLUG_LENGTH = 64
MAX_VERSION_LENGTH = 32

_SLUG = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9]+(?:[.+-][A-Za-z0-9]+)*", re.ASCII)
_CASE_NUMBER = re.compile(r"[0-9]{7}", re.ASCII)


def _checked_slug(text: str) -> str:
    if len(text) > MAX_SLUG_LENGTH or _SLUG.fullmatch(text) is None:
        raise ValueError("a name has small letters, digits and single _ or - between them, and begins with a letter")
    if _CASE_NUMBER.search(text):
        raise ValueError("a name has at most 6 digits in a row: more could be a case number")
    return text


def _checked_version(text: str) -> str:
    if len(text) > MAX_VERSION_LENGTH or _VERSION.fullmatch(text) is None:
        raise ValueError("a version has letters, digits and single . + or - between them, such as 2026.1")
    return text


Slug = Annotated[str, AfterValidator(_checked_slug)]
"""A stable English name such as ``wohngeld``."""

Version = Annotated[str, AfterValidator(_checked_version)]
"""A version such as ``2026.1``."""
