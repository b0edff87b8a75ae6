"""Attribution methods that are wrong on purpose, each with exactly the checks that notice it.

A check that no twin fails proves nothing, and a twin that no check notices is a mistake somebody could ship. Most of
these mistakes were made by somebody: in a well-known library, or here while the methods were written.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from explainer.attribution_methods.black_boxes.exact_enumeration import shapley_values
from explainer.attribution_methods.forests.exact_forest import METHOD, ExactForest
from models.forest import Forest
from models.tree import Tree
from tests.conformance import checks_attribution as checks
from tests.conformance.checks_attribution import Maker, Numbers

Check = Callable[[Maker], None]


class Broken:
    """An exact method whose result is spoilt; subclasses say how. This one is not spoilt at all."""

    method = METHOD

    def __init__(self, forest: Forest, background: Numbers, weights: Numbers) -> None:
        self.exact = ExactForest(forest, background, weights)
        self.expected_value = self.exact.expected_value
        self.leaf_scale = self.exact.leaf_scale
        self.memory_bytes = self.exact.memory_bytes

    def contributions_of(self, rows: Numbers) -> Numbers:
        return self.spoil(self.exact.contributions_of(rows))

    def spoil(self, contributions: Numbers) -> Numbers:
        return contributions


class SwapsTwoFeatures(Broken):
    """Still adds up."""

    def spoil(self, contributions: Numbers) -> Numbers:
        order = np.arange(contributions.shape[1])
        order[[0, -1]] = order[[-1, 0]]
        return contributions[:, order]


class SharesEqually(Broken):
    """Still adds up."""

    def spoil(self, contributions: Numbers) -> Numbers:
        return np.repeat(contributions.mean(axis=1, keepdims=True), contributions.shape[1], axis=1)


class FlipsTheSign(Broken):
    """What one explainer does with random forests of scikit-learn: it explains the other class."""

    def spoil(self, contributions: Numbers) -> Numbers:
        return -contributions


class IsOffByAThousandth(Broken):
    def spoil(self, contributions: Numbers) -> Numbers:
        contributions[:, 0] += 1e-3
        return contributions


class ForgetsWeights(Broken):
    def __init__(self, forest: Forest, background: Numbers, weights: Numbers) -> None:
        super().__init__(forest, background, np.ones_like(weights))


class ForgetsToDivideByTheSumOfWeights(Broken):
    """Assumes that the mean weight is one."""

    def __init__(self, forest: Forest, background: Numbers, weights: Numbers) -> None:
        super().__init__(forest, background, weights)
        self.scale = float(weights.mean())
        self.expected_value *= self.scale

    def spoil(self, contributions: Numbers) -> Numbers:
        return contributions * self.scale


class KeepsEqualRowsOnce(Broken):
    """Saves time and loses how often a row occurs."""

    def __init__(self, forest: Forest, background: Numbers, weights: Numbers) -> None:
        kept = np.sort(np.unique(background, axis=0, return_index=True, equal_nan=True)[1])
        super().__init__(forest, background[kept], weights[kept])


class UsesAHundredRows(Broken):
    """What a well-known explainer does silently when nobody asks it for more."""

    def __init__(self, forest: Forest, background: Numbers, weights: Numbers) -> None:
        super().__init__(forest, background[:100], weights[:100])


class DropsATree(Broken):
    def __init__(self, forest: Forest, background: Numbers, weights: Numbers) -> None:
        super().__init__(replace(forest, trees=forest.trees[:-1]), background, weights)


class TakesBelowForUpTo(Broken):
    """Reads ``<=`` as ``<``: every threshold is one 32-bit number too low."""

    def __init__(self, forest: Forest, background: Numbers, weights: Numbers) -> None:
        super().__init__(with_trees(forest, _lowered), background, weights)


class SendsMissingValuesRight(Broken):
    """As a comparison does that nobody thought about."""

    def __init__(self, forest: Forest, background: Numbers, weights: Numbers) -> None:
        super().__init__(with_trees(forest, _missing_right), background, weights)


class SumsColumns(Broken):
    """Takes every encoded column for a player and adds up: usual, and not exact for trees."""

    def __init__(self, forest: Forest, background: Numbers, weights: Numbers) -> None:
        self.whole = forest
        apart = Forest(base_value=forest.base_value, trees=forest.trees, n_features=forest.n_columns)
        super().__init__(apart, self.columns_of(background), weights)

    def columns_of(self, rows: Numbers) -> Numbers:
        # As the trees compare them; what does not fit into 32 bits does not occur here.
        return self.whole.encode(rows).astype(np.float64)

    def contributions_of(self, rows: Numbers) -> Numbers:
        found = self.exact.contributions_of(self.columns_of(rows))
        return np.stack([found[:, columns].sum(axis=1) for columns in self.whole.columns_of_feature], axis=1)


class FollowsPaths(Broken):
    """Another game: an absent feature follows a node's branches by their share of the background at that node."""

    def __init__(self, forest: Forest, background: Numbers, weights: Numbers) -> None:
        super().__init__(forest, background, weights)
        self.forest = forest
        columns = forest.encode(background)
        shares = weights / weights.sum()
        self.covers = [_covers(tree, columns, shares) for tree in forest.trees]

    def contributions_of(self, rows: Numbers) -> Numbers:
        n_features = self.forest.n_features
        found = np.zeros((len(rows), n_features))
        for number, row in enumerate(self.forest.encode(rows)):
            worth = [
                sum(
                    self._worth(tree, cover, row, coalition)
                    for tree, cover in zip(self.forest.trees, self.covers, strict=True)
                )
                for coalition in range(1 << n_features)
            ]
            found[number] = shapley_values(np.array(worth))
        return found

    def _worth(self, tree: Tree, cover: Numbers, row: Numbers, coalition: int, node: int = 0) -> float:
        if tree.left[node] < 0:
            return float(tree.value[node])
        left, right = int(tree.left[node]), int(tree.right[node])
        if coalition >> int(self.forest.feature_of_column[tree.feature[node]]) & 1:
            return self._worth(tree, cover, row, coalition, left if _goes_left(tree, node, row) else right)
        # Where no row of the background comes by, both branches count alike.
        share = cover[left] / cover[node] if cover[node] > 0 else 0.5
        return sum(
            part * self._worth(tree, cover, row, coalition, child)
            for child, part in ((left, share), (right, 1 - share))
            if part > 0
        )


