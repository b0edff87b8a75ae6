"""The log key: made once, for its owner alone."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from explainer.errors import MalformedNoteError, SettingsError
from explainer.transparency_log.log_key import load_or_create_log_key
from explainer.transparency_log.private_file import create_private_file
from explainer.transparency_log.signed_note import NoteSigner, open_note, sign_note
from tests.unit.transparency_log.memory_log import ORIGIN


def load(path: Path, origin: str = ORIGIN) -> NoteSigner:
    return load_or_create_log_key(path, origin=origin, random_bytes=os.urandom)


def test_the_first_start_makes_a_key_and_later_starts_load_it(tmp_path: Path) -> None:
    path = tmp_path / "var" / "log.key"
    first, second = load(path), load(path)
    assert first.vkey == second.vkey
    assert first.name == ORIGIN
    assert open_note(sign_note("text\n", [first]), [second.verifier]).text == "text\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_two_installations_have_two_keys(tmp_path: Path) -> None:
    assert load(tmp_path / "a").vkey != load(tmp_path / "b").vkey


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "log.key"
    load(path)
    path.chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        load(path)


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_without_a_key_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.key"
    create_private_file(path, content)
    with pytest.raises(SettingsError):
        load(path)
    assert path.read_bytes() == content


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    other = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    create_private_file(path, other)
    with pytest.raises(SettingsError, match="Ed25519"):
        load(path)


def test_a_name_that_cannot_stand_in_a_note_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedNoteError):
        load(tmp_path / "log.key", "my log")


def test_of_two_processes_that_create_the_file_only_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    assert create_private_file(path, b"first")
    assert not create_private_file(path, b"second")
    assert path.read_bytes() == b"first"
