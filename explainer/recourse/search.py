"""Searches what another input would have meant: fewest changes first, then the smallest ones.

Single changes are tried exhaustively, and pairs where no single change gives the other outcome, so "fewest changes" is
proven for one and two. Sizes of changes are measured in typical spreads between people, so that 10 euros of rent and 10
euros of assets do not count the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from explainer.decisions.decision import Value
from explainer.explanations.counterfactual import Change, Counterfactual, NoCounterfactual, Recourse
from explainer.explanations.model_outcome import ModelOutcome, outcome_of_row
from explainer.recourse.action_set import Candidates, SearchSpace, actions, disputable_values
from explainer.recourse.nearest import Found, NearestChanges
from explainer.recourse.verification import verify_counterfactual
from models.features import from_row, to_row
from models.package import ModelPackage

MAX_COUNTERFACTUALS = 2
"""More options than two are not read."""

MAX_CHANGES = 2
"""Features that are changed together at most."""

Numbers = NDArray[np.float64]


def find_recourse(package: ModelPackage, inputs: Mapping[str, Value], space: SearchSpace | None = None) -> Recourse:
    """Find what would have led to the other outcome.

    Args:
        package: The verified package.
        inputs: Feature name to value, as the case system sent them.
        space: Prepared once with :meth:`SearchSpace.of`; made anew if left out.

    Returns:
        At most two counterfactuals with different features, or why there is none; and for single values that could be
        wrong the nearest one with the other outcome. The same inputs always give the same answer.

    Raises:
        InvalidInputError: If the inputs do not fit the card.
        CounterfactualError: If a result does not hold when it is run through rules and model again.
    """
    row = to_row(package.card.features, inputs)
    search = _Search(package, space or SearchSpace.of(package), row, outcome_of_row(package, row))
    found, proven, none = search.for_actions()
    counterfactuals = tuple(search.counterfactual(one, inputs, proven=proven) for one in found)
    shown_alone = {one.values[0][0] for one in found if len(one.values) == 1}
    disputed = tuple(
        search.counterfactual(one, inputs, proven=True)
        for one in search.for_disputed_values()
        if one.values[0][0] not in shown_alone
    )
    for counterfactual in (*counterfactuals, *disputed):
        verify_counterfactual(package, inputs, counterfactual)
    return Recourse(counterfactuals=counterfactuals, none=none, disputed=disputed)


class _Search:
    """The search for one person."""

    def __init__(self, package: ModelPackage, space: SearchSpace, row: Numbers, now: ModelOutcome) -> None:
        other = next(outcome.id for outcome in package.card.outcomes if outcome.id != now.outcome)
        score = now.score if now.deciding_rule is None else None
        self._package, self._space, self._row, self._now = package, space, row, now
        self._nearest = NearestChanges(package, space, row, other, score)

    def for_actions(self) -> tuple[list[Found], bool, NoCounterfactual | None]:
        """Search what the person could change.

        Returns:
            Best first; whether fewer changes were ruled out; the reason if nothing was found.
        """
        candidates = actions(self._package, self._space, self._row)
        if not self._could_matter(candidates):
            return [], True, NoCounterfactual(reason="nothing_actionable", proven=True, closest_score=self._closest)
        singles = _found_ones(self._nearest.single(one) for one in candidates)
        if singles:
            return singles[:MAX_COUNTERFACTUALS], True, None
        complete = all(one.complete for one in candidates)
        results = [self._nearest.pair(*pair) for pair in combinations(candidates, MAX_CHANGES)]
        pairs = _found_ones(found for found, _ in results)
        if pairs:
            return pairs[:MAX_COUNTERFACTUALS], complete, None
        # Where no more features can change than are changed together, everything was tried.
        proven = complete and len(candidates) <= MAX_CHANGES and all(covered for _, covered in results)
        return [], proven, NoCounterfactual(reason="none_found", proven=proven, closest_score=self._closest)

    def for_disputed_values(self) -> list[Found]:
        """Search single values that could be wrong, nearest first."""
        candidates = disputable_values(self._package, self._space, self._row)
        return _found_ones(self._nearest.single(one) for one in candidates)

    def counterfactual(self, found: Found, inputs: Mapping[str, Value], *, proven: bool) -> Counterfactual:
        """Put what was found into the person's terms, with the outcome that rules and model really give."""
        features = self._package.card.features
        row = self._row.copy()
        for position, value in found.values:
            row[position] = value
        after, values = outcome_of_row(self._package, row), from_row(features, row)
        names = [features[position].name for position, _ in found.values]
        return Counterfactual(
            changes=tuple(Change(feature=name, before=inputs[name], after=values[name]) for name in names),
            score=after.score,
            outcome=after.outcome,
            fewest_changes_proven=proven,
        )

    @property
    def _closest(self) -> float | None:
        return self._nearest.closest_score

    def _could_matter(self, candidates: Sequence[Candidates]) -> bool:
        """Say whether any action touches what decided; a rule goes on deciding as long as what it reads stays."""
        if self._now.deciding_rule is None:
            return bool(candidates)
        card = self._package.card
        rule = next(rule for rule in card.rules if rule.id == self._now.deciding_rule)
        return any(card.features[one.position].name in rule.feature_names for one in candidates)


def _found_ones(results: Iterable[Found | None]) -> list[Found]:
    return sorted((found for found in results if found is not None), key=lambda found: (found.cost, found.values))
