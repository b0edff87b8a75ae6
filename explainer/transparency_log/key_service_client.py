"""Asks a key service for wrapped keys: one kept connection per thread, and every question may safely be asked twice."""

import base64
import json
import os
import threading
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from explainer.errors import SealingError, SettingsError
from explainer.transparency_log.private_file import refuse_if_others_can_read

_PATIENCE_SECONDS = 10.0
_OK = 200
_TOKEN_LENGTH = 32
_AT_ONCE = 1000
"""Names in one request; see the service's own limit."""


def read_token(path: Path) -> str:
    """Read the token of a key service.

    Args:
        path: A file of mode 0600 with at least 32 characters.

    Returns:
        The token.

    Raises:
        SettingsError: If the file is missing, readable by others or too short.
    """
    refuse_if_others_can_read(path)
    token = path.read_text(encoding="ascii", errors="replace").strip()
    if len(token) < _TOKEN_LENGTH:
        raise SettingsError(f"The token in {path.name} must have at least {_TOKEN_LENGTH} characters.")
    return token


class KeyServiceClient:
    """Wrapped keys behind HTTP; see ``key_store.WrappedKeys``.

    Args:
        url: Address of the service, ``https://…``; ``http://…`` within one machine or a network of its own.
        token: What the service knows this city by.

    Raises:
        SettingsError: If the address is none.
    """

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError(f"{url} is no address of a key service; write https://host:port.")
        self._parts = parts
        self._token = token
        self._of_thread = threading.local()

    @property
    def place(self) -> str:
        """Name for messages."""
        return f"key service at {self._parts.netloc}"

    def find(self, key_id: str) -> tuple[bytes | None] | None:
        """The wrapped key of this name, (None,) where it was destroyed, None where there never was one."""
        found = self._ask("find", {"names": [key_id]})["keys"]
        return (_decoded(found[key_id]),) if key_id in found else None

    def keep(self, offered: Mapping[str, bytes]) -> Mapping[str, bytes | None]:
        """Keep wrapped keys under names that have none; durable at the service before this returns."""
        kept = self._ask("keep", {"keys": {key_id: _encoded(wrapped) for key_id, wrapped in offered.items()}})["keys"]
        return {key_id: _decoded(kept[key_id]) for key_id in offered}

    def destroy(self, key_ids: Sequence[str]) -> int:
        """Destroy keys, a thousand at a time; returns how many of them were not destroyed before."""
        parts = [key_ids[begin : begin + _AT_ONCE] for begin in range(0, len(key_ids), _AT_ONCE)]
        return sum(int(self._ask("destroy", {"names": list(part)})["destroyed"]) for part in parts)

    def keep_check(self, offered: bytes) -> bytes:
        """Keep what shows which master key wraps these keys, unless there is one already; returns the one kept."""
        return base64.b64decode(self._ask("check", {"wrapped": _encoded(offered)})["wrapped"])

    def _ask(self, what: str, question: Mapping[str, object]) -> Any:
        try:
            return self._answer(what, question)
        except (OSError, HTTPException):
            # The service may have closed a connection that was kept for long, or was just restarted.
            self._of_thread.kept = None
        try:
            return self._answer(what, question)
        except (OSError, HTTPException) as error:
            self._of_thread.kept = None
            raise SealingError(f"The {self.place} cannot be reached: {error}.") from error

    def _answer(self, what: str, question: Mapping[str, object]) -> Any:
        connection = self._connection()
        connection.request(
            "POST",
            f"{self._parts.path.rstrip('/')}/keys/{what}",
            json.dumps(question),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        response = connection.getresponse()
        content = response.read()
        if response.status != _OK:
            raise SealingError(f"The {self.place} refused a request with status {response.status}.")
        return json.loads(content)

    def _connection(self) -> HTTPConnection:
        kept: _Kept | None = getattr(self._of_thread, "kept", None)
        if kept is None or kept.process != os.getpid():  # a forked process must not talk over its parent's connection
            kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
            kept = _Kept(kind(str(self._parts.hostname), self._parts.port, timeout=_PATIENCE_SECONDS))
            self._of_thread.kept = kept
        return kept.connection


class _Kept:
    """A connection that is closed when its thread ends, or when another one takes its place."""

    def __init__(self, connection: HTTPConnection) -> None:
        self.connection = connection
        self.process = os.getpid()

    def __del__(self) -> None:
        self.connection.close()


def _encoded(wrapped: bytes) -> str:
    return base64.b64encode(wrapped).decode()


def _decoded(wrapped: str | None) -> bytes | None:
    return None if wrapped is None else base64.b64decode(wrapped, validate=True)
