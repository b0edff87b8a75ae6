"""Exact pairwise Shapley interaction values of any model with few features, by asking it about every coalition.

The definition and its source are those of ``interactions.py``. A case costs 2^n * m scores for n features and a
background of m rows, as the contributions do in ``exact_enumeration.py``.
"""

from math import factorial

import numpy as np

from explainer.attribution_methods.black_boxes.coalition_game import CoalitionGame
from explainer.attribution_methods.black_boxes.exact_enumeration import MAX_FEATURES, all_coalitions, shapley_values
from explainer.attribution_methods.interactions.forest_interactions import InteractionValues, Numbers
from models.errors import UnsupportedModelError
from models.scoring_model import Scores

MAX_SCORES_OF_CASE = 2**22
"""A caseworker waits for the answer: 12 features and 1,024 background rows are the most."""


class EnumeratedInteractions:
    """Computes exact interaction values of any model; nothing changes after it is built, so threads may share it.

    Args:
        game: Of the model and its background.

    Raises:
        UnsupportedModelError: If one case would ask the model too often.
    """

    def __init__(self, game: CoalitionGame) -> None:
        if game.n_features > MAX_FEATURES or game.n_rows << game.n_features > MAX_SCORES_OF_CASE:
            raise UnsupportedModelError(
                f"Interactions of {game.n_features} features would take 2^{game.n_features} times {game.n_rows} scores "
                f"for one case; at most {MAX_SCORES_OF_CASE:,} are asked for."
            )
        self._game = game
        self._coalitions = all_coalitions(game.n_features)

    def of(self, row: Scores) -> InteractionValues:
        """Compute the interactions of one case; see ``InteractionComputer.of``."""
        worth = self._game.worth(row, self._coalitions)
        return InteractionValues(pairs=interactions_of_game(worth), contributions=shapley_values(worth))


def interactions_of_game(worth: Scores) -> Numbers:
    """Interaction values of a game by their definition (Grabisch and Roubens 1999, see ``interactions.py``).

    Args:
        worth: What each coalition is worth, shape (2^n,); bit i of a position says whether player i is in.

    Returns:
        Shape (n, n), symmetric, diagonal 0.
    """
    n_players = len(worth).bit_length() - 1
    share_of_size = np.array(
        [factorial(size) * factorial(n_players - size - 2) / factorial(n_players - 1) for size in range(n_players - 1)]
    )
    sizes = np.bitwise_count(np.arange(len(worth)))
    pairs = np.zeros((n_players, n_players))
    for other in range(n_players):
        for one in range(other):
            # Axes 1 and 3 say whether the other and the one player are in.
            apart = (-1, 2, 1 << (other - one - 1), 2, 1 << one)
            game, size = worth.reshape(apart), sizes.reshape(apart)[:, 0, :, 0]
            together = game[:, 1, :, 1] - game[:, 1, :, 0] - game[:, 0, :, 1] + game[:, 0, :, 0]
            pairs[one, other] = pairs[other, one] = (share_of_size[size] * together).sum()
    return pairs
