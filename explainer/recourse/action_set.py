"""Which values of which features may be tried for one person: what people can change, and what they may dispute."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.features import FLOAT32_MAX, Feature
from models.forest import Forest
from models.package import ModelPackage

MAX_VALUES = 20_000
"""Values tried per feature; on a finer grid only round values and those next to a split of the model are tried."""

NORMAL_CONSISTENCY = 1.4826
"""Makes the median absolute deviation of normally distributed values equal to their standard deviation."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """What the search needs to know about a model and never changes.

    Attributes:
        splits: For each feature all values at which the model's score may jump, ascending, float32; the score is
            constant between them. None where preprocessing stands before the trees or the model is no forest.
        spreads: For each feature how much it typically differs between people, in its own unit.
        lowest: Lowest value of each feature that anybody in the background has.
        highest: Highest value of each feature that anybody in the background has.
        read_by_model: Positions of the features that the model reads.
        read_by_rules: Positions of the features that a statutory rule reads.
    """

    splits: tuple[NDArray[np.float32] | None, ...]
    spreads: tuple[float, ...]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]
    read_by_model: frozenset[int]
    read_by_rules: frozenset[int]

    @classmethod
    def of(cls, package: ModelPackage) -> "SearchSpace":
        """Prepare the search for a verified package."""
        rows, weights = package.background.rows, package.background.weights
        names = package.card.feature_names
        columns = range(rows.shape[1])
        return cls(
            splits=tuple(_splits_of(package, c) for c in columns),
            spreads=tuple(typical_spread(rows[:, c], weights) for c in columns),
            lowest=tuple(float(rows[:, c].min()) for c in columns),
            highest=tuple(float(rows[:, c].max()) for c in columns),
            read_by_model=_read_by_model(package),
            read_by_rules=frozenset(names.index(name) for rule in package.card.rules for name in rule.feature_names),
        )

    def interval_of(self, position: int, values: Numbers) -> NDArray[np.int64]:
        """Number the intervals between splits in which values of one feature lie, compared as the model compares."""
        splits = self.splits[position]
        numbers = values.astype(np.float32)
        if splits is None:
            # Nobody knows where the score can jump, so every value is an interval of its own.
            return np.unique(numbers, return_inverse=True)[1]
        return np.searchsorted(splits, numbers, side="left")


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Values of one feature that are worth trying for one person.

    Attributes:
        position: Position of the feature.
        values: Other values than the person's own, ascending, as the model reads them.
        step: Distance between values that people use; 0 for categories.
        complete: Whether every other value that people use would have the outcome of one of these. It says nothing
            about values between the steps; those are for :mod:`explainer.recourse.proof`.
    """

    position: int
    values: Numbers
    step: float
    complete: bool


@dataclass(frozen=True, kw_only=True)
class AllowedRange:
    """Every value to which one person may change one feature.

    Attributes:
        position: Position of the feature.
        low: Lowest value.
        high: Highest value.
        whole: Whether only whole numbers are values.
    """

    position: int
    low: float
    high: float
    whole: bool


def allowed_ranges(package: ModelPackage, space: SearchSpace, row: Numbers) -> tuple[AllowedRange, ...]:
    """List what this person could change and how far: direction and bounds of the card, whatever the step.

    Args:
        package: The verified package.
        space: Of the same package.
        row: Raw row of the person, shape (n_features,).

    Returns:
        One entry per feature that has another value; features that nothing reads are left out.
    """
    found = []
    for position, feature in _features_that_matter(package, space):
        allowed = feature.actionable
        if allowed is None or feature.protected:
            continue
        own, whole = float(row[position]), feature.kind == "integer"
        low = max(allowed.minimum, own if allowed.direction == "up" else -FLOAT32_MAX, -FLOAT32_MAX)
        high = min(allowed.maximum, own if allowed.direction == "down" else FLOAT32_MAX, FLOAT32_MAX)
        if whole:
            low, high = float(np.ceil(low)), float(np.floor(high))
        if low < high or low == high != own:
            found.append(AllowedRange(position=position, low=low, high=high, whole=whole))
    return tuple(found)


def actions(
    package: ModelPackage, space: SearchSpace, row: Numbers, *, beyond_background: bool = False
) -> tuple[Candidates, ...]:
    """List the values worth showing to this person: within the allowed ranges, on the card's step.

    Args:
        package: The verified package.
        space: Of the same package.
        row: Raw row of the person, shape (n_features,).
        beyond_background: Whether values that nobody in the background has are listed, too.

    Returns:
        One entry per feature that has at least one value to try; features that nothing reads are left out.
    """
    found = []
    for allowed in allowed_ranges(package, space, row):
        position, limits = allowed.position, (allowed.low, allowed.high)
        if not beyond_background:
            limits = _within_background(space, position, limits)
        step = _step_of(package.card.features[position])
        found.append(_numbers_between(space, position, step, limits, float(row[position])))
    return tuple(candidates for candidates in found if len(candidates.values))


