"""What a search looks for: inputs that lead to another outcome."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from explainer.explanations.model_outcome import lead_of, outcomes_looked_for, reaches_outcome
from explainer.explanations.strength import additive_threshold
from explainer.recourse.rule_boxes import possible_outcome
from models.card import ModelCard

Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Target:
    """The outcomes that are looked for; the only place that knows how outcomes follow from scores.

    Attributes:
        card: The model's card.
        outcomes: Outcome ids of which each will do: some of the card's, but not all.
    """

    card: ModelCard
    outcomes: frozenset[str]

    @classmethod
    def other_than(cls, card: ModelCard, outcome: str) -> "Target":
        """Look for what a person with one outcome does not have and may want to know about."""
        return cls(card=card, outcomes=outcomes_looked_for(card, outcome))

    def leading(self, additive: Numbers) -> Numbers:
        """Give the one number on which the outcome depends where no rule applies.

        Args:
            additive: Additive scores, shape (n_rows,), or (n_rows, n_classes) for several classes.

        Returns:
            Shape (n_rows,): the score itself; for several classes the best one of the wanted outcomes minus the best
            one of the others, which has the sign of the same difference of scores.
        """
        return additive if self.card.threshold is not None else lead_of(self.card, additive, self.outcomes)

    def short_of(self, scores: Numbers) -> Numbers:
        """Say how far scores fall short of those that lead to the outcome; 0 or less where they do not.

        Args:
            scores: What :meth:`leading` gives.

        Returns:
            The same shape, in the additive unit.
        """
        return scores - self.limit if self.wants_low else self.limit - scores

    def reached(self, rows: Numbers, scores: Numbers) -> Truths:
        """Say whether rules and model lead to the outcome.

        Args:
            rows: Raw rows, shape (n_rows, n_features).
            scores: The model's scores in the card's score unit, shape (n_rows,) or (n_rows, n_classes).

        Returns:
            Shape (n_rows,).
        """
        return reaches_outcome(self.card, rows, scores, self.outcomes)

    def reached_where(self, rows: Numbers, enough: Truths) -> Truths:
        """Say the same where it is only known whether each score is enough.

        Args:
            rows: Raw rows, shape (n_rows, n_features).
            enough: Shape (n_rows,), whether the score by itself leads to the outcome.

        Returns:
            Shape (n_rows,).
        """
        return self.reached(rows, self._scores_where(enough))

    def possible(self, lowest: Numbers, highest: Numbers, enough: Truths) -> Truths:
        """Say for boxes of rows whether the outcome may be reached somewhere in them.

        Args:
            lowest: Lowest value of each feature, shape (n_boxes, n_features).
            highest: Highest value, same shape.
            enough: Shape (n_boxes,), whether some score in the box may be enough by itself.

        Returns:
            Shape (n_boxes,); False is certain.
        """
        return possible_outcome(self.card, lowest, highest, self._scores_where(enough), self.outcomes).yes

    @cached_property
    def wants_low(self) -> bool:
        """Whether low scores lead to the outcome, else high ones."""
        return self.card.threshold is not None and self.card.outcome_at_or_above not in self.outcomes

    @cached_property
    def limit(self) -> float:
        """The score that :meth:`short_of` measures from."""
        return 0.0 if self.card.threshold is None else additive_threshold(self.card)

    def _scores_where(self, enough: Truths) -> Numbers:
        threshold = self.card.threshold
        if threshold is None:
            wanted = np.array([outcome in self.outcomes for outcome in self.card.outcome_of_class])
            return np.asarray(enough[:, np.newaxis] == wanted, dtype=np.float64)
        below = math.nextafter(threshold, -math.inf)
        return np.where(enough != self.wants_low, threshold, below)
