"""The interactions of one case that are worth a sentence, after they have been checked in two independent ways.

The rows of the interaction matrix must add up to the contributions that were computed and kept when the decision was
recorded, by another kernel. And all interactions of one feature must add up to what the model itself says: the second
derivative of the game's multilinear extension, integrated along the diagonal and summed over the other features, is
what the feature changes as the last to join less what it changes as the first (Owen, "Multilinear extensions of
games", Management Science 18, 1972, and the fundamental theorem of calculus):

    sum over j of I(i, j) = v(all) - v(all but i) - v(i) + v(none)
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explainer.attribution_methods.black_boxes.coalition_game import CoalitionGame
from explainer.attribution_methods.black_boxes.exact_enumeration import MAX_FEATURES
from explainer.attribution_methods.interactions.enumerated_interactions import EnumeratedInteractions
from explainer.attribution_methods.interactions.forest_interactions import (
    ForestInteractions,
    InteractionComputer,
    InteractionValues,
)
from explainer.attribution_methods.sums.term_sums import TermSums
from explainer.explanations.attribution import Attribution
from explainer.explanations.interactions import MAX_INTERACTIONS, CaseInteractions, Interaction, WhyNoInteractions
from explainer.explanations.strength import Yardstick
from models.errors import UnsupportedModelError
from models.forest import Forest
from models.scoring_model import Scores

LOG = logging.getLogger("klarbescheid.models")

CHECKED_FEATURES = 2 * MAX_INTERACTIONS
"""As many as the sentences can name; where they name fewer, those with the largest contributions are checked too, so
that "nothing worked together" is checked as well."""

SCORES_IN_A_CHECK = 4
"""The model's own sum is made of four mean scores, each of which its runtime may round."""


@dataclass(frozen=True)
class _TermInteractions:
    sums: TermSums

    def of(self, row: Scores) -> InteractionValues:
        return self.sums.interactions_of(row)


@dataclass(frozen=True, kw_only=True)
class PreparedInteractions:
    """What it takes to find the interactions of a model's cases; threads may share it.

    Attributes:
        computer: Computes them, or why nothing does.
        game: Of the model's own runtime and its background.
    """

    computer: InteractionComputer | WhyNoInteractions
    game: CoalitionGame

    @classmethod
    def of_forest(cls, forest: Forest, game: CoalitionGame) -> "PreparedInteractions":
        """Prepare a forest: tables where they fit, else the walk with each background row.

        Args:
            forest: The trees.
            game: Of the model's own runtime and its background.

        Returns:
            What computes the interactions.
        """
        try:
            return cls(computer=ForestInteractions(forest, game.background_rows, game.shares), game=game)
        except UnsupportedModelError as error:
            LOG.info("interactions by walking the trees: %s", error)
        # Here and not above, because it loads numba, which most installations never need.
        from explainer.attribution_methods.interactions.deep_interactions import DeepInteractions  # noqa: PLC0415

        return cls(computer=DeepInteractions(forest, game.background_rows, game.shares), game=game)

    @classmethod
    def of_black_box(cls, game: CoalitionGame) -> "PreparedInteractions":
        """Prepare a model that is only ever asked for scores: every coalition where that is few enough.

        Args:
            game: Of the model's own runtime and its background.

        Returns:
            What computes the interactions, or the reason why nothing does.
        """
        try:
            return cls(computer=EnumeratedInteractions(game), game=game)
        except UnsupportedModelError as error:
            LOG.info("no interactions: %s", error)
            too_many = game.n_features > MAX_FEATURES
            return cls(computer="too_many_details" if too_many else "takes_too_long", game=game)

    @classmethod
    def of_sum(cls, game: CoalitionGame) -> "PreparedInteractions":
        """Prepare a model that adds up one part per feature: no two of them do anything together."""
        return cls(computer="details_add_up", game=game)

    @classmethod
    def of_terms(cls, sums: TermSums, game: CoalitionGame) -> "PreparedInteractions":
        """Prepare a model that adds up terms over one or two features: the terms over two are what they do together."""
        return cls(computer=_TermInteractions(sums), game=game)

    def noticeable(
        self, row: Scores, attribution: Attribution, yardstick: Yardstick, feature_names: Sequence[str]
    ) -> CaseInteractions:
        """Find the interactions of one case that are worth a sentence.

        Args:
            row: Raw row, shape (n_features,).
            attribution: The contributions of this case, as they were computed for its explanation.
            yardstick: Says how strong a number is.
            feature_names: In card order.

        Returns:
            The strongest, or why there are none. Numbers that do not pass their check are not shown.
        """
        if isinstance(self.computer, str):
            return CaseInteractions(none_because=self.computer)
        found = self.computer.of(row)
        if not add_up_to_contributions(found, attribution):
            return _not_confirmed("their rows miss the contributions")
        ones, others = np.triu_indices(len(found.contributions), k=1)
        order = np.argsort(-np.abs(found.pairs[ones, others]), kind="stable")[:MAX_INTERACTIONS]
        strongest = [
            (int(one), int(other), float(found.pairs[one, other]))
            for one, other in zip(ones[order], others[order], strict=True)
        ]
        noticeable = [pair for pair in strongest if yardstick.strength_of(pair[2]) != "negligible"]
        told = [feature for one, other, _ in noticeable for feature in (one, other)]
        weighty = np.argsort(-np.abs(found.contributions), kind="stable")
        checked = list(dict.fromkeys([*told, *map(int, weighty)]))[:CHECKED_FEATURES]
        if not agree_with_model(found, self.game, row, checked, tolerance=SCORES_IN_A_CHECK * attribution.tolerance):
            return _not_confirmed("the model's own scores say otherwise")
        if not noticeable:
            return CaseInteractions(none_because="none_noticeable")
        return CaseInteractions(
            noticeable=tuple(
                Interaction(
                    features=(feature_names[one], feature_names[other]),
                    value=value,
                    strength=yardstick.strength_of(value),
                )
                for one, other, value in noticeable
            )
        )


def add_up_to_contributions(found: InteractionValues, attribution: Attribution) -> bool:
    """Whether each row of the matrix is the contribution that was computed for the explanation.

    Args:
        found: Of the same case.
        attribution: Its contributions.

    Returns:
        True if all of them are within the attribution's own tolerance.
    """
    gaps = np.abs(found.matrix.sum(axis=1) - np.array(attribution.contributions))
    return bool((gaps <= attribution.tolerance).all())  # not true of a gap that is no number


def agree_with_model(
    found: InteractionValues, game: CoalitionGame, row: Scores, features: Sequence[int], *, tolerance: float
) -> bool:
    """Whether the interactions of some features add up to what the model's own scores say.

    Args:
        found: Of this row.
        game: Of the model's own runtime and its background.
        row: Raw row, shape (n_features,).
        features: Positions of the features.
        tolerance: Largest gap allowed, additive unit.

    Returns:
        True if all of them are within the tolerance.
    """
    alone = np.eye(game.n_features, dtype=np.bool_)[list(features)]
    everybody = np.ones((1, game.n_features), dtype=np.bool_)
    worth = game.worth(row, np.concatenate([everybody, alone, ~alone]))
    with_all, first, without = worth[0], worth[1 : 1 + len(alone)], worth[1 + len(alone) :]
    gaps = np.abs(found.pairs.sum(axis=1)[list(features)] - (with_all - without - first + game.expected_value))
    return bool((gaps <= tolerance).all())


def _not_confirmed(why: str) -> CaseInteractions:
    LOG.warning("interactions of a case are not shown, because %s", why)
    return CaseInteractions(none_because="not_confirmed")
