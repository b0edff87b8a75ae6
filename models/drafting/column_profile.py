"""What the values of a table's columns look like."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from models.conversion.tables import number_of

MOST_CATEGORIES = 200
"""Text columns with more different values are taken for names or free text, which no model of ours reads."""

_YES_OR_NO = ({"true", "false"}, {"yes", "no"}, {"ja", "nein"}, {"0", "1"}, {"0.0", "1.0"})
_MOST_DECIMALS = 6

Kind = Literal["number", "integer", "category", "boolean", "text"]


@dataclass(frozen=True, kw_only=True)
class ColumnProfile:
    """One column.

    Attributes:
        name: As in the table.
        kind: What values look like; ``text`` for what no model reads.
        n_missing: Rows without a value.
        n_different: Different values.
        minimum: Lowest number.
        maximum: Highest number.
        decimals: Digits behind the decimal point that at least one value has.
        categories: All values in alphabetical order, for categories.
        looks_like_id: Whether every row has another value and it is no measured number.
    """

    name: str
    kind: Kind
    n_missing: int
    n_different: int
    minimum: float | None = None
    maximum: float | None = None
    decimals: int = 0
    categories: tuple[str, ...] = ()
    looks_like_id: bool = False


def profile_of(name: str, values: Sequence[Any]) -> ColumnProfile:
    """Look at one column.

    Args:
        name: Of the column.
        values: As a table holds them: texts, numbers, booleans; None or NaN where missing.

    Returns:
        What they look like.
    """
    present = [value for value in values if value is not None and not (isinstance(value, float) and math.isnan(value))]
    n_missing = len(values) - len(present)
    texts = {str(value).strip() for value in present}
    counts = {"name": name, "n_missing": n_missing, "n_different": len(texts)}
    unique = len(present) > 1 and len(texts) == len(present)
    lowered = {text.lower() for text in texts}
    if any(lowered == words for words in _YES_OR_NO):
        return ColumnProfile(kind="boolean", **counts)  # type: ignore[arg-type]
    numbers = [None if isinstance(value, bool) else number_of(value) for value in present]
    if present and None not in numbers:
        return _of_numbers([number for number in numbers if number is not None], unique=unique, counts=counts)
    if len(texts) > MOST_CATEGORIES or not texts:
        return ColumnProfile(kind="text", looks_like_id=unique, **counts)  # type: ignore[arg-type]
    return ColumnProfile(kind="category", categories=tuple(sorted(texts)), looks_like_id=unique, **counts)  # type: ignore[arg-type]


def most_frequent(values: Sequence[Any]) -> list[str]:
    """Give the different values of a column as texts, the most frequent first."""
    counted = Counter(str(value).strip() for value in values if value is not None)
    return [text for text, _ in counted.most_common()]


def _of_numbers(numbers: list[float], *, unique: bool, counts: dict[str, Any]) -> ColumnProfile:
    finite = [number for number in numbers if math.isfinite(number)]
    whole = all(number.is_integer() for number in finite)
    in_a_row = whole and unique and max(finite) - min(finite) == len(finite) - 1
    return ColumnProfile(
        kind="integer" if whole else "number",
        minimum=min(finite, default=None),
        maximum=max(finite, default=None),
        decimals=0 if whole else max(_decimals(number) for number in finite[:1000]),
        looks_like_id=in_a_row,
        **counts,
    )


def _decimals(number: float) -> int:
    _, _, behind = f"{number:.{_MOST_DECIMALS}f}".rstrip("0").partition(".")
    # Measured values have long tails of digits; two are enough for a person.
    return len(behind) if len(behind) < _MOST_DECIMALS else 2
