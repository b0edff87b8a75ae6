"""Salted commitments: the log fixes a value without showing it.

``SHA-256("klarbescheid/v1 commit" || 0x00 || salt || field || 0x00 || RFC 8785 bytes of the value)``

Every field has a 32-byte salt of its own: values such as a date or a score are few enough to be guessed, and with one
salt for several fields, disclosing one of them would let anybody guess the others.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from hashlib import sha256
from hmac import compare_digest

from explainer.errors import MalformedLeafError, VerificationError
from explainer.transparency_log.canonical_json import JsonValue, canonical_bytes

SALT_SIZE = 32
"""Bytes of a salt."""

_DOMAIN = b"klarbescheid/v1 commit\x00"
_FIELD = re.compile(r"[a-z][a-z_]{0,31}", re.ASCII)


@dataclass(frozen=True)
class Commitment:
    """A commitment together with what opens it; only :attr:`digest` may be published.

    Attributes:
        field: Name of the field.
        value: Its value; one without a canonical JSON spelling is refused.
        salt: 32 random bytes, used for this field of this entry only.
        digest: The 32 bytes that go into the log entry.
    """

    field: str
    value: JsonValue
    salt: bytes
    digest: bytes = dataclass_field(init=False)

    def __post_init__(self) -> None:
        if _FIELD.fullmatch(self.field) is None:
            raise MalformedLeafError("The name of a committed field is 1 to 32 small letters and underscores.")
        if len(self.salt) != SALT_SIZE:
            raise MalformedLeafError(f"A salt has {SALT_SIZE} bytes, this one has {len(self.salt)}.")
        spelled = self.field.encode() + b"\x00" + canonical_bytes(self.value)
        object.__setattr__(self, "digest", sha256(_DOMAIN + self.salt + spelled).digest())

    def verify(self, digest: bytes) -> None:
        """Check that this is what a log entry committed to.

        Args:
            digest: The 32 bytes from the entry.

        Raises:
            VerificationError: If the entry committed to another value, field or salt.
        """
        if not compare_digest(self.digest, digest):
            raise VerificationError(f"The log entry commits to another value of {self.field}, or with another salt.")


def commit(field: str, value: JsonValue, random_bytes: Callable[[int], bytes]) -> Commitment:
    """Commit to a value with a fresh salt.

    Args:
        field: Name of the field.
        value: Its value.
        random_bytes: Source of cryptographic randomness: number of bytes in, bytes out.

    Returns:
        The commitment and what opens it.

    Raises:
        MalformedLeafError: If the value has no canonical JSON spelling.
    """
    return Commitment(field, value, random_bytes(SALT_SIZE))