def disputable_values(package: ModelPackage, space: SearchSpace, row: Numbers) -> tuple[Candidates, ...]:
    """List what each value could have been if it were wrong, features that are protected left out.

    Args:
        package: The verified package.
        space: Of the same package.
        row: Raw row of the person, shape (n_features,).

    Returns:
        One entry per feature that the person may dispute and that has another value.
    """
    found = []
    for position, feature in _features_that_matter(package, space):
        if not feature.disputable or feature.protected:
            continue
        own = float(row[position])
        if feature.kind in ("category", "boolean"):
            values = np.arange(2 if feature.kind == "boolean" else len(feature.categories), dtype=np.float64)
            found.append(Candidates(position=position, values=values[values != own], step=0, complete=True))
        else:
            low = -math.inf if feature.minimum is None else feature.minimum
            high = math.inf if feature.maximum is None else feature.maximum
            limits = _within_background(space, position, (low, high))
            found.append(_numbers_between(space, position, _step_of(feature), limits, own))
    return tuple(candidates for candidates in found if len(candidates.values))


def values_on_grid(low: float, high: float, step: float) -> Numbers:
    """List the multiples of a step from low to high, both included, without the dust of binary fractions."""
    if low > high:
        return np.zeros(0)
    # A bound that is itself a multiple must not fall out because of its last bit.
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return np.round(np.arange(first, last + 1) * step, 9)


def typical_spread(values: Numbers, weights: Numbers) -> float:
    """Say how much a feature typically differs between people.

    Args:
        values: The background's values, shape (m,).
        weights: Shape (m,).

    Returns:
        The weighted median absolute deviation, scaled to a standard deviation; where more than half of all people have
        the same value, the weighted standard deviation; 1 where everybody has the same.
    """
    centre = _weighted_median(values, weights)
    deviation = _weighted_median(np.abs(values - centre), weights) * NORMAL_CONSISTENCY
    if deviation > 0:
        return deviation
    mean = np.average(values, weights=weights)
    return float(np.sqrt(np.average((values - mean) ** 2, weights=weights))) or 1.0


def _splits_of(package: ModelPackage, position: int) -> NDArray[np.float32] | None:
    return package.reading.thresholds_of(position) if isinstance(package.reading, Forest) else None


def _read_by_model(package: ModelPackage) -> frozenset[int]:
    if isinstance(package.reading, Forest):
        return package.reading.features_used
    return frozenset(range(len(package.card.features)))


def _weighted_median(values: Numbers, weights: Numbers) -> float:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])


def _features_that_matter(package: ModelPackage, space: SearchSpace) -> Iterator[tuple[int, Feature]]:
    for position, feature in enumerate(package.card.features):
        if position in space.read_by_model | space.read_by_rules:
            yield position, feature


def _step_of(feature: Feature) -> float:
    step = feature.actionable.step if feature.actionable else 10.0**-feature.decimals
    return max(1.0, float(round(step))) if feature.kind == "integer" else step


def _within_background(space: SearchSpace, position: int, limits: tuple[float, float]) -> tuple[float, float]:
    return max(limits[0], space.lowest[position]), min(limits[1], space.highest[position])


def _numbers_between(
    space: SearchSpace, position: int, step: float, limits: tuple[float, float], own: float
) -> Candidates:
    low, high = limits
    complete = True
    if (high - low) / step <= MAX_VALUES:
        values = values_on_grid(low, high, step)
    else:
        coarse = values_on_grid(low, high, _round_step((high - low) / MAX_VALUES, step))
        known = space.splits[position]
        splits = np.zeros(0) if known is None else known.astype(np.float64)
        below, above = np.floor(splits / step) * step, (np.floor(splits / step) + 1) * step
        values = np.unique(np.round(np.concatenate([coarse, below, above]), 9))
        values = values[(values >= low) & (values <= high)]
        # The score cannot jump between these values, but a statutory rule can.
        complete = known is not None and position not in space.read_by_rules
    return Candidates(position=position, values=values[values != own], step=step, complete=complete)


def _round_step(wanted: float, step: float) -> float:
    """Give the smallest of 1, 2, 5, 10, 20, 50 … steps that is at least as wide as wanted."""
    power = 10.0 ** math.floor(math.log10(wanted / step))
    return step * next(power * factor for factor in (1, 2, 5, 10) if power * factor >= wanted / step)
