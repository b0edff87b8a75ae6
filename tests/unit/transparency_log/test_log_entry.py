"""Leaves: what may stand in the log for ever, and that nothing else can."""

import json
import os
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from explainer.errors import MalformedLeafError, VerificationError
from explainer.transparency_log.canonical_json import canonical_bytes
from explainer.transparency_log.log_entry import (
    COMMITTED_FIELDS,
    CheckpointFacts,
    LogEntry,
    LogEvent,
    ModelFacts,
    build_entry,
    parse_leaf,
)
from tests.unit.transparency_log.memory_log import signer

AT = datetime(2026, 11, 23, 3, 45, 59, 999_999, tzinfo=UTC)
MODEL = ModelFacts(version="2025.1.0", sha256="ab" * 32)
PRIVATE = {"actor": "staff:17", "subject": "citizen 4711", "decision": "KB-1", "purpose": "Rückfrage am Telefon"}


def entry(**changes: Any) -> LogEntry:
    arguments: dict[str, Any] = {
        "at": AT,
        "random_bytes": os.urandom,
        "private": PRIVATE,
        "system": "wohngeld",
        "model": MODEL,
        "role": "sorts",
        "basis": "ai-act-86",
        "outcome": "likely_entitled",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
    } | changes
    return build_entry(LogEvent.EXPLANATION_DELIVERED, **arguments)[0]


def leaf_with(**changes: Any) -> bytes:
    return canonical_bytes(json.loads(entry().leaf_bytes()) | changes)


@pytest.mark.parametrize("event", LogEvent)
def test_a_leaf_of_every_event_reads_back_to_the_byte(event: LogEvent) -> None:
    named: dict[str, Any] = {}
    if event is LogEvent.KEY_ROTATED:
        named["key"] = signer(1).vkey
    if event is LogEvent.LOG_RESTORED:
        named["checkpoint"] = CheckpointFacts(origin="log.example/city", tree_size=981, root_hash="ab" * 32)
    built, _ = build_entry(event, at=AT, random_bytes=os.urandom, private={}, **named)
    assert parse_leaf(built.leaf_bytes()) == built


def test_a_full_leaf_reads_back_to_the_byte() -> None:
    built = entry()
    assert parse_leaf(built.leaf_bytes()) == built
    assert parse_leaf(built.leaf_bytes()).leaf_bytes() == built.leaf_bytes()


def test_the_public_leaf_holds_no_private_value_in_any_form() -> None:
    leaf = entry().leaf_bytes().decode()
    for value in (*PRIVATE.values(), "citizen", "staff", "03:45:59"):
        assert value not in leaf
    assert '"ts":"2026-11-23T03:45Z"' in leaf


def test_the_time_is_cut_to_the_minute_in_utc() -> None:
    in_berlin = datetime(2026, 11, 23, 0, 15, 59, tzinfo=timezone(timedelta(hours=1)))
    assert entry(at=in_berlin).ts == "2026-11-22T23:15Z"


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(MalformedLeafError, match="time zone"):
        entry(at=datetime(2026, 11, 23))  # noqa: DTZ001 - the very mistake


def test_two_entries_about_the_same_thing_have_nothing_random_in_common() -> None:
    first, second = entry(), entry()
    assert first.id != second.id
    assert not set(first.c.values()) & set(second.c.values())


def test_what_opens_the_commitments_opens_them_field_by_field() -> None:
    built, private = build_entry(LogEvent.DECISION_RECORDED, at=AT, random_bytes=os.urandom, private=PRIVATE)
    built.verify_private(private)
    built.verify_private({"purpose": private["purpose"]})
    assert len({salt for salt, _ in private.values()}) == len(PRIVATE)
    with pytest.raises(VerificationError, match="subject"):
        built.verify_private({"subject": (private["subject"][0], "citizen 4712")})
    with pytest.raises(VerificationError, match="explanation"):
        built.verify_private({"explanation": private["subject"]})


def test_every_field_that_may_be_committed_to_is_accepted() -> None:
    assert set(entry(private=dict.fromkeys(COMMITTED_FIELDS, "value")).c) == set(COMMITTED_FIELDS)


