"""The key that signs checkpoints, in a file that only the service may read."""

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from explainer.errors import SettingsError
from explainer.transparency_log.private_file import create_private_file, refuse_if_others_can_read
from explainer.transparency_log.signed_note import NoteSigner

_SEED_SIZE = 32


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
        key = Ed25519PrivateKey.from_private_bytes(random_bytes(_SEED_SIZE))
        # When another process was quicker, its key is loaded below like any other.
        create_private_file(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    refuse_if_others_can_read(path)
    return NoteSigner(origin, _read_key(path))


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
