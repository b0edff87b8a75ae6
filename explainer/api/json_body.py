"""Read a JSON body: one meaning only, NaN and infinities kept visible so that they are reported."""

import json
import re
from typing import Any

from models.errors import InputProblem, InvalidInputError

MAX_NESTING = 20

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_json(raw: bytes) -> Any:
    """Parse JSON strictly.

    Args:
        raw: UTF-8 bytes.

    Returns:
        Parsed JSON; NaN and Infinity become floats that the validation of inputs reports by name.

    Raises:
        InvalidInputError: If it is no JSON, names a key twice or nests too deeply.
    """
    try:
        body = _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _not_json("The body is not UTF-8.") from error
    except json.JSONDecodeError as error:
        raise _not_json(f"The body is not JSON: {error.msg} in line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise _not_json("The body nests too deeply.") from error
    except ValueError as error:
        # Python refuses integers of more than 4,300 digits.
        raise _not_json("The body holds a number that is too long.") from error
    _refuse_lone_surrogates_and_depth(body, depth=0)
    return body


def _object_without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _not_json(f"The body names {name[:80]!r} twice in one object.")
        found[name] = value
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_object_without_twins)


def _refuse_lone_surrogates_and_depth(value: Any, *, depth: int) -> None:
    if depth > MAX_NESTING:
        raise _not_json("The body nests too deeply.")
    if isinstance(value, str):
        if _LONE_SURROGATE.search(value):
            raise _not_json("The body holds half a character (a lone surrogate).")
    elif isinstance(value, list):
        for item in value:
            _refuse_lone_surrogates_and_depth(item, depth=depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            _refuse_lone_surrogates_and_depth(name, depth=depth + 1)
            _refuse_lone_surrogates_and_depth(item, depth=depth + 1)


def _not_json(detail: str) -> InvalidInputError:
    return InvalidInputError([InputProblem("", "not_json", detail)])
