"""Canonical JSON: our quick spelling is the library's, for everything the library can spell, and refuses the rest."""

import struct
from enum import IntEnum
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from models.canonical_json import canonical_json

FLOATS = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("d", struct.pack("Q", bits))[0])
FINITE = FLOATS.filter(lambda number: number - number == 0) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | FINITE | TEXTS,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(TEXTS, inner),
)


class Colour(IntEnum):
    RED = 1


@given(VALUES)
@example({"ä": 1, "\U0001f600": 2, "\ufb33": 3, "z": 4})
@example('\x00\x1f\x7f\u2028"\\/\n')
@example([0.0, -0.0, 5e-324, 1e-7, 1e-6, 1e-4, 1e15, 1e16, 1e21, 2.0**53, 123456789.123456789])
@example({"gap": -8e-09})
def test_every_value_is_spelled_as_the_library_spells_it(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


def test_python_s_own_encoder_would_spell_numbers_otherwise() -> None:
    """The broken twin: why floats cannot simply be written with ``repr``."""
    assert canonical_json([1.0, 1e-9]) == b"[1,1e-9]" != repr([1.0, 1e-9]).replace(" ", "").encode()


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 2**53, "\ud800", {"a": ["\udfff"]}, {1: 2}, b"bytes", object(), {"a": {1}}]
)
def test_what_the_library_refuses_is_refused(value: Any) -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical_json(value)


def test_other_types_are_left_to_the_library() -> None:
    assert canonical_json(Colour.RED) == rfc8785.dumps(Colour.RED)
