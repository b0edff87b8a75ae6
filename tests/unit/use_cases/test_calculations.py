"""Calculations that wait together are done in their order, in one thread, and fail alone."""

import asyncio
from collections.abc import Callable
from threading import Barrier, Thread, current_thread
from typing import Any

import pytest

from explainer.use_cases.calculations import MAX_TOGETHER, Calculations
from tests.event_loops import in_a_loop_of_its_own


def results_of(calculations: Calculations, wanted: list[Callable[[], Any]]) -> list[Any]:
    async def together() -> list[Any]:
        return await asyncio.gather(*(calculations.result_of(one) for one in wanted), return_exceptions=True)

    return in_a_loop_of_its_own(together())


def test_each_gets_its_own_result_however_many_wait() -> None:
    numbers = range(3 * MAX_TOGETHER + 1)
    assert results_of(Calculations(), [lambda number=number: number**2 for number in numbers]) == [  # type: ignore[misc]
        number**2 for number in numbers
    ]


def test_all_are_done_in_one_thread_that_is_not_the_loop_s() -> None:
    threads = set(results_of(Calculations(), [current_thread] * 20))
    assert len(threads) == 1
    assert current_thread() not in threads


def test_one_that_fails_fails_alone() -> None:
    def fails() -> None:
        raise LookupError("this one")

    first, second, third = results_of(Calculations(), [lambda: 1, fails, lambda: 3])
    assert (first, third) == (1, 3)
    with pytest.raises(LookupError, match="this one"):
        raise second


def test_two_installations_in_one_process_do_not_mix_up_their_event_loops() -> None:
    cities, start, found = [Calculations(), Calculations()], Barrier(2), {}

    def serve(city: int) -> None:
        start.wait()
        found[city] = results_of(cities[city], [lambda: city] * 50)

    threads = [Thread(target=serve, args=(city,)) for city in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: [0] * 50, 1: [1] * 50}
