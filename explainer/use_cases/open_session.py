"""Open, find, extend and end browser sessions of subjects and staff."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from explainer.decisions.access_code import code_fits, normalise_reference
from explainer.errors import BadAccessCodeError, NotSignedInError
from explainer.transparency_log.log_entry import LogEvent
from explainer.use_cases.callers import Staff, Subject
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.passwords import password_fits
from explainer.use_cases.records import SessionRecord
from explainer.use_cases.service import Service

SUBJECT_SESSION = timedelta(minutes=30)
STAFF_SESSION = timedelta(hours=8)

SessionKind = Literal["subject", "staff"]

COOKIE_NAMES: Mapping[SessionKind, str] = {"subject": "klarbescheid_session", "staff": "klarbescheid_staff"}
"""The two cookies there are; they hold a session's secret and nothing else."""


@dataclass(frozen=True, kw_only=True)
class OpenedSession:
    """A new session.

    Attributes:
        secret: Goes into the cookie and nowhere else.
        csrf: Goes into every form of the session.
        expires_at: UTC.
    """

    secret: str
    csrf: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class ActiveSession:
    """A session that has not expired."""

    caller: Subject | Staff
    csrf: str
    expires_at: datetime


def check_access_code(service: Service, reference: str, code: str) -> Subject:
    """Prove a subject by reference and access code.

    Args:
        service: The installation.
        reference: As typed.
        code: As typed.

    Returns:
        The subject.

    Raises:
        BadAccessCodeError: In the same words and time for an unknown reference and a wrong code.
    """
    stored_as = normalise_reference(reference[:64])
    with service.database.reading() as work:
        record = work.decisions.get(stored_as)
    refuse_other_code(service, stored_as, code, record.access_code_digest if record else None)
    return Subject(reference=stored_as)


def refuse_other_code(service: Service, reference: str, code: str, digest: bytes | None) -> None:
    """Compare a code with the digest that is stored for a decision.

    Args:
        service: The installation.
        reference: The decision, as stored.
        code: As typed.
        digest: Digest of its code, or None where there is no such decision.

    Raises:
        BadAccessCodeError: In the same words and time for an unknown reference and a wrong code.
    """
    if not code_fits(reference, code[:64], service.server_key, digest):
        service.refused_attempts.count("access_code")
        raise BadAccessCodeError("Reference or code is wrong.")


def check_code_for_explanation(service: Service, explanation_id: str, code: str) -> Subject:
    """Prove the subject of an explanation by its access code; an unknown id is answered like a wrong code."""
    with service.database.reading() as work:
        record = work.explanations.get(explanation_id[:64])
    return check_access_code(service, (record and record.decision_reference) or "", code)


def open_subject_session(service: Service, reference: str, code: str) -> OpenedSession:
    """Open a session of 30 minutes for the subject of a decision.

    Args:
        service: The installation.
        reference: As typed.
        code: As typed.

    Returns:
        The session.

    Raises:
        BadAccessCodeError: If reference or code are wrong.
    """
    subject = check_access_code(service, reference, code)
    return _open(service, "subject", subject.reference, SUBJECT_SESSION)


def sign_in_staff(service: Service, user: str, password: str) -> OpenedSession:
    """Open a session for a member of staff.

    Args:
        service: The installation.
        user: User name.
        password: Password.

    Returns:
        The session.

    Raises:
        NotSignedInError: In the same words and time for an unknown name and a wrong password.
    """
    with service.database.reading() as work:
        record = work.access.staff_by_user(user[:200])
    if not password_fits(record.password_hash if record else None, password) or record is None:
        service.refused_attempts.count("password")
        raise NotSignedInError("User name or password is wrong.")
    staff = Staff(record.id, record.user, frozenset(record.roles))
    with service.database.writing() as work:
        write_log_entry(service, work, LogEvent.STAFF_SIGNED_IN, caller=staff)
    return _open(service, "staff", record.id, STAFF_SESSION)


def session_of(service: Service, secret: str, kind: SessionKind) -> ActiveSession | None:
    """Find the session a cookie stands for.

    Args:
        service: The installation.
        secret: From the cookie.
        kind: Which kind of session the page needs.

    Returns:
        The session, or None where it ended or never was.
    """
    with service.database.reading() as work:
        record = work.access.session(_digest(secret), now=service.clock())
        if record is None or record.kind != kind:
            return None
        staff = work.access.staff_by_id(record.belongs_to) if kind == "staff" else None
    caller: Subject | Staff
    if kind == "staff":
        if staff is None:
            return None
        caller = Staff(staff.id, staff.user, frozenset(staff.roles))
    else:
        caller = Subject(record.belongs_to)
    return ActiveSession(caller=caller, csrf=record.csrf, expires_at=record.expires_at)


def extend_session(service: Service, secret: str) -> datetime:
    """Let a subject's session begin anew with its 30 minutes.

    Returns:
        The new end, UTC.
    """
    expires_at = service.clock() + SUBJECT_SESSION
    with service.database.writing() as work:
        work.access.extend_session(_digest(secret), expires_at=expires_at)
    return expires_at


def end_session(service: Service, secret: str) -> None:
    """End a session at once."""
    with service.database.writing() as work:
        work.access.end_session(_digest(secret))


def _open(
    service: Service,
    kind: SessionKind,
    belongs_to: str,
    lifetime: timedelta,
    token: Callable[[], str] = secrets.token_urlsafe,
) -> OpenedSession:
    opened = OpenedSession(secret=token(), csrf=token(), expires_at=service.clock() + lifetime)
    with service.database.writing() as work:
        work.access.add_session(
            SessionRecord(
                digest=_digest(opened.secret),
                kind=kind,
                belongs_to=belongs_to,
                csrf=opened.csrf,
                expires_at=opened.expires_at,
            )
        )
    return opened


def _digest(secret: str) -> bytes:
    return sha256(secret[:200].encode()).digest()
