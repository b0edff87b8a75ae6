"""Around every request: joins the caller's trace, and tells a collector what was done with people's data."""

import asyncio
import json
import logging
import re
import secrets
import time
from typing import Protocol

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explainer.api.problem_details import MEDIA_TYPE, problem_of
from explainer.errors import TracesNotTakenError
from explainer.use_cases.processing_traces import RequestTrace, tracing

LOG = logging.getLogger("klarbescheid.traces")

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
_SERVER_ERROR = 500


class Spans(Protocol):
    """Takes what a request did."""

    def send(self, trace: RequestTrace, *, begin: int, end: int, failed: bool) -> None:
        """Return when it was acknowledged; raise TracesNotTakenError when it was not."""


class ProcessingLog:
    """Sends the traces of each request before its answer leaves.

    Args:
        app: The application around which this stands.
        spans: Where traces go.
        required: Whether an answer is withheld (503) when its traces were not acknowledged. What the request did stays
            done and logged; the caller may ask again.
    """

    def __init__(self, app: ASGIApp, *, spans: Spans, required: bool) -> None:
        self._app = app
        self._spans = spans
        self._required = required

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request within its trace."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace, begin = trace_of(Headers(scope=scope).get("traceparent", "")), time.time_ns()
        withheld = False

        async def send_after_traces(message: Message) -> None:
            nonlocal withheld
            if message["type"] == "http.response.start" and trace.processings:
                taken = await self._taken(trace, begin, failed=message["status"] >= _SERVER_ERROR)
                if not taken and self._required:
                    withheld = True
                    await _send_refusal(send)
            if not withheld:
                await send(message)

        with tracing(trace):
            await self._app(scope, receive, send_after_traces)

    async def _taken(self, trace: RequestTrace, begin: int, *, failed: bool) -> bool:
        try:
            await asyncio.to_thread(self._spans.send, trace, begin=begin, end=time.time_ns(), failed=failed)
        except TracesNotTakenError:
            LOG.exception("%d traces were not acknowledged", len(trace.processings))
            return False
        return True


def trace_of(traceparent: str) -> RequestTrace:
    """The caller's trace (W3C Trace Context), or a new one where the header is missing or malformed.

    Args:
        traceparent: Value of the header.

    Returns:
        The trace.
    """
    match = _TRACEPARENT.fullmatch(traceparent.strip())
    if match is None:
        return RequestTrace(trace_id=secrets.token_hex(16), parent_span_id=None)
    return RequestTrace(trace_id=match[1], parent_span_id=match[2])


async def _send_refusal(send: Send) -> None:
    error = TracesNotTakenError(
        "What you asked for was done and logged, but the answer may leave only when it is registered. Ask again in a "
        "moment."
    )
    problem = problem_of(error)
    body = json.dumps(problem).encode()
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": problem["status"], "headers": headers})
    await send({"type": "http.response.body", "body": body})
