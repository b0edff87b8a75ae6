"""Finished documents kept with their decision, so that a delivery need only fill in its own number and moment.

A kept document is used only while everything it depends on is as it was when it was checked: the texts of this
program, the model version, the decision's numbers, where it stands, what superseded it, the address in its links, and
whether a deadline it names is still ahead. All of this is in its sealed part. Otherwise it is built and checked anew,
and the new one is kept beside the old, to which earlier deliveries refer.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256

from explainer.decisions.decision import PrivatePart
from explainer.errors import UntrustworthyExplanationError
from explainer.explanations.document import ExplanationDocument
from explainer.narration.kept_text import DeliveryMarks, filled, with_gaps
from explainer.narration.number_words import TIME_ZONE
from explainer.narration.text_version import text_version
from explainer.transparency_log.sealing import MARK_SIZE
from explainer.use_cases.decision_vault import OpenKey
from explainer.use_cases.records import ExplanationRecord, KeptDocumentRecord
from explainer.use_cases.service import Service

FACTS, HOLDS_THROUGH, SUBJECT, TEXTS = "facts", "holds_through", "subject", "texts"


@dataclass(frozen=True, kw_only=True)
class UsableDocument:
    """A kept document whose facts still hold.

    Attributes:
        kept_id: Its id.
        subject: Whom it is about, as log entries commit to it.
        gapped: Its bytes with gaps.
    """

    kept_id: str
    subject: str
    gapped: bytes


def mark_of(sealed_numbers: bytes | None) -> bytes | None:
    """What tells a decision's sealed numbers from others, as a delivery reads it; None where there are none."""
    return None if sealed_numbers is None else sealed_numbers[:MARK_SIZE]


def fingerprint_of_facts(
    service: Service, *, model_sha256: str, numbers_mark: bytes | None, status: str, superseded_by: str | None
) -> str:
    """Fingerprint of what a document depends on and what can change after the decision was recorded.

    Args:
        service: The installation; its public address stands in links.
        model_sha256: Identity of the model package, with its card, evaluation and background.
        numbers_mark: As :func:`mark_of` gives it.
        status: Where the decision stands.
        superseded_by: Reference of its successor, or None.

    Returns:
        SHA-256 (hex). Inputs, remedy and reasons are not in it: they are sealed with the decision and never change.
    """
    numbers = (numbers_mark or b"").hex()
    facts = (text_version(), model_sha256, numbers, status, superseded_by or "", service.settings.base_url)
    return sha256("\n".join(facts).encode()).hexdigest()


def keep(
    service: Service, document: ExplanationDocument, private: PrivatePart, *, facts: str, key_id: str
) -> tuple[KeptDocumentRecord, UsableDocument]:
    """Seal a document that passed its checks, with what it depends on.

    Args:
        service: The installation.
        document: The document; it is about a decision.
        private: The personal part of that decision, with the remedy that the document quotes.
        facts: Fingerprint of what else it depends on.
        key_id: Key of the person's data.

    Returns:
        The record to insert, and the same document ready for use.
    """
    if document.decision is None:
        raise ValueError("only explanations of decisions are kept")
    deadline = private.remedy.until if private.remedy is not None else None
    if deadline is not None and deadline < _day_of(document.produced_at):
        deadline = None  # over when the text was written, and over for ever
    reference = document.decision.reference
    usable_now = UsableDocument(
        kept_id=service.random_bytes(16).hex(),
        subject=private.subject_reference or reference,
        gapped=with_gaps(document),
    )
    header = {
        FACTS: facts,
        HOLDS_THROUGH: deadline.isoformat() if deadline is not None else None,
        SUBJECT: usable_now.subject,
        TEXTS: text_version(),
    }
    content = json.dumps(header).encode() + b"\n" + usable_now.gapped
    record = KeptDocumentRecord(
        id=usable_now.kept_id,
        decision_reference=reference,
        audience=document.audience,
        language=document.language,
        made_at=document.produced_at,
        key_id=key_id,
        sealed=service.vault.seal(content, key_id=key_id, context=_context(usable_now.kept_id, reference)),
    )
    return record, usable_now


def usable(
    key: OpenKey, kept_id: str, sealed: bytes, *, reference: str, facts: str, at: datetime
) -> UsableDocument | None:
    """Open a kept document, if what it depends on is still so.

    Args:
        key: Key of the person's data.
        kept_id: Id of the document.
        sealed: Its sealed bytes.
        reference: The decision.
        facts: Fingerprint of the facts as they are now.
        at: Current time, UTC.

    Returns:
        The document, or None where it must be built anew.

    Raises:
        SealingError: If the bytes were changed, or are another decision's.
    """
    header, gapped = _opened(key, kept_id, sealed, reference)
    through = header[HOLDS_THROUGH]
    if header[FACTS] != facts or (through is not None and _day_of(at) > date.fromisoformat(through)):
        return None
    return UsableDocument(kept_id=kept_id, subject=str(header[SUBJECT]), gapped=gapped)


def delivered_bytes(key: OpenKey, kept: KeptDocumentRecord, record: ExplanationRecord, moment: str) -> bytes:
    """The bytes of an earlier delivery, whatever has changed since.

    Args:
        key: Key of the person's data.
        kept: The document it was made of.
        record: The delivery.
        moment: Its moment, as documents spell it.

    Returns:
        The bytes; the caller compares their digest with the logged one.
    """
    _, gapped = _opened(key, kept.id, kept.sealed, kept.decision_reference)
    if record.said_day is None or record.said_time is None:
        raise UntrustworthyExplanationError("The record of this explanation is not complete.")
    marks = DeliveryMarks(id=record.id, moment=moment, day=record.said_day, time=record.said_time)
    return filled(gapped, marks)


def texts_of(key: OpenKey, kept: KeptDocumentRecord) -> str | None:
    """Fingerprint of the templates that wrote a kept document, or None where it is older than this note."""
    header, _ = _opened(key, kept.id, kept.sealed, kept.decision_reference)
    return header.get(TEXTS)


def _opened(key: OpenKey, kept_id: str, sealed: bytes, reference: str) -> tuple[Mapping[str, str | None], bytes]:
    header, _, gapped = key.open(sealed, context=_context(kept_id, reference)).partition(b"\n")
    return json.loads(header), gapped


def _context(kept_id: str, reference: str) -> str:
    return f"kept document:{reference}:{kept_id}"


def _day_of(moment: datetime) -> date:
    return moment.astimezone(TIME_ZONE).date()
