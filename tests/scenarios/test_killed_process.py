"""A process that is killed in the middle of its work has kept everything it had answered."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from explainer.app import build_service
from explainer.demo.run_demo import demo_settings, wait_until_up
from explainer.use_cases.callers import CaseSystem, Subject
from explainer.use_cases.explain_decision import read_explanation
from explainer.use_cases.record_decision import record_decision
from tests.api.test_record_decision import a_request
from tests.demo_city import free_port

CLIENTS = 16
ANSWERS_BEFORE_THE_KILL = 120


def test_every_answer_that_left_before_a_kill_is_in_the_log(tmp_path: Path) -> None:
    settings = demo_settings(tmp_path / "city", port=free_port())
    service = build_service(settings)
    case_system = CaseSystem("key-1", "Fachverfahren")
    decisions = [record_decision(service, case_system, a_request()) for _ in range(4)]
    service.database.dispose()
    given = {
        f"EXPLAINER_{name.upper()}": str(value) for name, value in settings.model_dump(exclude_defaults=True).items()
    } | {"EXPLAINER_LOAD_MODELS": "when_needed"}
    process = subprocess.Popen(
        [sys.executable, "-m", "explainer.cli", "serve"], env=os.environ | given, stderr=subprocess.DEVNULL
    )
    answered: list[dict[str, Any]] = []
    try:
        wait_until_up(settings.base_url)
        with ThreadPoolExecutor(CLIENTS) as clients:
            for number in range(CLIENTS):
                clients.submit(ask_until_it_is_gone, settings.base_url, decisions[number % 4], answered)
            while len(answered) < ANSWERS_BEFORE_THE_KILL and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    assert len(answered) >= ANSWERS_BEFORE_THE_KILL
    restarted = build_service(settings)
    with restarted.database.reading() as work:
        size = work.log.tree_size()
        records = {answer["id"]: work.log.find(answer["log"]["entry_id"]) for answer in answered}
    indexes = []
    for answer in answered:
        record = records[answer["id"]]
        assert record is not None
        assert record.leaf_hash.hex() == answer["log"]["leaf_hash"]
        assert record.index == answer["log"]["index"] < size
        indexes.append(record.index)
        subject = Subject(answer["decision"]["reference"])
        read_explanation(restarted, subject, answer["id"])
    assert len(set(indexes)) == len(indexes)
    restarted.database.dispose()


def ask_until_it_is_gone(base_url: str, decision: dict[str, Any], answered: list[dict[str, Any]]) -> None:
    """Ask on one connection, and note whole answers only."""
    with suppress(httpx.HTTPError), httpx.Client(base_url=base_url, timeout=30) as client:
        while True:
            answer = client.post(
                f"/api/v1/decisions/{decision['reference']}/explanations",
                json={"language": "de"},
                headers={"Authorization": f"AccessCode {decision['access_code']}"},
            )
            answered.append(answer.json())
