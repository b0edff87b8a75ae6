"""What every scoring model can do, whoever trained it and wherever it runs."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
"""Raw rows: shape (n_rows, n_features), columns in the order of the card's features, float64."""

Scores = NDArray[np.float64]
"""One number per row: shape (n_rows,), float64."""


class ScoringModel(Protocol):
    """A model that gives every case one number."""

    @property
    def n_features(self) -> int:
        """Number of columns of a raw row."""
        ...

    def score(self, rows: Rows) -> Scores:
        """Score cases.

        Args:
            rows: Raw rows, shape (n_rows, n_features).

        Returns:
            Shape (n_rows,): probabilities from 0 to 1.
        """
        ...

    def additive_score(self, rows: Rows) -> Scores:
        """Score cases in the unit in which contributions add up.

        Args:
            rows: Raw rows, shape (n_rows, n_features).

        Returns:
            Shape (n_rows,): the output before the post transform, in the card's additive unit.
        """
        ...
