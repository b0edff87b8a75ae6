"""Tables we write as Parquet are read by Arrow, which shares no code with us, value for value."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explainer.transparency_log.parquet_file import ColumnKind, ParquetWriter

COLUMNS = {"number": ColumnKind.NUMBER, "text": ColumnKind.TEXT, "at": ColumnKind.MILLISECONDS}
Rows = list[tuple[int | None, str | None, int | None]]

numbers = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))
rows = st.lists(
    st.tuples(numbers, st.one_of(st.none(), st.text()), st.one_of(st.none(), st.integers(0, 2**41))), max_size=40
)


def written(groups: list[Rows]) -> bytes:
    file = io.BytesIO()
    writer = ParquetWriter(file, COLUMNS)
    for group in groups:
        writer.write_group(group)
    writer.close()
    return file.getvalue()


@given(groups=st.lists(rows, max_size=20))
@settings(max_examples=150, deadline=None)
def test_arrow_reads_every_value_that_was_written(groups: list[Rows]) -> None:
    table = pq.read_table(io.BytesIO(written(groups)))
    expected = [row for group in groups for row in group]
    assert table.column_names == list(COLUMNS)
    columns = [table["number"].to_pylist(), table["text"].to_pylist(), table["at"].cast(pa.int64()).to_pylist()]
    assert list(zip(*columns, strict=True)) == expected


def test_a_table_of_many_columns_and_rows_is_read(tmp_path: Path) -> None:
    names = {f"column_{number}": ColumnKind.TEXT for number in range(40)}
    file = tmp_path / "many.parquet"
    with file.open("wb") as stream:
        writer = ParquetWriter(stream, names)
        for _ in range(20):
            writer.write_group([["ä" * 300] * 40] * 500)
        writer.close()
    table = pq.read_table(file)
    assert (table.num_rows, table.num_columns) == (10_000, 40)
    assert set(table["column_39"].to_pylist()) == {"ä" * 300}


def test_the_same_table_is_the_same_file() -> None:
    rows: Rows = [(1, "a", None), (None, None, 5)]
    assert written([rows]) == written([rows])


def test_a_flipped_byte_in_a_column_is_noticed_by_the_reader() -> None:
    content = bytearray(written([[(1, "a" * 100, 5)] * 50]))
    content[60] ^= 0xFF
    with pytest.raises((OSError, pa.ArrowException)):
        pq.read_table(io.BytesIO(bytes(content)))
