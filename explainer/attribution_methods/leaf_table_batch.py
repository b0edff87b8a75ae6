"""The leaf tables of :class:`ExactForest` for many rows at once, on all cores.

Importing this module loads numba; :mod:`choose` does so only where many rows are to be explained.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.exact_forest import DEFAULT_TABLE_BYTES, ExactForest
from explainer.attribution_methods.forest_layout import ForestLayout
from explainer.attribution_methods.leaf_boxes import boxes_of
from explainer.attribution_methods.leaf_table_kernel import BLOCK_ROWS, Trees, add_contributions
from explainer.explanations.attribution import AttributionMethod
from models.forest import Forest

METHOD = AttributionMethod(name="interventional_shapley_values", exact=True, engine_version="leaf-table-batch/1")

Numbers = NDArray[np.float64]


class LeafTableBatch:
    """Computes exact contributions of many rows; nothing changes after it is built, so threads may share it.

    Args:
        forest: The trees.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,), not negative, sum above zero; only their proportions count.
        table_bytes: Memory the tables may take.
        threads: Threads among which the rows are divided.

    Attributes:
        method: How the contributions are computed.
        expected_value: Weighted mean additive score over the background.
        leaf_scale: Sum over trees of the largest |leaf|.
        memory_bytes: Memory held, with the working memory of all threads.

    Raises:
        UnsupportedModelError: If a path has too many features or the tables would need too much memory.
    """

    method = METHOD

    def __init__(
        self,
        forest: Forest,
        background_rows: Numbers,
        background_weights: Numbers,
        *,
        table_bytes: int = DEFAULT_TABLE_BYTES,
        threads: int = 1,
    ) -> None:
        exact = ExactForest(forest, background_rows, background_weights, table_bytes=table_bytes)
        layout = ForestLayout.of(forest)
        self._n_players = forest.n_features
        self._threads = threads
        self.expected_value = exact.expected_value
        self.leaf_scale = exact.leaf_scale
        self._trees = _trees_of(forest, layout, exact)
        working = sum(space.nbytes for space in self._working_memory())
        self.memory_bytes = sum(array.nbytes for array in self._trees) + threads * working
        self.contributions_of(background_rows[:1])  # compiles, so that the first request does not wait for it

    def contributions_of(self, rows: Numbers) -> Numbers:
        """Compute the contributions of every feature to every row's additive score.

        Args:
            rows: Raw rows, shape (n_rows, n_features); missing values as NaN.

        Returns:
            Shape (n_rows, n_features), in the additive unit. A row's numbers do not depend on the other rows.
        """
        contributions = np.zeros((len(rows), self._n_players))
        # The runtime compares 32-bit numbers, so the same comparison must be made here; beyond them lies infinity.
        with np.errstate(over="ignore"):
            values = rows.astype(np.float32)
        parts = max(1, min(self._threads, len(rows) // BLOCK_ROWS))
        if parts == 1:
            self._add_contributions(values, contributions)
            return contributions
        with ThreadPoolExecutor(parts) as pool:
            # As list: a thread's error is raised here.
            list(pool.map(self._add_contributions, np.array_split(values, parts), np.array_split(contributions, parts)))
        return contributions

    def _add_contributions(self, values: NDArray[np.float32], contributions: Numbers) -> None:
        columns = np.ascontiguousarray(values.T)
        add_contributions(columns, self._trees, *self._working_memory(), contributions)

    def _working_memory(self) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        inner = int(np.diff(self._trees.first_inner).max())
        leaves = int(np.diff(self._trees.first_leaf).max())
        return (
            np.zeros((max(inner, 1), BLOCK_ROWS), dtype=np.uint16),
            np.zeros((leaves, BLOCK_ROWS), dtype=np.uint16),
        )


def _trees_of(forest: Forest, layout: ForestLayout, exact: ExactForest) -> Trees:
    n_inner = np.array([np.count_nonzero(~tree.is_leaf) for tree in forest.trees])
    n_leaves = np.array([np.count_nonzero(tree.is_leaf) for tree in forest.trees])
    # Boxes list leaves as the layout does: tree by tree, left before right, features from the root.
    boxes = boxes_of(forest)
    players = [side.feature for box in boxes for side in box.sides]
    return Trees(
        feature=layout.feature,
        threshold=layout.threshold,
        missing_left=layout.missing_left,
        child=layout.child,
        slot=layout.slot,
        first_inner=np.concatenate([[0], np.cumsum(n_inner)]),
        first_leaf=np.concatenate([[0], np.cumsum(n_leaves)]),
        leaf_player=np.array(players, dtype=np.int64),
        leaf_player_start=np.concatenate([[0], np.cumsum([len(box.sides) for box in boxes])]),
        table=exact.tables.values,
        table_start=exact.tables.start,
    )
