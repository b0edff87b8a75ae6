"""The schema holds what the records hold, and nothing else."""

from dataclasses import fields

import pytest
import sqlalchemy as sa

from explainer.storage import tables
from explainer.use_cases import stores


@pytest.mark.parametrize(
    ("table", "record"),
    [
        (tables.decision, stores.DecisionRecord),
        (tables.explanation, stores.ExplanationRecord),
        (tables.kept_document, stores.KeptDocumentRecord),
        (tables.api_key, stores.ApiKeyRecord),
        (tables.staff, stores.StaffRecord),
        (tables.session, stores.SessionRecord),
        (tables.answer, stores.AnswerRecord),
        (tables.task, stores.TaskRecord),
        (tables.publication, stores.PublicationRecord),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_columns_are_the_fields_of_the_record(table: sa.Table, record: type) -> None:
    """So nothing personal can be kept in clear without first becoming a field of a record."""
    assert [column.name for column in table.columns] == [field.name for field in fields(record)]


def test_every_table_is_one_of_these_or_the_logs() -> None:
    assert set(tables.metadata.tables) == {
        "decision", "explanation", "kept_document", "api_key", "staff", "session", "answer", "task", "publication",
        "noted_reading", "erased_key", "log_entry", "log_leaf", "log_sealed", "log_tile", "log_checkpoint",
    }  # fmt: skip


def test_only_sealed_parts_can_be_deleted_from_the_log() -> None:
    """What an erasure removes must not be what the tree rests on."""
    assert {column.name for column in tables.log_entry.columns}.isdisjoint({"leaf", "sealed", "key_id"})
