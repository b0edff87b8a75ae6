"""What must be durable at the same moment shares one transaction and one wait for the disk.

While one batch is being committed in a thread of its own, the event loop goes on and gathers the next. An item that
cannot be kept fails alone; a commit that fails is told to everyone who waits for it, and nothing of it is kept.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Kept = TypeVar("Kept")

MAX_BATCH = 64
"""Items in one transaction: others that want to write wait no longer than this many take."""


QUIET_TURNS = 6
"""A batch begins after so many turns of the loop in which nobody joined it.

Requests that have arrived need a turn or two to get here. A batch that begins without them makes them wait for the next
one, and while it is written they take turns with it for Python's lock; waiting for them costs microseconds.
"""


class GroupCommit(Generic[Item, Kept]):
    """Gathers the items of one event loop; another loop may use it once the first one is idle.

    Args:
        write_batch: Keeps a batch in one transaction, and gives for each item what came of it or why it alone was not
            kept. Called in one thread at a time.
        max_batch: Items in one batch at most.
    """

    def __init__(
        self, write_batch: Callable[[Sequence[Item]], Sequence[Kept | Exception]], *, max_batch: int = MAX_BATCH
    ) -> None:
        self._write_batch = write_batch
        self._max_batch = max_batch
        self._waiting: list[tuple[Item, asyncio.Future[Kept]]] = []
        self._committing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="group-commit")

    async def keep(self, item: Item) -> Kept:
        """Keep one item together with those of the same moment.

        Args:
            item: What must be durable before this returns.

        Returns:
            What came of it; it has committed.

        Raises:
            Exception: Whatever kept it, or its whole batch, from being committed.
        """
        kept: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, kept))
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_all())
        return await kept

    def close(self) -> None:
        """Let the last batch end."""
        self._thread.shutdown()

    async def _all_who_are_coming(self) -> None:
        quiet, joined = 0, len(self._waiting)
        while quiet < QUIET_TURNS and joined < self._max_batch:
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self._waiting) == joined else 0
            joined = len(self._waiting)

    async def _commit_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            await self._all_who_are_coming()
            batch, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
            outcomes: Sequence[Kept | Exception]
            try:
                outcomes = await loop.run_in_executor(self._thread, self._write_batch, [item for item, _ in batch])
            except asyncio.CancelledError:
                # The loop is ending, and with it everyone who waits: the next loop must not meet them.
                self._waiting.clear()
                raise
            except Exception as error:  # noqa: BLE001 -- every waiter is told, whatever it was
                outcomes = [error] * len(batch)
            for (_, kept), outcome in zip(batch, outcomes, strict=True):
                if kept.cancelled():
                    continue  # the client has gone; what is committed stays
                if isinstance(outcome, Exception):
                    kept.set_exception(outcome)
                else:
                    kept.set_result(outcome)
