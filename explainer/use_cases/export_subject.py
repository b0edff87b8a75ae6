"""A copy of everything held about a person (GDPR Art. 15(3)), as plain data; making it is logged."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from explainer.transparency_log.log_entry import LogEvent, parse_leaf
from explainer.use_cases.decision_vault import OpenKey
from explainer.use_cases.erase import decisions_of_person
from explainer.use_cases.explain_decision import delivered_again
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.moments import utc_text
from explainer.use_cases.read_decisions import LoadedDecision, load_decision
from explainer.use_cases.records import DecisionRecord, LogRecord, TaskRecord
from explainer.use_cases.service import Service
from explainer.use_cases.stores import UnitOfWork

SCHEMA = "subject-data/1"

BASIS = "gdpr-15"
"""Legal basis as the log names it: GDPR Art. 15."""

Content = dict[str, Any]


def export_subject(service: Service, subject_reference: str, *, case_system: str | None = None) -> Content:
    """Gather everything held about a person; each decision's log entry says that it was handed out.

    Args:
        service: The installation.
        subject_reference: The pseudonym that the case system gave.
        case_system: Name of the case system; needed only where several know the pseudonym.

    Returns:
        JSON data: decisions with their sealed parts opened, explanations as delivered, tasks and log entries with what
        opens their commitments. Members of staff appear as such, without their ids.

    Raises:
        DecisionNotFoundError: If nothing is recorded about this person.
        ConflictError: If several case systems know the pseudonym.
    """
    with service.database.reading() as work:
        records = decisions_of_person(service, work, subject_reference, case_system=case_system)
    for record in records:
        _note(service, record)
    return {
        "schema": SCHEMA,
        "city": service.settings.city_name,
        "made_at": utc_text(service.clock()),
        "subject_reference": subject_reference,
        "decisions": [_decision(service, load_decision(service, record.reference)) for record in records],
    }


def _note(service: Service, record: DecisionRecord) -> None:
    with service.database.writing() as work:
        write_log_entry(
            service,
            work,
            LogEvent.DECISION_READ,
            caller=None,
            basis=BASIS,
            outcome="exported",
            private={"decision": record.reference},
            key_id=record.key_id,
        )


def _decision(service: Service, loaded: LoadedDecision) -> Content:
    decision, record = loaded.decision, loaded.record
    key = service.vault.key(record.key_id)
    numbers = None
    if record.sealed_numbers is not None:
        numbers = json.loads(key.open(record.sealed_numbers, context=f"numbers:{record.reference}"))
    with service.database.reading() as work:
        return {
            "reference": decision.reference,
            "model": asdict(decision.model),
            "register_version": decision.register_version,
            "status": decision.status.value,
            "role": decision.role,
            "decided_by": decision.decided_by,
            "model_outcome": decision.model_outcome,
            "outcome": decision.outcome,
            "decided_at": utc_text(decision.decided_at) if decision.decided_at is not None else None,
            "recorded_at": utc_text(decision.recorded_at),
            "supersedes": decision.supersedes,
            "superseded_by": loaded.superseded_by,
            "recorded_by": record.issued_by.partition(":")[2] if _is_case_system(record.issued_by) else "staff",
            "stated": json.loads(json.dumps(asdict(decision.private), default=str)),
            "numbers": numbers,
            "explanations": _explanations(work, key, record),
            "tasks": [_task(task) for task in work.tasks.for_decision(record.reference)],
            "log": [_log_entry(key, entry, sealed) for entry, sealed in work.log.under_key(record.key_id)],
        }


def _is_case_system(actor: str) -> bool:
    return actor.startswith("case_system:")


def _explanations(work: UnitOfWork, key: OpenKey, record: DecisionRecord) -> Sequence[Content]:
    found = []
    for one in work.explanations.of_decision(record.reference):
        kept = work.kept_documents.get(one.kept_id) if one.kept_id is not None else None
        found.append(
            {
                "asked_by": one.asked_by.partition(":")[0],
                "audience": one.audience,
                "language": one.language,
                "document": json.loads(delivered_again(key, one, kept)),
            }
        )
    return found


def _task(task: TaskRecord) -> Content:
    return {
        "kind": task.kind,
        "opened_at": utc_text(task.opened_at),
        "due_at": utc_text(task.due_at),
        "done_at": utc_text(task.done_at) if task.done_at is not None else None,
    }


def _log_entry(key: OpenKey, entry: LogRecord, sealed: bytes) -> Content:
    private = key.open_log_part(sealed, entry_id=entry.entry_id)
    return {
        "index": entry.index,
        "event": entry.event,
        "at": utc_text(entry.at),
        "leaf": json.loads(parse_leaf(entry.leaf).leaf_bytes()),
        "opens": {
            name: {"salt": salt.hex(), "value": value}
            for name, (salt, value) in private.items()
            if not _names_staff(name, value)
        },
    }


def _names_staff(field: str, value: object) -> bool:
    return field == "actor" and str(value).startswith(("staff:", "auditor:"))


def cards_of(service: Service, export: Content) -> Mapping[str, Any]:
    """Cards as they were published when each decision was recorded, to write values with label and unit.

    Args:
        service: The installation.
        export: What :func:`export_subject` returned.

    Returns:
        Reference of a decision to the card; decisions whose register version is gone are left out.
    """
    # Imported here: the register's texts are needed for the readable copy only.
    from explainer.register.entry import RegisterEntry  # noqa: PLC0415

    cards = {}
    with service.database.reading() as work:
        for decision in export["decisions"]:
            published = work.publications.version(decision["model"]["slug"], decision["register_version"])
            if published is not None:
                cards[decision["reference"]] = RegisterEntry.model_validate_json(published.content).card
    return cards
