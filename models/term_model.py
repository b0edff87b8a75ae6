"""Models whose additive score is a sum of terms over one or two raw features each, as explainable boosting machines.

Where the terms stand is another matter: in tables (:mod:`models.term_tables`) or in an ONNX graph
(:mod:`models.onnx_terms`). Nori, Jenkins, Koch and Caruana, "InterpretML: A unified framework for machine learning
interpretability" (2019), describe the machines.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from models.errors import MalformedPackageError, UnsupportedModelError
from models.links import Link, apply_link, link_of_one_output
from models.scoring_model import Rows, Scores

MAX_FEATURES_PER_TERM = 2

_CHECKED_ROWS = 200


class Terms(Protocol):
    """Terms that can be computed for any row; each row by itself."""

    @property
    def n_features(self) -> int:
        """Number of columns of a raw row."""
        ...

    @property
    def n_outputs(self) -> int:
        """Additive scores per row."""
        ...

    @property
    def features_of_terms(self) -> tuple[tuple[int, ...], ...]:
        """For each term the one or two raw features it depends on, and no other."""
        ...

    def for_output(self, output: int) -> Self:
        """Give the terms of one of several outputs."""
        ...

    def scores_of(self, rows: Rows) -> NDArray[np.float64]:
        """Compute every term.

        Args:
            rows: Raw rows, shape (n_rows, n_features); NaN means missing.

        Returns:
            Shape (n_rows, n_terms, n_outputs), additive unit.

        Raises:
            ModelFeaturesMismatchError: If the rows do not fit, or a term says nothing about a value.
        """
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class TermModel:
    """A sum of terms over one or two raw features each.

    Attributes:
        intercepts: Shape (n_outputs,): added for every row, in the additive unit.
        terms: The terms.
        link: How the score follows from the additive score.
    """

    intercepts: NDArray[np.float64]
    terms: Terms
    link: Link = "logistic"

    def __post_init__(self) -> None:
        if self.intercepts.shape != (self.terms.n_outputs,) or not np.isfinite(self.intercepts).all():
            raise MalformedPackageError("A sum of terms needs one number as intercept for each output.")
        for features in self.terms.features_of_terms:
            if not 1 <= len(set(features)) == len(features) <= MAX_FEATURES_PER_TERM:
                raise UnsupportedModelError(f"A term over the features {features} is not read; one or two can be.")
            if min(features) < 0 or max(features) >= self.n_features:
                raise MalformedPackageError("A term reads a feature that the model does not have.")
        self.intercepts.flags.writeable = False

    @property
    def n_features(self) -> int:
        """Number of columns of a raw row."""
        return self.terms.n_features

    @property
    def n_outputs(self) -> int:
        """Additive scores per row: 1, or one per class or target."""
        return self.terms.n_outputs

    def for_output(self, output: int) -> "TermModel":
        """Give the model of one of several outputs, as if it were the only one.

        Args:
            output: Position of the class or target.

        Returns:
            A model with one additive score. A link over all outputs cannot be computed from one of them alone, so it
            becomes ``identity``.

        Raises:
            ModelFeaturesMismatchError: If there is no such output.
        """
        link = link_of_one_output(self.link, output, self.n_outputs)
        if self.n_outputs == 1:
            return self
        return replace(
            self,
            intercepts=self.intercepts[output : output + 1],
            terms=self.terms.for_output(output),
            link=link,
        )

    def additive_score(self, rows: Rows) -> Scores:
        """Add up the terms; shape (n_rows,), or (n_rows, n_outputs) if there are several outputs."""
        additive: Scores = self.intercepts + self.terms.scores_of(rows).sum(axis=1)
        return additive[:, 0] if self.n_outputs == 1 else additive

    def score(self, rows: Rows) -> Scores:
        """Score rows; shape as :meth:`additive_score`."""
        return apply_link(self.link, self.additive_score(rows))


def check_terms(terms: Terms, rows: Rows, feature_names: Sequence[str]) -> None:
    """Hold against real rows that each term depends on its own features alone.

    Args:
        terms: The terms.
        rows: Raw rows, shape (n_rows, n_features); the first 200 are used.
        feature_names: How the error sentence calls the features.

    Raises:
        UnsupportedModelError: If a term changes with another feature or with the neighbouring rows.
    """
    rows = rows[:_CHECKED_ROWS]
    scores = terms.scores_of(rows)
    alone = [terms.scores_of(row[np.newaxis])[0] for row in rows[:10]]
    if not all(np.array_equal(one, together) for one, together in zip(alone, scores, strict=False)):
        raise UnsupportedModelError("What the model computes for one case depends on the other cases beside it.")
    for feature, name in enumerate(feature_names):
        changed = rows.copy()
        changed[:, feature] = np.roll(changed[:, feature], 1)
        moved = np.any(terms.scores_of(changed) != scores, axis=(0, 2))
        for term in np.flatnonzero(moved):
            owners = terms.features_of_terms[term]
            if feature not in owners:
                known = " and ".join(f"'{feature_names[owner]}'" for owner in owners)
                raise UnsupportedModelError(f"A term that should depend on {known} alone also changes with '{name}'.")
