"""Explanation numbers as bytes, to be sealed and kept with a decision, and back.

The bytes are JSON with sorted keys, no spaces and Python's shortest floating-point text, so every number comes back bit
for bit. Reading builds the checked types anew, so numbers that do not add up are refused here too.
"""

import json
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError

from explainer.errors import UntrustworthyExplanationError
from explainer.explanations.numbers import ExplanationNumbers

FORMAT = "explanation-numbers/1"

_NUMBERS = TypeAdapter(ExplanationNumbers)


def numbers_to_bytes(numbers: ExplanationNumbers) -> bytes:
    """Write numbers as canonical JSON.

    Args:
        numbers: What was computed about one decision.

    Returns:
        UTF-8; equal numbers give equal bytes.
    """
    # Read once here, so that a whole number where a fraction belongs is not found only when it is read back.
    return _written(_NUMBERS.validate_python(asdict(numbers)))


def _written(numbers: ExplanationNumbers) -> bytes:
    plain = _NUMBERS.dump_python(numbers)
    _leave_out_what_came_later(plain)
    content = {"format": FORMAT, "numbers": plain}
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def numbers_from_bytes(raw: bytes) -> ExplanationNumbers:
    """Read numbers and check them again.

    Args:
        raw: As written by :func:`numbers_to_bytes`.

    Returns:
        The numbers, equal to those that were written.

    Raises:
        AdditivityError: If the contributions do not add up to the score.
        UntrustworthyExplanationError: If the bytes are not what :func:`numbers_to_bytes` writes.
    """
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _unreadable() from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise _unreadable()
    try:
        numbers = _NUMBERS.validate_python(content.get("numbers"))
    except ValidationError as error:
        raise _unreadable() from error
    # Anything the reader silently repaired or skipped shows as a difference.
    if _written(numbers) != raw:
        raise _unreadable()
    return numbers


def _leave_out_what_came_later(plain: dict[str, Any]) -> None:
    # Where these fields say nothing they are left out, so that numbers keep the bytes they had before there were such.
    scored = plain["score_numbers"]
    if scored is not None:
        if scored["of_outcome"] is None:
            del scored["of_outcome"], scored["class_scores"]
        method, reliability = scored["attribution"]["method"], scored["reliability"]
        for part, later in ((method, "stopped_because"), (reliability, "similar"), (reliability, "stability")):
            if part[later] is None:
                del part[later]


def _unreadable() -> UntrustworthyExplanationError:
    return UntrustworthyExplanationError(
        "The stored numbers of this explanation cannot be read, so it is not shown. Compute them again from the inputs."
    )
