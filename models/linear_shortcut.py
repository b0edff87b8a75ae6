"""A linear pipeline without its runtime: a straight line for each number and a table for each category.

Each column that a linear model weighs depends on one raw feature, so a feature's part is a function of its value alone.
Of a category that function is a table, and of a number that is only moved and scaled it is a straight line. Both are
read off the runtime's own answers, once, and held against it on real rows; nothing of the preprocessing is written
anew. Where a number goes another way, or the rows do not agree, there is no shortcut.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelFeaturesMismatchError
from models.linear_model import AdditiveModel, LinearModel
from models.scoring_model import Rows, Scores, refuse_row_width, value_not_known

AGREEMENT = 1e-6
"""Largest difference of a part from the runtime's, relative to max(1, largest |part|); it counts in 32 bits."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearShortcut:
    """The parts of a linear pipeline as lines and tables; see :class:`models.linear_model.AdditiveModel`.

    Attributes:
        model: The pipeline itself, which still scores.
        slopes: Shape (n_features,), additive unit per unit of the feature; 0 for categories.
        offsets: Shape (n_features,), additive unit; 0 for categories.
        missing: Shape (n_features,), the part of a missing value; not a number where the model defines none.
        listed: The features that are categories.
        n_values: How many values each of them has.
        begins: Where each of them begins in the table.
        table: Their parts, one behind the other.
    """

    model: LinearModel
    slopes: Scores
    offsets: Scores
    missing: Scores
    listed: NDArray[np.int64]
    n_values: NDArray[np.uint64]
    begins: NDArray[np.int64]
    table: Scores

    @property
    def n_features(self) -> int:
        """Number of columns of a raw row."""
        return self.model.n_features

    @property
    def intercept(self) -> float:
        """What every row has, in the additive unit."""
        return self.model.intercept

    def score(self, rows: Rows) -> Scores:
        """Score rows; see :meth:`models.scoring_model.ScoringModel.score`."""
        return self.model.score(rows)

    def additive_score(self, rows: Rows) -> Scores:
        """Score rows before the link; see :meth:`models.scoring_model.ScoringModel.additive_score`."""
        return self.model.additive_score(rows)

    def parts_of(self, rows: Rows) -> Rows:
        """Give the part that each value brings; see :meth:`models.linear_model.AdditiveModel.parts_of`."""
        refuse_row_width(rows, self.n_features)
        if not np.isfinite(rows).all():
            return self._parts_of_odd_rows(rows)
        parts = rows * self.slopes + self.offsets
        values = rows[:, self.listed]
        positions = values.astype(np.int64)
        # As unsigned numbers negative positions are too large as well.
        known = (positions == values) & (positions.view(np.uint64) < self.n_values)
        if not known.all():
            return self._parts_of_odd_rows(rows)
        parts[:, self.listed] = self.table[self.begins + positions]
        return parts

    def _parts_of_odd_rows(self, rows: Rows) -> Rows:
        """The same for rows with missing values, which take longer, and for values that are refused."""
        plain = rows.copy()
        listed = plain[:, self.listed]
        unknown = ~np.isin(listed, np.arange(self.n_values.max(initial=0))) | (listed >= self.n_values)
        odd = ~np.isfinite(rows)
        odd[:, self.listed] |= unknown
        plain[odd] = 0.0
        parts = np.where(np.isnan(rows), self.missing, self.parts_of(plain))
        refused = (odd & ~np.isnan(rows)) | np.isnan(parts)
        if refused.any():
            row, feature = np.argwhere(refused)[0]
            raise value_not_known(float(rows[row, feature]), int(feature))
        return parts


def shortcut_of(model: LinearModel, rows: Rows) -> AdditiveModel:
    """Find the shortcut of a linear pipeline.

    Args:
        model: With one output.
        rows: Real raw rows, shape (n_rows, n_features), at least one: the shortcut is held against them.

    Returns:
        The shortcut, or the model itself where there is none.

    Raises:
        ModelFeaturesMismatchError: If the model says nothing about a value of the rows.
    """
    forms = model.forms
    truth = model.parts_of(rows)
    if forms is None or len(forms.straight | forms.listed.keys()) < model.n_features:
        return model
    probes, owners = _probes(model, rows)
    found = model.parts_of(probes)[np.arange(len(owners)), owners]
    listed = sorted(forms.listed)
    slopes, offsets = np.zeros((2, model.n_features))
    for feature in sorted(forms.straight - forms.listed.keys()):
        places = np.flatnonzero(owners == feature)
        (low, high), (at_low, at_high) = probes[places, feature], found[places]
        slopes[feature] = (at_high - at_low) / (high - low)
        offsets[feature] = at_low - slopes[feature] * low
    n_values = np.array([forms.listed[feature] for feature in listed], dtype=np.int64)
    shortcut = LinearShortcut(
        model=model,
        slopes=slopes,
        offsets=offsets,
        missing=_parts_of_missing(model, rows[0]),
        listed=np.array(listed, dtype=np.int64),
        n_values=n_values.astype(np.uint64),
        begins=np.cumsum([0, *n_values[:-1]])[: len(listed)],
        table=found[np.isin(owners, listed)],
    )
    return shortcut if _agree(shortcut.parts_of(rows), truth) else model


def _probes(model: LinearModel, rows: Rows) -> tuple[Rows, NDArray[np.int64]]:
    """Make rows that differ from a real one in one feature: two values of a number, all values of a category."""
    assert model.forms is not None  # noqa: S101 - the caller has looked
    probes, owners = [], []
    for feature in range(model.n_features):
        for value in _values_to_ask(model.forms.listed.get(feature, 0), rows[:, feature]):
            probe = rows[0].copy()
            probe[feature] = value
            probes.append(probe)
            owners.append(feature)
    return np.array(probes), np.array(owners, dtype=np.int64)


def _values_to_ask(n_values: int, seen: Scores) -> Sequence[float]:
    if n_values:
        return [float(position) for position in range(n_values)]
    known = seen[np.isfinite(seen)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    return (low, high) if high > low else (low, low + 1.0)


def _parts_of_missing(model: LinearModel, row: Scores) -> Scores:
    parts = np.full(model.n_features, np.nan)
    for feature in range(model.n_features):
        asked = row.copy()
        asked[feature] = np.nan
        try:
            parts[feature] = model.parts_of(asked[np.newaxis])[0, feature]
        except ModelFeaturesMismatchError:
            continue  # the model defines nothing for a missing value here, and neither does the shortcut
    return parts


def _agree(parts: Rows, truth: Rows) -> bool:
    return bool(np.abs(parts - truth).max() <= AGREEMENT * max(1.0, float(np.abs(truth).max())))
