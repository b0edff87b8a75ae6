"""Writes one log entry for something that happened; the schema of the entry allows nothing else in."""

from collections.abc import Mapping

from explainer.decisions.decision import ModelVersion
from explainer.transparency_log.canonical_json import JsonValue
from explainer.transparency_log.log_entry import LogEvent, ModelFacts, build_entry
from explainer.use_cases.callers import Caller, actor_of
from explainer.use_cases.decision_vault import SERVICE_KEY_ID, OpenKey
from explainer.use_cases.processing_traces import Processing, current_trace
from explainer.use_cases.records import LogRecord, PreparedEntry
from explainer.use_cases.service import Service
from explainer.use_cases.stores import UnitOfWork

SUBJECT_BASIS = "ai-act-86"
"""Legal basis noted where the person asks: AI Act Art. 86 (the GDPR Art. 15 answer is the same document)."""


def write_log_entry(
    service: Service,
    work: UnitOfWork,
    event: LogEvent,
    *,
    caller: Caller | None,
    model: ModelVersion | None = None,
    role: str | None = None,
    basis: str | None = None,
    outcome: str | None = None,
    private: Mapping[str, JsonValue] | None = None,
    key_id: str = SERVICE_KEY_ID,
) -> LogRecord:
    """Append one entry in the unit of work of what it records.

    Args:
        service: The installation.
        work: The unit of work; the entry commits or vanishes with it.
        event: What happened.
        caller: Who did it, or None for the service itself.
        model: Model version concerned.
        role: The program's role in the procedure.
        basis: Legal basis slug.
        outcome: Outcome slug of the event.
        private: Values to commit to, of subject, decision, explanation and purpose; actor is added here.
        key_id: Key under which the committed values are sealed.

    Returns:
        The entry with its index.
    """
    prepared = prepare_log_entry(
        service,
        event,
        service.vault.key_for_sealing(key_id),
        caller=caller,
        model=model,
        role=role,
        basis=basis,
        outcome=outcome,
        private=private,
        key_id=key_id,
    )
    return work.log.append_all([prepared])[0]


def prepare_log_entry(
    service: Service,
    event: LogEvent,
    key: OpenKey,
    *,
    caller: Caller | None,
    key_id: str,
    model: ModelVersion | None = None,
    role: str | None = None,
    basis: str | None = None,
    outcome: str | None = None,
    private: Mapping[str, JsonValue] | None = None,
) -> PreparedEntry:
    """Make one entry ready to be appended; arguments as :func:`write_log_entry`, with the key already read."""
    now, trace = service.clock(), current_trace()
    committed: dict[str, JsonValue] = {
        "actor": actor_of(caller) if caller is not None else "service",
        **(private or {}),
    }
    entry, private_fields = build_entry(
        event,
        at=now,
        random_bytes=service.random_bytes,
        private=committed,
        system=model.slug if model else None,
        model=ModelFacts(version=model.version, sha256=model.sha256) if model else None,
        role=role,
        basis=basis,
        outcome=outcome,
        trace_id=trace.trace_id if trace is not None else None,
    )
    if trace is not None and key_id != SERVICE_KEY_ID:
        trace.processings.append(Processing(name=event.value, subject_id=key_id, entry_id=entry.id))
    sealed = key.seal_log_part(private_fields, entry_id=entry.id)
    return PreparedEntry(entry=entry, sealed=sealed, key_id=key_id, at=now)
