"""Base64 of RFC 4648 §4 in which every byte string has exactly one spelling."""

import base64
import binascii


def encode_base64(data: bytes) -> str:
    """Standard alphabet, padded, on one line."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Decode, refusing white space, other alphabets, missing padding and stray bits at the end.

    Args:
        text: Base64 text.

    Returns:
        The bytes it spells.

    Raises:
        ValueError: If the text is not the one spelling of its bytes.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not Base64") from error
    if encode_base64(data) != text:
        raise ValueError("not the one Base64 spelling of its bytes")
    return data
