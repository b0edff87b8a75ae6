"""Reads tables of cases out of CSV, Parquet or NumPy files, in the columns and codes of a card."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import MalformedPackageError
from models.features import Feature, problems_with, to_row
from models.row_tables import read_arrays
from models.scoring_model import Rows, Scores

MAX_PROBLEMS = 20
"""So many problems are listed; a wrong column makes thousands alike."""

_YES, _NO = ("true", "yes", "ja", "1", "1.0"), ("false", "no", "nein", "0", "0.0")


@dataclass(frozen=True)
class CaseTable:
    """Cases with numbers beside them.

    Attributes:
        rows: Raw rows in the order of the card's features, shape (n, n_features).
        numbers: Other columns by name, each of shape (n,).
    """

    rows: Rows
    numbers: Mapping[str, Scores]


def read_columns(path: Path) -> dict[str, list[Any]]:
    """Read a table as it stands.

    Args:
        path: ``.csv`` (UTF-8, with a line of names; separated by commas, semicolons or tabs) or ``.parquet``.

    Returns:
        Column name to values; texts for CSV, None for what is missing.

    Raises:
        MalformedPackageError: If it cannot be read; the sentence says why.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MalformedPackageError(f"{path.name} cannot be read: {error.strerror}.") from error
    match path.suffix.lower():
        case ".csv":
            return _of_csv(content, path.name)
        case ".parquet":
            return _of_parquet(content, path.name)
    raise MalformedPackageError(f"{path.name}: tables are read from .csv and .parquet files.")


def read_cases(path: Path, features: Sequence[Feature], beside: Sequence[str] = ()) -> CaseTable:
    """Read cases in the codes of a card.

    Args:
        path: ``.csv``, ``.parquet``, or ``.npz`` with ``rows`` already in these codes.
        features: The card's features; their names are the columns. Other columns are not read.
        beside: Further columns of numbers, read where they exist.

    Returns:
        The cases.

    Raises:
        MalformedPackageError: If a column is missing or a value does not fit; names row and column of each.
    """
    if path.suffix.lower() == ".npz":
        return _of_arrays(path, beside)
    columns = read_columns(path)
    missing = [feature.name for feature in features if feature.name not in columns]
    if missing:
        raise MalformedPackageError(
            f"{path.name} has no column for {', '.join(missing)[:300]}. Its columns are: "
            f"{', '.join(columns)[:300]}. Name columns as the card names features."
        )
    n_rows = len(columns[features[0].name])
    problems: list[str] = []
    rows = np.zeros((n_rows, len(features)))
    for number in range(n_rows):
        inputs = {one.name: value_of(one, columns[one.name][number]) for one in features}
        found = problems_with(features, inputs)
        problems += [f"row {number + 1}: {problem.detail}" for problem in found]
        if not found:
            rows[number] = to_row(features, inputs)
    numbers = {name: _numbers(columns[name], name, problems) for name in beside if name in columns}
    if problems or n_rows == 0:
        shown = problems[:MAX_PROBLEMS] or ["it has no rows."]
        raise MalformedPackageError(
            f"{path.name} has {max(1, len(problems))} problem(s): " + " ".join(shown), problems=shown
        )
    return CaseTable(rows=rows, numbers=numbers)


def value_of(feature: Feature, stored: Any) -> Any:
    """Give a stored value as a case system would send it; what does not fit stays as it is and is refused later."""
    if isinstance(stored, np.generic):
        stored = stored.item()
    if stored is None or (isinstance(stored, float) and np.isnan(stored)):
        return None
    if feature.kind == "category":
        return _category_of(feature, stored)
    if feature.kind == "boolean":
        text = str(stored).strip().lower()
        return True if text in _YES else False if text in _NO else stored
    number = number_of(stored)
    if number is not None and feature.kind == "integer" and number.is_integer():
        return int(number)
    return stored if number is None else number


def number_of(stored: Any) -> float | None:
    """Give a stored value as a number, None if it is none; a comma is not taken for a decimal point."""
    try:
        return float(stored)
    except (TypeError, ValueError):
        return None


def _category_of(feature: Feature, stored: Any) -> str:
    text = str(stored).strip()
    known = [category.value for category in feature.categories]
    # Tables write the category 3 as 3.0 where the column has gaps.
    if text not in known and text.endswith(".0") and text.removesuffix(".0") in known:
        return text.removesuffix(".0")
    return text


def _numbers(values: Sequence[Any], name: str, problems: list[str]) -> Scores:
    numbers = np.array([np.nan if (one := number_of(value)) is None else one for value in values], dtype=np.float64)
    problems += [f"row {row + 1}: '{name}' is no number." for row in np.flatnonzero(~np.isfinite(numbers))]
    return numbers


def _of_csv(content: bytes, name: str) -> dict[str, list[Any]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedPackageError(f"{name} is not UTF-8: save it as 'CSV UTF-8'.") from error
    head = text.partition("\n")[0]
    separator = max(",;\t", key=head.count)
    lines = [line for line in csv.reader(io.StringIO(text), delimiter=separator) if line]
    if len(lines) < 2:  # noqa: PLR2004 - a line of names and one of values
        raise MalformedPackageError(f"{name} needs a line of column names and at least one line of values.")
    names = [one.strip() for one in lines[0]]
    twice = sorted({one for one in names if names.count(one) > 1})
    if twice:
        raise MalformedPackageError(f"{name} has two columns called {', '.join(twice)[:200]}.")
    uneven = [number for number, line in enumerate(lines[1:], start=1) if len(line) != len(names)]
    if uneven:
        raise MalformedPackageError(
            f"{name}: row {uneven[0]} has {len(lines[uneven[0]])} values instead of {len(names)}; "
            f"{len(uneven)} rows are like this."
        )
    return {
        one: [None if not line[place].strip() else line[place].strip() for line in lines[1:]]
        for place, one in enumerate(names)
    }


def _of_parquet(content: bytes, name: str) -> dict[str, list[Any]]:
    try:
        from pyarrow import ArrowException, BufferReader  # noqa: PLC0415 - an optional extra
        from pyarrow.parquet import read_table  # noqa: PLC0415
    except ImportError as error:
        raise MalformedPackageError(
            f"Reading {name} needs pyarrow: pip install 'klarbescheid[parquet]', or save the table as CSV."
        ) from error
    try:
        columns: dict[str, list[Any]] = read_table(BufferReader(content)).to_pydict()
    except (ArrowException, OSError) as error:
        raise MalformedPackageError(f"{name} is not a Parquet file that can be read.") from error
    return columns


def _of_arrays(path: Path, beside: Sequence[str]) -> CaseTable:
    try:
        arrays = read_arrays(path.read_bytes(), path.name)
    except OSError as error:
        raise MalformedPackageError(f"{path.name} cannot be read: {error.strerror}.") from error
    numbers = {name: arrays[name] for name in ("rows", *beside) if name in arrays}
    if "rows" not in numbers or any(array.dtype.kind not in "fiu" for array in numbers.values()):
        raise MalformedPackageError(f"{path.name} needs an array of numbers called 'rows', one line for each case.")
    rows, *others = (array.astype(np.float64) for array in numbers.values())
    if rows.ndim != 2 or len(rows) == 0 or any(one.shape != (len(rows),) for one in others):  # noqa: PLR2004
        raise MalformedPackageError(f"{path.name}: 'rows' must have shape (n, features), the others (n,).")
    return CaseTable(rows=rows, numbers=dict(zip(list(numbers)[1:], others, strict=True)))
