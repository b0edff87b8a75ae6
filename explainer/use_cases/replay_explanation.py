"""Holds a delivered explanation against the log, the database and the model that is said to have made it.

The bytes must be those the log entry committed to, exactly; everything beside them in the database must say the same;
and the numbers must come out again from the stored model version, within a stated tolerance.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

from pydantic import ValidationError

from explainer.decisions.access_code import normalise_reference
from explainer.decisions.decision import Value
from explainer.errors import ExplanationNotFoundError
from explainer.explanations.document import ExplanationDocument, moment_text
from explainer.explanations.stored_numbers import numbers_from_bytes
from explainer.narration.text_version import text_version
from explainer.transparency_log.canonical_json import JsonValue
from explainer.transparency_log.checkpoint import open_checkpoint
from explainer.transparency_log.log_entry import LogEntry, LogEvent, PrivateFields, parse_leaf
from explainer.transparency_log.merkle import leaf_hash, verify_inclusion
from explainer.transparency_log.signed_note import NoteVerifier
from explainer.transparency_log.tree import Tree
from explainer.use_cases.kept_documents import delivered_bytes, texts_of
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.read_decisions import LoadedDecision, load_decision
from explainer.use_cases.records import DecisionRecord, ExplanationRecord, KeptDocumentRecord, LogRecord
from explainer.use_cases.replay_numbers import replay_numbers
from explainer.use_cases.service import Service
from models.errors import KlarbescheidError


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was checked.

    Attributes:
        check: ``bytes``, ``log``, ``records`` or ``numbers``.
        holds: Whether it holds.
        sentence: What was found, in English.
    """

    check: str
    holds: bool
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What came of replaying one explanation.

    Attributes:
        id: Its id.
        findings: What was checked, in this order; nothing is checked that rests on something that failed.
        engine_then: Version of the code that computed the delivered numbers, or None where there are none.
        engine_now: Version of the code that computed them anew.
        texts_then: Fingerprint of the templates that wrote the text; None where it was not kept.
        texts_now: Fingerprint of this program's templates.
    """

    id: str
    findings: tuple[Finding, ...]
    engine_then: str | None = None
    engine_now: str | None = None
    texts_then: str | None = None
    texts_now: str

    @property
    def holds(self) -> bool:
        """Whether everything holds."""
        return all(finding.holds for finding in self.findings)


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """Everything the database holds about one explanation."""

    record: ExplanationRecord
    kept: KeptDocumentRecord | None
    entry: LogRecord | None
    sealed: tuple[str, bytes] | None


class _DoesNotHoldError(Exception):
    """A check failed; the sentence says how."""


def ids_to_replay(service: Service, wanted: str) -> tuple[str, ...]:
    """The explanations somebody means.

    Args:
        service: The installation.
        wanted: Id of an explanation, or reference of a decision.

    Returns:
        Ids of that explanation, or of all that were delivered for the decision, newest first.

    Raises:
        ExplanationNotFoundError: If there is neither.
    """
    with service.database.reading() as work:
        if work.explanations.get(wanted) is not None:
            return (wanted,)
        found = work.explanations.of_decision(normalise_reference(wanted[:64]))
    if not found:
        raise ExplanationNotFoundError(
            f"There is no explanation {wanted!r}, and none of a decision with this reference."
        )
    return tuple(record.id for record in found)


def replay_explanation(service: Service, explanation_id: str) -> Replay:
    """Check one delivered explanation against everything there is; that it was read is logged.

    Args:
        service: The installation.
        explanation_id: Its id.

    Returns:
        What was found; an explanation that does not hold is a result, not an error.

    Raises:
        ExplanationNotFoundError: If there is no such explanation.
        ErasedError: If the person's data were erased: then only its place in the log can be proven.
    """
    stored = _load(service, explanation_id)
    key = service.vault.key(stored.record.key_id)
    findings: list[Finding] = []
    document: ExplanationDocument | None = None
    engine_now: str | None = None
    for check in ("bytes", "log", "records", "numbers"):
        try:
            match check:
                case "bytes":
                    document, sentence = _check_bytes(service, stored)
                case "log":
                    sentence = _check_log(service, stored)
                case "records":
                    sentence = _check_records(service, stored, _known(document))
                case _:
                    sentence, engine_now = _check_numbers(service, stored, _known(document))
        except (_DoesNotHoldError, KlarbescheidError, ValueError, KeyError) as error:
            findings.append(Finding(check=check, holds=False, sentence=str(error)))
            break
        findings.append(Finding(check=check, holds=True, sentence=sentence))
    _note(service, stored)
    return Replay(
        id=explanation_id,
        findings=tuple(findings),
        engine_then=document.method.engine_version if document is not None and document.method is not None else None,
        engine_now=engine_now,
        texts_then=texts_of(key, stored.kept) if stored.kept is not None and document is not None else None,
        texts_now=text_version(),
    )


def _known(document: ExplanationDocument | None) -> ExplanationDocument:
    if document is None:
        raise RuntimeError("the bytes are checked first")
    return document


def _load(service: Service, explanation_id: str) -> _Stored:
    with service.database.reading() as work:
        record = work.explanations.get(explanation_id)
        if record is None:
            raise ExplanationNotFoundError("There is no explanation with this number.")
        return _Stored(
            record=record,
            kept=work.kept_documents.get(record.kept_id) if record.kept_id is not None else None,
            entry=work.log.find(record.log_entry_id),
            sealed=work.log.sealed_part(record.log_entry_id),
        )


def _bytes_of(service: Service, stored: _Stored) -> bytes:
    key = service.vault.key(stored.record.key_id)
    if stored.record.sealed is not None:
        return key.open(stored.record.sealed, context=f"explanation:{stored.record.id}")
    if stored.kept is None:
        raise _DoesNotHoldError("The document of this explanation is missing.")
    return delivered_bytes(key, stored.kept, stored.record, moment_text(stored.record.produced_at))


def _check_bytes(service: Service, stored: _Stored) -> tuple[ExplanationDocument, str]:
    delivered = _bytes_of(service, stored)
    digest = sha256(delivered).hexdigest()
    if stored.sealed is not None and digest != _logged(service, stored)["explanation"][1]:
        raise _DoesNotHoldError("The stored bytes have another SHA-256 than the one noted when they were delivered.")
    try:
        document = ExplanationDocument.model_validate_json(delivered)
    except ValidationError as error:
        raise _DoesNotHoldError("The stored bytes are no explanation document.") from error
    if document.canonical_bytes() != delivered:
        raise _DoesNotHoldError("The stored bytes are not the canonical spelling of the document.")
    return document, f"The {len(delivered)} bytes are those that were delivered, SHA-256 {digest}."


def _check_log(service: Service, stored: _Stored) -> str:
    entry, record = stored.entry, stored.record
    if entry is None or stored.sealed is None:
        raise _DoesNotHoldError("The log entry of this explanation, or its sealed part, is missing.")
    with service.database.reading() as work:
        checkpoint = open_checkpoint(work.log.checkpoint(), [NoteVerifier.from_vkey(service.log_vkey)])
        proof = Tree(work.log.tiles(), checkpoint.tree_size).inclusion_proof(entry.index)
    verify_inclusion(leaf_hash(entry.leaf), entry.index, checkpoint.tree_size, proof, checkpoint.root_hash)
    leaf = parse_leaf(entry.leaf)
    opened = _logged(service, stored)
    leaf.verify_private(opened)
    if set(opened) != set(leaf.c):
        raise _DoesNotHoldError("The sealed part of the log entry does not open every commitment.")
    committed = {
        "explanation": sha256(_bytes_of(service, stored)).hexdigest(),
        "actor": record.asked_by,
        **({"decision": record.decision_reference} if record.decision_reference is not None else {}),
    }
    for field, value in committed.items():
        if opened.get(field, (b"", None))[1] != value:
            raise _DoesNotHoldError(f"The log entry committed to another {field} than the database holds.")
    if (leaf.t, leaf.id, entry.event) != (LogEvent.EXPLANATION_DELIVERED, entry.entry_id, leaf.t.value):
        raise _DoesNotHoldError("The log entry does not record that this explanation was delivered.")
    if leaf.ts != record.produced_at.strftime("%Y-%m-%dT%H:%MZ"):
        raise _DoesNotHoldError("The log entry was written in another minute than the explanation.")
    return (
        f"Entry {entry.index} of the log committed to exactly these bytes, and is in the signed tree of "
        f"{checkpoint.tree_size} entries."
    )


def _logged(service: Service, stored: _Stored) -> PrivateFields:
    if stored.sealed is None:
        raise _DoesNotHoldError("The sealed part of the log entry is missing.")
    key_id, sealed = stored.sealed
    return service.vault.key(key_id).open_log_part(sealed, entry_id=stored.record.log_entry_id)


def _check_records(service: Service, stored: _Stored, document: ExplanationDocument) -> str:
    record = stored.record
    leaf = parse_leaf(stored.entry.leaf) if stored.entry is not None else None
    decision = None
    if record.decision_reference is not None:
        with service.database.reading() as work:
            decision = work.decisions.get(record.decision_reference)
        if decision is None:
            raise _DoesNotHoldError("The decision of this explanation is missing.")
    for what, said, kept in _facts(document, record, leaf, decision, stored.kept):
        if said != kept:
            raise _DoesNotHoldError(f"{what}: the explanation says {said!r}, the database says {kept!r}.")
    return "Everything beside it in the database and the log says the same."


def _facts(
    document: ExplanationDocument,
    record: ExplanationRecord,
    leaf: LogEntry | None,
    decision: DecisionRecord | None,
    kept: KeptDocumentRecord | None,
) -> Iterator[tuple[str, object, object]]:
    said = document.decision
    yield "Number", document.id, record.id
    yield "Decision", said.reference if said is not None else None, record.decision_reference
    yield "Model", document.model.slug, record.model_slug
    yield "Audience", document.audience, record.audience
    yield "Language", document.language, record.language
    yield "Moment", moment_text(document.produced_at), moment_text(record.produced_at)
    if leaf is not None:
        yield "Program in the log entry", document.model.slug, leaf.system
        yield "Version in the log entry", document.model.version, leaf.model.version if leaf.model else None
        yield "Fingerprint in the log entry", document.model.sha256, leaf.model.sha256 if leaf.model else None
    if kept is not None and said is not None:
        yield "Decision of the kept document", said.reference, kept.decision_reference
        yield "Audience of the kept document", document.audience, kept.audience
        yield "Language of the kept document", document.language, kept.language
        yield "Key of the kept document", record.key_id, kept.key_id
    if decision is not None and said is not None:
        yield "Model of the decision", document.model.slug, decision.model_slug
        yield "Version of the decision's model", document.model.version, decision.model_version
        yield "Fingerprint of the decision's model", document.model.sha256, decision.model_sha256
        yield "Register version", document.register_version, decision.register_version
        yield "Program's outcome", said.model_outcome, decision.model_outcome
        yield "City's outcome", document.outcome, decision.outcome
        yield "Who decided", document.decided_by, decision.decided_by
        yield "Day of the decision", said.decided_at, decision.decided_at
        yield "Special circumstances", said.diverted, decision.diverted
        yield "Key of the decision", record.key_id, decision.key_id


def _check_numbers(service: Service, stored: _Stored, document: ExplanationDocument) -> tuple[str, str | None]:
    model = service.model_of_version(document.model.slug, document.model.sha256)
    if model.package.card.version != document.model.version:
        raise _DoesNotHoldError(f"The stored model is version {model.package.card.version}, not the one named.")
    if stored.record.decision_reference is not None:
        loaded = load_decision(service, stored.record.decision_reference)
        inputs: Mapping[str, Value] = loaded.decision.private.inputs
        _check_kept_numbers(service, loaded, model.input_digest(inputs))
        if loaded.decision.private.fired_rule != model.outcome_of(inputs).deciding_rule:
            raise _DoesNotHoldError("The database names another deciding rule of the law than the model gives.")
        near = document.reliability.near_threshold if document.reliability is not None else False
        if loaded.decision.private.near_threshold != near:
            raise _DoesNotHoldError("The decision and the explanation differ on whether the score was near the limit.")
    else:
        inputs = {part.feature: part.value for part in document.contributions}
        if not inputs:
            return "A rule of the law gave the result before any number; there is nothing to compute.", None
    replayed = replay_numbers(document, model, inputs)
    if replayed.differences:
        raise _DoesNotHoldError(" ".join(replayed.differences))
    return (
        f"Version {document.model.version} of {document.model.slug} gives the same numbers; the largest difference is "
        f"{replayed.largest_difference:.3g}, allowed are {replayed.tolerance:.3g} in the additive unit."
    ), replayed.engine_version


def _check_kept_numbers(service: Service, loaded: LoadedDecision, input_digest: str) -> None:
    record = loaded.record
    if record.sealed_numbers is None:
        return
    opened = service.vault.open(record.sealed_numbers, key_id=record.key_id, context=f"numbers:{record.reference}")
    numbers = numbers_from_bytes(opened)
    if (numbers.input_digest, numbers.model_sha256) != (input_digest, record.model_sha256):
        raise _DoesNotHoldError("The kept numbers do not belong to the inputs and the model of this decision.")


def _note(service: Service, stored: _Stored) -> None:
    # What was replayed is named by what was logged of it, also where the bytes no longer give that.
    about: dict[str, JsonValue] = {}
    with suppress(_DoesNotHoldError, KlarbescheidError, ValueError, KeyError):
        about["explanation"] = _logged(service, stored)["explanation"][1]
    with service.database.writing() as work:
        write_log_entry(
            service,
            work,
            LogEvent.EXPLANATION_READ,
            caller=None,
            outcome="replay",
            private=about,
            key_id=stored.record.key_id,
        )
