"""Text as people type it into our forms."""

import unicodedata

MAX_TYPED_LENGTH = 500


def typed(text: str | None) -> str:
    """Take what was typed: trimmed, without control characters, at most 500 characters.

    Args:
        text: As the form sent it; None where the field was missing.

    Returns:
        Text that can be looked up, shown again and stored.
    """
    begin = (text or "")[:MAX_TYPED_LENGTH]
    return "".join(sign for sign in begin if unicodedata.category(sign) not in ("Cc", "Cs")).strip()
