"""What every store promises, on SQLite and on PostgreSQL."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from explainer.decisions.decision import DecisionStatus
from explainer.errors import ConflictError, DecisionNotFoundError, NotFoundError, TransitionNotAllowedError
from explainer.storage.column_types import NaiveDatetimeError
from explainer.storage.database import SqlDatabase
from explainer.use_cases.records import ApiKeyRecord, DecisionCounts, DecisionFilter, SessionRecord, StaffRecord
from models.errors import InvalidInputError
from tests.conformance.records import (
    a_publication,
    a_task,
    an_answer,
    append,
    deliver_explanation,
    record_decision,
)
from tests.databases import MOMENT

ANY = DecisionFilter()
STAFF = StaffRecord(id="s1", user="amt-wohnen", password_hash="$argon2id$", roles=("caseworker",), token_digest=b"t")


def test_decision_comes_back_as_it_was_recorded(database: SqlDatabase) -> None:
    with database.writing() as unit:
        kept = record_decision(unit)
        waiting = record_decision(
            unit,
            "R-0002",
            status=DecisionStatus.AWAITING,
            decided_by=None,
            outcome=None,
            decided_at=None,
            sealed_numbers=None,
        )
    with database.reading() as unit:
        assert unit.decisions.get("R-0001") == kept
        assert unit.decisions.get("R-0002") == waiting
        assert unit.decisions.get("R-0003") is None


def test_moments_come_back_in_utc_with_microseconds_whatever_zone_they_had(database: SqlDatabase) -> None:
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=-7)))
    with database.writing() as unit:
        record_decision(unit, decided_at=elsewhere)
    with database.reading() as unit:
        kept = unit.decisions.get("R-0001")
    assert kept is not None
    assert kept.decided_at is not None
    assert kept.decided_at == MOMENT
    assert kept.decided_at.utcoffset() == timedelta(0)


def test_naive_datetime_is_refused(database: SqlDatabase) -> None:
    with pytest.raises(NaiveDatetimeError, match="no time zone"), database.writing() as unit:
        record_decision(unit, decided_at=datetime(2026, 11, 23))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize("text", ["R\x00", "R\ud800"])
def test_text_that_no_database_can_keep_is_the_callers_mistake(database: SqlDatabase, text: str) -> None:
    with database.reading() as unit, pytest.raises(InvalidInputError, match="NUL character"):
        unit.decisions.get(text)


def test_second_decision_with_a_reference_is_a_conflict_and_the_unit_goes_on(database: SqlDatabase) -> None:
    with database.writing() as unit:
        kept = record_decision(unit)
        with pytest.raises(ConflictError, match="R-0001 exists"):
            unit.decisions.add(replace(kept, outcome="other"))
        record_decision(unit, "R-0002")
    with database.reading() as unit:
        assert unit.decisions.get("R-0001") == kept
        assert unit.decisions.count(ANY) == 2


def test_decision_is_superseded_once(database: SqlDatabase) -> None:
    with database.writing() as unit:
        record_decision(unit)
        record_decision(unit, "R-0002", supersedes="R-0001")
        unit.decisions.set_status("R-0001", DecisionStatus.SUPERSEDED)
        with pytest.raises(TransitionNotAllowedError, match="superseded before"):
            record_decision(unit, "R-0003", supersedes="R-0001")
    with database.reading() as unit:
        old = unit.decisions.get("R-0001")
        assert old is not None
        assert old.status is DecisionStatus.SUPERSEDED
        assert unit.decisions.successor_of("R-0001") == "R-0002"
        assert unit.decisions.successor_of("R-0002") is None


def test_status_of_an_unknown_decision_cannot_be_set(database: SqlDatabase) -> None:
    with pytest.raises(DecisionNotFoundError, match="R-9"), database.writing() as unit:
        unit.decisions.set_status("R-9", DecisionStatus.SUPERSEDED)


def test_known_numbers_are_replaced_and_others_are_not(database: SqlDatabase) -> None:
    with database.writing() as unit:
        record_decision(unit, sealed_numbers=b"first")
        record_decision(unit, "R-0002", sealed_numbers=b"first")
        assert unit.decisions.replace_numbers("R-0001", known=b"first", better=b"second")
        assert not unit.decisions.replace_numbers("R-0001", known=b"first", better=b"third")
        assert not unit.decisions.replace_numbers("R-9", known=b"first", better=b"third")
    with database.reading() as unit:
        kept = [unit.decisions.get(reference) for reference in ("R-0001", "R-0002")]
    assert [one and one.sealed_numbers for one in kept] == [b"second", b"first"]


@pytest.fixture
def filled(database: SqlDatabase) -> SqlDatabase:
    """Six decisions: five of one model, recorded minutes apart except for two in the same moment."""
    with database.writing() as unit:
        record_decision(unit, "R-A", recorded_at=MOMENT)
        record_decision(unit, "R-B", recorded_at=MOMENT + timedelta(minutes=1), outcome="short", diverted=True)
        record_decision(unit, "R-C", recorded_at=MOMENT + timedelta(minutes=1), outcome=None, diverted=True)
        record_decision(unit, "R-D", recorded_at=MOMENT + timedelta(minutes=2), status=DecisionStatus.SUPERSEDED)
        record_decision(unit, "R-E", recorded_at=MOMENT - timedelta(microseconds=1))
        record_decision(unit, "R-F", recorded_at=MOMENT - timedelta(days=1), model_slug="kita_places")
        deliver_explanation(unit, "e1", decision_reference="R-A")
        deliver_explanation(unit, "e2", decision_reference="R-D")
        deliver_explanation(unit, "e3", decision_reference="R-A", audience="subject", asked_by="staff:preview")
        deliver_explanation(unit, "e4", decision_reference="R-F", model_slug="kita_places")
    return database


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (ANY, "D C B A E F"),
        (DecisionFilter(model_slug="wohngeld"), "D C B A E"),
        (DecisionFilter(outcome="short"), "B"),
        (DecisionFilter(status=DecisionStatus.SUPERSEDED), "D"),
        (DecisionFilter(departed=True), "B"),
        (DecisionFilter(departed=False), "D C A E F"),
        (DecisionFilter(reference="R-C"), "C"),
        (DecisionFilter(model_slug="kita_places", departed=True), ""),
    ],
)
def test_filter_chooses_decisions_newest_first(filled: SqlDatabase, chosen: DecisionFilter, expected: str) -> None:
    with filled.reading() as unit:
        found = [record.reference.removeprefix("R-") for record in unit.decisions.newest(chosen, limit=10)]
        assert found == expected.split()
        assert unit.decisions.count(chosen) == len(found)


def test_pages_together_are_the_whole_list(filled: SqlDatabase) -> None:
    with filled.reading() as unit:
        pages = [unit.decisions.newest(ANY, limit=2, offset=offset) for offset in (0, 2, 4, 6)]
        assert [len(page) for page in pages] == [2, 2, 2, 0]
        assert [record for page in pages for record in page] == list(unit.decisions.newest(ANY, limit=10))


def test_register_counts_leave_out_superseded_decisions_and_what_staff_asked_for(filled: SqlDatabase) -> None:
    with filled.reading() as unit:
        assert unit.decisions.counts_for("wohngeld") == DecisionCounts(
            decisions=4, by_outcome={"detailed": 2, "short": 1}, departed=1, diverted=2, explanations=2
        )
        assert unit.decisions.counts_for("unknown") == DecisionCounts(
            decisions=0, by_outcome={}, departed=0, diverted=0, explanations=0
        )


def test_explanations_of_a_decision_come_newest_first(database: SqlDatabase) -> None:
    with database.writing() as unit:
        record_decision(unit)
        older = deliver_explanation(unit, "e1", produced_at=MOMENT - timedelta(minutes=1))
        newer = deliver_explanation(unit, "e2")
        without_decision = deliver_explanation(unit, "e3", decision_reference=None)
        with pytest.raises(ConflictError):
            unit.explanations.add(older)
    with database.reading() as unit:
        assert unit.explanations.of_decision("R-0001") == [newer, older]
        assert unit.explanations.get("e3") == without_decision
        assert unit.explanations.get("e4") is None


def test_revoked_api_key_opens_nothing(database: SqlDatabase) -> None:
    valid = ApiKeyRecord(id="k1", name="Fachverfahren", digest=b"one", created_at=MOMENT)
    with database.writing() as unit:
        unit.access.add_api_key(valid)
        unit.access.add_api_key(replace(valid, id="k2", digest=b"two", revoked_at=MOMENT))
        with pytest.raises(ConflictError):
            unit.access.add_api_key(replace(valid, id="k3"))
    with database.reading() as unit:
        assert unit.access.api_key(b"one") == valid
        assert unit.access.api_key(b"two") is None
        assert unit.access.api_key(b"three") is None


def test_staff_are_found_by_name_token_and_id_while_active(database: SqlDatabase) -> None:
    left = StaffRecord(id="s2", user="left", password_hash="x", roles=(), token_digest=b"u", active=False)
    other = StaffRecord(id="s3", user="auditor", password_hash="x", roles=("auditor", "oversight"), token_digest=None)
    with database.writing() as unit:
        for member in (STAFF, left, other, replace(other, id="s4", user="without token")):
            unit.access.add_staff(member)
        with pytest.raises(ConflictError, match="amt-wohnen"):
            unit.access.add_staff(replace(STAFF, id="s5", token_digest=b"v"))
    with database.reading() as unit:
        assert unit.access.staff_by_user("amt-wohnen") == unit.access.staff_by_token(b"t") == STAFF
        assert unit.access.staff_by_id("s3") == other
        assert unit.access.staff_by_user("Amt-Wohnen") is None
        assert unit.access.staff_by_user("left") is None
        assert unit.access.staff_by_token(b"u") is None
        assert unit.access.staff_by_id("s2") is None


def test_session_ends_at_its_moment_unless_extended(database: SqlDatabase) -> None:
    ends = MOMENT + timedelta(minutes=30)
    record = SessionRecord(digest=b"d", kind="subject", belongs_to="R-0001", csrf="c", expires_at=ends)
    with database.writing() as unit:
        unit.access.add_session(record)
    with database.reading() as unit:
        assert unit.access.session(b"d", now=ends - timedelta(microseconds=1)) == record
        assert unit.access.session(b"d", now=ends) is None
        assert unit.access.session(b"e", now=MOMENT) is None
    later = ends + timedelta(minutes=30)
    with database.writing() as unit:
        unit.access.extend_session(b"d", expires_at=later)
        unit.access.extend_session(b"ended meanwhile", expires_at=later)
        assert unit.access.session(b"d", now=ends) == replace(record, expires_at=later)
        unit.access.end_session(b"d")
        unit.access.end_session(b"d")
        assert unit.access.session(b"d", now=MOMENT) is None


def test_reading_is_noted_once(database: SqlDatabase) -> None:
    with database.writing() as unit:
        assert unit.access.was_noted(b"mark") is False
        unit.access.note(b"mark", at=MOMENT)
        unit.access.note(b"mark", at=MOMENT + timedelta(minutes=1))
        append(unit)
    with database.reading() as unit:
        assert unit.access.was_noted(b"mark") is True
        assert unit.access.was_noted(b"other") is False


def test_repeated_request_finds_the_first_answer(database: SqlDatabase) -> None:
    with database.writing() as unit:
        unit.answers.add(an_answer())
        unit.answers.add(an_answer(caller="case-system-2", reference="R-0002"))
        with pytest.raises(ConflictError):
            unit.answers.add(an_answer(body_digest="00" * 32))
        assert unit.answers.get("case-system-1", b"digest") == an_answer()
        assert unit.answers.get("case-system-1", b"other") is None


def test_old_answers_lose_their_access_code_but_stay(database: SqlDatabase) -> None:
    with database.writing() as unit:
        unit.answers.add(an_answer())
        unit.answers.add(an_answer(key_digest=b"old", created_at=MOMENT - timedelta(hours=25)))
    with database.writing() as unit:
        assert unit.answers.forget_codes_before(MOMENT - timedelta(hours=24)) == 1
        assert unit.answers.forget_codes_before(MOMENT - timedelta(hours=24)) == 0
    with database.reading() as unit:
        old = unit.answers.get("case-system-1", b"old")
        assert old is not None
        assert (old.sealed_code, old.reference) == (None, "R-0001")
        assert old.sealed_answer == an_answer().sealed_answer
        assert unit.answers.get("case-system-1", b"digest") == an_answer()


def test_open_tasks_come_due_first_and_leave_when_done(database: SqlDatabase) -> None:
    done_at = MOMENT + timedelta(days=1)
    with database.writing() as unit:
        record_decision(unit)
        late = a_task("t1", due_at=MOMENT + timedelta(days=31))
        early = a_task("t2", opened_at=MOMENT - timedelta(days=1))
        for task in (late, early):
            unit.tasks.add(task)
        with pytest.raises(ConflictError):
            unit.tasks.add(late)
        assert unit.tasks.open_tasks(limit=5) == [early, late]
        assert unit.tasks.open_tasks(limit=1) == [early]
        unit.tasks.finish("t2", at=done_at)
        unit.tasks.finish("t2", at=done_at + timedelta(days=1))
        with pytest.raises(NotFoundError, match="t9"):
            unit.tasks.finish("t9", at=done_at)
    with database.reading() as unit:
        assert unit.tasks.open_tasks(limit=5) == [late]
        assert unit.tasks.for_decision("R-0001") == [replace(early, done_at=done_at), late]
        assert unit.tasks.for_decision("R-0002") == []


def test_newest_version_of_a_register_entry_is_in_force(database: SqlDatabase) -> None:
    with database.writing() as unit:
        for slug, version in (("wohngeld", 1), ("wohngeld", 10), ("wohngeld", 9), ("b-c", 1), ("b_a", 2), ("bz", 1)):
            unit.publications.add(a_publication(slug, version))
        with pytest.raises(ConflictError, match="Version 9 of the register entry wohngeld"):
            unit.publications.add(a_publication("wohngeld", 9))
    with database.reading() as unit:
        assert unit.publications.latest("wohngeld") == a_publication("wohngeld", 10)
        assert unit.publications.latest("unknown") is None
        assert unit.publications.version("wohngeld", 9) == a_publication("wohngeld", 9)
        assert unit.publications.version("wohngeld", 2) is None
        assert [record.version for record in unit.publications.history("wohngeld")] == [10, 9, 1]
        latest = [(record.slug, record.version) for record in unit.publications.all_latest()]
        assert latest == [("b-c", 1), ("b_a", 2), ("bz", 1), ("wohngeld", 10)]
