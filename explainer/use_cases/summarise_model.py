"""Summarise how a model treats its features in general; once per model version, when its entry is published.

Nothing here is about one person: contributions are averaged over the whole background, whose rows stand for at least
ten people each, and a partial dependence is a mean over all of it at round values.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from explainer.attribution_methods.black_boxes.coalition_game import CoalitionGame, score_function
from explainer.attribution_methods.black_boxes.exact_enumeration import ExactEnumeration
from explainer.attribution_methods.black_boxes.sampled_permutation import SampledPermutation
from explainer.attribution_methods.global_views import (
    GlobalEffect,
    background_grid,
    global_effects,
    partial_dependence,
)
from explainer.attribution_methods.method_choice import MethodName
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


def overview_of(model: ExplainedModel) -> Overview:
    """Summarise a model.

    Args:
        model: The model, ready to explain.

    Returns:
        The overview; without features for a model that is only ever asked for scores, which would have to be asked
        millions of times.
    """
    card = model.package.card
    asked = isinstance(model.computer, ExactEnumeration | SampledPermutation)
    chosen = _rows_looked_at(model)
    return Overview(
        method=OVERVIEW_METHOD,
        rows=0 if asked else len(chosen),
        additive_unit=card.additive_unit_name,
        score_unit=card.score.unit_name,
        features=() if asked else _features(model, _effects(model, chosen)),
        none_because="takes_too_long" if asked else None,
    )


def _effects(model: ExplainedModel, chosen: NDArray[np.int64]) -> tuple[GlobalEffect, ...]:
    """What each feature does; of several classes the mean importance, and no direction."""
    background, features = model.package.background, model.package.card.features
    several = len(model.methods) > 1
    has_order = [feature.kind != "category" and not several for feature in features]
    of_classes = [
        global_effects(prepared.computer, background.rows[chosen], background.weights[chosen], has_order=has_order)
        for prepared in model.methods
    ]
    return tuple(
        replace(effects[0], importance=float(np.mean([effect.importance for effect in effects])))
        for effects in zip(*of_classes, strict=True)
    )


def _features(model: ExplainedModel, effects: Sequence[GlobalEffect]) -> tuple[FeatureOverview, ...]:
    """All features with their numbers, strongest first."""
    features = model.package.card.features
    whole = sum(effect.importance for effect in effects)
    order = sorted(range(len(features)), key=lambda position: -round(effects[position].importance, DIGITS))
    drawn = [] if len(model.methods) > 1 else order[:SHOWN_FEATURES]
    said = []
    for position in order:
        effect, strength = effects[position], _strength(model, effects[position])
        shown = position in drawn and strength != "negligible"
        said.append(
            FeatureOverview(
                feature=features[position].name,
                importance=round(effect.importance, DIGITS),
                share=round(effect.importance / whole, DIGITS) if whole else 0.0,
                strength=strength,
                direction=effect.direction,
                mean_scores=_mean_scores(model, position) if shown else (),
            )
        )
    return tuple(said)


def _rows_looked_at(model: ExplainedModel) -> NDArray[np.int64]:
    n_rows = len(model.package.background.rows)
    deep = model.method_choice.name is MethodName.DEEP_FOREST
    return np.unique(np.linspace(0, n_rows - 1, min(n_rows, ROWS_OF_DEEP_FORESTS if deep else n_rows)).astype(np.int64))


def _strength(model: ExplainedModel, effect: GlobalEffect) -> StrengthClass:
    # No single case is meant, so there is no threshold that an influence could tip over.
    yardstick = Yardstick(
        spread=float(np.mean(model.spreads)),
        distance_to_threshold=math.inf,
        cutoffs=model.package.card.strength_cutoffs or DEFAULT_CUTOFFS,
    )
    return yardstick.strength_of(effect.importance)


def _mean_scores(model: ExplainedModel, position: int) -> tuple[MeanScore, ...]:
    feature, background = model.package.card.features[position], model.package.background
    game = CoalitionGame(score_function(model.package.model, "score"), background.rows, background.weights)
    column = background.rows[:, position]
    values = round_values(feature, column, game.shares)
    if background.has_missing[position]:
        values = np.append(values, np.nan)  # what the model makes of a missing value, behind all others
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
