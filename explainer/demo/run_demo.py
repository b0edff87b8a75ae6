"""What ``make run`` starts: a demo city that records its decisions over HTTP and says where to look."""

import fcntl
import json
import logging
import os
import secrets
import shutil
import socket
import threading
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import uvicorn
from rich.console import Console
from rich.progress import track

from explainer.app import application_of, build_service
from explainer.demo.case_system import DemoCaseSystem
from explainer.demo.demo_cases import MODEL, demo_cases
from explainer.errors import SettingsError
from explainer.settings import Settings
from explainer.use_cases.grant_access import add_case_system, add_staff
from explainer.use_cases.service import Service

ACCESS_FILE = "access.json"
MARKER_FILE = ".demo-city"
STAFF = (("sachbearbeitung", ("caseworker",)), ("pruefung", ("auditor",)), ("leitung", ("caseworker", "supervisor")))
START_SECONDS = 60


def demo_settings(folder: Path, *, port: int) -> Settings:
    """Settings of the demo city: SQLite, own secrets, cookies without HTTPS.

    Args:
        folder: Where it keeps its data.
        port: Port it listens on.

    Returns:
        The settings.
    """
    return Settings(
        database_url=f"sqlite:///{folder / 'klarbescheid.db'}",
        data_folder=folder,
        base_url=f"http://127.0.0.1:{port}",
        log_origin="demo.musterstadt.example/log",
        demo=True,
        https_only=False,
        port=port,
    )


def run_demo(folder: Path, *, port: int) -> None:
    """Serve the demo city until interrupted; fill it first if it is new.

    Args:
        folder: Where it keeps its data.
        port: Port to listen on.
    """
    console = Console()
    refuse_taken_port(port)
    console.print("[1/3] Verifying the models and opening the demo city …")
    begin_anew_if_unfinished(folder)
    with (folder / MARKER_FILE).open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        _serve(folder, port, console)


def _serve(folder: Path, port: int, console: Console) -> None:
    service = build_service(demo_settings(folder, port=port))
    logging.basicConfig(level=logging.WARNING)
    config = uvicorn.Config(
        application_of(service), host="127.0.0.1", port=port, access_log=False, server_header=False, log_level="warning"
    )
    server = uvicorn.Server(config)
    guide = threading.Thread(target=_guide, args=(service, folder, console, server), daemon=True)
    guide.start()
    server.run()


def refuse_taken_port(port: int) -> None:
    """Say so before any work is done where another program listens on the port.

    Raises:
        SettingsError: If it is taken.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise SettingsError(
                f"Port {port} is taken by another program; choose one with `make run PORT=8080`."
            ) from error


def begin_anew_if_unfinished(folder: Path) -> None:
    """Remove what an interrupted first start left behind: without its access file a demo city is of no use.

    Args:
        folder: Where the demo city keeps its data; only a folder that a demo city made is ever removed.

    Raises:
        SettingsError: If the folder holds something else, or another demo is being filled there.
    """
    marker = folder / MARKER_FILE
    if folder.exists() and any(folder.iterdir()):
        if not marker.exists():
            raise SettingsError(f"{folder} holds files that are not a demo city's; choose another --folder.")
        if not (folder / ACCESS_FILE).exists():
            _refuse_if_another_fills(marker)
            shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    marker.touch()


def _refuse_if_another_fills(marker: Path) -> None:
    with marker.open("r+b") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SettingsError(f"Another demo city is just being filled in {marker.parent}; wait for it.") from error


def fill_demo(service: Service, folder: Path, *, console: Console | None = None) -> dict[str, Any]:
    """Give access to the demo's staff and case system, and record its decisions over HTTP.

    Args:
        service: The running service.
        folder: Where the access file goes.
        console: Shows progress, or None.

    Returns:
        What was written to the access file.
    """
    api_key = add_case_system(service, "Fachverfahren Wohngeld (Demo)")
    staff = []
    for user, roles in STAFF:
        password = secrets.token_urlsafe(12)
        granted = add_staff(service, user, password, roles)
        staff.append({"user": user, "password": password, "roles": list(roles), "token": granted.token})
    base_url = service.settings.base_url
    case_system = DemoCaseSystem(base_url, api_key)
    model = service.model(MODEL)
    cases = list(demo_cases(model.package, now=service.clock()))
    steps = track(cases, "[3/3] Recording decisions", console=console) if console else cases
    letters = []
    for case in steps:
        suggested = model.outcome_of(case.application["inputs"]).outcome
        answer = case_system.decide(case, suggested)
        letters.append(
            {
                "reference": answer["reference"],
                "access_code": answer["access_code"],
                "model": MODEL,
                "outcome": answer["outcome"],
                "decided_by_rule": answer["decided_by_rule"] is not None,
                "status": answer["status"],
                "departed": answer["decided_outcome"] not in (None, answer["model_outcome"]),
            }
        )
    access = {
        "base_url": base_url,
        "letters": letters,
        "api_key": api_key,
        "staff": staff,
        "auditor_token": next(person["token"] for person in staff if "auditor" in person["roles"]),
        "log_vkey": service.log_vkey,
    }
    _write_access_file(folder / ACCESS_FILE, access)
    return access


def wait_until_up(base_url: str) -> None:
    """Wait until the service answers.

    Raises:
        TimeoutError: If it does not within a minute.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urlopen(f"{base_url}/healthz", timeout=2):  # noqa: S310 -- the address is our own service's
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise TimeoutError(f"{base_url} did not answer within {START_SECONDS} seconds.")