class Wavers(Broken):
    """Its last bits depend on how often it was asked."""

    calls = 0

    def spoil(self, contributions: Numbers) -> Numbers:
        self.calls += 1
        return contributions + self.calls * 1e-12


class LooksAtItsNeighbours(Broken):
    def spoil(self, contributions: Numbers) -> Numbers:
        return contributions + contributions[:1] * 1e-12


class WritesIntoItsInput(Broken):
    def contributions_of(self, rows: Numbers) -> Numbers:
        contributions = super().contributions_of(rows)
        rows[:, 0] = 0
        return contributions


class WritesIntoTheBackground(Broken):
    def __init__(self, forest: Forest, background: Numbers, weights: Numbers) -> None:
        super().__init__(forest, background, weights)
        weights /= weights.sum()


class KeepsTheCaseInItself(Broken):
    """Right as long as one asks at a time; a service that did this gave people the explanations of others."""

    def contributions_of(self, rows: Numbers) -> Numbers:
        self.rows = rows
        time.sleep(0.001)  # as if it computed; here other threads come in
        return self.exact.contributions_of(self.rows)


@dataclass(frozen=True, kw_only=True)
class Twin:
    """A broken method and the checks that notice it, all of them."""

    broken: type[Broken]
    noticed_by: frozenset[Check]


def _twin(broken: type[Broken], *noticed_by: Check) -> Twin:
    return Twin(broken=broken, noticed_by=frozenset(noticed_by))


def with_trees(forest: Forest, change: Callable[[Tree], Tree]) -> Forest:
    """Change every tree of a forest."""
    return replace(forest, trees=tuple(change(tree) for tree in forest.trees))


