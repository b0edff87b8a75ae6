"""What every way of computing contributions can do."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from explainer.explanations.attribution import AttributionMethod


class AttributionComputer(Protocol):
    """Computes contributions for one model and background; threads may share it.

    ``tests/conformance/checks_attribution.py`` holds every implementation to the same rules.
    """

    @property
    def method(self) -> AttributionMethod:
        """How the contributions are computed."""
        ...

    @property
    def expected_value(self) -> float:
        """Weighted mean additive score over the background."""
        ...

    @property
    def leaf_scale(self) -> float:
        """Scale of the rounding that is allowed: sum over trees of the largest |leaf|."""
        ...

    @property
    def memory_bytes(self) -> int:
        """Memory that is held."""
        ...

    def contributions_of(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute contributions.

        Args:
            rows: Raw rows, shape (n_rows, n_features).

        Returns:
            Shape (n_rows, n_features), additive unit, columns in the order of the card's features.
        """
        ...
