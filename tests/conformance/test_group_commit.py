"""Deliveries that share a transaction are kept together, fail alone, and are never answered before they are kept."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from explainer.errors import LeafTooLargeError
from explainer.storage.database import SqlDatabase
from explainer.transparency_log.group_commit import MAX_BATCH
from explainer.transparency_log.log_entry import LogEvent
from explainer.use_cases.records import Delivery, LogRecord, PreparedEntry
from tests.conformance.records import an_entry, an_explanation, append_many, check_log, record_decision
from tests.databases import MOMENT, open_database


def a_delivery(explanation_id: str, **overrides: Any) -> Delivery:
    entry = an_entry(LogEvent.EXPLANATION_DELIVERED)
    return Delivery(
        entry=PreparedEntry(entry=entry, sealed=b"sealed part", key_id="key-1", at=MOMENT),
        explanation=an_explanation(explanation_id, log_entry_id=entry.id, **overrides),
    )


def deliver_all(database: SqlDatabase, deliveries: list[Delivery]) -> list[LogRecord | BaseException]:
    async def together() -> list[LogRecord | BaseException]:
        return await asyncio.gather(*(database.deliver(one) for one in deliveries), return_exceptions=True)

    return asyncio.run(together())


@pytest.fixture
def city(database: SqlDatabase) -> SqlDatabase:
    with database.writing() as unit:
        record_decision(unit)
    return database


def test_deliveries_of_one_moment_share_a_checkpoint_and_get_indexes_in_their_order(city: SqlDatabase) -> None:
    before = checkpoints(city)
    kept = deliver_all(city, [a_delivery(f"e-{number}") for number in range(20)])
    assert [record.index for record in kept if isinstance(record, LogRecord)] == list(range(1, 21))
    assert checkpoints(city) == before + 1
    check_log(city, 21)
    with city.reading() as unit:
        assert len(unit.explanations.of_decision("R-0001")) == 20


def test_more_than_one_batch_holds_are_all_kept(city: SqlDatabase) -> None:
    kept = deliver_all(city, [a_delivery(f"e-{number}") for number in range(2 * MAX_BATCH + 1)])
    assert {record.index for record in kept if isinstance(record, LogRecord)} == set(range(1, 2 * MAX_BATCH + 2))
    check_log(city, 2 * MAX_BATCH + 2)


def test_one_that_cannot_be_kept_fails_alone(city: SqlDatabase) -> None:
    good = [a_delivery(f"e-{number}") for number in range(4)]
    twin = a_delivery("e-1")
    kept = deliver_all(city, [good[0], good[1], twin, good[2], good[3]])
    assert isinstance(kept[2], Exception)
    assert [record.index for record in kept if isinstance(record, LogRecord)] == [1, 2, 3, 4]
    check_log(city, 5)
    with city.reading() as unit:
        assert unit.log.find(twin.entry.entry.id) is None, "no entry without its explanation"


def test_an_entry_too_large_for_the_log_fails_alone(city: SqlDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    good, large = a_delivery("e-0"), a_delivery("e-1")
    monkeypatch.setattr(type(large.entry.entry), "leaf_bytes", _leaf_bytes_larger_for(large.entry.entry.id))
    kept = deliver_all(city, [large, good])
    assert isinstance(kept[0], LeafTooLargeError)
    assert isinstance(kept[1], LogRecord)


def _leaf_bytes_larger_for(entry_id: str) -> Any:
    def leaf_bytes(entry: Any) -> bytes:
        return bytes(70_000) if entry.id == entry_id else b"{}"

    return leaf_bytes


def test_a_commit_that_fails_is_told_to_all_and_keeps_nothing(
    city: SqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(city._backend, "writing", failing_at_commit(city))
        lost = deliver_all(city, [a_delivery(f"lost-{number}") for number in range(5)])
    assert all(isinstance(outcome, OSError) for outcome in lost)
    check_log(city, 1)
    kept = deliver_all(city, [a_delivery(f"e-{number}") for number in range(3)])
    assert [record.index for record in kept if isinstance(record, LogRecord)] == [1, 2, 3], "state was read anew"
    check_log(city, 4)


def failing_at_commit(database: SqlDatabase) -> Any:
    """The same transaction, but the disk is full when it is to be made durable."""
    writing = database._backend.writing

    @contextmanager
    def fails() -> Iterator[Any]:
        with writing() as connection:
            yield connection
            raise OSError("the disk is full")

    return fails


def test_other_writers_and_other_processes_fit_between_batches(url: str, city: SqlDatabase) -> None:
    other = open_database(url)
    for number in range(3):
        deliver_all(city, [a_delivery(f"e-{number}-{place}") for place in range(3)])
        append_many(other, 2)
        deliver_all(other, [a_delivery(f"o-{number}")])
    other.dispose()
    check_log(city, 1 + 3 * (3 + 2 + 1))


def test_a_client_that_went_away_costs_the_others_nothing(city: SqlDatabase) -> None:
    async def one_goes() -> LogRecord:
        going = asyncio.create_task(city.deliver(a_delivery("gone")))
        staying = asyncio.create_task(city.deliver(a_delivery("stays")))
        await asyncio.sleep(0)
        going.cancel()
        return await staying

    assert asyncio.run(one_goes()).index in {1, 2}


def checkpoints(database: SqlDatabase) -> int:
    with database.reading() as unit:
        connection = unit.log._connection  # type: ignore[attr-defined]
        number: int = connection.exec_driver_sql("SELECT count(*) FROM log_checkpoint").scalar_one()
        return number
