"""The finding aid finds exactly what a plain look at every entry finds, page after page in both directions."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explainer.transparency_log.log_entry import LogEntry, LogEvent, ModelFacts, build_entry
from explainer.use_cases.finding_aid import EntryKind, FindingAid, LogFilter

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SYSTEMS = (None, "wohngeld", "parken")
VERSIONS = ("1.0.0", "2.0.0")
ROLES = (None, "sorts")
OUTCOMES = (None, "granted", "refused")
EVENTS = (LogEvent.DECISION_RECORDED, LogEvent.LOG_READ)


class PlainLog:
    """Entries in a list: the only three things the finding aid asks a log for."""

    def __init__(self, rows: Sequence[tuple[str, datetime, bytes | None]]) -> None:
        self.rows = list(rows)

    def tree_size(self) -> int:
        return len(self.rows)

    def leaves(self, start: int, end: int) -> list[bytes]:
        return [leaf for _, _, leaf in self.rows[start:end] if leaf is not None]

    def facts(self, start: int, end: int) -> list[tuple[int, str, datetime, bytes | None]]:
        return [(start + place, *row) for place, row in enumerate(self.rows[start:end])]


def an_entry(  # noqa: PLR0917 - hypothesis gives them in this order
    minute: int, event: LogEvent, system: str | None, version: str, role: str | None, outcome: str | None
) -> LogEntry:
    model = ModelFacts(version=version, sha256="ab" * 32) if system else None
    at = BEGIN + timedelta(minutes=minute)
    return build_entry(
        event, at=at, random_bytes=bytes, private={}, system=system, model=model, role=role, outcome=outcome
    )[0]


entries = st.lists(
    st.builds(
        an_entry,
        st.integers(0, 50),
        st.sampled_from(EVENTS),
        st.sampled_from(SYSTEMS),
        st.sampled_from(VERSIONS),
        st.sampled_from(ROLES),
        st.sampled_from(OUTCOMES),
    ),
    max_size=60,
)
moments = st.one_of(st.none(), st.integers(0, 50).map(lambda minute: BEGIN + timedelta(minutes=minute)))
filters = st.builds(
    LogFilter,
    event=st.sampled_from((None, *(one.value for one in EVENTS))),
    system=st.sampled_from(SYSTEMS),
    version=st.sampled_from((None, *VERSIONS)),
    role=st.sampled_from(ROLES),
    outcome=st.sampled_from(OUTCOMES),
    since=moments,
    until=moments,
)


def log_of(found: Sequence[LogEntry]) -> PlainLog:
    return PlainLog([(entry.t.value, minute_of(entry), entry.leaf_bytes()) for entry in found])


def minute_of(entry: LogEntry) -> datetime:
    return datetime.strptime(entry.ts, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)


def plainly(found: Sequence[LogEntry], chosen: LogFilter) -> list[int]:
    """The definition: every entry looked at, newest first."""
    return [
        index
        for index, entry in reversed(list(enumerate(found)))
        if chosen.event in (None, entry.t.value)
        and chosen.system in (None, entry.system)
        and chosen.version in (None, entry.model.version if entry.model else "")
        and chosen.role in (None, entry.role)
        and chosen.outcome in (None, entry.outcome)
        and (chosen.since is None or minute_of(entry) >= chosen.since)
        and (chosen.until is None or minute_of(entry) < chosen.until)
    ]


@given(found=entries, chosen=filters, limit=st.integers(1, 7))
@settings(max_examples=300, deadline=None)
def test_leafing_older_and_back_gives_what_a_plain_look_gives(
    found: list[LogEntry], chosen: LogFilter, limit: int
) -> None:
    aid, expected = FindingAid(), plainly(found, chosen)
    aid.catch_up(log_of(found))  # type: ignore[arg-type]
    page = aid.find(chosen, limit=limit)
    assert (page.total, page.has_newer) == (len(expected), False)
    assert sum(count for _, count in page.by_event) == len(expected)
    seen = list(page.indexes)
    while page.has_older:
        page = aid.find(chosen, limit=limit, before=page.indexes[-1])
        assert page.has_newer
        seen += page.indexes
    assert seen == expected
    back = list(page.indexes)
    while page.has_newer:
        page = aid.find(chosen, limit=limit, after=page.indexes[0])
        back = [*page.indexes, *back]
    assert back == expected


@given(found=entries, cut=st.integers(0, 60))
@settings(max_examples=50, deadline=None)
def test_reading_in_two_parts_is_reading_at_once(found: list[LogEntry], cut: int) -> None:
    once, twice = FindingAid(), FindingAid()
    once.catch_up(log_of(found))  # type: ignore[arg-type]
    twice.catch_up(log_of(found[:cut]))  # type: ignore[arg-type]
    twice.catch_up(log_of(found))  # type: ignore[arg-type]
    assert twice.kinds() == once.kinds()
    assert twice.find(LogFilter(), limit=100) == once.find(LogFilter(), limit=100)


@pytest.mark.parametrize("leaf", [None, b"", b"\xff", b"[]", b'{"t":1}', b'{"t":"a","model":[],"ts":"x"}'])
def test_what_is_left_of_a_pruned_or_damaged_entry_is_found_by_event_and_time(leaf: bytes | None) -> None:
    aid = FindingAid()
    aid.catch_up(PlainLog([("log.read", BEGIN, leaf)]))  # type: ignore[arg-type]
    assert aid.kinds() == (EntryKind(event="log.read"),)
    assert aid.find(LogFilter(event="log.read", since=BEGIN), limit=1).indexes == (0,)
    assert aid.find(LogFilter(system="wohngeld"), limit=1).indexes == ()


def test_a_log_that_is_shorter_than_before_is_read_anew() -> None:
    aid = FindingAid()
    long = log_of([an_entry(1, LogEvent.LOG_READ, None, "1", None, None)] * 3)
    aid.catch_up(long)  # type: ignore[arg-type]
    aid.catch_up(PlainLog([("key.rotated", BEGIN, None)]))  # type: ignore[arg-type]
    assert aid.kinds() == (EntryKind(event="key.rotated"),)
