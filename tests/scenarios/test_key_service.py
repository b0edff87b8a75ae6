"""The key service as a process of its own: several machines share keys that it cannot read, and erasing reaches all."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from explainer.app import LOG_KEY_FILE, SERVER_KEY_FILE, build_service, utc_now
from explainer.demo.run_demo import demo_settings
from explainer.errors import ErasedError, SealingError, SettingsError
from explainer.key_service_command import KEYS_FILE, TOKEN_FILE
from explainer.settings import Settings
from explainer.transparency_log.key_store import ServiceKeyStore
from explainer.use_cases.callers import CaseSystem, Subject
from explainer.use_cases.erase import erase_person
from explainer.use_cases.explain_decision import explain_decision
from explainer.use_cases.record_decision import record_decision
from tests.api.test_record_decision import a_request
from tests.databases import postgres_server
from tests.demo_city import free_port

MASTER = bytes(range(32))
PERSON = "P-0815"


@dataclass
class RunningKeyService:
    """A key service that runs, and can be killed and started again."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "explainer.cli", "key-service", str(self.folder), "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                httpx.get(f"{self.url}/healthz", timeout=5)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError("the key service did not start")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def store(self, *, token: str | None = None, master_key: bytes = MASTER) -> ServiceKeyStore:
        token = (self.folder / TOKEN_FILE).read_text() if token is None else token
        return ServiceKeyStore(self.url, token, master_key=master_key, random_bytes=os.urandom)

    def every_byte(self) -> bytes:
        return b"".join(file.read_bytes() for file in self.folder.rglob("*") if file.is_file())


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningKeyService]:
    running = RunningKeyService(folder=tmp_path / "key service", port=free_port())
    running.start()
    yield running
    running.kill()


def test_machines_share_keys_that_the_service_cannot_read(service: RunningKeyService) -> None:
    here, there = service.store(), service.store()
    key = here.get_or_create("a")
    assert len(key) == 32
    assert there.get("a") == there.get_or_create("a") == key
    assert here.get_or_create("b") != key
    assert key not in service.every_byte()
    assert MASTER not in service.every_byte()
    assert (service.folder / KEYS_FILE).stat().st_mode & 0o777 == 0o600
    with ThreadPoolExecutor(8) as threads:
        keys = set(
            threads.map(
                lambda number: (number % 5, (here, there)[number % 2].get_or_create(f"k{number % 5}")), range(80)
            )
        )
    assert len(keys) == 5, "threads of two machines that ask at once get the same keys"
    with pytest.raises(ErasedError):
        here.get("never")


def test_a_key_that_was_answered_survives_a_kill_and_a_destroyed_one_does_not(service: RunningKeyService) -> None:
    store = service.store()
    kept, gone = store.get_or_create("kept"), store.get_or_create("gone")
    assert store.destroy(["gone", "never"]) == 2
    assert store.destroy(["gone"]) == 0
    service.kill()
    with pytest.raises(SealingError, match="cannot be reached"):
        store.get("kept")
    service.start()
    assert store.get("kept") == kept, "over a connection that the kill has broken"
    for ask in (store.get, store.get_or_create):
        for name in ("gone", "never"):
            with pytest.raises(ErasedError):
                ask(name)
    assert gone not in service.every_byte()


def test_the_wrong_token_and_another_master_key_are_refused(service: RunningKeyService) -> None:
    service.store()
    with pytest.raises(SealingError, match="401"):
        service.store(token="x" * 43)
    with pytest.raises(SettingsError, match="another master key"):
        service.store(master_key=bytes(32))
    for path in ("find", "keep", "destroy", "check"):
        assert httpx.post(f"{service.url}/keys/{path}", json={"names": []}, timeout=30).status_code == 401


def machine(folder: Path, like: Settings, service: RunningKeyService) -> Settings:
    """Settings of one more machine of the same city."""
    folder.mkdir()
    for name in (LOG_KEY_FILE, SERVER_KEY_FILE):
        if (like.data_folder / name).exists():
            shutil.copy(like.data_folder / name, folder / name)
    token = folder / "key_service_token"
    shutil.copy(service.folder / TOKEN_FILE, token)
    return like.model_copy(
        update={"data_folder": folder, "key_service_url": service.url, "key_service_token_file": token}
    )


def migrate(settings: Settings) -> subprocess.CompletedProcess[str]:
    """Start an installation in a process of its own."""
    given = {
        f"EXPLAINER_{name.upper()}": str(value) for name, value in settings.model_dump(exclude_defaults=True).items()
    }
    command = [sys.executable, "-m", "explainer.cli", "migrate"]
    return subprocess.run(command, env=os.environ | given, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.postgres
def test_what_one_machine_erases_is_gone_on_all(service: RunningKeyService, tmp_path: Path) -> None:
    with postgres_server() as server:
        base = demo_settings(tmp_path / "city", port=free_port()).model_copy(
            update={"database_url": server.empty(), "load_models": "when_needed"}
        )
        long_ago = timedelta(days=200)
        first = build_service(machine(tmp_path / "one", base, service), clock=lambda: utc_now() - long_ago)
        second = build_service(machine(tmp_path / "two", first.settings, service))
        case_system = CaseSystem("key-1", "Wohnen")
        answer = record_decision(first, case_system, a_request(subject_reference=PERSON))
        subject = Subject(answer["reference"])
        assert explain_decision(second, subject, subject.reference, language="de"), "recorded there, explained here"
        assert erase_person(second, PERSON).references == (subject.reference,)
        for one in (first, second):
            with pytest.raises(ErasedError, match="erased on"):
                explain_decision(one, subject, subject.reference, language="de")
        assert not list(tmp_path.glob("*/keys")), "no machine has a key store of its own"
        service.kill()
        with pytest.raises(SealingError, match="cannot be reached"):
            record_decision(first, case_system, a_request())
        with first.database.reading() as work:
            assert work.log.newest(limit=1)[0].event == "erasure.applied", "without its key nothing is recorded"
        (service.folder / KEYS_FILE).unlink()
        service.start()
        refused = migrate(second.settings)
        assert (refused.returncode, "does not hold the keys" in refused.stderr) == (1, True)
        for one in (first, second):
            one.database.dispose()
