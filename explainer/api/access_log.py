"""Access log without anything personal: references and numbers are masked, queries and addresses left out."""

import logging
import re
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = logging.getLogger("klarbescheid.access")

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


class AccessLog:
    """Writes one line a request: method, masked path, status, duration.

    Args:
        app: The application around which this stands.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and note how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
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
            LOG.info("%s %s %d %.1f ms", scope["method"], masked_path(scope["path"]), status, took)
