"""Give access: case systems get an API key, staff a password and a personal token. All are shown once."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from explainer.errors import NotSignedInError
from explainer.transparency_log.log_entry import LogEvent
from explainer.use_cases.callers import CaseSystem, Staff
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.passwords import hash_password
from explainer.use_cases.records import ApiKeyRecord, StaffRecord
from explainer.use_cases.service import Service
from models.errors import InputProblem, InvalidInputError

ROLES = ("caseworker", "supervisor", "oversight", "publisher", "auditor", "administrator")

API_KEY_PREFIX = "kbk_"
TOKEN_PREFIX = "kbt_"  # noqa: S105 -- a prefix that says what kind of token follows, not a secret


@dataclass(frozen=True, kw_only=True)
class GrantedStaff:
    """What a new member of staff gets, shown once."""

    user: str
    roles: tuple[str, ...]
    token: str


def add_case_system(service: Service, name: str) -> str:
    """Give a case system an API key.

    Args:
        service: The installation.
        name: What administrators call the case system.

    Returns:
        The key, shown once; only its digest is kept.
    """
    key = API_KEY_PREFIX + secrets.token_urlsafe(32)
    with service.database.writing() as work:
        work.access.add_api_key(
            ApiKeyRecord(id=service.random_bytes(8).hex(), name=name, digest=_digest(key), created_at=service.clock())
        )
        write_log_entry(service, work, LogEvent.POLICY_CHANGED, caller=None, outcome="case_system_added")
    return key


def add_staff(service: Service, user: str, password: str, roles: Sequence[str]) -> GrantedStaff:
    """Add a member of staff or an auditor to the embedded list.

    Args:
        service: The installation.
        user: Name to sign in with.
        password: At least 12 characters.
        roles: Of ``ROLES``.

    Returns:
        The personal token, shown once.

    Raises:
        InvalidInputError: If a role is unknown or the password too short.
        ConflictError: If the name is taken.
    """
    problems = [
        InputProblem("/roles", "unknown_role", f"There is no role {role[:40]!r}; roles are {', '.join(ROLES)}.")
        for role in roles
        if role not in ROLES
    ]
    hashed = ""
    try:
        hashed = hash_password(password)
    except ValueError as error:
        problems.append(InputProblem("/password", "bad_password", str(error)))
    if problems:
        raise InvalidInputError(problems)
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    with service.database.writing() as work:
        work.access.add_staff(
            StaffRecord(
                id=service.random_bytes(8).hex(),
                user=user,
                password_hash=hashed,
                roles=tuple(roles),
                token_digest=_digest(token),
            )
        )
        write_log_entry(service, work, LogEvent.POLICY_CHANGED, caller=None, outcome="staff_added")
    return GrantedStaff(user=user, roles=tuple(roles), token=token)


def caller_with_bearer_token(service: Service, token: str) -> CaseSystem | Staff:
    """Find out who sent a Bearer token.

    Args:
        service: The installation.
        token: API key of a case system or personal token of staff.

    Returns:
        The caller.

    Raises:
        NotSignedInError: If nobody has this token.
    """
    digest = _digest(token[:200])
    case_system = service.database.case_system(digest)
    if case_system is not None:
        return case_system
    with service.database.reading() as work:
        staff = work.access.staff_by_token(digest)
    if staff is not None:
        return Staff(staff.id, staff.user, frozenset(staff.roles))
    service.refused_attempts.count("token")
    raise NotSignedInError("The key or token is not valid.")


def _digest(secret: str) -> bytes:
    # Keys and tokens are 256 random bits: a plain digest cannot be searched.
    return sha256(secret.encode()).digest()
