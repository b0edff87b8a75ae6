"""Erase a person's or a decision's data: the keys are destroyed, the proof stays, and the log says that it was done.

The order makes a crash harmless: the list of erasures first, then the keys, then the rows and the log entry. Whatever a
crash leaves undone is done at the next start, as it is where an older copy of database or key store was restored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from explainer.decisions.access_code import normalise_reference
from explainer.errors import ConflictError, DecisionNotFoundError, ErasureForbiddenError
from explainer.transparency_log.erasure_list import Erasure
from explainer.transparency_log.log_entry import LogEvent
from explainer.use_cases.erasure_rules import Hold, holds_of
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.records import DecisionRecord, ExplanationRecord
from explainer.use_cases.service import Service
from explainer.use_cases.stores import UnitOfWork

ON_REQUEST = "gdpr-17"
"""Basis of an erasure that somebody asked for: GDPR Art. 17."""

AT_ONCE = 500
"""Keys in one entry of the log and one line of the list."""


@dataclass(frozen=True, kw_only=True)
class Erased:
    """What came of a request for erasure.

    Attributes:
        references: Decisions whose data are gone.
        holds: Why others had to stay.
    """

    references: tuple[str, ...]
    holds: tuple[Hold, ...]


def erase_person(service: Service, subject_reference: str, *, case_system: str | None = None) -> Erased:
    """Erase everything about a person that no law holds.

    Args:
        service: The installation.
        subject_reference: The pseudonym that the case system gave.
        case_system: Name of the case system; needed only where several know the pseudonym.

    Returns:
        What was erased, and what had to stay and why.

    Raises:
        DecisionNotFoundError: If nothing is recorded about this person.
        ConflictError: If several case systems know the pseudonym.
        ErasureForbiddenError: If nothing at all may be erased yet.
    """
    with service.database.reading() as work:
        records = decisions_of_person(service, work, subject_reference, case_system=case_system)
        allowed, holds = sorted_by_law(work, records, now=service.clock())
    return _erase(service, allowed, holds)


def erase_decision(service: Service, reference: str) -> Erased:
    """Erase one decision's data, if no law holds them.

    Args:
        service: The installation.
        reference: As typed.

    Returns:
        What was erased.

    Raises:
        DecisionNotFoundError: If there is no such decision.
        ErasedError: If it was erased before.
        ErasureForbiddenError: If the law forbids it.
    """
    with service.database.reading() as work:
        record = work.decisions.get(normalise_reference(reference))
        if record is None:
            raise DecisionNotFoundError("There is no decision with this reference.")
        service.vault.key(record.key_id)
        allowed, holds = sorted_by_law(work, [record], now=service.clock())
    return _erase(service, allowed, holds)


def decisions_of_person(
    service: Service, work: UnitOfWork, subject_reference: str, *, case_system: str | None
) -> Sequence[DecisionRecord]:
    """All decisions about a person that are not erased, oldest first.

    Args:
        service: The installation.
        work: A unit of work.
        subject_reference: The pseudonym that the case system gave.
        case_system: Name of the case system; needed only where several know the pseudonym.

    Returns:
        At least one.

    Raises:
        DecisionNotFoundError: If there is none.
        ConflictError: If several case systems know the pseudonym: it may stand for another person in each.
    """
    issuers = [f"case_system:{case_system}"] if case_system is not None else work.decisions.issuers()
    found = {
        issuer: records
        for issuer in issuers
        if (tag := service.vault.subject_id_for(subject_reference, owner=issuer)) is not None
        and (records := work.decisions.of_subject(tag))
    }
    if not found:
        raise DecisionNotFoundError("No decision is recorded about this person, or everything was erased before.")
    if len(found) > 1:
        names = ", ".join(sorted(issuer.removeprefix("case_system:") for issuer in found))
        raise ConflictError(
            f"Several case systems know this reference ({names}); it may stand for another person in each. "
            "Say which one with --case-system."
        )
    return next(iter(found.values()))


def apply_erasure(
    service: Service, key_ids: Sequence[str], *, basis: str, records: int, purpose: str, listed: bool = False
) -> None:
    """Destroy keys and what was sealed under them, and log it without saying whose it was.

    Args:
        service: The installation.
        key_ids: Names of the keys.
        basis: Slug of the legal basis or of the retention rule.
        records: How many decisions and explanations this erases.
        purpose: What goes into the sealed part of the entry; it must name nobody.
        listed: Whether it stands in the list of erasures already.
    """
    at = service.clock()
    if not listed:
        service.erasures.append(Erasure(at=at, basis=basis, key_ids=tuple(key_ids)))
    service.vault.destroy(key_ids)
    with service.database.writing() as work:
        write_log_entry(
            service,
            work,
            LogEvent.ERASURE_APPLIED,
            caller=None,
            basis=basis,
            outcome=f"erased_{records}",
            private={"purpose": purpose},
        )
        work.erasures.note(key_ids, at=at, basis=basis)
        work.erasures.empty(key_ids)


def repeat_erasures(service: Service) -> int:
    """Erase again whatever was erased before, after a crash or a restore; does nothing where nothing came back.

    Args:
        service: The installation.

    Returns:
        How many keys had come back, or had not been erased to the end.
    """
    again = 0
    for erasure in service.erasures.read():
        with service.database.reading() as work:
            undone = [key_id for key_id in erasure.key_ids if work.erasures.erased_at(key_id) is None]
        alive = service.vault.destroy(erasure.key_ids)
        if undone:
            again += len(undone)
            _note_again(service, undone, erasure)
        elif alive:
            again += alive
    with service.database.reading() as work:
        noted = work.erasures.all_noted()
    return again + service.vault.destroy(noted)


def _note_again(service: Service, key_ids: Sequence[str], erasure: Erasure) -> None:
    with service.database.writing() as work:
        write_log_entry(
            service,
            work,
            LogEvent.ERASURE_APPLIED,
            caller=None,
            basis=erasure.basis,
            outcome=f"erased_{len(key_ids)}",
            private={"purpose": "repeated from the list of erasures"},
        )
        work.erasures.note(key_ids, at=erasure.at, basis=erasure.basis)
        work.erasures.empty(key_ids)


def _erase(service: Service, allowed: Sequence[DecisionRecord], holds: Sequence[Hold]) -> Erased:
    if not allowed:
        raise ErasureForbiddenError(
            "Nothing was erased. " + " ".join(f"{hold.reference}: {hold.sentence}" for hold in holds)
        )
    for begin in range(0, len(allowed), AT_ONCE):
        some = allowed[begin : begin + AT_ONCE]
        apply_erasure(service, keys_of(some), basis=ON_REQUEST, records=len(some), purpose="asked for")
    return Erased(references=tuple(record.reference for record in allowed), holds=tuple(holds))


def keys_of(records: Sequence[DecisionRecord | ExplanationRecord]) -> list[str]:
    """Names of the keys of records, each once."""
    return list(dict.fromkeys(record.key_id for record in records))


def sorted_by_law(
    work: UnitOfWork, records: Sequence[DecisionRecord], *, now: datetime
) -> tuple[list[DecisionRecord], list[Hold]]:
    """Sort decisions into those that may be erased together and reasons why the others may not.

    Args:
        work: A unit of work.
        records: The decisions.
        now: Current time, UTC.

    Returns:
        Decisions that may be erased, and the holds on the others.
    """
    holds = [hold for record in records for hold in holds_of(work, record, now=now)]
    held = {hold.reference for hold in holds}
    free = [record for record in records if record.reference not in held]
    allowed = []
    for record in free:
        shared = [one.reference for one in work.decisions.sharing_key(record.key_id)]
        if set(shared) <= {one.reference for one in free}:
            allowed.append(record)
        else:
            holds.append(_shared(record, len(shared) - 1))
    return allowed, holds


def _shared(record: DecisionRecord, others: int) -> Hold:
    return Hold(
        reference=record.reference,
        reason="shared_key",
        sentence=f"recorded by an earlier version of the program, under one key with {others} other decision(s) of the "
        "same person that are to stay; they can only be erased together.",
    )
