"""Searches what another input would have meant: fewest changes first, then the smallest ones.

Values that are shown lie on the card's step and, as long as one of them works, inside the background's range: first one
change, then two, and only then values beyond it. What is claimed about values that are not shown, above all that fewer
changes are not enough, is proven for every value the card allows, or it is not claimed. Sizes of changes are measured
in typical spreads between people, so that 10 euros of rent and 10 euros of assets do not count the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from explainer.decisions.decision import Value
from explainer.explanations.counterfactual import Change, Counterfactual, NoCounterfactual, Recourse
from explainer.explanations.model_outcome import ModelOutcome, outcome_of_row, outcomes_looked_for, rules_in_order
from explainer.recourse.action_set import AllowedRange, SearchSpace, actions, allowed_ranges, disputable_values
from explainer.recourse.nearest import Found, NearestChanges
from explainer.recourse.proof import Proof
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
        wanted = outcomes_looked_for(package.card, now.outcome)
        score = now.score if now.deciding_rule is None else None
        self._package, self._space, self._row, self._now = package, space, row, now
        self._nearest = NearestChanges(package, space, row, wanted, score)
        self._proof = Proof(package, space, row, wanted, self._nearest.scores_of)

    def for_actions(self) -> tuple[list[Found], bool, NoCounterfactual | None]:
        """Search what the person could change.

        Returns:
            Best first; whether fewer changes were ruled out; the reason if nothing was found.
        """
        ranges = allowed_ranges(self._package, self._space, self._row)
        if not self._could_matter(ranges):
            return [], True, NoCounterfactual(reason="nothing_actionable", proven=True)
        usual = actions(self._package, self._space, self._row)
        found = _found_ones(self._nearest.single(one) for one in usual)
        if found:
            return found[:MAX_COUNTERFACTUALS], True, None
        open_singles = self._not_ruled_out((one,) for one in ranges)
        found = _found_ones(self._nearest.pair(*pair) for pair in combinations(usual, MAX_CHANGES))
        if not found:
            found = self._found_in(open_singles)
        open_pairs = [] if found else self._not_ruled_out(combinations(ranges, MAX_CHANGES))
        if not found:
            found = self._found_in(open_pairs)
        if found:
            return found[:MAX_COUNTERFACTUALS], len(found[0].values) == 1 or not open_singles, None
        # Where no more features can change than are changed together, every combination was looked at.
        proven = not open_singles and not open_pairs and len(ranges) <= MAX_CHANGES
        closest = self._nearest.closest_score
        return [], proven, NoCounterfactual(reason="none_found", proven=proven, closest_score=closest)

    def _not_ruled_out(self, sets: Iterable[tuple[AllowedRange, ...]]) -> list[tuple[AllowedRange, ...]]:
        return [ranges for ranges in sets if not self._proof.rules_out(ranges)]

    def _found_in(self, sets: Sequence[tuple[AllowedRange, ...]]) -> list[Found]:
        """Search one or two features up to the card's bounds."""
        if not sets:
            return []
        listed = actions(self._package, self._space, self._row, beyond_background=True)
        by_position = {candidates.position: candidates for candidates in listed}
        results = []
        for ranges in sets:
            chosen = [by_position[one.position] for one in ranges if one.position in by_position]
            if len(chosen) == len(ranges):
                search = self._nearest.single if len(chosen) == 1 else self._nearest.pair
                results.append(search(*chosen))
        return _found_ones(results)

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

    def _could_matter(self, ranges: Sequence[AllowedRange]) -> bool:
        """Say whether any action touches what decided.

        A rule goes on deciding as long as what it reads stays, and what the rules before it read.
        """
        if self._now.deciding_rule is None:
            return bool(ranges)
        card = self._package.card
        rules = rules_in_order(card)
        deciding = next(number for number, rule in enumerate(rules) if rule.id == self._now.deciding_rule)
        read = frozenset(name for rule in rules[: deciding + 1] for name in rule.feature_names)
        return any(card.features[one.position].name in read for one in ranges)


def _found_ones(results: Iterable[Found | None]) -> list[Found]:
    return sorted((found for found in results if found is not None), key=lambda found: (found.cost, found.values))
