"""Published versions of register entries, in SQL."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from explainer.storage.backend import Backend
from explainer.storage.driver_statements import DriverSelect
from explainer.storage.rows import record_from, refusing_duplicates, row_from
from explainer.storage.tables import publication
from explainer.use_cases.records import PublicationRecord

_VERSION_IN_FORCE = DriverSelect(
    sa.select(sa.func.max(publication.c.version)).where(publication.c.slug == sa.bindparam("sought"))
)


def read_version_in_force(backend: Backend, slug: str) -> int:
    """Number of the newest version of one entry, without reading what it says.

    Args:
        backend: The engine.
        slug: Name of the algorithm.

    Returns:
        Its number, 0 where nothing is published.
    """
    row = backend.one_row(_VERSION_IN_FORCE, {"sought": slug})
    return 0 if row is None or row[0] is None else int(row[0])


class SqlPublicationStore:
    """Keeps published versions of register entries; see ``use_cases.stores.PublicationStore``.

    Args:
        connection: The unit of work's connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, record: PublicationRecord) -> None:
        """Insert a version.

        Args:
            record: The version.

        Raises:
            ConflictError: This entry has such a version already.
        """
        sentence = f"Version {record.version} of the register entry {record.slug} is published already"
        with refusing_duplicates(self._connection, sentence):
            self._connection.execute(sa.insert(publication), row_from(record))

    def latest(self, slug: str) -> PublicationRecord | None:
        """Newest version of one entry, or None."""
        row = self._connection.execute(
            sa.select(publication).where(publication.c.slug == slug).order_by(publication.c.version.desc()).limit(1)
        ).one_or_none()
        return record_from(PublicationRecord, row)

    def version(self, slug: str, version: int) -> PublicationRecord | None:
        """One version, or None."""
        row = self._connection.execute(
            sa.select(publication).where(publication.c.slug == slug, publication.c.version == version)
        ).one_or_none()
        return record_from(PublicationRecord, row)

    def history(self, slug: str) -> Sequence[PublicationRecord]:
        """All versions, newest first."""
        query = sa.select(publication).where(publication.c.slug == slug).order_by(publication.c.version.desc())
        return [PublicationRecord(**row) for row in self._connection.execute(query).mappings()]

    def all_latest(self) -> Sequence[PublicationRecord]:
        """Newest version of every entry, by slug."""
        newest = (
            sa.select(publication.c.slug, sa.func.max(publication.c.version).label("version"))
            .group_by(publication.c.slug)
            .subquery()
        )
        query = sa.select(publication).join(
            newest, sa.and_(publication.c.slug == newest.c.slug, publication.c.version == newest.c.version)
        )
        records = [PublicationRecord(**row) for row in self._connection.execute(query).mappings()]
        # Sorted here, not by ORDER BY: PostgreSQL's order of hyphens and case depends on the server's locale.
        return sorted(records, key=lambda record: record.slug)
