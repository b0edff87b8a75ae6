"""Salted commitments: they fix a value, and say nothing about it."""

import itertools
import os
from collections.abc import Callable
from hashlib import sha256

import pytest

from explainer.errors import MalformedLeafError, VerificationError
from explainer.transparency_log.canonical_json import JsonValue, canonical_bytes, parse_canonical
from explainer.transparency_log.commitment import Commitment, commit

SALT = bytes(range(32))
BIRTHDAYS = [f"19{year:02d}-{month:02d}-{day:02d}" for year in range(50, 60) for month in range(1, 13) for day in range(1, 29)]  # fmt: skip  # noqa: E501


def find_by_guessing(digest: bytes, guess_digest: Callable[[str], bytes]) -> str | None:
    """What an attacker with the public leaf does: try every possible value."""
    return next((value for value in BIRTHDAYS if guess_digest(value) == digest), None)


def test_a_commitment_opens_with_its_own_value_and_salt_only() -> None:
    committed = Commitment("subject", "1955-03-07", SALT)
    committed.verify(committed.digest)
    for other in (
        Commitment("subject", "1955-03-08", SALT),
        Commitment("actor", "1955-03-07", SALT),
        Commitment("subject", "1955-03-07", bytes(32)),
    ):
        with pytest.raises(VerificationError, match=other.field):
            other.verify(committed.digest)


def test_few_possible_values_cannot_be_guessed_from_the_leaf() -> None:
    digest = commit("subject", "1955-03-07", os.urandom).digest
    assert find_by_guessing(digest, lambda value: Commitment("subject", value, bytes(32)).digest) is None
    assert find_by_guessing(digest, lambda value: sha256(canonical_bytes(value)).digest()) is None


def test_the_guessing_test_finds_the_value_of_an_unsalted_hash() -> None:
    unsalted = sha256(canonical_bytes("1955-03-07")).digest()
    assert find_by_guessing(unsalted, lambda value: sha256(canonical_bytes(value)).digest()) == "1955-03-07"


def test_disclosing_one_field_does_not_let_another_be_guessed() -> None:
    disclosed, hidden = commit("decision", "KB-1", os.urandom), commit("subject", "1955-03-07", os.urandom)
    assert find_by_guessing(hidden.digest, lambda value: Commitment("subject", value, disclosed.salt).digest) is None


def test_with_one_salt_for_all_fields_the_guessing_test_would_succeed() -> None:
    disclosed, hidden = Commitment("decision", "KB-1", SALT), Commitment("subject", "1955-03-07", SALT)
    found = find_by_guessing(hidden.digest, lambda value: Commitment("subject", value, disclosed.salt).digest)
    assert found == "1955-03-07"


def test_the_same_value_twice_gives_commitments_that_do_not_look_alike() -> None:
    counter = itertools.count()
    made = {commit("subject", "same", lambda size: bytes([next(counter)]) * size).digest for _ in range(10)}
    assert len(made) == 10


@pytest.mark.parametrize("value", [2**53, -(2**53), float("nan"), float("inf"), "\ud800", {1: "a"}, b"bytes", object()])
def test_a_value_without_one_canonical_spelling_cannot_be_committed_to(value: JsonValue) -> None:
    with pytest.raises(MalformedLeafError):
        commit("subject", value, os.urandom)


def test_endless_nesting_is_refused_and_does_not_crash() -> None:
    nested: JsonValue = None
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(MalformedLeafError):
        canonical_bytes(nested)
    with pytest.raises(MalformedLeafError):
        parse_canonical(b"[" * 100_000)


@pytest.mark.parametrize("field", ["", "Subject", "sub ject", "subject\x00", "x" * 33, "naïve", "a\n"])
def test_a_field_name_that_could_blur_where_it_ends_is_refused(field: str) -> None:
    with pytest.raises(MalformedLeafError):
        Commitment(field, "value", SALT)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_salt_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(MalformedLeafError):
        Commitment("subject", "value", bytes(size))


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b'{"b":1,"a":2}', b'{"a": 1}', b'{"a":1,"a":1}', b"1.0", b"1e2", b"NaN", b"9" * 5000, b'"\\u0041"'],
)  # fmt: skip
def test_json_that_is_not_spelt_canonically_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedLeafError):
        parse_canonical(data)
