"""Sums of terms made from small forests whose trees ask about two features at most, so that every check has them."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.forest import Forest
from models.term_model import TermModel
from models.term_tables import IntervalBins, TermTable, TermTables
from tests.conformance import small_forests


def random_forest_of_pairs(generator: np.random.Generator, *, n_features: int, n_trees: int, depth: int) -> Forest:
    """Make a random forest; each tree keeps its shape but asks about two features at most."""
    made = small_forests.random_forest(generator, n_features=n_features, n_trees=n_trees, depth=depth)
    trees = []
    for tree in made.trees:
        two = generator.choice(n_features, 2, replace=False).astype(np.int32)
        trees.append(replace(tree, feature=np.where(tree.is_leaf, 0, two[tree.feature % 2]).astype(np.int32)))
    return replace(made, trees=tuple(trees))


def as_term_model(forest: Forest) -> TermModel:
    """Write each tree as a table over the features it asks about; of a tree without questions the leaf is added."""
    tables, intercept = [], forest.base_value
    for tree in forest.trees:
        alone = Forest(base_value=0.0, trees=(tree,), n_features=forest.n_features)
        features = tuple(sorted(alone.features_used))
        if not features:
            intercept += float(tree.value[0])
            continue
        cuts = [
            np.unique(
                [np.nextafter(float(t), np.inf) for t in tree.threshold[~tree.is_leaf & (tree.feature == feature)]]
            )
            for feature in features
        ]
        corners = np.meshgrid(*([-np.inf, *cut, np.nan] for cut in cuts), indexing="ij")
        rows = np.zeros((corners[0].size, forest.n_features))
        for feature, values in zip(features, corners, strict=True):
            rows[:, feature] = values.ravel()
        # A cut is not a 32-bit number, and trees compare 32-bit numbers: the next one lies in the same interval.
        rows = np.where(np.isfinite(rows), np.nextafter(rows.astype(np.float32), np.float32(np.inf)), rows)
        tables.append(
            TermTable(
                features=features,
                binnings=tuple(IntervalBins(tuple(cut.tolist()), has_missing=True) for cut in cuts),
                scores=alone.additive_score(rows).reshape(*corners[0].shape, 1),
            )
        )
    terms = TermTables(tables=tuple(tables), n_features=forest.n_features)
    return TermModel(intercepts=np.array([intercept]), terms=terms)


class TermsElsewhere:
    """The same terms, but without tables to look into: as a runtime computes them."""

    def __init__(self, tables: TermTables) -> None:
        self.tables = tables
        self.n_features = tables.n_features
        self.n_outputs = tables.n_outputs
        self.features_of_terms = tables.features_of_terms

    def for_output(self, output: int) -> "TermsElsewhere":
        return TermsElsewhere(self.tables.for_output(output))

    def scores_of(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.tables.scores_of(rows)


def computed_elsewhere(model: TermModel) -> TermModel:
    """Hide the tables of a model."""
    assert isinstance(model.terms, TermTables)
    return replace(model, terms=TermsElsewhere(model.terms))
