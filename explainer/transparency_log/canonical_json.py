"""RFC 8785 canonical JSON: one spelling per value, so that its bytes can be hashed and compared."""

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import rfc8785

from explainer.errors import MalformedLeafError
from models.canonical_json import canonical_json

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
"""Anything that JSON can say; integers only up to 2^53 - 1, because readers hold them as doubles."""


def canonical_bytes(value: JsonValue) -> bytes:
    """Spell a value as RFC 8785 demands.

    Args:
        value: A JSON value.

    Returns:
        UTF-8 bytes.

    Raises:
        MalformedLeafError: If RFC 8785 has no spelling for it: NaN, infinities, integers beyond 2^53 - 1, lone
            surrogates, keys that are not text, other types, or too deep nesting.
    """
    try:
        return canonical_json(value)
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise MalformedLeafError(f"This value has no canonical JSON spelling: {error}.") from error


def parse_canonical(data: bytes) -> JsonValue:
    """Read canonical JSON and nothing else.

    Args:
        data: UTF-8 bytes.

    Returns:
        The value.

    Raises:
        MalformedLeafError: If the bytes are not the canonical spelling of a JSON value.
    """
    try:
        value: JsonValue = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise MalformedLeafError("These bytes are not JSON text in UTF-8.") from error
    # Comparing bytes also refuses repeated keys, spaces, other key orders and other spellings of numbers.
    if canonical_bytes(value) != data:
        raise MalformedLeafError("This JSON is not spelt as RFC 8785 demands.")
    return value
