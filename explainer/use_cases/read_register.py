"""Read the public register: entries, their versions and live numbers."""

from dataclasses import dataclass
from datetime import datetime

from explainer.errors import RegisterEntryNotFoundError
from explainer.register.entry import RegisterEntry
from explainer.register.small_groups import public_count
from explainer.use_cases.records import PublicationRecord
from explainer.use_cases.service import Service
from explainer.use_cases.stores import UnitOfWork


@dataclass(frozen=True, kw_only=True)
class LiveCounts:
    """Live numbers as the public sees them: groups under 10 are ``<10``."""

    decisions: str
    departed: str
    diverted: str
    explanations: str


@dataclass(frozen=True, kw_only=True)
class PublishedEntry:
    """One published version of an entry.

    Attributes:
        entry: What it says.
        version: Its number, from 1.
        published_at: UTC.
        sha256: SHA-256 (hex) of its canonical bytes.
        is_latest: Whether no newer version is published.
        counts: Live numbers of the algorithm.
        running: Whether the model file that this version describes passed its verification at the last start.
        running_problem: What is wrong where it did not.
    """

    entry: RegisterEntry
    version: int
    published_at: datetime
    sha256: str
    is_latest: bool
    counts: LiveCounts
    running: bool
    running_problem: str | None


@dataclass(frozen=True, kw_only=True)
class PublishedVersion:
    """One line of an entry's history."""

    version: int
    published_at: datetime
    sha256: str


def list_entries(service: Service) -> tuple[PublishedEntry, ...]:
    """All entries in their newest version, by slug."""
    with service.database.reading() as work:
        return tuple(_published(service, work, record, latest=record) for record in work.publications.all_latest())


def read_entry(service: Service, slug: str, version: int | None = None) -> PublishedEntry:
    """One entry.

    Args:
        service: The installation.
        slug: Name of the algorithm.
        version: A version number; the newest when None.

    Returns:
        The entry.

    Raises:
        RegisterEntryNotFoundError: If there is no such entry or version.
    """
    with service.database.reading() as work:
        latest = work.publications.latest(slug)
        record = latest if version is None else work.publications.version(slug, version)
        if record is None or latest is None:
            raise RegisterEntryNotFoundError("The register has no such entry.")
        return _published(service, work, record, latest=latest)


def entry_history(service: Service, slug: str) -> tuple[PublishedVersion, ...]:
    """All versions of one entry, newest first."""
    with service.database.reading() as work:
        records = work.publications.history(slug)
    return tuple(
        PublishedVersion(version=record.version, published_at=record.published_at, sha256=record.sha256)
        for record in records
    )


def _published(
    service: Service, work: UnitOfWork, record: PublicationRecord, *, latest: PublicationRecord
) -> PublishedEntry:
    entry = RegisterEntry.model_validate_json(record.content)
    counts = work.decisions.counts_for(record.slug)
    package = service.usable_packages.get(record.slug)
    failure = service.failures.get(record.slug)
    return PublishedEntry(
        entry=entry,
        version=record.version,
        published_at=record.published_at,
        sha256=record.sha256,
        is_latest=record.version == latest.version,
        counts=LiveCounts(
            decisions=public_count(counts.decisions),
            departed=public_count(counts.departed),
            diverted=public_count(counts.diverted),
            explanations=public_count(counts.explanations),
        ),
        running=package is not None and package.sha256 == entry.model_sha256,
        running_problem=str(failure) if failure else None,
    )
