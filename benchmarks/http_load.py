"""Load generator, a process of its own: closed loop over keep-alive connections, one JSON line with what it saw.

Standard library only, and as little of it as possible: it must not be what is measured. Some of the answers are kept
and, after the clock has stopped, compared with what this very case must be answered.
"""

import argparse
import asyncio
import json
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

LOOKED_AT_EVERY = 7
"""Every so many answers, one is compared with what its case must be answered; prime, so that all cases have turns."""


@dataclass
class Seen:
    """What the clients saw.

    Attributes:
        seconds: Duration of every answer within the window.
        errors: Answers with another status than 200 or 201.
        kept: Number of the request and body of some answers, which are looked at later.
    """

    seconds: list[float] = field(default_factory=list)
    errors: int = 0
    kept: list[tuple[int, bytes]] = field(default_factory=list)


async def _client(port: int, requests: list[bytes], numbers: "count[int]", window: tuple[float, float]) -> Seen:
    seen = Seen()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (begin := time.perf_counter()) < window[1]:
        number = next(numbers)
        writer.write(requests[number % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        if begin < window[0]:
            continue
        seen.seconds.append(time.perf_counter() - begin)
        seen.errors += not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201"))
        if number % LOOKED_AT_EVERY == 0:
            seen.kept.append((number % len(requests), body))
    writer.close()
    return seen


async def _load(
    port: int, asked: list[dict[str, Any]], clients: int, seconds: float, warm_up: float
) -> dict[str, float]:
    requests = [one["request"].encode("ascii") for one in asked]
    begin = time.perf_counter() + warm_up
    numbers = count()
    seen = await asyncio.gather(*(_client(port, requests, numbers, (begin, begin + seconds)) for _ in range(clients)))
    times = sorted(taken for one in seen for taken in one.seconds)
    return {
        "answers": len(times),
        "per_second": len(times) / seconds,
        "p50": times[len(times) // 2],
        "p99": times[min(len(times) - 1, int(len(times) * 0.99))],
        "errors": sum(one.errors for one in seen),
        "looked_at": sum(len(one.kept) for one in seen),
        "wrong": sum(
            answered_about(body) != asked[number]["answered_about"] for one in seen for number, body in one.kept
        ),
    }


def answered_about(body: bytes) -> object:
    """What an answer says about its case and no other: inputs and contributions; None for peers that repeat neither."""
    answer = json.loads(body)
    if "audience" not in answer:
        return None
    return [[item["feature"], item["value"], item["contribution"]] for item in answer["contributions"]]


def raw_request(path: str, body: object, headers: dict[str, str]) -> str:
    """Write one POST request as it goes over the wire; ASCII.

    Args:
        path: Where to.
        body: Sent as JSON.
        headers: Further headers.

    Returns:
        The request.
    """
    content = json.dumps(body)
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(content)}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines) + "\r\n\r\n" + content


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("requests", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("clients", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("warm_up", type=float)
    given = parser.parse_args()
    asked = json.loads(given.requests.read_text(encoding="ascii"))
    outcome = _load(given.port, asked, given.clients, given.seconds, given.warm_up)
    print(json.dumps(asyncio.run(outcome)))
