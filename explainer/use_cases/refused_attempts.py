"""Counts who was not let in.

Attempts that prove nobody are counted in memory and never appended to the log or written anywhere: else anybody could
make both grow from outside.
"""

from collections import Counter
from threading import Lock
from typing import Literal, get_args

Attempt = Literal["access_code", "password", "token", "log_entries"]
"""What was wrong or missing: reference or access code, user name or password, key or token, leave to read entries."""


class RefusedAttempts:
    """Refused attempts since this process started, by what was wrong; threads may share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[Attempt] = Counter()

    def count(self, attempt: Attempt) -> None:
        """Count one more."""
        with self._lock:
            self._counts[attempt] += 1

    def counts(self) -> dict[Attempt, int]:
        """How many there were of each kind, those that never happened included."""
        with self._lock:
            return {attempt: self._counts[attempt] for attempt in get_args(Attempt)}
