"""Records and log entries for store tests: valid by default, override one thing."""

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from explainer.decisions.decision import DecisionStatus
from explainer.storage.database import SqlDatabase
from explainer.transparency_log.checkpoint import open_checkpoint
from explainer.transparency_log.log_entry import LogEntry, LogEvent, build_entry
from explainer.transparency_log.merkle import leaf_hash, root_of
from explainer.transparency_log.tree import Tree
from explainer.use_cases.records import (
    AnswerRecord,
    DecisionRecord,
    ExplanationRecord,
    LogRecord,
    PublicationRecord,
    TaskRecord,
)
from explainer.use_cases.stores import UnitOfWork
from tests.databases import LOG_SIGNER, MOMENT


def an_entry(event: LogEvent = LogEvent.DECISION_RECORDED, **overrides: Any) -> LogEntry:
    entry, _ = build_entry(event, at=MOMENT, random_bytes=secrets.token_bytes, private={"actor": "test"}, **overrides)
    return entry


def append(unit: UnitOfWork, event: LogEvent = LogEvent.DECISION_RECORDED, **overrides: Any) -> LogRecord:
    return unit.log.append(an_entry(event, **overrides), sealed=b"sealed part", key_id="key-1", at=MOMENT)


def append_many(database: SqlDatabase, number: int) -> None:
    with database.writing() as unit:
        for _ in range(number):
            append(unit)


DECISION = DecisionRecord(
    reference="R-0001",
    model_slug="wohngeld",
    model_version="2026.1",
    model_sha256="ab" * 32,
    register_version=1,
    status=DecisionStatus.DECIDED,
    role="sorts",
    decided_by="person",
    model_outcome="detailed",
    outcome="detailed",
    diverted=False,
    decided_at=MOMENT,
    recorded_at=MOMENT,
    supersedes=None,
    access_code_digest=b"\x00digest\xff",
    key_id="subject-1",
    subject_id="person-1",
    sealed=b"\x00sealed\xff",
    sealed_numbers=b"numbers",
    log_entry_id="",
    issued_by="case-system-1",
)


def record_decision(unit: UnitOfWork, reference: str = "R-0001", **overrides: Any) -> DecisionRecord:
    """Log and add a decision, as a use case does."""
    record = replace(DECISION, reference=reference, log_entry_id=append(unit).entry_id, **overrides)
    unit.decisions.add(record)
    return record


def an_explanation(explanation_id: str, **overrides: Any) -> ExplanationRecord:
    """A delivered explanation whose log entry must be named."""
    return ExplanationRecord(
        **{
            "id": explanation_id,
            "decision_reference": "R-0001",
            "model_slug": "wohngeld",
            "audience": "subject",
            "language": "de",
            "produced_at": MOMENT,
            "key_id": "subject-1",
            "sealed": b"document",
            "asked_by": "subject",
            **overrides,
        }
    )


def deliver_explanation(unit: UnitOfWork, explanation_id: str, **overrides: Any) -> ExplanationRecord:
    """Log and add an explanation, as a use case does."""
    entry = append(unit, LogEvent.EXPLANATION_DELIVERED)
    record = an_explanation(explanation_id, **{"log_entry_id": entry.entry_id, **overrides})
    unit.explanations.add(record)
    return record


def an_answer(**overrides: Any) -> AnswerRecord:
    return replace(
        AnswerRecord(
            caller="case-system-1",
            key_digest=b"digest",
            body_digest="ef" * 32,
            reference="R-0001",
            sealed_answer=b"answer without its access code",
            sealed_code=b"access code",
            key_id="subject-1",
            created_at=MOMENT,
        ),
        **overrides,
    )


def a_task(task_id: str, **overrides: Any) -> TaskRecord:
    task = TaskRecord(
        id=task_id,
        kind="diverted",
        decision_reference="R-0001",
        opened_at=MOMENT,
        due_at=MOMENT + timedelta(days=30),
    )
    return replace(task, **overrides)


def a_publication(slug: str, version: int) -> PublicationRecord:
    content = f"{slug} {version}".encode()
    return PublicationRecord(slug=slug, version=version, published_at=MOMENT, sha256="01" * 32, content=content)


def check_log(database: SqlDatabase, size: int) -> None:
    """Recompute the whole log from its leaves and compare everything that is stored or signed with it."""
    with database.reading() as unit:
        records = list(reversed(unit.log.newest(limit=size + 10)))
        checkpoint = open_checkpoint(unit.log.checkpoint(), [LOG_SIGNER.verifier])
        leaves = unit.log.leaves(0, size + 10)
        assert [record.index for record in records] == list(range(size)), "indexes are contiguous"
        assert [record.leaf for record in records] == list(leaves), "leaves in order"
        hashes = [leaf_hash(leaf) for leaf in leaves]
        assert [record.leaf_hash for record in records] == hashes, "stored leaf hashes"
        assert unit.log.tree_size() == checkpoint.tree_size == size, "sizes"
        assert checkpoint.root_hash == root_of(hashes), "signed root"
        assert Tree(unit.log.tiles(), size).root() == root_of(hashes), "root from tiles"
        for level, n in ((0, n) for n in range(size // 256)):
            assert unit.log.tiles().tile(level, n) == b"".join(hashes[n * 256 : n * 256 + 256]), "full tiles"


def execute_raw(url: str, statement: str) -> None:
    """Run one statement past the stores, as somebody with access to the database would."""
    engine = sa.create_engine(sa.make_url(url.replace("postgresql:", "postgresql+psycopg:")))
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(statement)
    finally:
        engine.dispose()
