"""What is read on the shortest way says the same as the stores, on both engines."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from explainer.decisions.decision import DecisionStatus
from explainer.storage.column_types import UnstorableTextError
from explainer.storage.database import SqlDatabase
from explainer.use_cases.callers import CaseSystem
from explainer.use_cases.kept_documents import mark_of
from explainer.use_cases.records import ApiKeyRecord, Deliverable, KeptDocumentRecord, PublicationRecord, TaskRecord
from tests.conformance.records import DECISION, append, record_decision
from tests.databases import MOMENT


def kept(kept_id: str, **overrides: Any) -> KeptDocumentRecord:
    return KeptDocumentRecord(
        **{
            "id": kept_id,
            "decision_reference": "R-0001",
            "audience": "subject",
            "language": "de",
            "made_at": MOMENT,
            "key_id": "subject-1",
            "sealed": b"\x00document\xff",
            **overrides,
        }
    )


def read(database: SqlDatabase, reference: str = "R-0001", language: str = "de") -> Deliverable | None:
    return database.deliverable(reference, audience="subject", language=language)


def test_a_decision_without_a_kept_document(database: SqlDatabase) -> None:
    with database.writing() as unit:
        record_decision(unit)
    assert read(database) == Deliverable(
        reference="R-0001",
        model_slug=DECISION.model_slug,
        model_version=DECISION.model_version,
        model_sha256=DECISION.model_sha256,
        status=DECISION.status,
        role=DECISION.role,
        access_code_digest=DECISION.access_code_digest,
        key_id=DECISION.key_id,
        numbers_mark=DECISION.sealed_numbers,
        superseded_by=None,
        has_open_tasks=False,
        kept_id=None,
        kept_sealed=None,
    )
    assert read(database, "R-0002") is None


@pytest.mark.parametrize("numbers", [None, bytes(range(200))])
def test_the_mark_of_the_numbers_is_read_alone(database: SqlDatabase, numbers: bytes | None) -> None:
    with database.writing() as unit:
        record_decision(unit, sealed_numbers=numbers)
    found = read(database)
    assert found is not None
    assert found.numbers_mark == mark_of(numbers)


def test_the_newest_document_of_this_audience_and_language_is_found(database: SqlDatabase) -> None:
    with database.writing() as unit:
        record_decision(unit)
        record_decision(unit, "R-0002")
        unit.kept_documents.add(kept("old"))
        unit.kept_documents.add(kept("new", made_at=MOMENT + timedelta(seconds=1), sealed=b"new"))
        unit.kept_documents.add(kept("staff", audience="caseworker", made_at=MOMENT + timedelta(days=1)))
        unit.kept_documents.add(kept("english", language="en"))
        unit.kept_documents.add(kept("other", decision_reference="R-0002", made_at=MOMENT + timedelta(days=1)))
    german, english = read(database), read(database, language="en")
    assert german is not None
    assert english is not None
    assert (german.kept_id, german.kept_sealed, english.kept_id) == ("new", b"new", "english")
    with database.reading() as unit:
        assert unit.kept_documents.get("old") == kept("old")
        assert unit.kept_documents.get("none") is None


def test_what_changed_since_is_seen_at_once(database: SqlDatabase) -> None:
    with database.writing() as unit:
        record_decision(unit)
    assert read(database) is not None
    with database.writing() as unit:
        record_decision(unit, "R-0002", supersedes="R-0001")
        unit.decisions.set_status("R-0001", DecisionStatus.SUPERSEDED)
    found = read(database)
    assert found is not None
    assert (found.status, found.superseded_by) == (DecisionStatus.SUPERSEDED, "R-0002")


@pytest.mark.parametrize(
    ("kind", "done", "expected"),
    [
        ("explanation_refused", False, True),
        ("numbers_missing", False, True),
        ("diverted", False, False),
        ("explanation_refused", True, False),
    ],
)
def test_only_open_tasks_that_wait_for_an_explanation_count(
    database: SqlDatabase, kind: Any, done: bool, expected: bool
) -> None:
    with database.writing() as unit:
        record_decision(unit)
        unit.tasks.add(
            TaskRecord(
                id="task",
                kind=kind,
                decision_reference="R-0001",
                opened_at=MOMENT,
                due_at=MOMENT,
                done_at=MOMENT if done else None,
            )
        )
    found = read(database)
    assert found is not None
    assert found.has_open_tasks is expected


def test_a_reference_that_no_engine_can_keep_is_refused(database: SqlDatabase) -> None:
    with pytest.raises(UnstorableTextError):
        read(database, "KB-\x00")


def test_the_register_version_in_force_is_the_newest(database: SqlDatabase) -> None:
    assert database.register_version_in_force("wohngeld") == 0
    with database.writing() as unit:
        append(unit)
        for slug, version in (("wohngeld", 9), ("wohngeld", 10), ("other", 11)):
            record = PublicationRecord(slug=slug, version=version, published_at=MOMENT, sha256="ab", content=b"{}")
            unit.publications.add(record)
    assert database.register_version_in_force("wohngeld") == 10


def test_a_case_system_is_found_by_the_digest_of_a_key_that_is_not_revoked(database: SqlDatabase) -> None:
    keys = {"valid": None, "revoked": MOMENT}
    with database.writing() as unit:
        for name, revoked_at in keys.items():
            digest = sha256(name.encode()).digest()
            unit.access.add_api_key(
                ApiKeyRecord(id=name, name=f"{name} system", digest=digest, created_at=MOMENT, revoked_at=revoked_at)
            )
    assert database.case_system(sha256(b"valid").digest()) == CaseSystem(key_id="valid", name="valid system")
    assert database.case_system(sha256(b"revoked").digest()) is None
    assert database.case_system(sha256(b"nobody's").digest()) is None
