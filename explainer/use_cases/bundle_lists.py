"""The log's entries as lists that people open with what they have: NDJSON, CSV and Parquet."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import IO

from explainer.transparency_log.log_entry import COMMITTED_FIELDS, parse_leaf
from explainer.transparency_log.merkle import leaf_hash
from explainer.transparency_log.parquet_file import ROWS_PER_GROUP, ColumnKind, ParquetWriter
from explainer.transparency_log.verify import ndjson_line

Leaves = Iterable[tuple[int, bytes]]
"""Index and bytes of every entry, in order."""

COLUMNS = {
    "index": ColumnKind.NUMBER,
    "event": ColumnKind.TEXT,
    "ts": ColumnKind.TEXT,
    "ts_milliseconds": ColumnKind.MILLISECONDS,
    "system": ColumnKind.TEXT,
    "model_version": ColumnKind.TEXT,
    "model_sha256": ColumnKind.TEXT,
    "role": ColumnKind.TEXT,
    "basis": ColumnKind.TEXT,
    "outcome": ColumnKind.TEXT,
    "id": ColumnKind.TEXT,
    "trace_id": ColumnKind.TEXT,
    **{f"commitment_{field}": ColumnKind.TEXT for field in COMMITTED_FIELDS},
    "leaf_hash": ColumnKind.TEXT,
}
"""Columns of CSV and Parquet; what an entry does not say is empty."""

Row = Sequence[str | int | None]


def write_ndjson(file: IO[bytes], leaves: Leaves) -> None:
    """One JSON object a line, with the very bytes that were signed in."""
    for index, leaf in leaves:
        file.write(ndjson_line(index, leaf))


def write_csv(file: IO[bytes], leaves: Leaves) -> None:
    """Comma-separated, UTF-8, with a line of column names."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in _rows(leaves):
        writer.writerow(row)
        file.write(text.getvalue().encode())
        text.seek(0)
        text.truncate()


def write_parquet(file: IO[bytes], leaves: Leaves) -> None:
    """Apache Parquet."""
    writer = ParquetWriter(file, COLUMNS)
    rows = _rows(leaves)
    while group := list(islice(rows, ROWS_PER_GROUP)):
        writer.write_group(group)
    writer.close()


LISTS: dict[str, Callable[[IO[bytes], Leaves], None]] = {
    "entries.ndjson": write_ndjson,
    "entries.csv": write_csv,
    "entries.parquet": write_parquet,
}
"""File name to what writes it."""


def _rows(leaves: Leaves) -> Iterator[Row]:
    for index, leaf in leaves:
        entry = parse_leaf(leaf)
        minute = datetime.strptime(entry.ts, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
        yield (
            index,
            entry.t.value,
            entry.ts,
            int(minute.timestamp()) * 1000,
            entry.system,
            entry.model.version if entry.model else None,
            entry.model.sha256 if entry.model else None,
            entry.role,
            entry.basis,
            entry.outcome,
            entry.id,
            entry.trace_id,
            *(entry.c.get(field) for field in COMMITTED_FIELDS),
            leaf_hash(leaf).hex(),
        )
