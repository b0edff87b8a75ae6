"""Which outcomes are possible anywhere in a box of inputs, asked of the statutory rules without trying every value.

A box gives each feature a lowest and a highest value. The bounds are calculated with the same floating-point operations
in the same order as the rules themselves; rounding never turns an order around, so the bounds hold for what the rules
really calculate (interval arithmetic: Moore, Kearfott and Cloud, Introduction to Interval Analysis, 2009, chapter 2).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explainer.explanations.model_outcome import reached_by_score, rules_in_order
from models.card import ModelCard
from models.statutory_rules import (
    AllOf,
    AnyOf,
    Comparator,
    Comparison,
    Condition,
    Expression,
    FeatureValue,
    Not,
    Product,
    Sum,
)

Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]


@dataclass(frozen=True)
class Possible:
    """What can be the case somewhere in each of several boxes.

    Attributes:
        yes: Shape (n_boxes,), whether it may hold for some row of the box; False is certain.
        no: Shape (n_boxes,), whether it may fail for some row of the box; False is certain.
    """

    yes: Truths
    no: Truths


@dataclass(frozen=True)
class _Bounds:
    lowest: Numbers
    highest: Numbers


_COMPARISONS: Mapping[Comparator, Callable[[_Bounds, _Bounds], tuple[Truths, Truths]]] = {
    "greater": lambda a, b: (a.highest > b.lowest, a.lowest <= b.highest),
    "greater_or_equal": lambda a, b: (a.highest >= b.lowest, a.lowest < b.highest),
    "less": lambda a, b: (a.lowest < b.highest, a.highest >= b.lowest),
    "less_or_equal": lambda a, b: (a.lowest <= b.highest, a.highest > b.lowest),
    "equal": lambda a, b: (
        (a.lowest <= b.highest) & (b.lowest <= a.highest),
        (a.lowest < b.highest) | (b.lowest < a.highest),
    ),
}


def possible_outcome(
    card: ModelCard, lowest: Numbers, highest: Numbers, scores: Numbers, outcomes: Collection[str]
) -> Possible:
    """Say for boxes whether one of some outcomes is reached somewhere in them, and whether all are missed somewhere.

    Args:
        card: The model's card.
        lowest: Rows with the lowest value of each feature, shape (n_boxes, n_features).
        highest: Rows with the highest ones, same shape.
        scores: The model's score, the same everywhere in a box, shape (n_boxes,) or (n_boxes, n_classes).
        outcomes: Outcome ids.

    Returns:
        Never certain of something wrong; in a box of one row always exact.
    """
    columns = {f.name: _Bounds(lowest[:, i], highest[:, i]) for i, f in enumerate(card.features)}
    yes = reached_by_score(card, scores, outcomes)
    no = ~yes
    # The first rule that fires decides, so the last one is asked first and the others overwrite it.
    with np.errstate(over="ignore", invalid="ignore"):
        for rule in reversed(rules_in_order(card)):
            fires = _condition(rule.condition, columns)
            leads_there = rule.outcome in outcomes
            yes = fires.no & yes | (fires.yes & leads_there)
            no = fires.no & no | (fires.yes & (not leads_there))
    return Possible(yes, no)


def _condition(condition: Condition, columns: Mapping[str, _Bounds]) -> Possible:
    match condition:
        case Comparison():
            return _comparison(condition, columns)
        case AllOf():
            parts = [_condition(part, columns) for part in condition.parts]
            return Possible(np.all([p.yes for p in parts], axis=0), np.any([p.no for p in parts], axis=0))
        case AnyOf():
            parts = [_condition(part, columns) for part in condition.parts]
            return Possible(np.any([p.yes for p in parts], axis=0), np.all([p.no for p in parts], axis=0))
        case Not():
            part = _condition(condition.part, columns)
            return Possible(part.no, part.yes)


def _comparison(comparison: Comparison, columns: Mapping[str, _Bounds]) -> Possible:
    left, right = _expression(comparison.left, columns), _expression(comparison.right, columns)
    yes, no = _COMPARISONS[comparison.comparator](left, right)
    # Beyond the largest number nothing can be said.
    unknown = ~np.isfinite(left.lowest + left.highest + right.lowest + right.highest)
    # Two numbers without any feature have one truth for all boxes.
    shape = next(iter(columns.values())).lowest.shape
    return Possible(np.broadcast_to(yes | unknown, shape), np.broadcast_to(no | unknown, shape))


def _expression(expression: Expression, columns: Mapping[str, _Bounds]) -> _Bounds:
    match expression:
        case FeatureValue():
            return columns[expression.name]
        case Sum():
            total = _Bounds(np.zeros(()), np.zeros(()))
            for part in expression.parts:
                more = _expression(part, columns)
                total = _Bounds(total.lowest + more.lowest, total.highest + more.highest)
            return total
        case Product():
            product = _Bounds(np.ones(()), np.ones(()))
            for part in expression.parts:
                product = _multiplied(product, _expression(part, columns))
            return product
        case _:
            number = np.array(expression, dtype=np.float64)
            return _Bounds(number, number)


def _multiplied(one: _Bounds, other: _Bounds) -> _Bounds:
    corners = [a * b for a in (one.lowest, one.highest) for b in (other.lowest, other.highest)]
    return _Bounds(
        np.minimum(np.minimum(corners[0], corners[1]), np.minimum(corners[2], corners[3])),
        np.maximum(np.maximum(corners[0], corners[1]), np.maximum(corners[2], corners[3])),
    )
