"""Proves a counterfactual: what rules and model give for the changed values, put together anew from what is told.

Where the row is the same, to the last bit, as one that rules and model were run on before, their answer stands.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from explainer.decisions.decision import Value
from explainer.errors import CounterfactualError
from explainer.explanations.counterfactual import Counterfactual
from explainer.explanations.model_outcome import ModelOutcome, outcomes_of_rows
from models.card import ModelCard
from models.constraints import respected_on_rows
from models.errors import InvalidInputError
from models.features import to_row
from models.package import ModelPackage

MOVED_TOLERANCE = 1e-6
"""What moves along may differ by this: sums of decimal fractions carry dust."""

Numbers = NDArray[np.float64]


class Verification:
    """Checks counterfactuals of one person.

    Args:
        package: The verified package.
        inputs: The person's values.
        row: The same as the model reads them.
        now: What rules and model give for them.
        answers: What rules and model gave for rows, by the rows' bytes.
    """

    def __init__(
        self,
        package: ModelPackage,
        inputs: Mapping[str, Value],
        row: Numbers,
        now: ModelOutcome,
        answers: Mapping[bytes, ModelOutcome] | None = None,
    ) -> None:
        self._package, self._inputs, self._row, self._now = package, inputs, row, now
        self._answers = answers or {}
        self._columns = {name: place for place, name in enumerate(package.card.feature_names)}

    def verify(self, counterfactuals: Sequence[Counterfactual], *, correction: bool = False) -> None:
        """Check that counterfactuals are true and may be shown.

        Args:
            counterfactuals: What is claimed about the person.
            correction: Whether they are about values that may be wrong: these are corrected alone, whatever depends on
                them.

        Raises:
            CounterfactualError: If one starts from other values than the person's, changes a feature that must not be
                changed, gives values the card does not allow, breaks a constraint of the card, or does not lead to the
                outcome and score it states.
        """
        if not counterfactuals:
            return
        rows = np.stack([self._changed_row(one, correction=correction) for one in counterfactuals])
        known = [self._answers.get(row.tobytes()) for row in rows]
        answers = outcomes_of_rows(self._package, rows) if None in known else [one for one in known if one is not None]
        for counterfactual, after in zip(counterfactuals, answers, strict=True):
            if after.outcome != counterfactual.outcome or after.outcome == self._now.outcome:
                raise CounterfactualError(
                    f"A counterfactual promises '{counterfactual.outcome}' instead of '{self._now.outcome}'; rules and "
                    f"model give '{after.outcome}'."
                )
            if not _same_score(after.score, counterfactual.score, self._package.score_tolerance):
                raise CounterfactualError(
                    f"A counterfactual states the score {counterfactual.score}; it is {after.score}."
                )

    def _changed_row(self, counterfactual: Counterfactual, *, correction: bool) -> Numbers:
        card = self._package.card
        self._check_starts(counterfactual)
        changed = {change.feature: change.after for change in counterfactual.changes}
        features = [card.features[self._columns[name]] for name in changed]
        row = self._row.copy()
        try:
            row[[self._columns[name] for name in changed]] = to_row(features, changed)
        except InvalidInputError as error:
            raise CounterfactualError(f"A counterfactual leads to values the card refuses: {error}") from error
        if not correction:
            _check_constraints(card, self._columns, self._row, row)
        return row

    def _check_starts(self, counterfactual: Counterfactual) -> None:
        card = self._package.card
        moves_along = {
            also
            for constraint in card.constraints
            for one, also, _ in constraint.moved_along
            if one in counterfactual.feature_names
        }
        for change in counterfactual.changes:
            place = self._columns.get(change.feature)
            feature = None if place is None else card.features[place]
            may_change = feature is not None and (
                feature.actionable is not None or feature.disputable or feature.name in moves_along
            )
            if feature is None or feature.protected or not may_change:
                raise CounterfactualError(f"A counterfactual must not change '{change.feature}'.")
            if self._inputs[change.feature] != change.before:
                raise CounterfactualError(f"A counterfactual starts from another value of '{change.feature}'.")


def _check_constraints(card: ModelCard, columns: Mapping[str, int], before: Numbers, after: Numbers) -> None:
    for constraint in card.constraints:
        one, other = constraint.feature_names
        held, holds = respected_on_rows(constraint, columns, np.stack([before, after]))
        if held and not holds:
            raise CounterfactualError(f"A counterfactual breaks the card's constraint between '{one}' and '{other}'.")
    change = after - before
    direct = [moved for constraint in card.constraints for moved in constraint.moved_along]
    for one, also, sign in direct:
        movers = [mover for mover, moved, _ in direct if moved == also and change[columns[mover]]]
        expected = sign * change[columns[one]]
        # Where several features move the same one, each alone says nothing.
        if movers == [one] and abs(change[columns[also]] - expected) > MOVED_TOLERANCE:
            raise CounterfactualError(f"In a counterfactual '{also}' does not move along with '{one}'.")


def _same_score(one: float | None, other: float | None, tolerance: float) -> bool:
    if one is None or other is None:
        return one is other
    # Runtimes may add up a batch in another order than a single row, in 32 bits.
    return abs(one - other) <= tolerance
