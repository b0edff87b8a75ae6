"""The keys that sign checkpoints: who holds them, and the holder that keeps them in files.

A holder gives signers, never private keys, so that the keys may as well lie in another process
(``transparency_log/signer_process.py``) or in a device behind it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from explainer.errors import SettingsError
from explainer.transparency_log.private_file import create_private_file, refuse_if_others_can_read
from explainer.transparency_log.signed_note import NoteSigner, NoteVerifier

FIRST_KEY_FILE = "log.key"
_SEED_SIZE = 32


class LogKeyHolder(Protocol):
    """Holds the private keys of a log."""

    def first(self, origin: str) -> NoteSigner:
        """The key a log begins with; made at the very first start.

        Raises:
            SettingsError: If it cannot be had.
        """

    def signer(self, vkey: str) -> NoteSigner:
        """The signer of a key of this log.

        Raises:
            SettingsError: If this holder does not have its private half.
        """

    def new(self, origin: str) -> NoteSigner:
        """Make one more key, durable before this returns.

        Raises:
            SettingsError: If it cannot be made.
        """


class LogKeyFiles:
    """Keys in PEM files (PKCS #8) of one folder, each mode 0600: the first, and one for each replacement.

    Args:
        folder: Where they lie.
        random_bytes: Source of cryptographic randomness: number of bytes in, bytes out.
    """

    def __init__(self, folder: Path, random_bytes: Callable[[int], bytes]) -> None:
        self._folder = folder
        self._random_bytes = random_bytes

    def first(self, origin: str) -> NoteSigner:
        """See :class:`LogKeyHolder`."""
        return load_or_create_log_key(self._folder / FIRST_KEY_FILE, origin=origin, random_bytes=self._random_bytes)

    def signer(self, vkey: str) -> NoteSigner:
        """See :class:`LogKeyHolder`."""
        name = NoteVerifier.from_vkey(vkey).name
        for path in [self._folder / FIRST_KEY_FILE, *sorted(self._folder.glob("log-*.key"))]:
            if path.exists():
                refuse_if_others_can_read(path)
                found = NoteSigner(name, _read_key(path))
                if found.vkey == vkey:
                    return found
        raise missing_key(vkey)

    def new(self, origin: str) -> NoteSigner:
        """See :class:`LogKeyHolder`."""
        key = Ed25519PrivateKey.from_private_bytes(self._random_bytes(_SEED_SIZE))
        signer = NoteSigner(origin, key)
        _write_key(self._folder / f"log-{signer.key_id.hex()}.key", key)
        return signer


def missing_key(vkey: str) -> SettingsError:
    """What to tell where a key that must sign is not at hand."""
    return SettingsError(
        f"The log is signed with the key {vkey}, but the key file holds another key; put the log's own key back. A log "
        "that goes on under another key proves nothing"
    )


def load_or_create_log_key(path: Path, *, origin: str, random_bytes: Callable[[int], bytes]) -> NoteSigner:
    """Load the log's Ed25519 key; on the very first start, make it.

    Args:
        path: PEM file (PKCS #8), mode 0600.
        origin: Name of the log, which is also the name of its key.
        random_bytes: Source of cryptographic randomness: number of bytes in, bytes out.

    Returns:
        The signer of the log.

    Raises:
        SettingsError: If the file can be read by others or holds no Ed25519 key.
        MalformedNoteError: If the origin cannot name a key.
    """
    if not path.exists():
        # When another process was quicker, its key is loaded below like any other.
        _write_key(path, Ed25519PrivateKey.from_private_bytes(random_bytes(_SEED_SIZE)))
    refuse_if_others_can_read(path)
    return NoteSigner(origin, _read_key(path))


def _write_key(path: Path, key: Ed25519PrivateKey) -> None:
    try:
        create_private_file(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    except OSError as error:
        raise SettingsError(f"The log key file {path.name} cannot be made: {error.strerror}.") from error


def _read_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise SettingsError(f"The log key file {path.name} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError) as error:
        raise SettingsError(f"The log key file {path.name} holds no readable private key.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"The log key file {path.name} must hold an Ed25519 key.")
    return key