def _lowered(tree: Tree) -> Tree:
    return replace(tree, threshold=np.nextafter(tree.threshold, np.float32(-np.inf)))


def _missing_right(tree: Tree) -> Tree:
    return replace(tree, missing_left=np.zeros_like(tree.missing_left))


def _goes_left(tree: Tree, node: int, row: Numbers) -> bool:
    value = row[tree.feature[node]]
    return bool(tree.missing_left[node] if np.isnan(value) else value <= tree.threshold[node])


def _covers(tree: Tree, columns: Numbers, shares: Numbers) -> Numbers:
    """Share of the background that comes by each node."""
    found = np.zeros(len(tree.left))
    for row, share in zip(columns, shares, strict=True):
        node = 0
        while True:
            found[node] += share
            if tree.left[node] < 0:
                break
            node = int(tree.left[node] if _goes_left(tree, node, row) else tree.right[node])
    return found


COMPARISONS = (
    checks.check_agrees_with_brute_force,
    checks.check_values_on_thresholds,
    checks.check_missing_values,
    checks.check_columns_of_one_feature_are_one_player,
)
"""Checks that compare with all coalitions, each in another situation."""

TWINS: tuple[Twin, ...] = (
    _twin(SwapsTwoFeatures, *COMPARISONS, checks.check_ignored_feature, checks.check_symmetry),
    _twin(SharesEqually, *COMPARISONS, checks.check_ignored_feature),
    _twin(FlipsTheSign, *COMPARISONS, checks.check_additivity, checks.check_efficiency),
    _twin(IsOffByAThousandth, *COMPARISONS, checks.check_additivity, checks.check_efficiency, checks.check_symmetry),
    _twin(
        ForgetsWeights,
        *COMPARISONS,
        checks.check_efficiency,
        checks.check_expected_value,
        checks.check_weight_is_worth_copies,
    ),
    _twin(
        ForgetsToDivideByTheSumOfWeights,
        *COMPARISONS,
        checks.check_additivity,
        checks.check_efficiency,
        checks.check_expected_value,
        checks.check_only_proportions_of_weights_count,
        checks.check_weight_is_worth_copies,
    ),
    _twin(
        KeepsEqualRowsOnce,
        checks.check_weight_is_worth_copies,
        # Of cases with three features some are equal.
        checks.check_columns_of_one_feature_are_one_player,
    ),
    _twin(UsesAHundredRows, checks.check_agrees_with_brute_force, checks.check_expected_value),
    _twin(DropsATree, *COMPARISONS, checks.check_additivity, checks.check_efficiency, checks.check_expected_value),
    _twin(
        TakesBelowForUpTo, *COMPARISONS, checks.check_additivity, checks.check_efficiency, checks.check_expected_value
    ),
    _twin(
        SendsMissingValuesRight,
        checks.check_agrees_with_brute_force,
        checks.check_missing_values,
        checks.check_columns_of_one_feature_are_one_player,
        checks.check_additivity,
    ),
    _twin(SumsColumns, checks.check_columns_of_one_feature_are_one_player),
    _twin(FollowsPaths, *COMPARISONS, checks.check_symmetry),
    _twin(
        Wavers,
        checks.check_deterministic,
        checks.check_ignored_feature,
        checks.check_row_order_irrelevant,
        checks.check_threads_do_not_disturb_each_other,
    ),
    _twin(LooksAtItsNeighbours, checks.check_row_order_irrelevant),
    _twin(
        WritesIntoItsInput,
        *COMPARISONS,
        checks.check_additivity,
        checks.check_deterministic,
        checks.check_input_not_mutated,
        checks.check_only_proportions_of_weights_count,
        checks.check_row_order_irrelevant,
        checks.check_threads_do_not_disturb_each_other,
        checks.check_weight_is_worth_copies,
    ),
    _twin(WritesIntoTheBackground, checks.check_input_not_mutated),
    _twin(KeepsTheCaseInItself, checks.check_threads_do_not_disturb_each_other),
)
"""Every twin; a check of the table that stops noticing its twin, or another one that begins to, is looked at."""
