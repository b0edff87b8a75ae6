"""How raw features become the columns that trees or a linear model read, and which column belongs to which feature."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import MalformedPackageError, UnsupportedModelError
from models.scoring_model import Rows

Columns = NDArray[np.float32]
"""What trees compare or a linear model weighs: shape (n_rows, n_columns), float32, NaN for missing."""

_CHECKED_ROWS = 200


class Preprocessing(Protocol):
    """Turns raw rows into columns, each row by itself."""

    def encode(self, rows: Rows) -> Columns:
        """Give the columns of raw rows of shape (n_rows, n_features)."""
        ...


@dataclass(frozen=True)
class Membership:
    """A column that says whether another one holds one of some values: 1 or 0, missing where the other is missing.

    Nodes that ask "is it one of these?" become nodes that ask whether this column is at most one half, so that every
    node of every tree is a comparison with a threshold and no part of a tree must be written twice.

    Attributes:
        column: The other column.
        values: The values, ascending, float32.
    """

    column: int
    values: tuple[float, ...]

    def of(self, columns: Columns) -> Columns:
        """Compute the column, shape (n_rows,)."""
        value = columns[:, self.column]
        found = np.isin(value, np.array(self.values, dtype=np.float32)).astype(np.float32)
        return np.where(np.isnan(value), np.float32(np.nan), found)


@dataclass(frozen=True, eq=False)
class Encoding:
    """How raw rows become the columns of a forest.

    Attributes:
        n_features: Number of raw features.
        feature_of_column: Shape (n_columns,): the raw feature each column depends on, and no other.
        preprocessing: Makes the first columns; none where they are the raw features themselves.
        memberships: The last columns, made from the first.
        ordered: Raw features of which a larger 32-bit number never gives some column a larger value and another time a
            smaller one: on their way numbers are only moved and scaled.
    """

    n_features: int
    feature_of_column: NDArray[np.int32]
    preprocessing: Preprocessing | None = None
    memberships: tuple[Membership, ...] = ()
    ordered: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        self.feature_of_column.flags.writeable = False
        if np.any(self.feature_of_column < 0) or np.any(self.feature_of_column >= self.n_features):
            raise MalformedPackageError("A column that the model reads belongs to no feature.")

    @classmethod
    def of_raw_features(cls, n_features: int) -> "Encoding":
        """The encoding of trees that compare raw features."""
        return cls(n_features=n_features, feature_of_column=np.arange(n_features, dtype=np.int32))

    def encode(self, rows: Rows) -> Columns:
        """Compute the columns.

        Args:
            rows: Raw rows, shape (n_rows, n_features).

        Returns:
            Shape (n_rows, n_columns), float32. Numbers beyond float32 become infinite.

        Raises:
            UnsupportedModelError: If the preprocessing gives another number of columns.
        """
        if self.preprocessing is None:
            with np.errstate(over="ignore"):
                columns: Columns = rows.astype(np.float32)
        else:
            columns = self.preprocessing.encode(rows)
        expected = len(self.feature_of_column) - len(self.memberships)
        if columns.shape != (len(rows), expected):
            raise UnsupportedModelError(
                f"The preprocessing gives columns of shape {columns.shape} instead of {(len(rows), expected)}."
            )
        if not self.memberships:
            return columns
        return np.column_stack([columns, *(membership.of(columns) for membership in self.memberships)])


def check_encoding(encoding: Encoding, rows: Rows, feature_names: Sequence[str]) -> None:
    """Hold against real rows that each column depends on its own feature alone.

    Args:
        encoding: The encoding.
        rows: Raw rows, shape (n_rows, n_features); the first 200 are used.
        feature_names: How the error sentence calls the features.

    Raises:
        UnsupportedModelError: If a column changes with another feature or with the neighbouring rows.
    """
    rows = rows[:_CHECKED_ROWS]
    columns = encoding.encode(rows)
    alone = np.concatenate([columns[:0], *(encoding.encode(row[np.newaxis]) for row in rows[:10])])
    if not np.array_equal(columns[: len(alone)], alone, equal_nan=True):
        raise UnsupportedModelError("What the model reads about one case depends on the other cases beside it.")
    for feature, name in enumerate(feature_names):
        changed = rows.copy()
        changed[:, feature] = np.roll(changed[:, feature], 1)
        after = encoding.encode(changed)
        same = (after == columns) | (np.isnan(after) & np.isnan(columns))
        wrong = np.flatnonzero(~same.all(axis=0) & (encoding.feature_of_column != feature))
        if len(wrong):
            owner = feature_names[int(encoding.feature_of_column[wrong[0]])]
            raise UnsupportedModelError(
                f"Column {wrong[0]} that the model reads was followed back to '{owner}', but it also changes with "
                f"'{name}'. Contributions could not be told apart."
            )
