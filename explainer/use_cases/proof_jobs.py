"""Proofs that take longer than a person waits: one thread per process tries them one after another, in its own time.

What waits is kept in memory only. A process that ends leaves its decisions with what was said at first, which is true
as well: that no example was found, and that this proves nothing.
"""

import logging
import threading
import time
from collections import Counter
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING

from explainer.use_cases.improve_recourse import improve_recourse

if TYPE_CHECKING:
    from explainer.recourse.infeasibility import ProofProgress
    from explainer.use_cases.service import Service

LOG = logging.getLogger("klarbescheid.proofs")

MAX_WAITING = 1_000
"""Decisions that wait at most; those beyond are not tried."""

_LOOKS_UP_AFTER = 0.5
"""Seconds after which a thread with nothing to do sees that the process ends."""

_PATIENCE = 5.0
"""Seconds that the end of a process waits for a step of a proof."""


class _ProcessEndsError(Exception):
    """Ends a proof in the middle."""


class ProofJobs:
    """Tries to improve the recourse of decisions; threads may share it.

    Args:
        seconds: How long each proof may take; 0 switches proofs off.

    Attributes:
        results: How many jobs ended how, since the process began.
    """

    def __init__(self, seconds: float) -> None:
        self.results: Counter[str] = Counter()
        self._seconds = seconds
        self._waiting: Queue[tuple[Service, str]] = Queue(MAX_WAITING)
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None
        self._step_began = 0.0

    def want(self, service: "Service", reference: str) -> None:
        """Ask for a proof some time after :meth:`start`; returns at once.

        Args:
            service: The installation.
            reference: A decision that was recorded.
        """
        if self._seconds <= 0:
            return
        try:
            self._waiting.put_nowait((service, reference))
        except Full:
            self._count("not tried")

    def start(self) -> None:
        """Begin to work, where proofs are not switched off."""
        if self._seconds > 0 and self._thread is None:
            self._ends.clear()
            self._thread = threading.Thread(target=self._work, name="proofs", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop: what runs ends without a result, what waits is given up."""
        self._ends.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE)
            self._thread = None

    def _work(self) -> None:
        while not self._ends.is_set():
            try:
                service, reference = self._waiting.get(timeout=_LOOKS_UP_AFTER)
            except Empty:
                continue
            try:
                self._step_began = time.monotonic()
                result = improve_recourse(service, reference, seconds=self._seconds, report=self._rest)
                self._count(result)
            except _ProcessEndsError:
                return
            except Exception as error:  # noqa: BLE001 - erased, uninstalled, database away: the next may go well
                # Without the error's words, which may quote the case.
                self._count(f"failed: {type(error).__name__}")

    def _rest(self, _progress: "ProofProgress") -> None:
        """Rest as long as the last step took: a proof takes at most half of a processor from those who wait."""
        if self._ends.wait(time.monotonic() - self._step_began):
            raise _ProcessEndsError
        self._step_began = time.monotonic()

    def _count(self, result: str) -> None:
        self.results[result] += 1
        so_far = ", ".join(f"{count} {name}" for name, count in sorted(self.results.items()))
        LOG.info("%s; so far %s; %d waiting", result, so_far, self._waiting.qsize())
