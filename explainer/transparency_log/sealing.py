"""Sealing: records that can be opened only while a key lives, and only where they belong.

Each record is encrypted with AES-256-GCM under a data key of its own; that data key is wrapped (AES key wrap, RFC 3394)
by the key of the person the record is about. Destroying the one key erases all of the person's records at once, also
in copies and backups of the database. The context is authenticated, so a record cannot be passed off as another.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from explainer.errors import SealingError

KEY_SIZE = 32
"""Bytes of subject and data keys (AES-256)."""

_VERSION = b"\x01"
_NONCE_SIZE = 12
_TAG_SIZE = 16
_WRAPPED_SIZE = KEY_SIZE + 8
MARK_SIZE = len(_VERSION) + _WRAPPED_SIZE
"""So many first bytes of a sealed record tell it from every other: the data key in them is drawn for it alone."""

_DOMAIN = b"klarbescheid/v1 sealed\x00"


@dataclass(frozen=True)
class SealedRecord:
    """A sealed record.

    Attributes:
        wrapped_data_key: 40 bytes, the data key wrapped by the subject's key.
        nonce: 12 bytes.
        ciphertext: Ciphertext with its 16-byte tag.
    """

    wrapped_data_key: bytes
    nonce: bytes
    ciphertext: bytes

    def __post_init__(self) -> None:
        sizes = (len(self.wrapped_data_key), len(self.nonce))
        if sizes != (_WRAPPED_SIZE, _NONCE_SIZE) or len(self.ciphertext) < _TAG_SIZE:
            raise SealingError("This is not a sealed record: a part has the wrong length.")

    def to_bytes(self) -> bytes:
        """One byte string: version 1, wrapped data key, nonce, ciphertext."""
        return _VERSION + self.wrapped_data_key + self.nonce + self.ciphertext

    @classmethod
    def from_bytes(cls, data: bytes) -> "SealedRecord":
        """Read what :meth:`to_bytes` wrote.

        Args:
            data: The bytes.

        Returns:
            The record.

        Raises:
            SealingError: If this is not a sealed record of a version we know.
        """
        if data[:1] != _VERSION:
            raise SealingError("This is not a sealed record, or it is of a version that this program does not know.")
        body = data[1:]
        return cls(
            body[:_WRAPPED_SIZE],
            body[_WRAPPED_SIZE : _WRAPPED_SIZE + _NONCE_SIZE],
            body[_WRAPPED_SIZE + _NONCE_SIZE :],
        )


def seal(plaintext: bytes, *, subject_key: bytes, context: str, random_bytes: Callable[[int], bytes]) -> SealedRecord:
    """Seal bytes under a subject's key.

    Args:
        plaintext: What to seal.
        subject_key: 32 bytes from the key store.
        context: What the bytes are and whose; must be given again to open them.
        random_bytes: Source of cryptographic randomness: number of bytes in, bytes out.

    Returns:
        The sealed record.

    Raises:
        SealingError: If the key has the wrong length.
    """
    _check_key(subject_key)
    data_key = random_bytes(KEY_SIZE)
    nonce = random_bytes(_NONCE_SIZE)
    ciphertext = AESGCM(data_key).encrypt(nonce, plaintext, _associated(context))
    return SealedRecord(aes_key_wrap(subject_key, data_key), nonce, ciphertext)


def unseal(record: SealedRecord, *, subject_key: bytes, context: str) -> bytes:
    """Open a sealed record.

    Args:
        record: The sealed record.
        subject_key: 32 bytes from the key store.
        context: As given when sealing.

    Returns:
        The plaintext.

    Raises:
        SealingError: If the key is another, the bytes were changed, or the record belongs elsewhere.
    """
    _check_key(subject_key)
    try:
        data_key = aes_key_unwrap(subject_key, record.wrapped_data_key)
        return AESGCM(data_key).decrypt(record.nonce, record.ciphertext, _associated(context))
    except (InvalidUnwrap, InvalidTag) as error:
        raise SealingError(
            "The sealed record does not open: it was changed, belongs elsewhere or was sealed under another key."
        ) from error


def _associated(context: str) -> bytes:
    return _DOMAIN + context.encode()


def _check_key(key: bytes) -> None:
    if len(key) != KEY_SIZE:
        raise SealingError(f"A subject key has {KEY_SIZE} bytes, this one has {len(key)}.")
