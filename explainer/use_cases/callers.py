"""Who is asking. Every use case takes a caller and decides itself what that caller may have."""

from dataclasses import dataclass

from explainer.errors import NotAllowedError


@dataclass(frozen=True)
class Subject:
    """The person a decision is about, proven by reference and access code."""

    reference: str


@dataclass(frozen=True)
class CaseSystem:
    """A city's case system, proven by its API key."""

    key_id: str
    name: str


@dataclass(frozen=True)
class Staff:
    """A member of staff or an auditor, proven by password session or personal token."""

    staff_id: str
    user: str
    roles: frozenset[str]

    def may(self, *roles: str) -> bool:
        """Whether this person holds at least one of the roles."""
        return not self.roles.isdisjoint(roles)


Caller = Subject | CaseSystem | Staff

CASEWORK_ROLES = ("caseworker", "supervisor")
LOG_ROLES = ("auditor", "administrator")


def actor_of(caller: Caller) -> str:
    """Name of a caller for the sealed part of log entries: role and id, never a clear name."""
    match caller:
        case Subject():
            return "subject"
        case CaseSystem(name=name):
            # The name and not the key: a system that got a new key is still the same system.
            return f"case_system:{name}"
        case Staff(staff_id=staff_id):
            return f"staff:{staff_id}"


def require_role(caller: Caller, *roles: str) -> Staff:
    """Let only staff with one of the roles pass.

    Args:
        caller: Who asks.
        roles: Any of these is enough.

    Returns:
        The caller as staff.

    Raises:
        NotAllowedError: For everybody else.
    """
    if isinstance(caller, Staff) and caller.may(*roles):
        return caller
    raise NotAllowedError(f"This needs one of the roles {', '.join(roles)}.")
