"""Writes plain tables as Apache Parquet files: one page per column and row group, PLAIN values, GZIP.

A library for this would be forty times larger than what is needed here, would write its own version into every file,
and the service would carry it for one command. The format is that of the parquet-format specification
(``parquet.thrift``); its metadata are in Thrift's compact protocol.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import IO

ROWS_PER_GROUP = 65_536
"""Rows that are held in memory at a time."""

_MAGIC = b"PAR1"
_CREATED_BY = "klarbescheid"
_INT32, _INT64, _TEXT, _LIST, _STRUCT = 5, 6, 8, 9, 12  # types of the compact protocol
_PLAIN, _RLE, _GZIP, _DATA_PAGE = 0, 3, 2, 0
_SHORT_LIST = 15


class ColumnKind(IntEnum):
    """What a column holds; the number is Parquet's converted type."""

    TEXT = 0
    MILLISECONDS = 9
    NUMBER = 18

    @property
    def physical(self) -> int:
        """Parquet's physical type: BYTE_ARRAY or INT64."""
        return 6 if self is ColumnKind.TEXT else 2


@dataclass(frozen=True)
class _Chunk:
    """Where one column of one row group lies."""

    offset: int
    values: int
    uncompressed: int
    compressed: int


class ParquetWriter:
    """Writes rows to a stream that need not be seekable; every value may be missing.

    Args:
        file: Where to write.
        columns: Name to kind, in order.
    """

    def __init__(self, file: IO[bytes], columns: Mapping[str, ColumnKind]) -> None:
        self._file = file
        self._columns = dict(columns)
        self._position = 0
        self._groups: list[tuple[int, list[_Chunk]]] = []
        self._write(_MAGIC)

    def write_group(self, rows: Sequence[Sequence[str | int | None]]) -> None:
        """Write one row group.

        Args:
            rows: Values in the order of the columns; text as ``str``, numbers and milliseconds as ``int``.
        """
        chunks = []
        for place, kind in enumerate(self._columns.values()):
            values = [row[place] for row in rows]
            page = _definition_levels(values) + b"".join(_plain(value, kind) for value in values if value is not None)
            packed = _gzip(page)
            header = _struct(
                {
                    1: _i32(_DATA_PAGE),
                    2: _i32(len(page)),
                    3: _i32(len(packed)),
                    5: (_STRUCT, _struct({1: _i32(len(values)), 2: _i32(_PLAIN), 3: _i32(_RLE), 4: _i32(_RLE)})),
                }
            )
            chunks.append(_Chunk(self._position, len(values), len(header) + len(page), len(header) + len(packed)))
            self._write(header + packed)
        self._groups.append((len(rows), chunks))

    def close(self) -> None:
        """Write the footer; the stream itself stays open."""
        footer = self._footer()
        self._write(footer + struct.pack("<I", len(footer)) + _MAGIC)

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._position += len(data)

    def _footer(self) -> bytes:
        root = _struct({4: _text("entries"), 5: _i32(len(self._columns))})
        leaves = [
            _struct({1: _i32(kind.physical), 3: _i32(1), 4: _text(name), 6: _i32(int(kind))})
            for name, kind in self._columns.items()
        ]
        return _struct(
            {
                1: _i32(1),
                2: _list(_STRUCT, [root, *leaves]),
                3: _i64(sum(rows for rows, _ in self._groups)),
                4: _list(_STRUCT, [self._group(rows, chunks) for rows, chunks in self._groups]),
                6: _text(_CREATED_BY),
            }
        )

    def _group(self, rows: int, chunks: Sequence[_Chunk]) -> bytes:
        columns = []
        for (name, kind), chunk in zip(self._columns.items(), chunks, strict=True):
            about = _struct(
                {
                    1: _i32(kind.physical),
                    2: _list(_INT32, [_zigzag(_PLAIN), _zigzag(_RLE)]),
                    3: _list(_TEXT, [_text(name)[1]]),
                    4: _i32(_GZIP),
                    5: _i64(chunk.values),
                    6: _i64(chunk.uncompressed),
                    7: _i64(chunk.compressed),
                    9: _i64(chunk.offset),
                }
            )
            columns.append(_struct({2: _i64(chunk.offset), 3: (_STRUCT, about)}))
        total = sum(chunk.uncompressed for chunk in chunks)
        return _struct({1: _list(_STRUCT, columns), 2: _i64(total), 3: _i64(rows)})


def _plain(value: str | int, kind: ColumnKind) -> bytes:
    if kind is ColumnKind.TEXT:
        text = str(value).encode()
        return struct.pack("<I", len(text)) + text
    return struct.pack("<q", value)


def _definition_levels(values: Sequence[str | int | None]) -> bytes:
    """1 where there is a value, 0 where none, as runs (RLE with a bit width of 1), after their length."""
    encoded = b"".join(_varint(length << 1) + bytes([level]) for level, length in _runs(values))
    return struct.pack("<I", len(encoded)) + encoded


def _runs(values: Sequence[str | int | None]) -> Iterator[tuple[int, int]]:
    start = 0
    for place in range(1, len(values) + 1):
        if place == len(values) or (values[place] is None) is not (values[start] is None):
            yield int(values[start] is not None), place - start
            start = place


def _gzip(data: bytes) -> bytes:
    # Window bits 31 ask for the gzip wrapper, whose time stamp stays zero.
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


_Value = tuple[int, bytes]


def _struct(fields: Mapping[int, _Value]) -> bytes:
    parts, before = [], 0
    for number, (kind, content) in fields.items():
        parts += [bytes([(number - before) << 4 | kind]), content]
        before = number
    return b"".join(parts) + b"\x00"


def _list(kind: int, items: Sequence[bytes]) -> _Value:
    short = min(len(items), _SHORT_LIST)
    length = _varint(len(items)) if short == _SHORT_LIST else b""
    return _LIST, bytes([short << 4 | kind]) + length + b"".join(items)


def _i32(value: int) -> _Value:
    return _INT32, _zigzag(value)


def _i64(value: int) -> _Value:
    return _INT64, _zigzag(value)


def _text(value: str) -> _Value:
    encoded = value.encode()
    return _TEXT, _varint(len(encoded)) + encoded


def _zigzag(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else -value << 1 ^ -1)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value >= 1 << 7:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
