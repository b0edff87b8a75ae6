"""Deep random forests trained on synthetic, seeded data: the same trees on every machine with the same scikit-learn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

from models.forest import Forest
from models.tree import Tree

N_FEATURES = 30
N_TRAINING_ROWS = 12_000


@dataclass(frozen=True)
class SyntheticForest:
    """A forest and rows of the kind it was trained on.

    Attributes:
        forest: The trees; the score is the mean probability of the trees.
        rows: Rows not used in training, shape (n_rows, 30), float32 numbers.
    """

    forest: Forest
    rows: NDArray[np.float64]


def deep_forest(depth: int, *, n_trees: int = 200, seed: int = 7) -> SyntheticForest:
    """Train a random forest.

    Args:
        depth: Largest number of nodes on a path.
        n_trees: Number of trees.
        seed: Of data and training.

    Returns:
        The forest and 12,000 rows it has not seen.
    """
    data, labels = make_classification(
        n_samples=2 * N_TRAINING_ROWS,
        n_features=N_FEATURES,
        n_informative=20,
        n_redundant=5,
        flip_y=0.05,
        class_sep=0.7,
        random_state=seed,
    )
    data = data.astype(np.float32)
    model = RandomForestClassifier(n_trees, max_depth=depth, random_state=seed, n_jobs=-1)
    model.fit(data[:N_TRAINING_ROWS], labels[:N_TRAINING_ROWS])
    trees = tuple(_tree(one.tree_, n_trees) for one in model.estimators_)
    forest = Forest(base_value=0.0, trees=trees, n_features=N_FEATURES, link="identity")
    return SyntheticForest(forest=forest, rows=data[N_TRAINING_ROWS:].astype(np.float64))


def _tree(fitted: object, n_trees: int) -> Tree:
    left = fitted.children_left.astype(np.int32)
    inner = left >= 0
    # scikit-learn compares float32 values with float64 thresholds; rounding down keeps every comparison.
    wide = fitted.threshold
    threshold = wide.astype(np.float32)
    threshold = np.where(threshold > wide, np.nextafter(threshold, np.float32(-np.inf)), threshold)
    share = fitted.value[:, 0, 1] / fitted.value[:, 0].sum(axis=1)
    return Tree(
        left=left,
        right=fitted.children_right.astype(np.int32),
        feature=np.where(inner, fitted.feature, 0).astype(np.int32),
        threshold=np.where(inner, threshold, 0).astype(np.float32),
        missing_left=np.zeros(len(left), dtype=np.bool_),
        value=np.where(inner, 0.0, share / n_trees),
    )
