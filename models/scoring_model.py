"""What every scoring model can do, whoever trained it and wherever it runs."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelFeaturesMismatchError

Rows = NDArray[np.float64]
"""Raw rows: shape (n_rows, n_features), columns in the order of the card's features, float64."""

Scores = NDArray[np.float64]
"""One number per row: shape (n_rows,), float64; of models with several classes one per class: (n_rows, n_classes)."""


class ScoringModel(Protocol):
    """A model that gives every case one number, or one for each of several classes."""

    @property
    def n_features(self) -> int:
        """Number of columns of a raw row."""
        ...

    def score(self, rows: Rows) -> Scores:
        """Score cases.

        Args:
            rows: Raw rows, shape (n_rows, n_features).

        Returns:
            Shape (n_rows,), or (n_rows, n_classes) for several classes: in the card's score unit.
        """
        ...

    def additive_score(self, rows: Rows) -> Scores:
        """Score cases in the unit in which contributions add up.

        Args:
            rows: Raw rows, shape (n_rows, n_features).

        Returns:
            The same shape: the output before the post transform, in the card's additive unit.
        """
        ...


class OneOfSeveralScores:
    """One class of a model with several, as if it were a model with one score.

    Args:
        model: Gives a score for each class.
        position: Of the class.
    """

    def __init__(self, model: ScoringModel, position: int) -> None:
        self._model, self._position = model, position

    @property
    def n_features(self) -> int:
        """Number of columns of a raw row."""
        return self._model.n_features

    def score(self, rows: Rows) -> Scores:
        """Score cases; see :meth:`ScoringModel.score`."""
        return self._model.score(rows)[:, self._position]

    def additive_score(self, rows: Rows) -> Scores:
        """Score cases in the additive unit; see :meth:`ScoringModel.additive_score`."""
        return self._model.additive_score(rows)[:, self._position]


def refuse_row_width(rows: Rows, n_features: int) -> None:
    """Refuse rows that are no table of so many columns.

    Raises:
        ModelFeaturesMismatchError: If they are not.
    """
    if rows.ndim != 2 or rows.shape[1] != n_features:  # noqa: PLR2004 - a table has two dimensions
        raise ModelFeaturesMismatchError(f"Rows of shape {rows.shape} do not fit {n_features} features.")


def value_not_known(value: float, feature: int) -> ModelFeaturesMismatchError:
    """Say that a model defines nothing for a value.

    Args:
        value: The value; NaN means missing.
        feature: Position of its feature.

    Returns:
        The error.
    """
    spoken = "a missing value" if np.isnan(value) else f"the value {value:g}"
    return ModelFeaturesMismatchError(
        f"The model says nothing about {spoken} of feature {feature}, so the case can neither be scored nor explained. "
        "Send a value that the model knows."
    )
