"""Who may ask, in SQL: case systems' keys, staff, sessions."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from explainer.errors import ConflictError
from explainer.storage.backend import Backend
from explainer.storage.driver_statements import DriverSelect
from explainer.storage.rows import record_from, refusing_duplicates, row_from
from explainer.storage.tables import api_key, noted_reading, session, staff
from explainer.use_cases.callers import CaseSystem
from explainer.use_cases.records import ApiKeyRecord, SessionRecord, StaffRecord

KEPT_AFTER_END = timedelta(days=1)
"""Sessions are deleted this long before a new one's end; longer than any session lasts."""

NOTES_KEPT = timedelta(days=400)
"""Notes say that something was logged already; readings are noted by the hour, refused models until they change."""


_CASE_SYSTEM = DriverSelect(
    sa.select(api_key.c.id, api_key.c.name).where(
        api_key.c.digest == sa.bindparam("sought"), api_key.c.revoked_at.is_(None)
    )
)


def read_case_system(backend: Backend, digest: bytes) -> CaseSystem | None:
    """The case system that proves itself by the key with this digest.

    Args:
        backend: The engine.
        digest: SHA-256 of an API key.

    Returns:
        The case system, or None where no key that is not revoked has this digest.
    """
    row = backend.one_row(_CASE_SYSTEM, {"sought": digest})
    return None if row is None else CaseSystem(key_id=row[0], name=row[1])


class SqlAccessStore:
    """Keeps who may ask; see ``use_cases.stores.AccessStore``.

    Args:
        connection: The unit of work's connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_api_key(self, record: ApiKeyRecord) -> None:
        """Insert a key.

        Args:
            record: The key.

        Raises:
            ConflictError: The id or the digest exists.
        """
        with refusing_duplicates(self._connection, f"The API key {record.id} exists already"):
            self._connection.execute(sa.insert(api_key), row_from(record))

    def api_key(self, digest: bytes) -> ApiKeyRecord | None:
        """The key with this digest that is not revoked, or None."""
        row = self._connection.execute(
            sa.select(api_key).where(api_key.c.digest == digest, api_key.c.revoked_at.is_(None))
        ).one_or_none()
        return record_from(ApiKeyRecord, row)

    def add_staff(self, record: StaffRecord) -> None:
        """Insert a member of staff.

        Args:
            record: The member of staff.

        Raises:
            ConflictError: The id, the user name or the token exists.
        """
        with refusing_duplicates(
            self._connection, f"A member of staff with the user name {record.user} exists already"
        ):
            self._connection.execute(sa.insert(staff), {**row_from(record), "roles": list(record.roles)})

    def staff_by_user(self, user: str) -> StaffRecord | None:
        """The active member of staff with this user name, or None."""
        return self._active_staff(staff.c.user == user)

    def staff_by_token(self, digest: bytes) -> StaffRecord | None:
        """The active member of staff with this token digest, or None."""
        return self._active_staff(staff.c.token_digest == digest)

    def staff_by_id(self, staff_id: str) -> StaffRecord | None:
        """The active member of staff with this id, or None."""
        return self._active_staff(staff.c.id == staff_id)

    def add_session(self, record: SessionRecord) -> None:
        """Insert a session.

        Args:
            record: The session.

        Raises:
            ConflictError: The digest exists.
        """
        long_ended = record.expires_at - KEPT_AFTER_END
        self._connection.execute(sa.delete(session).where(session.c.expires_at < long_ended))
        with refusing_duplicates(self._connection, "This session exists already"):
            self._connection.execute(sa.insert(session), row_from(record))

    def session(self, digest: bytes, *, now: datetime) -> SessionRecord | None:
        """The session with this digest that has not expired, or None."""
        row = self._connection.execute(
            sa.select(session).where(session.c.digest == digest, session.c.expires_at > now)
        ).one_or_none()
        return record_from(SessionRecord, row)

    def extend_session(self, digest: bytes, *, expires_at: datetime) -> None:
        """Move the end of a session; nothing happens if it was ended meanwhile."""
        self._connection.execute(sa.update(session).where(session.c.digest == digest).values(expires_at=expires_at))

    def end_session(self, digest: bytes) -> None:
        """Delete a session; nothing happens if it was ended before."""
        self._connection.execute(sa.delete(session).where(session.c.digest == digest))

    def forget_ended_sessions(self, *, now: datetime) -> int:
        """Delete the sessions that have expired; returns how many."""
        return self._connection.execute(sa.delete(session).where(session.c.expires_at <= now)).rowcount

    def was_noted(self, mark: bytes) -> bool:
        """Whether this reading was noted before (readings of the log are logged once per person and hour)."""
        noted = sa.select(sa.exists().where(noted_reading.c.mark == mark))
        return self._connection.execute(noted).scalar_one()

    def note(self, mark: bytes, *, at: datetime) -> None:
        """Note a reading; noting it twice changes nothing, the first moment stays."""
        self._connection.execute(sa.delete(noted_reading).where(noted_reading.c.at < at - NOTES_KEPT))
        with suppress(ConflictError), refusing_duplicates(self._connection, "This reading was noted before"):
            self._connection.execute(sa.insert(noted_reading), {"mark": mark, "at": at})

    def _active_staff(self, condition: ColumnElement[bool]) -> StaffRecord | None:
        row = self._connection.execute(sa.select(staff).where(condition, staff.c.active)).mappings().one_or_none()
        if row is None:
            return None
        columns: dict[str, Any] = dict(row)
        columns["roles"] = tuple(columns["roles"])
        return StaffRecord(**columns)
