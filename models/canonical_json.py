"""RFC 8785 canonical JSON, quickly: the common values spelled here, every rare one by the library."""

from collections.abc import Callable, Mapping
from json.encoder import encode_basestring
from typing import Any

import rfc8785

_MAX_INTEGER = 2**53 - 1
_DIGITS = "0123456789"
_WRITTEN_OUT = {"-05", "-06"}
"""Exponents of Python that ECMAScript does not write."""


def canonical_json(value: Any) -> bytes:
    """Spell a value as RFC 8785 demands, several times as fast as the library alone.

    Python's JSON encoder escapes texts exactly as RFC 8785 section 3.2.2.2 does, and ASCII keys sort alike by code
    points and by UTF-16 units.

    Args:
        value: A JSON value.

    Returns:
        UTF-8 bytes.

    Raises:
        rfc8785.CanonicalizationError: If RFC 8785 has no spelling for it.
        RecursionError: If it nests too deeply.
    """
    try:
        return _spelled(value).encode()
    except UnicodeEncodeError:
        # Half a surrogate pair somewhere: the library says so in its own words.
        return rfc8785.dumps(value)


def float_text(number: float) -> str:
    """Spell a float as RFC 8785 section 3.2.2.3 demands: as ECMAScript does.

    Both languages write the shortest digits that lead back to the number. Python begins to write exponents below 1e-4,
    ECMAScript below 1e-6, and without a leading zero.

    Args:
        number: The float.

    Returns:
        Its spelling.

    Raises:
        rfc8785.CanonicalizationError: If it is not finite.
    """
    text = repr(number)
    digits, _, exponent = text.partition("e")
    if not exponent:
        whole = text.removesuffix(".0")
        return "0" if whole == "-0" else whole if whole[-1] in _DIGITS else rfc8785.dumps(number).decode()
    if exponent in _WRITTEN_OUT:
        return f"{number:.{len(digits.partition('.')[2]) - int(exponent)}f}"
    if exponent[0] == "-":
        return f"{digits}e{int(exponent)}"
    return rfc8785.dumps(number).decode()


def _spelled(value: Any) -> str:
    # Exact types only: a subclass may have a spelling of its own.
    kind = type(value)
    if kind in _PLAIN:
        return _PLAIN[kind](value)
    if kind is dict and all(type(key) is str and key.isascii() for key in value):
        return "{" + ",".join([f"{encode_basestring(key)}:{_spelled(value[key])}" for key in sorted(value)]) + "}"
    if kind is list or kind is tuple:
        return "[" + ",".join([_spelled(item) for item in value]) + "]"
    if kind is int and -_MAX_INTEGER <= value <= _MAX_INTEGER:
        return str(value)
    return rfc8785.dumps(value).decode()


_PLAIN: Mapping[type, Callable[[Any], str]] = {
    str: encode_basestring,
    float: float_text,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _none: "null",
}
