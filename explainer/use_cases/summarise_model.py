"""Summarise how a model treats its features in general; once per model version, when its entry is published.

Nothing here is about one person: contributions are averaged over the whole background, whose rows stand for at least
ten people each, and a partial dependence is a mean over all of it at round values.
"""

import math

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.coalition_game import CoalitionGame, score_function
from explainer.attribution_methods.exact_enumeration import ExactEnumeration
from explainer.attribution_methods.global_views import (
    GlobalEffect,
    background_grid,
    global_effects,
    partial_dependence,
)
from explainer.attribution_methods.method_choice import MethodName
from explainer.attribution_methods.sampled_permutation import SampledPermutation
from explainer.explanations.strength import DEFAULT_CUTOFFS, StrengthClass, Yardstick
from explainer.register.overview import DIGITS, OVERVIEW_METHOD, FeatureOverview, MeanScore, Overview
from explainer.use_cases.explained_model import ExplainedModel
from models.features import Feature, from_row
from models.scoring_model import Scores

SHOWN_FEATURES = 3
"""So many features get a partial dependence; more curves are not read."""

MOST_VALUES = 7
"""Values looked at of one feature."""

ROWS_OF_DEEP_FORESTS = 200
"""A row of a deep forest takes milliseconds; a start must not wait for thousands of them."""


def overview_of(model: ExplainedModel) -> Overview | None:
    """Summarise a model.

    Args:
        model: The model, ready to explain.

    Returns:
        The overview; None for a model that is only ever asked for scores, which would have to be asked millions of
        times, and for several classes, which have no one number.
    """
    if isinstance(model.computer, ExactEnumeration | SampledPermutation) or model.package.n_scores > 1:
        return None
    background, features = model.package.background, model.package.card.features
    chosen = _rows_looked_at(model)
    effects = global_effects(
        model.computer,
        background.rows[chosen],
        background.weights[chosen],
        has_order=[feature.kind != "category" for feature in features],
    )
    whole = sum(effect.importance for effect in effects)
    game = CoalitionGame(score_function(model.package.model, "score"), background.rows, background.weights)
    order = sorted(range(len(features)), key=lambda position: -round(effects[position].importance, DIGITS))
    said = []
    for place, position in enumerate(order):
        effect = effects[position]
        shown = place < SHOWN_FEATURES and _strength(model, effect) != "negligible"
        said.append(
            FeatureOverview(
                feature=features[position].name,
                importance=round(effect.importance, DIGITS),
                share=round(effect.importance / whole, DIGITS) if whole else 0.0,
                strength=_strength(model, effect),
                direction=effect.direction,
                mean_scores=_mean_scores(model, game, position) if shown else (),
            )
        )
    return Overview(
        method=OVERVIEW_METHOD,
        rows=len(chosen),
        additive_unit=model.package.card.additive_unit_name,
        score_unit=model.package.card.score.unit_name,
        features=tuple(said),
    )


def _rows_looked_at(model: ExplainedModel) -> NDArray[np.int64]:
    n_rows = len(model.package.background.rows)
    deep = model.method_choice.name is MethodName.DEEP_FOREST
    return np.unique(np.linspace(0, n_rows - 1, min(n_rows, ROWS_OF_DEEP_FORESTS if deep else n_rows)).astype(np.int64))


def _strength(model: ExplainedModel, effect: GlobalEffect) -> StrengthClass:
    # No single case is meant, so there is no threshold that an influence could tip over.
    yardstick = Yardstick(
        spread=model.spread,
        distance_to_threshold=math.inf,
        cutoffs=model.package.card.strength_cutoffs or DEFAULT_CUTOFFS,
    )
    return yardstick.strength_of(effect.importance)


def _mean_scores(model: ExplainedModel, game: CoalitionGame, position: int) -> tuple[MeanScore, ...]:
    feature = model.package.card.features[position]
    values = round_values(feature, model.package.background.rows[:, position], game.shares)
    found = partial_dependence(game, position, values)
    return tuple(
        MeanScore(value=from_row((feature,), np.array([value]))[feature.name], score=round(float(score), DIGITS))
        for value, score in zip(found.values, found.mean_scores, strict=True)
    )


def round_values(feature: Feature, values: Scores, shares: Scores) -> Scores:
    """Choose values of a feature to look at: those the background has, rounded as people would say them.

    Args:
        feature: From the card.
        values: The feature in the background, shape (m,).
        shares: Shape (m,), positive.

    Returns:
        Ascending, without repetition, at most seven, inside the range that the card allows; of categories the most
        frequent ones.
    """
    if feature.kind in ("category", "boolean"):
        return _most_frequent(values, shares)
    grid = background_grid(values, shares, most=MOST_VALUES)
    if not len(grid):
        return grid
    finest = 1.0 if feature.kind == "integer" else 10.0**-feature.decimals
    typical = np.ptp(grid) / MOST_VALUES
    step = max(finest, 10.0 ** math.floor(math.log10(typical))) if typical > 0 else finest
    lowest = -np.inf if feature.minimum is None else feature.minimum
    highest = np.inf if feature.maximum is None else feature.maximum
    rounded = np.round(np.round(grid / step) * step, DIGITS) + 0.0  # no minus before nought
    return np.unique(np.clip(rounded, lowest, highest))


def _most_frequent(values: Scores, shares: Scores) -> Scores:
    present = ~np.isnan(values)
    known, place = np.unique(np.round(values[present]), return_inverse=True)
    frequency = np.bincount(place, weights=shares[present], minlength=len(known))
    return np.sort(known[np.argsort(-frequency, kind="stable")[:MOST_VALUES]])