def _guide(service: Service, folder: Path, console: Console, server: uvicorn.Server) -> None:
    try:
        console.print("[2/3] Starting the service …")
        wait_until_up(service.settings.base_url)
        path = folder / ACCESS_FILE
        if path.exists():
            access = json.loads(path.read_text(encoding="utf-8"))
            access["base_url"] = service.settings.base_url
            _write_access_file(path, access)
        else:
            access = fill_demo(service, folder, console=console)
        console.print(where_to_look(access, path), highlight=False, soft_wrap=True)
    except BaseException:
        server.should_exit = True
        raise


def where_to_look(access: dict[str, Any], path: Path) -> str:
    """Say what to open as each audience.

    Args:
        access: Content of the access file.
        path: Where it is.

    Returns:
        Lines for the terminal.
    """
    base_url = access["base_url"]
    letters = access["letters"]

    def letter(title: str, chosen: list[dict[str, Any]]) -> str:
        if not chosen:
            return f"    {title:<28} none"
        newest = chosen[-1]
        return f"    {title:<28} {base_url}/why#v={newest['reference']}&c={newest['access_code']}"

    usual = [item for item in letters if item["status"] == "decided" and not item["decided_by_rule"]]
    worker = next(person for person in access["staff"] if "caseworker" in person["roles"])
    auditor = next(person for person in access["staff"] if "auditor" in person["roles"])
    return "\n".join(
        [
            "",
            f"Klarbescheid is running: {base_url}",
            "It answers: why did the city decide this, and can I check the answer?",
            "Everybody in this demo city is made up.",
            "",
            "  As a citizen with a letter (the link stands for the QR code; then press the button):",
            letter("application refused", [i for i in usual if i["outcome"] == "refused" and not i["departed"]]),
            letter("application granted", [i for i in usual if i["outcome"] == "granted" and not i["departed"]]),
            letter("person decided otherwise", [i for i in usual if i["departed"]]),
            letter("decided by a rule of law", [i for i in letters if i["decided_by_rule"]]),
            letter("special circumstances", [i for i in letters if i["status"] == "diverted"]),
            "",
            f"  As a curious person:         {base_url}/register",
            f"  As a caseworker:             {base_url}/staff/sign-in  {worker['user']} / {worker['password']}",
            f"  As an auditor:               {base_url}/audit          {auditor['user']} / {auditor['password']}",
            f"  With your own tools:         explainer log verify {base_url}/log '{access['log_vkey']}'",
            "",
            f"All keys and codes of this demo are in {path}. Stop with Ctrl+C; `make clean-demo` begins anew.",
            "",
        ]
    )


def _write_access_file(path: Path, access: dict[str, Any]) -> None:
    unfinished = path.with_suffix(".tmp")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(access, file, ensure_ascii=False, indent=2)
    unfinished.replace(path)
