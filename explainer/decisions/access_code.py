"""Reference and access code: how a person with a letter, and nobody else, reaches their explanation.

Twelve characters of a 30-sign alphabet are 58.9 bits. The code is shown once and kept only as an HMAC.
"""

import hmac
import re
import secrets
from collections.abc import Callable

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""30 signs: without 0 and O, 1, I and L, and U, which people misread or mistype."""

CODE_LENGTH = 12
REFERENCE_LENGTH = 10
_BLOCK = 4

ChooseSign = Callable[[str], str]


def new_access_code(choose: ChooseSign = secrets.choice) -> str:
    """Make a new access code.

    Args:
        choose: Picks one sign of the alphabet; random in production, seeded in tests.

    Returns:
        Twelve signs without blanks.
    """
    return "".join(choose(ALPHABET) for _ in range(CODE_LENGTH))


def new_reference(choose: ChooseSign = secrets.choice) -> str:
    """Make a new decision reference such as ``KB-7F3K-9QXW-2M``.

    Args:
        choose: Picks one sign of the alphabet.

    Returns:
        A random reference that says nothing about case or person.
    """
    return "KB-" + in_blocks("".join(choose(ALPHABET) for _ in range(REFERENCE_LENGTH)), "-")


def in_blocks(text: str, separator: str = " ") -> str:
    """Write a code in blocks of four, as it stands in the letter."""
    return separator.join(text[start : start + _BLOCK] for start in range(0, len(text), _BLOCK))


def normalise_code(typed: str) -> str:
    """Take a code as people type it: blanks, dashes and case do not matter."""
    return re.sub(r"[\s\-]", "", typed).upper()


def normalise_reference(typed: str) -> str:
    """Take a reference as people type it and write it as we store it."""
    signs = normalise_code(typed)
    if len(signs) == len("KB") + REFERENCE_LENGTH:
        signs = signs.removeprefix("KB")
    return "KB-" + in_blocks(signs, "-")


def code_digest(reference: str, code: str, server_key: bytes) -> bytes:
    """Digest under which a code is stored, bound to its decision.

    Args:
        reference: The decision's reference.
        code: As typed or as issued.
        server_key: 32 bytes of the installation.

    Returns:
        HMAC-SHA256 (RFC 2104), 32 bytes.
    """
    return hmac.digest(server_key, f"{reference}\n{normalise_code(code)}".encode(), "sha256")


def code_fits(reference: str, code: str, server_key: bytes, stored: bytes | None) -> bool:
    """Compare in constant time; an unknown reference costs the same as a wrong code.

    Args:
        reference: The decision's reference.
        code: As typed.
        server_key: 32 bytes of the installation.
        stored: The stored digest, or None where the reference is unknown.

    Returns:
        Whether the code belongs to the decision.
    """
    expected = stored if stored is not None else bytes(32)
    same = hmac.compare_digest(code_digest(reference, code, server_key), expected)
    return same and stored is not None
