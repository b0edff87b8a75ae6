"""A nearby input with the other outcome, or the reason why there is none."""

from dataclasses import dataclass
from typing import Literal

from explainer.decisions.decision import Value


@dataclass(frozen=True, kw_only=True)
class Change:
    """One feature taken from the person's value to another one.

    Raises:
        ValueError: If nothing changes, or a value becomes missing: nobody is advised to say less.
    """

    feature: str
    before: Value
    after: Value

    def __post_init__(self) -> None:
        if self.after is None:
            raise ValueError(f"A change of '{self.feature}' must lead to a value, not to a missing one.")
        if self.before == self.after:
            raise ValueError(f"A change of '{self.feature}' must lead to another value.")


@dataclass(frozen=True, kw_only=True)
class Counterfactual:
    """Changes that, re-run through model and rules, give the other outcome.

    Attributes:
        changes: Only features the card calls actionable (or, for ``Recourse.disputed``, disputable).
        score: The model's score after the changes, in the card's score unit; None where a rule decides before it.
        outcome: Outcome id after the changes.
        fewest_changes_proven: Whether no smaller set of changes gives the outcome, whatever values the card allows are
            chosen, shown or not.

    Raises:
        ValueError: If there are no changes, or one feature changes twice.
    """

    changes: tuple[Change, ...]
    score: float | None
    outcome: str
    fewest_changes_proven: bool

    def __post_init__(self) -> None:
        if not self.changes or len(self.feature_names) != len(self.changes):
            raise ValueError("A counterfactual changes at least one feature, and each only once.")

    @property
    def feature_names(self) -> frozenset[str]:
        """Names of the features that change."""
        return frozenset(change.feature for change in self.changes)


@dataclass(frozen=True, kw_only=True)
class NoCounterfactual:
    """No counterfactual is a result, not an error.

    Attributes:
        reason: ``nothing_actionable`` if the person can change nothing that could matter, ``none_found`` if no change
            that can be shown gives the other outcome.
        proven: Whether no values that the card allows give the other outcome, shown or not.
        closest_score: The score nearest to the threshold that a change reached, in the card's score unit; None where
            no change came nearer than the person's own score.
    """

    reason: Literal["nothing_actionable", "none_found"]
    proven: bool
    closest_score: float | None = None


@dataclass(frozen=True, kw_only=True)
class Recourse:
    """What another input would have meant.

    Attributes:
        counterfactuals: Best first; empty exactly where ``none`` is set.
        none: Why there is no counterfactual, or None.
        disputed: For single features the person may dispute: the nearest value with the other outcome.

    Raises:
        ValueError: If there are both counterfactuals and a reason for none, or neither.
    """

    counterfactuals: tuple[Counterfactual, ...]
    none: NoCounterfactual | None
    disputed: tuple[Counterfactual, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.counterfactuals) == (self.none is not None):
            raise ValueError("Recourse holds counterfactuals or the reason why there are none.")

    @property
    def is_left_open(self) -> bool:
        """Whether no counterfactual was found, and it is not proven that there is none."""
        return self.none is not None and not self.none.proven
