"""Reads Universal Binary JSON, draft 12 (ubjson.org), as XGBoost writes it. Plain data only; nothing is run."""

import struct
from typing import Any

from models.errors import MalformedPackageError

MAX_DEPTH = 60
"""Deeper nested files are refused."""

_NUMBERS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q", b"d": ">f", b"D": ">d"}
_CONSTANTS = {b"Z": None, b"T": True, b"F": False}


def read_ubjson(content: bytes) -> Any:
    """Parse one value.

    Args:
        content: The bytes.

    Returns:
        Dicts, lists, strings, numbers, booleans, None.

    Raises:
        MalformedPackageError: If the bytes are not UBJSON.
    """
    reader = _Reader(content)
    try:
        value = reader.value(reader.marker(), 0)
    except (struct.error, KeyError, UnicodeDecodeError, IndexError) as error:
        raise MalformedPackageError("The file is not UBJSON, or it ends too early.") from error
    if reader.rest.strip(b"\0N"):
        raise MalformedPackageError("The file goes on behind its end.")
    return value


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    @property
    def rest(self) -> bytes:
        return self._content[self._position :]

    def marker(self) -> bytes:
        marker = self._take(1)
        while marker == b"N":  # "no-op", may stand anywhere
            marker = self._take(1)
        return marker

    def value(self, marker: bytes, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise MalformedPackageError(f"The file is nested more than {MAX_DEPTH} deep.")
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker in _NUMBERS:
            return self._number(marker)
        if marker in (b"S", b"H"):
            return self._text()
        if marker == b"C":
            return self._take(1).decode("ascii")
        return {b"[": self._list, b"{": self._object}[marker](depth + 1)

    def _list(self, depth: int) -> list[Any]:
        kind, count = self._shape()
        if kind in _NUMBERS and count is not None:
            form = _NUMBERS[kind]
            block = self._take(count * struct.calcsize(form))
            return list(struct.unpack(f">{count}{form[1]}", block))
        values: list[Any] = []
        while count is None or len(values) < count:
            marker = kind or self.marker()
            if count is None and marker == b"]":
                break
            values.append(self.value(marker, depth))
        return values

    def _object(self, depth: int) -> dict[str, Any]:
        kind, count = self._shape()
        values: dict[str, Any] = {}
        while count is None or len(values) < count:
            if count is None and self._peek() == b"}":
                self._take(1)
                break
            key = self._text()
            values[key] = self.value(kind or self.marker(), depth)
        return values

    def _shape(self) -> tuple[bytes | None, int | None]:
        kind = None
        if self._peek() == b"$":
            self._take(1)
            kind = self._take(1)
        if self._peek() != b"#":
            return kind, None
        self._take(1)
        return kind, self._count()

    def _text(self) -> str:
        return self._take(self._count()).decode("utf-8")

    def _count(self) -> int:
        count = self._number(self.marker())
        if not isinstance(count, int) or count < 0:
            raise MalformedPackageError("The file is not UBJSON: a length is no whole number.")
        return count

    def _number(self, marker: bytes) -> int | float:
        form = _NUMBERS[marker]
        (number,) = struct.unpack(form, self._take(struct.calcsize(form)))
        return number  # type: ignore[no-any-return]  # struct does not say which of the two

    def _peek(self) -> bytes:
        return self._content[self._position : self._position + 1]

    def _take(self, count: int) -> bytes:
        taken = self._content[self._position : self._position + count]
        if len(taken) != count:
            raise MalformedPackageError("The file is not UBJSON, or it ends too early.")
        self._position += count
        return taken
