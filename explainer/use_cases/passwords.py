"""Passwords of the embedded staff list: argon2id, one cost for right, wrong and unknown."""

from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_PASSWORD_LENGTH = 12
MAX_PASSWORD_LENGTH = 200

_HASHER = PasswordHasher()


def hash_password(password: str) -> str:
    """Hash a password with argon2id and a salt of its own (RFC 9106, the library's defaults).

    Args:
        password: In clear.

    Returns:
        The encoded hash.

    Raises:
        ValueError: If it is shorter than 12 or longer than 200 characters.
    """
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        raise ValueError(f"A password has {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters.")
    return _HASHER.hash(password)


def password_fits(stored: str | None, password: str) -> bool:
    """Check a password; an unknown user costs as much as a wrong password.

    Args:
        stored: The encoded hash, or None where the user is unknown.
        password: As typed.

    Returns:
        Whether it fits.
    """
    try:
        _HASHER.verify(stored or _hash_of_nobody(), password[:MAX_PASSWORD_LENGTH])
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


@lru_cache(maxsize=1)
def _hash_of_nobody() -> str:
    return _HASHER.hash("nobody has this password")
