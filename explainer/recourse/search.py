"""Searches what another input would have meant: fewest changes first, then the smallest ones.

Values that are shown lie on the card's step and inside the background's range: nobody is shown a value that nobody has.
What is claimed about values that are not shown, above all that fewer changes are not enough or that none is, is proven
for every value the card allows, or it is not claimed. Sizes of changes are measured in typical spreads between people,
so that 10 euros of rent and 10 euros of assets do not count the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from explainer.decisions.decision import Value
from explainer.explanations.counterfactual import Change, Counterfactual, NoCounterfactual, Recourse
from explainer.explanations.model_outcome import ModelOutcome, outcome_of_row, outcomes_of_rows, rules_in_order
from explainer.recourse.action_set import Candidates, SearchSpace
from explainer.recourse.beam import Beam, different
from explainer.recourse.case import Case
from explainer.recourse.moves import Moves
from explainer.recourse.nearest import Found, nearest_by_score, nearest_pair, nearest_singles, refined
from explainer.recourse.proof import Proof, ruled_out
from explainer.recourse.verification import Verification
from models.features import from_row, to_row
from models.package import ModelPackage

MAX_COUNTERFACTUALS = 3
"""More options than three are not read."""

MAX_CHANGES = 6
"""Features that are changed together at most; more would be another life."""

MAX_PAIR_CELLS = 60_000
"""Pairs of values of all pairs of features together, up to which the nearest pair is found exactly."""

MAX_BOXES = 2_000
"""Boxes looked at per proof while somebody waits; :mod:`explainer.recourse.infeasibility` takes longer."""

TRIED_AS_CLOSEST = 20
"""Changes of one row that are asked whether a rule keeps their score from being told."""

Numbers = NDArray[np.float64]


def find_recourse(
    package: ModelPackage,
    inputs: Mapping[str, Value],
    space: SearchSpace | None = None,
    proof: Proof | None = None,
) -> Recourse:
    """Find what would have led to the other outcome.

    Args:
        package: The verified package.
        inputs: Feature name to value, as the case system sent them.
        space: Prepared once with :meth:`SearchSpace.of`; made anew if left out.
        proof: That nothing helps this person, as far as it has come, see :mod:`explainer.recourse.infeasibility`.

    Returns:
        At most three counterfactuals with different features, or why there is none; and for single values that could
        be wrong the nearest one with the other outcome, at most three. The same inputs always give the same answer.

    Raises:
        InvalidInputError: If the inputs do not fit the card.
        CounterfactualError: If a result does not hold when it is run through rules and model again.
    """
    row = to_row(package.card.features, inputs)
    now = outcome_of_row(package, row)
    search = Search(case_of(package, row, now, space), now, proof)
    found, proven, none = search.for_actions()
    counterfactuals = _with_features_of_their_own(search.counterfactuals(found, inputs, proven=proven))
    shown_alone = {one.positions[0] for one in found if len(one.values) == 1}
    wrong = [one for one in search.for_disputed_values() if one.positions[0] not in shown_alone]
    disputed = search.counterfactuals(wrong[:MAX_COUNTERFACTUALS], inputs, proven=True, correction=True)
    verification = Verification(package, inputs, row, now, search.answers)
    verification.verify(counterfactuals)
    verification.verify(disputed, correction=True)
    return Recourse(counterfactuals=counterfactuals, none=none, disputed=disputed)


def case_of(package: ModelPackage, row: Numbers, now: ModelOutcome, space: SearchSpace | None = None) -> Case:
    """Say what is looked for: the outcome that the person does not have."""
    space = space or SearchSpace.of(package)
    target = space.target_other_than(now.outcome)
    return Case(space=space.where_missing(np.isnan(row)), row=row, target=target)


class Search:
    """The search for one person.

    Args:
        case: The person and the outcome that is looked for.
        now: What rules and model give for the person's own values.
        proof: That nothing helps, as far as it has come; begun anew if left out.

    Attributes:
        answers: What rules and model gave for rows that were run through them, by the rows' bytes.
    """

    def __init__(self, case: Case, now: ModelOutcome, proof: Proof | None = None) -> None:
        self._case, self._now, self._proof = case, now, proof
        self.answers: dict[bytes, ModelOutcome] = {}

    def for_actions(self) -> tuple[list[Found], bool, NoCounterfactual | None]:
        """Search what the person could change.

        Returns:
            Best first; whether it is proven that fewer changes are not enough; the reason if nothing was found.
        """
        case, candidates = self._case, self._case.space.actions
        enough = len(candidates) if case.space.has_thinned_values else MAX_COUNTERFACTUALS
        found = nearest_by_score(case, case.space.action_moves, enough)
        if found:
            return self._refined(found, candidates), True, None
        moves = case.space.action_moves.moves_from(case.row, case.own_cells)
        if not could_matter(case, moves, self._now):
            return [], True, NoCounterfactual(reason="nothing_actionable", proven=True)
        root = case.judge(case.profile, moves)
        found = nearest_singles(moves, root, enough)
        if found:
            return self._refined(found, candidates), True, None
        beam = Beam(case, moves, root)
        found = self._nearest_pairs(moves) or beam.search(MAX_CHANGES, MAX_COUNTERFACTUALS)
        proof = None if found else self._proof or Proof(case, case.ranges)
        if proof is not None and proof.advance(MAX_BOXES) == "refuted" and proof.witness is not None:
            # The proof has come upon a combination that the search has missed.
            shown = beam.shown_like(proof.witness)
            found = [] if shown is None or len(shown.values) > MAX_CHANGES else [shown]
        if found:
            return found, self._fewer_are_ruled_out(len(found[0].values) - 1), None
        proven = proof is not None and proof.state == "proven"
        return [], proven, NoCounterfactual(reason="none_found", proven=proven, closest_score=self._closest_score(beam))

    def _refined(self, found: Sequence[Found], candidates: Mapping[int, Candidates]) -> list[Found]:
        nearer = [refined(self._case, one, candidates[one.positions[0]]) for one in found]
        return sorted(nearer, key=lambda one: (one.cost, one.values))[:MAX_COUNTERFACTUALS]

    def for_disputed_values(self) -> list[Found]:
        """Search single values that could be wrong, nearest first."""
        space = self._case.space
        if not space.disputable:
            return []
        alone = Case(space=space.without_dependencies, row=self._case.row, target=self._case.target)
        moves = alone.space.disputable_moves.moves_from(alone.row, self._case.own_cells)
        # As many again, because those that are shown as options are left out.
        enough = len(space.disputable) if space.has_thinned_values else 2 * MAX_COUNTERFACTUALS
        found = nearest_singles(moves, alone.judge(self._case.profile, moves), enough)
        found = [refined(alone, one, space.disputable[one.positions[0]]) for one in found]
        return sorted(found, key=lambda one: (one.cost, one.values))

    def counterfactuals(
        self, found: Sequence[Found], inputs: Mapping[str, Value], *, proven: bool, correction: bool = False
    ) -> tuple[Counterfactual, ...]:
        """Put what was found into the person's terms, with the outcomes that rules and model really give."""
        package, case = self._case.space.package, self._case
        if not found:
            return ()
        if correction:
            rows = np.tile(case.row, (len(found), 1))
            for row, one in zip(rows, found, strict=True):
                row[list(one.positions)] = [value for _, value in one.values]
        else:
            rows = np.stack([case.row_with(dict(one.values)) for one in found])
        told = []
        for row, after in zip(rows, outcomes_of_rows(package, rows), strict=True):
            self.answers[row.tobytes()] = after
            places = np.flatnonzero(case.differs(row))
            values = from_row([package.card.features[place] for place in places], row[places])
            changes = (Change(feature=name, before=inputs[name], after=value) for name, value in values.items())
            told.append(
                Counterfactual(
                    changes=tuple(changes), score=after.score, outcome=after.outcome, fewest_changes_proven=proven
                )
            )
        return tuple(told)

    def _nearest_pairs(self, moves: Moves) -> list[Found]:
        """Look at all pairs of features exactly, where they are few enough."""
        case = self._case
        sizes = np.diff(np.append(moves.starts, len(moves)))
        if (sizes.sum() ** 2 - (sizes**2).sum()) / 2 > MAX_PAIR_CELLS:
            return []
        lines = [moves.only(moves.position == position) for position in moves.position[moves.starts]]
        pairs = [
            pair for pair in combinations(lines, 2) if not case.space.depend(*(int(one.position[0]) for one in pair))
        ]
        found = [pair for pair in (nearest_pair(case, *one) for one in pairs) if pair is not None]
        return different(sorted(found, key=lambda one: (one.cost, one.values)), MAX_COUNTERFACTUALS)

    def _fewer_are_ruled_out(self, at_once: int) -> bool:
        if at_once == 0:
            return True  # without any change the outcome is the person's own
        if at_once > 2 or not self._singles_are_ruled_out():  # noqa: PLR2004 - sets of three are too many to wait for
            return False
        return at_once == 1 or ruled_out(self._case, self._case.ranges, at_once=at_once, boxes=MAX_BOXES)

    def _singles_are_ruled_out(self) -> bool:
        """Look at all cells that the card allows, and prove what a look at cells cannot say."""
        case, space = self._case, self._case.space
        moves = space.allowed_moves.moves_from(case.row, case.own_cells)
        if case.is_blocked(case.row) is False and (case.short_of(case.profile, moves) <= case.tolerance).any():
            return False
        others = [one for one in case.ranges if one.position not in space.seen_by_cell]
        return not others or ruled_out(case, others, at_once=1, boxes=MAX_BOXES)

    def _closest_score(self, beam: Beam) -> float | None:
        """Of the scores that were tried and may be told, give the nearest to the threshold; None if none is nearer."""
        case, own = self._case, self._now.score
        threshold, package = case.space.package.card.threshold, case.space.package
        if own is None or threshold is None or self._now.deciding_rule is not None:
            return None
        best = own
        for row in beam.closest_rows(TRIED_AS_CLOSEST):
            if not case.is_free_of_rules(row):
                continue
            score = float(package.model.score(row[np.newaxis])[0])
            same_side = (score >= threshold) == (own >= threshold)
            # A batch may differ from a single row in the last bits; that is not nearer.
            if same_side and abs(score - threshold) < abs(best - threshold) - package.score_tolerance:
                best = score
        return None if best == own else best


def _with_features_of_their_own(counterfactuals: Iterable[Counterfactual]) -> tuple[Counterfactual, ...]:
    """Leave out what changes the same features as one before: of two that move each other, either can be the first."""
    first: dict[frozenset[str], Counterfactual] = {}
    for one in counterfactuals:
        first.setdefault(one.feature_names, one)
    return tuple(first.values())


def could_matter(case: Case, moves: Moves, now: ModelOutcome) -> bool:
    """Say whether any action touches what decided.

    A rule goes on deciding as long as what it reads stays, and what the rules before it read.

    Args:
        case: The person.
        moves: What the person can be shown to change.
        now: What rules and model give.

    Returns:
        False if it is certain that nothing can matter.
    """
    if now.deciding_rule is None:
        return bool(len(moves) or case.ranges)
    card, followers = case.space.package.card, case.space.followers
    rules = rules_in_order(card)
    deciding = next(number for number, rule in enumerate(rules) if rule.id == now.deciding_rule)
    read = frozenset(name for rule in rules[: deciding + 1] for name in rule.feature_names)
    levers = [one.position for one in case.ranges]
    changing = {*levers, *(also for lever in levers for also in followers.get(lever, ()))}
    return any(card.features[place].name in read for place in changing)
