"""Exact contributions and interactions of models that are sums of terms over one or two raw features each.

Shapley values of a sum are the sums of the Shapley values of its terms, and a term is a game of its own features alone
(Shapley, "A value for n-person games", 1953: additivity and null players). With x the explained row, z a row of the
background and E the weighted mean over it:

- a term over one feature gives that feature f(x) - E f(z);
- a term over two features i and j gives i the mean of what it changes when it joins first and when it joins last,
  1/2 [f(x_i, x_j) - E f(z_i, x_j)] + 1/2 [E f(x_i, z_j) - E f(z_i, z_j)], and j likewise;
- their interaction, in the sense of Grabisch and Roubens (see ``interactions.py``), is
  f(x_i, x_j) - E f(x_i, z_j) - E f(z_i, x_j) + E f(z_i, z_j).

E f(z_i, z_j) goes over rows of the background as they are, so features that go together there stay together. Where
terms are tables the other two means are computed once for each bin, and a row costs look-ups; where a runtime computes
the terms, each row is mixed with the background.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.interactions.forest_interactions import InteractionValues
from explainer.explanations.attribution import AttributionMethod
from models.errors import UnsupportedModelError
from models.scoring_model import Rows, Scores
from models.term_model import TermModel, Terms
from models.term_tables import TermTables

METHOD = AttributionMethod(name="interventional_shapley_values", exact=True, engine_version="term-sums/1")

_BLOCK_NUMBERS = 2**20
"""Values of features handed to the runtime at once; bounds memory, does not change what is computed."""

Numbers = NDArray[np.float64]


class TermSums:
    """Computes exact contributions and interactions; nothing changes after it is built, so threads may share it.

    Args:
        model: A sum of terms with one output.
        background_rows: Raw rows, shape (m, n_features).
        background_weights: Shape (m,), not negative, sum above zero; only their proportions count.

    Attributes:
        method: How the contributions are computed.
        expected_value: Weighted mean additive score over the background.
        leaf_scale: |intercept| plus, for each term, its largest |score| over the background.
        memory_bytes: Memory held: the means, and the background where it is still needed.

    Raises:
        UnsupportedModelError: If the model has several outputs; choose one of them first.
        ModelFeaturesMismatchError: If a term says nothing about a value of the background.
    """

    method = METHOD

    def __init__(self, model: TermModel, background_rows: Rows, background_weights: Scores) -> None:
        if model.n_outputs != 1:
            raise UnsupportedModelError(
                f"The model has {model.n_outputs} outputs; contributions belong to one of them, so one must be chosen."
            )
        self._n_features = model.n_features
        shares = background_weights / background_weights.sum()
        scores = model.terms.scores_of(background_rows)[:, :, 0]
        self._means = (shares[:, np.newaxis] * scores).sum(axis=0)
        self._paths: _Paths
        if isinstance(model.terms, TermTables):
            self._paths = _TablePaths(model.terms, background_rows, shares)
        else:
            self._paths = _RuntimePaths(model.terms, background_rows, shares)
        self._shared = _Shares.of(model.terms.features_of_terms)
        self.expected_value = float(model.intercepts[0] + self._means.sum())
        self.leaf_scale = float(abs(model.intercepts[0]) + np.abs(scores).max(axis=0).sum())
        self.memory_bytes = self._means.nbytes + self._paths.memory_bytes

    def contributions_of(self, rows: Rows) -> Rows:
        """Compute the contributions of every feature to every row's additive score.

        Args:
            rows: Raw rows, shape (n_rows, n_features); missing values as NaN.

        Returns:
            Shape (n_rows, n_features), in the additive unit. A row's numbers do not depend on the other rows.

        Raises:
            ModelFeaturesMismatchError: If a term says nothing about a value.
        """
        return self._contributions(*self._paths.of(rows))

    def interactions_of(self, row: Scores) -> InteractionValues:
        """Compute the interactions of one case.

        Args:
            row: Raw row, shape (n_features,); missing values as NaN.

        Returns:
            Interaction of each two features, and the contributions.
        """
        both, first, second = self._paths.of(row[np.newaxis])
        together = (both - first - second + self._means)[0]
        pairs = np.zeros((self._n_features, self._n_features))
        for term, features in self._shared.pairs:
            pairs[features] += together[term]
        return InteractionValues(pairs=pairs + pairs.T, contributions=self._contributions(both, first, second)[0])

    def _contributions(self, both: Numbers, first: Numbers, second: Numbers) -> Rows:
        of_first = ((both - second) + (first - self._means)) / 2
        of_second = ((both - first) + (second - self._means)) / 2
        contributions = np.zeros((len(both), self._n_features))
        self._shared.add_up(contributions, of_first, of_second)
        return contributions


class _Paths(Protocol):
    """What each term gives on the ways from the background to a row."""

    @property
    def memory_bytes(self) -> int: ...

    def of(self, rows: Rows) -> tuple[Numbers, Numbers, Numbers]:
        """Give f(x_i, x_j), E f(x_i, z_j) and E f(z_i, x_j), shape (n_rows, n_terms) each.

        Of a term over one feature the second is f(x) too and the third is E f(z), as if there were a second feature
        that does nothing.
        """
        ...


class _TablePaths:
    """Means for each bin, computed once."""

    def __init__(self, terms: TermTables, background_rows: Rows, shares: Scores) -> None:
        self._terms = terms
        first_bins, second_bins = terms.bins_of(background_rows)
        of_first, of_second = [], []
        for number, table in enumerate(terms.tables):
            scores = table.scores[..., 0]
            if not table.is_pair:
                scores = scores[:, np.newaxis]
            share_of_first = np.bincount(first_bins[:, number], weights=shares, minlength=scores.shape[0])
            share_of_second = np.bincount(second_bins[:, number], weights=shares, minlength=scores.shape[1])
            of_first.append((scores * share_of_second).sum(axis=1))
            of_second.append((scores * share_of_first[:, np.newaxis]).sum(axis=0))
        self._first_begins = np.cumsum([0, *map(len, of_first[:-1])])
        self._second_begins = np.cumsum([0, *map(len, of_second[:-1])])
        self._of_first, self._of_second = np.concatenate(of_first), np.concatenate(of_second)
        self.memory_bytes = self._of_first.nbytes + self._of_second.nbytes

    def of(self, rows: Rows) -> tuple[Numbers, Numbers, Numbers]:
        first_bins, second_bins = self._terms.bins_of(rows)
        return (
            self._terms.scores_at(first_bins, second_bins)[:, :, 0],
            self._of_first[self._first_begins + first_bins],
            self._of_second[self._second_begins + second_bins],
        )


class _RuntimePaths:
    """Means over the background for each row, by mixing both.

    Two features must come from different rows. Numbering the features that act in pairs, any two numbers differ in a
    bit; so for each bit one mix takes the features with that bit from the row and one takes those without it, and every
    pair is apart in one of them: 2 log2(n) mixes instead of one for each of n (n - 1) / 2 pairs.
    """

    def __init__(self, terms: Terms, background_rows: Rows, shares: Scores) -> None:
        self._terms = terms
        self._background, self._shares = background_rows, shares
        pairs = [(number, features) for number, features in enumerate(terms.features_of_terms) if len(features) > 1]
        numbers = {feature: n for n, feature in enumerate(sorted({f for _, features in pairs for f in features}))}
        self._means = (shares[:, np.newaxis] * terms.scores_of(background_rows)[:, :, 0]).sum(axis=0)
        self._mixes: list[_Mix] = []
        for bit in range(max(1, len(numbers) - 1).bit_length() if numbers else 0):
            for wanted in (0, 1):
                from_row = np.zeros(terms.n_features, dtype=np.bool_)
                from_row[[feature for feature, number in numbers.items() if (number >> bit) & 1 == wanted]] = True
                apart = [
                    (term, bool(from_row[features[0]]))
                    for term, features in pairs
                    if _lowest_difference(numbers[features[0]], numbers[features[1]]) == bit
                ]
                if apart:
                    self._mixes.append(_Mix(from_row, tuple(apart)))
        self.memory_bytes = background_rows.nbytes + shares.nbytes + self._means.nbytes

    def of(self, rows: Rows) -> tuple[Numbers, Numbers, Numbers]:
        both = self._terms.scores_of(rows)[:, :, 0]
        first, second = both.copy(), np.broadcast_to(self._means, both.shape).copy()
        for number, row in enumerate(rows):
            for mix in self._mixes:
                means = self._means_of(np.where(mix.from_row, row, self._background))
                for term, first_is_from_row in mix.apart:
                    (first if first_is_from_row else second)[number, term] = means[term]
        return both, first, second

    def _means_of(self, mixed: Rows) -> Scores:
        block = max(1, _BLOCK_NUMBERS // mixed.shape[1])
        blocks = [self._terms.scores_of(mixed[begin : begin + block])[:, :, 0] for begin in range(0, len(mixed), block)]
        return np.asarray((self._shares[:, np.newaxis] * np.concatenate(blocks)).sum(axis=0), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _Mix:
    """Which features come from the explained row, and which pairs are apart then.

    Attributes:
        from_row: Shape (n_features,).
        apart: Terms, and whether it is their first feature that comes from the row.
    """

    from_row: NDArray[np.bool_]
    apart: tuple[tuple[int, bool], ...]


def _lowest_difference(one: int, other: int) -> int:
    """Position of the lowest bit in which two numbers differ."""
    different = one ^ other
    return (different & -different).bit_length() - 1


@dataclass(frozen=True, eq=False)
class _Shares:
    """Who gets what of each term.

    Attributes:
        order: Which of the shares, first features' before second ones', in the order of their features.
        begins: Where each feature's shares begin in that order.
        features: The features that have any.
        second: The terms over two features.
        pairs: These terms and their features.
    """

    order: NDArray[np.int64]
    begins: NDArray[np.int64]
    features: NDArray[np.int64]
    second: NDArray[np.int64]
    pairs: tuple[tuple[int, tuple[int, ...]], ...]

    @classmethod
    def of(cls, features_of_terms: tuple[tuple[int, ...], ...]) -> "_Shares":
        pairs = tuple((term, features) for term, features in enumerate(features_of_terms) if len(features) > 1)
        owners = np.array([features[0] for features in features_of_terms] + [features[1] for _, features in pairs])
        order = np.argsort(owners, kind="stable")
        features, begins = np.unique(owners[order], return_index=True)
        return cls(order, begins, features, np.array([term for term, _ in pairs], dtype=np.int64), pairs)

    def add_up(self, contributions: Numbers, of_first: Numbers, of_second: Numbers) -> None:
        """Add shares, shape (n_rows, n_terms) each, to contributions, shape (n_rows, n_features)."""
        shares = np.concatenate([of_first, of_second[:, self.second]], axis=1)
        # Row by row and not as a matrix product, whose order of additions depends on the number of rows.
        contributions[:, self.features] = np.add.reduceat(shares[:, self.order], self.begins, axis=1)
