"""The method that counts rows, for suites whose rows weigh differently: once for each weight, and added up."""

import numpy as np

from explainer.attribution_methods.forests.counted_forest import METHOD, CountedForest
from models.forest import Forest
from tests.conformance.checks_attribution import Numbers


class CountedByWeight:
    """Contributions are linear in the background, so those against rows of each weight add up by their shares."""

    method = METHOD

    def __init__(
        self, forest: Forest, background: Numbers, weights: Numbers, *, column_to_player: Numbers | None = None
    ) -> None:
        different = [weight for weight in np.unique(weights) if weight > 0]
        self.shares = [float(weights[weights == weight].sum() / weights.sum()) for weight in different]
        self.parts = [
            CountedForest(forest, background[alike], np.ones(int(alike.sum())), column_to_player=column_to_player)
            for alike in (weights == weight for weight in different)
        ]
        self.expected_value = sum(
            share * part.expected_value for share, part in zip(self.shares, self.parts, strict=True)
        )
        self.leaf_scale = forest.sum_of_largest_leaves
        self.memory_bytes = sum(part.memory_bytes for part in self.parts)

    def contributions_of(self, rows: Numbers) -> Numbers:
        found = [share * part.contributions_of(rows) for share, part in zip(self.shares, self.parts, strict=True)]
        return np.sum(found, axis=0)
