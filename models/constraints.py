"""How features of one case depend on each other, declared in the card, so that nobody is shown what cannot be.

The grammar of a constraint, as it stands in ``card.yaml``::

    constraint = {at_most: {feature: name, limit: name, plus: number}}   feature <= limit + plus; plus may be left out
               | {together: {feature: name, also: name}}                 where feature changes, also changes by as much
               | {fixed_sum: [name, name]}                               where one rises, the other falls by as much
"""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator

from models.features import Feature, FeatureName

Numbers = NDArray[np.float64]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class AtMost(_Part):
    """One feature never exceeds another one.

    Attributes:
        feature: The smaller one, e.g. children.
        limit: The larger one, e.g. people in the household.
        plus: Added to the limit, e.g. -1 where an adult belongs to every household.
    """

    feature: FeatureName
    limit: FeatureName
    plus: float = 0


class Together(_Part):
    """One feature moves along with another one.

    Attributes:
        feature: The one that a person changes, e.g. rent without heating.
        also: The one that changes by as much, e.g. rent including heating.
    """

    feature: FeatureName
    also: FeatureName


class Constraint(_Part):
    """One dependency; exactly one field is set.

    Attributes:
        at_most: One feature never exceeds another one.
        together: One feature moves along with another one.
        fixed_sum: Two features whose sum stays what it is for this person.
    """

    at_most: AtMost | None = None
    together: Together | None = None
    fixed_sum: tuple[FeatureName, FeatureName] | None = None

    @property
    def feature_names(self) -> tuple[str, str]:
        """The two features it is about."""
        if self.at_most is not None:
            return self.at_most.feature, self.at_most.limit
        if self.together is not None:
            return self.together.feature, self.together.also
        if self.fixed_sum is not None:
            return self.fixed_sum
        raise AssertionError  # the check below has refused it

    @property
    def moved_along(self) -> tuple[tuple[str, str, int], ...]:
        """Which feature moves which other one, and whether in the same direction (1) or the opposite (-1)."""
        one, other = self.feature_names
        if self.together is not None:
            return ((one, other, 1),)
        return () if self.fixed_sum is None else ((one, other, -1), (other, one, -1))

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        given = [self.at_most, self.together, self.fixed_sum]
        if sum(one is not None for one in given) != 1:
            raise ValueError("a constraint is either 'at_most', 'together' or 'fixed_sum'")
        one, other = self.feature_names
        if one == other:
            raise ValueError(f"'{one}' cannot depend on itself")
        return self


def check_features(constraint: Constraint, info: ValidationInfo) -> Constraint:
    """Refuse a constraint of a card that does not fit the card's features.

    Args:
        constraint: The constraint.
        info: What of the card is already read.

    Returns:
        The same constraint.

    Raises:
        ValueError: If a feature is unknown, is no number, or is protected and would be moved.
    """
    features: Sequence[Feature] = info.data.get("features", ())
    if not features:
        return constraint  # they are refused themselves
    known = {feature.name: feature for feature in features}
    for name in constraint.feature_names:
        if name not in known:
            raise ValueError(f"the card has no feature '{name}'")
        if known[name].kind not in ("number", "integer"):
            raise ValueError(f"'{name}' is a {known[name].kind}; only numbers and integers depend on each other")
    for _, also, _ in constraint.moved_along:
        if known[also].protected:
            raise ValueError(f"the protected feature '{also}' must not move along with another one")
    return constraint


def respected_on_rows(constraint: Constraint, columns: Mapping[str, int], rows: Numbers) -> NDArray[np.bool_]:
    """Say for many cases at once whether they respect a constraint.

    Args:
        constraint: The constraint.
        columns: Feature name to column.
        rows: Raw rows, shape (n_rows, n_features).

    Returns:
        Shape (n_rows,). What moves along is no question of one row, so those constraints are always respected.
    """
    if constraint.at_most is None:
        return np.ones(len(rows), dtype=np.bool_)
    smaller, larger = (rows[:, columns[name]] for name in constraint.feature_names)
    # Sums of decimal fractions carry dust; a billionth is no difference that anybody could declare.
    return np.asarray(smaller <= larger + constraint.at_most.plus + 1e-9 * np.maximum(1.0, np.abs(larger)))


def moved_along(constraints: Sequence[Constraint]) -> Mapping[str, Mapping[str, int]]:
    """Work out everything that moves when one feature changes.

    Args:
        constraints: Of one card.

    Returns:
        For each feature that moves others: their names, and 1 where they move in the same direction, else -1.

    Raises:
        ValueError: If a feature would have to move in both directions.
    """
    direct: dict[str, list[tuple[str, int]]] = {}
    for constraint in constraints:
        for one, also, sign in constraint.moved_along:
            direct.setdefault(one, []).append((also, sign))
    return {one: _all_moved_by(one, direct) for one in direct}


def _all_moved_by(start: str, direct: Mapping[str, Sequence[tuple[str, int]]]) -> Mapping[str, int]:
    moved, waiting = {start: 1}, [start]
    while waiting:
        one = waiting.pop()
        for also, sign in direct.get(one, ()):
            expected = moved[one] * sign
            if also not in moved:
                moved[also] = expected
                waiting.append(also)
            elif moved[also] != expected:
                raise ValueError(f"a change of '{start}' would move '{also}' in both directions")
    del moved[start]
    return moved
