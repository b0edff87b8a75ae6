"""Twenty-five kills under load on each database: nothing that was answered is lost, and every checkpoint holds."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from explainer.app import build_service
from explainer.demo.run_demo import demo_settings, wait_until_up
from explainer.settings import Settings
from explainer.storage.tables import log_checkpoint, log_entry, log_leaf
from explainer.transparency_log.frontier import Frontier
from explainer.transparency_log.merkle import leaf_hash
from explainer.transparency_log.verify import url_fetcher, verify_log
from explainer.use_cases.callers import CaseSystem
from explainer.use_cases.record_decision import record_decision
from tests.api.test_record_decision import a_request
from tests.databases import postgres_server
from tests.demo_city import free_port
from tests.scenarios.test_killed_process import ask_until_it_is_gone

KILLS = 25
CLIENTS = 8
LONGEST_LIFE_SECONDS = 0.6


@pytest.mark.long
@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_nothing_that_was_answered_is_lost_in_many_kills(engine: str, tmp_path: Path) -> None:
    with postgres_server() if engine == "postgresql" else nullcontext() as server:
        settings = demo_settings(tmp_path / "city", port=free_port())
        if server is not None:
            settings = settings.model_copy(update={"database_url": server.empty()})
        service = build_service(settings)
        case_system = CaseSystem("key-1", "Fachverfahren")
        decisions = [record_decision(service, case_system, a_request()) for _ in range(4)]
        log_vkey = service.log_vkey
        service.database.dispose()
        answered: list[dict[str, Any]] = []
        for seconds in np.random.default_rng(7).uniform(0.05, LONGEST_LIFE_SECONDS, KILLS):
            with served_until_killed(settings, after=seconds), ThreadPoolExecutor(CLIENTS) as clients:
                for number in range(CLIENTS):
                    clients.submit(ask_until_it_is_gone, settings.base_url, decisions[number % 4], answered)
        assert len(answered) > 20 * KILLS, "the kills came before the load"
        check_everything_answered_is_kept(settings, answered)
        check_every_checkpoint(settings)
        check_as_a_stranger(settings, log_vkey)


@contextmanager
def served_until_killed(settings: Settings, *, after: float) -> Iterator[None]:
    """Serve, and kill the server while the block is still asking."""
    given = {
        f"EXPLAINER_{name.upper()}": str(value) for name, value in settings.model_dump(exclude_defaults=True).items()
    } | {"EXPLAINER_LOAD_MODELS": "when_needed"}
    process = subprocess.Popen(
        [sys.executable, "-m", "explainer.cli", "serve"], env=os.environ | given, stderr=subprocess.DEVNULL
    )
    try:
        wait_until_up(settings.base_url)
        with ThreadPoolExecutor(1) as killer:
            killer.submit(lambda: (time.sleep(after), process.send_signal(signal.SIGKILL)))
            yield
    finally:
        process.kill()
        process.wait()


def check_everything_answered_is_kept(settings: Settings, answered: list[dict[str, Any]]) -> None:
    service = build_service(settings)
    with service.database.reading() as work:
        size = work.log.tree_size()
        for answer in answered:
            record = work.log.find(answer["log"]["entry_id"])
            assert record is not None, "an answer left whose entry is not in the log"
            assert record.leaf_hash.hex() == answer["log"]["leaf_hash"]
            assert record.index == answer["log"]["index"] < size
    service.database.dispose()
    assert len({answer["log"]["index"] for answer in answered}) == len(answered)


def check_every_checkpoint(settings: Settings) -> None:
    """Compute every root anew from the leaves alone."""
    engine = sa.create_engine(settings.database_url)
    with engine.connect() as connection:
        leaves = connection.execute(
            sa.select(log_entry.c.seq, log_entry.c.leaf_hash, log_leaf.c.leaf)
            .join(log_leaf, log_leaf.c.seq == log_entry.c.seq)
            .order_by(log_entry.c.seq)
        ).all()
        signed = dict(connection.execute(sa.select(log_checkpoint.c.size, log_checkpoint.c.root)).all())
    engine.dispose()
    assert [seq for seq, _, _ in leaves] == [*range(len(leaves))]
    assert max(signed) == len(leaves)
    tree, reproduced = Frontier(0, ()), {0: Frontier(0, ()).root()}
    for _, kept_hash, leaf in leaves:
        assert leaf_hash(leaf) == kept_hash
        tree = tree.with_leaves([kept_hash])
        reproduced[tree.size] = tree.root()
    assert {size: reproduced[size] for size in signed} == signed


def check_as_a_stranger(settings: Settings, log_vkey: str) -> None:
    with served_until_killed(settings, after=LONGEST_LIFE_SECONDS * 10):
        assert verify_log(url_fetcher(f"{settings.base_url}/log"), log_vkey).tree_size > KILLS
