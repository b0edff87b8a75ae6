"""Whoever reads the log stands in the log: once for each person, kind of reading and hour."""

from contextlib import suppress
from hashlib import sha256

from explainer.transparency_log.log_entry import LogEvent
from explainer.use_cases.callers import Staff
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.service import Service


class _NotedMeanwhileError(Exception):
    """Another request of the same person noted this hour's reading: this unit of work is given up."""


def note_log_reading(service: Service, staff: Staff, what: str) -> None:
    """Append a ``log.read`` entry, unless this person's reading of this kind was noted this hour.

    Args:
        service: The installation.
        staff: Who reads.
        what: Short slug of what is read; it becomes the entry's outcome.
    """
    hour = service.clock().strftime("%Y-%m-%dT%H")
    mark = sha256(f"log.read\n{staff.staff_id}\n{what}\n{hour}".encode()).digest()
    with service.database.reading() as work:
        if work.access.was_noted(mark):
            return
    with suppress(_NotedMeanwhileError), service.database.writing() as work:
        # The entry takes the writers' lock: what is read after it, no other request can be just noting.
        write_log_entry(
            service, work, LogEvent.LOG_READ, caller=staff, outcome=what, private={"purpose": f"{what} in hour {hour}"}
        )
        if work.access.was_noted(mark):
            raise _NotedMeanwhileError
        work.access.note(mark, at=service.clock())