@pytest.mark.parametrize("field", ["name", "ip", "Actor", "", "subject_reference"])
def test_no_other_field_can_be_committed_to(field: str) -> None:
    with pytest.raises(MalformedLeafError):
        entry(private={field: "value"})


@pytest.mark.parametrize("name", ["system", "role", "basis", "outcome"])
@pytest.mark.parametrize(
    "value",
    [
        "", " ", "Free text", "mail@example.org", "a\n", "a/b", "ä", "a--b", "-a", "a.", "9a", "x" * 65,
        "case-1234567", "a1234567890", 7, True, ["a"],
    ],
)  # fmt: skip
def test_free_text_and_numbers_that_could_be_identifiers_have_no_place(name: str, value: object) -> None:
    with pytest.raises(MalformedLeafError, match=name):
        entry(**{name: value})


@pytest.mark.parametrize("value", ["ai-act-86", "gdpr-15", "wohngeld", "no_claim", "v2.3", "sgb-10_25", "a123456"])
def test_slugs_that_the_service_uses_are_accepted(value: str) -> None:
    assert parse_leaf(entry(basis=value).leaf_bytes()).basis == value


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(MalformedLeafError) as caught:
        entry(system="Wohn Geld", trace_id="xyz", model=ModelFacts(version="", sha256="ab"), private={"name": "x"})
    for part in ("system", "trace_id", "model version", "SHA-256", "'name'"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2}, {"v": True}, {"v": "1"}, {"v": None}, {"t": "free.text"}, {"t": None}, {"t": ["decision.recorded"]},
        {"id": "AB" * 16}, {"id": "ab" * 15}, {"id": None}, {"ts": "2026-11-23T03:45:59Z"}, {"ts": "2026-11-23"},
        {"ts": "2026-13-23T03:45Z"}, {"ts": "2026-11-23T24:00Z"}, {"ts": 5}, {"c": None}, {"c": []},
        {"c": {"ip": "ab" * 32}},
        {"c": {"actor": "AB" * 32}}, {"c": {"actor": 1}}, {"c": {"actor": None}}, {"model": {}}, {"model": "x"},
        {"model": {"version": "1", "sha256": "ab" * 32, "name": "x"}}, {"model": {"version": "1"}},
        {"model": {"version": "a b", "sha256": "ab" * 32}}, {"trace_id": 1}, {"note": "free text"}, {"comment": None},
    ],
)  # fmt: skip
def test_a_leaf_with_anything_unknown_or_misspelt_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedLeafError):
        parse_leaf(leaf_with(**changes))


@pytest.mark.parametrize("key", ["v", "t", "id", "ts", "system", "model", "role", "basis", "outcome", "trace_id", "c"])
def test_a_leaf_without_one_of_its_keys_is_refused(key: str) -> None:
    content = json.loads(entry().leaf_bytes())
    del content[key]
    with pytest.raises(MalformedLeafError, match="exactly the keys"):
        parse_leaf(canonical_bytes(content))


@pytest.mark.parametrize("leaf", [b"", b"null", b"[]", b"1", b'"v"', b"{}", b"\xff", b"{" * 5000])
def test_other_bytes_are_no_leaf(leaf: bytes) -> None:
    with pytest.raises(MalformedLeafError):
        parse_leaf(leaf)


def test_the_same_content_spelt_differently_is_not_the_same_leaf() -> None:
    with pytest.raises(MalformedLeafError):
        parse_leaf(json.dumps(json.loads(entry().leaf_bytes())).encode())


def test_an_entry_cannot_be_changed_after_it_was_checked() -> None:
    commitments = {"actor": "ab" * 32}
    made = LogEntry(t=LogEvent.LOG_READ, id="0" * 32, ts="2026-11-23T03:45Z", c=commitments)
    commitments["ip"] = "10.0.0.1"
    assert dict(made.c) == {"actor": "ab" * 32}
    with pytest.raises(TypeError):
        made.c["ip"] = "10.0.0.1"  # type: ignore[index]
