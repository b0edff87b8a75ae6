"""Access log without anything personal: references and numbers are masked, queries and addresses left out.

Lines are gathered for a moment and written together, because writing one costs as much as several parts of an answer.
Who must be able to say who received what reads the transparency log, which commits before the answer leaves.
"""

import asyncio
import logging
import re
import time
from functools import lru_cache

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = logging.getLogger("klarbescheid.access")

PATIENCE_SECONDS = 0.2
"""How long a line waits for others; a process that is killed takes the lines of this long with it."""

LINES_TOGETHER = 200
"""More lines than this wait for no others."""

# Whatever stands where a reference or number stands is masked: people type references in many ways.
_MASKED = re.compile(r"(?<=/decisions/)[^/]+|(?<=/explanations/)[^/]+|KB-[0-9A-Za-z-]+|\b[0-9a-fA-F]{16,}\b")


def masked_path(path: str) -> str:
    """Write a path so that no decision and no explanation can be recognised.

    Args:
        path: Path of a request.

    Returns:
        The path with references and long numbers replaced, and control characters escaped.
    """
    return _MASKED.sub("…", path[:200]).encode("unicode_escape").decode("ascii").replace("\\u2026", "…")


def write_lines_as_they_are() -> None:
    """Let the log's lines go to standard error without a prefix of their own: they bring moment, level and name."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    LOG.addHandler(handler)
    LOG.propagate = False


class AccessLog:
    """Writes one line a request: method, masked path, status, duration.

    Args:
        app: The application around which this stands.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._lines: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and note how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            if scope["type"] == "lifespan":
                self._write()  # the server has answered its last request
            return
        begin = time.perf_counter()
        status = 500

        async def noting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        finally:
            took = (time.perf_counter() - begin) * 1000
            self._note(f"{scope['method']} {masked_path(scope['path'])} {status} {took:.1f} ms")

    def _note(self, line: str) -> None:
        now = time.time()
        self._lines.append(f"{_second(int(now))},{int(now % 1 * 1000):03d} INFO {LOG.name} {line}")
        if len(self._lines) == 1:
            asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._write)
        elif len(self._lines) >= LINES_TOGETHER:
            self._write()

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            LOG.info("%s", "\n".join(lines))


@lru_cache(maxsize=2)
def _second(number: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(number))
