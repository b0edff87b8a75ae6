"""What one request did with people's data, so that another register can be told of it.

The Dutch *Logboek dataverwerkingen* wants one trace record for each processing and each person. Our log entry and that
record share a W3C trace id. A person is named by the key under which their data are sealed: a number that the city can
lead back to them and nobody else. Who of the staff did it is in our log only, sealed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Processing:
    """One processing of one person's data.

    Attributes:
        name: Event of the log entry that records it.
        subject_id: Name of the key under which the data are sealed.
        entry_id: Id of the log entry.
    """

    name: str
    subject_id: str
    entry_id: str


@dataclass(kw_only=True)
class RequestTrace:
    """The trace that a request belongs to.

    Attributes:
        trace_id: W3C trace id, 32 hexadecimal digits.
        parent_span_id: The caller's span, 16 hexadecimal digits, or None.
        processings: What was done so far, in order.
    """

    trace_id: str
    parent_span_id: str | None
    processings: list[Processing] = field(default_factory=list)


_CURRENT: ContextVar[RequestTrace | None] = ContextVar("current_trace", default=None)


def current_trace() -> RequestTrace | None:
    """The trace of the request that is being served; None where traces are off."""
    return _CURRENT.get()


@contextmanager
def tracing(trace: RequestTrace) -> Iterator[None]:
    """Serve a request within a trace; threads that the request starts belong to it."""
    token = _CURRENT.set(trace)
    try:
        yield
    finally:
        _CURRENT.reset(token)
