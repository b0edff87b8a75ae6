"""Sealed records open only with their key, unchanged, where they belong."""

import os

import pytest

from explainer.errors import SealingError
from explainer.transparency_log.sealing import SealedRecord, seal, unseal

KEY = bytes(range(32))
SECRET = b"Einkommen: 1.240 Euro"
RECORD = seal(SECRET, subject_key=KEY, context="decision:KB-1", random_bytes=os.urandom)


def test_a_sealed_record_opens_with_its_key_in_its_context() -> None:
    again = SealedRecord.from_bytes(RECORD.to_bytes())
    assert unseal(again, subject_key=KEY, context="decision:KB-1") == SECRET


def test_an_empty_record_can_be_sealed() -> None:
    record = seal(b"", subject_key=KEY, context="", random_bytes=os.urandom)
    assert unseal(record, subject_key=KEY, context="") == b""


def test_a_record_does_not_open_with_another_key_or_elsewhere() -> None:
    with pytest.raises(SealingError):
        unseal(RECORD, subject_key=bytes(32), context="decision:KB-1")
    with pytest.raises(SealingError):
        unseal(RECORD, subject_key=KEY, context="decision:KB-2")


def test_every_single_changed_byte_is_noticed() -> None:
    sealed = RECORD.to_bytes()
    for position in range(len(sealed)):
        changed = sealed[:position] + bytes([sealed[position] ^ 1]) + sealed[position + 1 :]
        with pytest.raises(SealingError):
            unseal(SealedRecord.from_bytes(changed), subject_key=KEY, context="decision:KB-1")


def test_every_shortened_record_is_noticed() -> None:
    sealed = RECORD.to_bytes()
    for length in range(len(sealed)):
        with pytest.raises(SealingError):
            unseal(SealedRecord.from_bytes(sealed[:length]), subject_key=KEY, context="decision:KB-1")


def test_the_ciphertext_of_one_record_does_not_open_with_the_data_key_of_another() -> None:
    other = seal(SECRET, subject_key=KEY, context="decision:KB-1", random_bytes=os.urandom)
    mixed = SealedRecord(other.wrapped_data_key, RECORD.nonce, RECORD.ciphertext)
    with pytest.raises(SealingError):
        unseal(mixed, subject_key=KEY, context="decision:KB-1")


def test_sealing_the_same_twice_gives_records_that_do_not_look_alike() -> None:
    other = seal(SECRET, subject_key=KEY, context="decision:KB-1", random_bytes=os.urandom)
    assert other.ciphertext != RECORD.ciphertext
    assert other.wrapped_data_key != RECORD.wrapped_data_key
    assert SECRET not in RECORD.to_bytes()


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(SealingError):
        seal(SECRET, subject_key=bytes(size), context="", random_bytes=os.urandom)
    with pytest.raises(SealingError):
        unseal(RECORD, subject_key=bytes(size), context="decision:KB-1")
