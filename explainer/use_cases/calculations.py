"""Calculations that an event loop waits for, in a thread of their own."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from explainer.transparency_log.group_commit import GroupCommit

Result = TypeVar("Result")

MAX_TOGETHER = 8
"""Calculations that are done one after the other before those who wait for them go on.

What they do next, such as logging, they then do together, with one wait for the disk. With more of them nothing would
be left to calculate while the disk is waited for.
"""


class Calculations:
    """Does calculations in one thread; those that wait are done together, as deliveries are that wait for a commit.

    Most of a calculation holds Python's lock, and two threads that fight for it take a third longer.
    """

    def __init__(self) -> None:
        self._batches = GroupCommit[Callable[[], Any], Any](_results, max_batch=MAX_TOGETHER)

    async def result_of(self, calculate: Callable[[], Result]) -> Result:
        """Calculate something, without holding up the event loop.

        Args:
            calculate: Calculates it.

        Returns:
            What it returned.

        Raises:
            Exception: What it raised; the others of the moment go on.
        """
        result: Result = await self._batches.keep(calculate)
        return result


def _results(calculations: Sequence[Callable[[], Any]]) -> list[Any]:
    return [_result_or_error(calculate) for calculate in calculations]


def _result_or_error(calculate: Callable[[], Any]) -> Any:
    try:
        return calculate()
    except Exception as error:  # noqa: BLE001 -- it is raised where somebody waits for it
        return error
