"""Exact contributions of models that are sums of one part per feature: linear models and scorecards.

Where no feature changes what another one does, joining a coalition always adds the same, whatever its size. So the
Shapley value of a feature is the part its value brings minus the weighted mean of that part over the background; for a
linear model coefficient * (value - mean), added up over the columns that are made from the feature (Štrumbelj and
Kononenko, "Explaining prediction models and individual predictions with feature contributions", Knowledge and
Information Systems 41, 2014).
"""

import numpy as np

from explainer.explanations.attribution import AttributionMethod
from models.linear_model import AdditiveModel, LinearModel
from models.linear_shortcut import shortcut_of
from models.scoring_model import Rows, Scores

METHOD = AttributionMethod(name="interventional_shapley_values", exact=True, engine_version="linear/1")


class ExactLinear:
    """Computes exact contributions in closed form; nothing changes after it is built, so threads may share it.

    Args:
        model: A linear model of one output or a table of points.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,), not negative, sum above zero; only their proportions count.

    Attributes:
        method: How the contributions are computed.
        expected_value: Weighted mean additive score over the background.
        leaf_scale: |intercept| plus, for each feature, the largest |part| over the background.
        memory_bytes: Memory held: one mean part for each feature.

    Raises:
        ModelFeaturesMismatchError: If the model has several outputs or says nothing about a value of the background.
    """

    method = METHOD

    def __init__(self, model: AdditiveModel, background_rows: Rows, background_weights: Scores) -> None:
        self._model = shortcut_of(model, background_rows) if isinstance(model, LinearModel) else model
        parts = self._model.parts_of(background_rows)
        shares = background_weights / background_weights.sum()
        self._mean_parts = (shares[:, np.newaxis] * parts).sum(axis=0)
        self.expected_value = float(model.intercept + self._mean_parts.sum())
        self.memory_bytes = self._mean_parts.nbytes
        self.leaf_scale = float(abs(model.intercept) + np.abs(parts).max(axis=0).sum())

    def contributions_of(self, rows: Rows) -> Rows:
        """Compute the contributions of every feature to every row's additive score.

        Args:
            rows: Raw rows, shape (n_rows, n_features).

        Returns:
            Shape (n_rows, n_features), in the additive unit. A row's numbers do not depend on the other rows.

        Raises:
            ModelFeaturesMismatchError: If the model says nothing about a value.
        """
        return np.asarray(self._model.parts_of(rows) - self._mean_parts, dtype=np.float64)
