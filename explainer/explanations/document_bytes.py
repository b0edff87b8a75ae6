"""RFC 8785 bytes of a document, spelled straight from its parts.

Dumping a document, rounding its numbers, sorting its names and spelling it are four walks through the same seven
hundred values. Which names a part has, and in which order they stand, is known from its class; so one walk is enough.
"""

import math
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from models.canonical_json import canonical_json, float_text

QUANTUM_DIGITS = 9
"""Numbers are rounded to 1e-9, so that the bytes do not depend on the last bits of a floating-point unit."""


class _Member(NamedTuple):
    """One field of a class: its name, its key as JSON with the colon, when it is left out, what it is turned into."""

    name: str
    key: str
    is_left_out: Callable[[Any], bool] | None
    turned: Callable[[Any, Any], Any] | None


def document_bytes(part: BaseModel) -> bytes:
    """Spell a document, or a part of one, as RFC 8785 demands, its numbers rounded to 1e-9.

    Args:
        part: What to spell; fields have their aliases for names, serialisers of single fields are heeded.

    Returns:
        UTF-8 bytes: those of ``canonical_json`` of the rounded values.

    Raises:
        ValueError: If a number is not finite, or a text holds half a surrogate pair.
        TypeError: If a class has a serialiser for all of its fields together.
    """
    return _any(part).encode()


def quantised(number: float) -> float:
    """Round a number to 1e-9, and never to a negative zero.

    Args:
        number: What a document is to hold.

    Raises:
        ValueError: If it is not finite.
    """
    if not math.isfinite(number):
        raise ValueError("a document holds finite numbers only")
    return round(number, QUANTUM_DIGITS) + 0.0


def _any(value: Any) -> str:
    return (_SPELLERS.get(type(value)) or _speller_of(value))(value)


def _float(number: float) -> str:
    if 1e-6 <= abs(number) < 1e6:  # noqa: PLR2004 -- fifteen digits at most and no exponent: the shortest spelling
        return f"{number:.{QUANTUM_DIGITS}f}".rstrip("0").removesuffix(".")
    return float_text(quantised(number))


def _sequence(values: tuple[Any, ...] | list[Any]) -> str:
    return "[" + ",".join([_any(value) for value in values]) + "]"


def _mapping(values: Mapping[str, Any]) -> str:
    return (
        "{"
        + ",".join([f"{encode_basestring(name)}:{_any(values[name])}" for name in sorted(values, key=_utf_16)])
        + "}"
    )


def _utf_16(name: str) -> bytes:
    return name.encode("utf-16-be")


def _speller_of(value: Any) -> Callable[[Any], str]:
    """Find out how values of this type are spelled; types that are no parts are first made JSON by pydantic."""
    if not isinstance(value, BaseModel):
        return lambda other: _any(to_jsonable_python(other))
    members = _members_of(type(value))

    def spell_part(part: BaseModel) -> str:
        values, said = part.__dict__, []
        for name, key, is_left_out, turned in members:
            member = values[name]
            if is_left_out is not None and is_left_out(member):
                continue
            if turned is not None:
                member = turned(part, member)
            said.append(key + (_SPELLERS.get(type(member)) or _speller_of(member))(member))
        return "{" + ",".join(said) + "}"

    _SPELLERS[type(value)] = spell_part
    return spell_part


def _members_of(part: type[BaseModel]) -> list[_Member]:
    decorators = part.__pydantic_decorators__
    if decorators.model_serializers:
        raise TypeError(f"{part.__name__} spells itself; this module does not know how")
    turned = {
        field: serialiser.func
        for serialiser in decorators.field_serializers.values()
        for field in serialiser.info.fields
    }
    members = [
        _Member(
            name=name,
            key=f'"{field.alias or name}":',
            is_left_out=field.exclude_if,
            turned=turned.get(name),
        )
        for name, field in part.model_fields.items()
    ]
    return sorted(members, key=lambda member: member.key)


_SPELLERS: dict[type, Callable[[Any], str]] = {
    str: encode_basestring,
    float: _float,
    int: lambda number: canonical_json(number).decode(),
    bool: lambda value: "true" if value else "false",
    type(None): lambda _none: "null",
    tuple: _sequence,
    list: _sequence,
    dict: _mapping,
}
"""How a value of each exact type is spelled; classes of parts come along when they are first met."""
