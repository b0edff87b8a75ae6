"""A demo city that really runs: the application behind uvicorn on a free port, filled over HTTP as a city would."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from explainer.app import application_of, build_service
from explainer.demo.run_demo import demo_settings, fill_demo, wait_until_up
from explainer.settings import Settings
from explainer.use_cases.service import Service


@dataclass(frozen=True)
class RunningCity:
    """Address, access data and service of a running demo city."""

    base_url: str
    access: dict[str, Any]
    service: Service

    def client(self) -> httpx.Client:
        """An HTTP client that presents nothing."""
        return httpx.Client(base_url=self.base_url, timeout=30)

    def as_case_system(self) -> httpx.Client:
        """An HTTP client with the case system's key."""
        return self._with_token(self.access["api_key"])

    def as_staff(self, role: str) -> httpx.Client:
        """An HTTP client with the personal token of somebody who has this role."""
        return self._with_token(next(person["token"] for person in self.access["staff"] if role in person["roles"]))

    def letter(self, **wanted: Any) -> dict[str, Any]:
        """The first letter that has these properties."""
        return next(
            letter for letter in self.access["letters"] if all(letter[name] == value for name, value in wanted.items())
        )

    def explain(self, letter: dict[str, Any], language: str = "de") -> httpx.Response:
        """Ask for the explanation of a letter, as its subject."""
        return httpx.post(
            f"{self.base_url}/api/v1/decisions/{letter['reference']}/explanations",
            json={"language": language},
            headers={"Authorization": f"AccessCode {letter['access_code']}"},
            timeout=30,
        )

    def _with_token(self, token: str) -> httpx.Client:
        return httpx.Client(base_url=self.base_url, timeout=30, headers={"Authorization": f"Bearer {token}"})


@contextmanager
def serving(settings: Settings) -> Iterator[Service]:
    """Serve an installation on the port of its settings."""
    service = build_service(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            application_of(service), host="127.0.0.1", port=settings.port, log_level="warning", access_log=False
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until_up(service.settings.base_url)
        yield service
    finally:
        server.should_exit = True
        thread.join(timeout=10)


@contextmanager
def running_demo_city(folder: Path) -> Iterator[RunningCity]:
    """Start and fill a demo city in a folder of its own."""
    settings = demo_settings(folder, port=free_port())
    with serving(settings) as service:
        yield RunningCity(base_url=settings.base_url, access=fill_demo(service, folder), service=service)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
