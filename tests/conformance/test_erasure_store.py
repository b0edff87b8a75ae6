"""What an erasure empties, and what it must leave, on both engines."""

from dataclasses import replace
from datetime import timedelta

from explainer.storage.database import SqlDatabase
from explainer.use_cases.records import SessionRecord
from tests.conformance.records import an_answer, deliver_explanation, record_decision
from tests.databases import MOMENT

LATER = MOMENT + timedelta(days=200)


def test_an_erased_key_is_noted_once_with_its_first_day(database: SqlDatabase) -> None:
    with database.writing() as unit:
        unit.erasures.note(["k-1", "k-1", "k-2"], at=MOMENT, basis="gdpr-17")
        unit.erasures.note(["k-2", "k-3"], at=LATER, basis="ret_decision_default")
    assert [database.erased_at(key) for key in ("k-1", "k-2", "k-3", "k-4")] == [MOMENT, MOMENT, LATER, None]
    with database.reading() as unit:
        assert sorted(unit.erasures.all_noted()) == ["k-1", "k-2", "k-3"]


def test_emptying_reaches_everything_of_one_decision_and_nothing_of_another(database: SqlDatabase) -> None:
    with database.writing() as unit:
        for name in ("gone", "kept"):
            record_decision(unit, name, key_id=name, subject_id="person-1")
            deliver_explanation(unit, f"{name}-told", decision_reference=name, key_id=name, said_day="heute")
            deliver_explanation(unit, f"{name}-inputs", decision_reference=None, key_id=f"{name}-inputs")
            unit.answers.add(replace(an_answer(), key_digest=name.encode(), reference=name, key_id=name))
            unit.access.add_session(
                SessionRecord(digest=name.encode(), kind="subject", belongs_to=name, csrf="c", expires_at=LATER)
            )
    with database.reading() as unit:
        before = unit.decisions.get("kept"), unit.explanations.of_decision("kept")
        size = unit.log.tree_size()
    with database.writing() as unit:
        entries = unit.erasures.log_entries_under(["key-1"])
        assert len(entries) == size, "the log entries of these tests are all under one key"
        doomed = unit.decisions.get("gone")
        assert doomed is not None
        unit.erasures.note(["gone", "gone-inputs"], at=LATER, basis="gdpr-17")
        unit.erasures.empty(["gone", "gone-inputs"], [doomed.log_entry_id])
    with database.reading() as unit:
        record = unit.decisions.get("gone")
        assert record is not None
        assert (record.sealed, record.sealed_numbers, record.subject_id) == (b"", None, None)
        [told] = unit.explanations.of_decision("gone")
        assert (told.sealed, told.said_day, told.asked_by) == (b"", None, "subject")
        assert [unit.answers.get("case-system-1", name) is None for name in (b"gone", b"kept")] == [True, False]
        assert [unit.access.session(name, now=MOMENT) is None for name in (b"gone", b"kept")] == [True, False]
        assert unit.log.sealed_part(record.log_entry_id) is None
        assert unit.log.find(record.log_entry_id) is not None, "the entry itself stays"
        assert (unit.decisions.get("kept"), unit.explanations.of_decision("kept")) == before
        inputs = {name: unit.explanations.get(f"{name}-inputs") for name in ("gone", "kept")}
        assert [one and one.sealed for one in inputs.values()] == [b"", b"document"]
        assert unit.log.tree_size() == size
        assert [one.reference for one in unit.decisions.of_subject("person-1")] == ["kept"]
        due = unit.decisions.not_erased(before=LATER, after=None, limit=9)
        assert [one.reference for one in due] == ["kept"]
        assert unit.decisions.not_erased(before=LATER, after=(MOMENT, "kept"), limit=9) == []
        assert [one.id for one in unit.explanations.of_inputs_not_erased(before=LATER, limit=9)] == ["kept-inputs"]
        assert unit.decisions.issuers() == ["case-system-1"]
