"""Deliveries that ask at the same time share one transaction, one signature and one wait for the disk.

While one batch is being committed in a thread of its own, the event loop goes on and gathers the next. A delivery that
cannot be kept fails alone; a commit that fails is told to everyone who waits for it, and nothing of it is kept.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from explainer.use_cases.records import Delivery, LogRecord

WriteBatch = Callable[[Sequence[Delivery]], Sequence[LogRecord | Exception]]
"""Keeps a batch in one transaction: for each delivery its log record, or why it alone was not kept."""

MAX_BATCH = 64
"""Deliveries in one transaction: others that want to write wait no longer than this many take."""


class GroupCommit:
    """Gathers the deliveries of one event loop; another loop may use it once the first one is idle.

    Args:
        write_batch: Called in one thread at a time.
    """

    def __init__(self, write_batch: WriteBatch) -> None:
        self._write_batch = write_batch
        self._waiting: list[tuple[Delivery, asyncio.Future[LogRecord]]] = []
        self._committing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="group-commit")

    async def keep(self, delivery: Delivery) -> LogRecord:
        """Keep one delivery together with those of the same moment.

        Args:
            delivery: What must be kept before the answer leaves.

        Returns:
            Where its log entry stands; it has committed.

        Raises:
            Exception: Whatever kept it, or its whole batch, from being committed.
        """
        kept: asyncio.Future[LogRecord] = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, kept))
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_all())
        return await kept

    def close(self) -> None:
        """Let the last batch end."""
        self._thread.shutdown()

    async def _commit_all(self) -> None:
        # A task begins one turn of the loop later: whoever asks in this turn is in the first batch.
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            try:
                outcomes = await loop.run_in_executor(self._thread, self._write_batch, [one for one, _ in batch])
            except Exception as error:  # noqa: BLE001 -- every waiter is told, whatever it was
                outcomes = [error] * len(batch)
            for (_, kept), outcome in zip(batch, outcomes, strict=True):
                if kept.cancelled():
                    continue  # the client has gone; what is committed stays
                if isinstance(outcome, Exception):
                    kept.set_exception(outcome)
                else:
                    kept.set_result(outcome)
