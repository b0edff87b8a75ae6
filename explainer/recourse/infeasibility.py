"""Tries for longer to prove that no combination of changes would have helped: a job for the background."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from explainer.decisions.decision import Value
from explainer.explanations.counterfactual import Recourse
from explainer.explanations.model_outcome import outcome_of_row
from explainer.recourse.action_set import SearchSpace
from explainer.recourse.proof import Proof, State
from explainer.recourse.search import case_of, find_recourse
from models.features import to_row
from models.package import ModelPackage

BOXES_AT_A_TIME = 2_000
"""Boxes between two looks at the clock: some hundredths of a second."""


@dataclass(frozen=True, kw_only=True)
class ProofProgress:
    """How far a proof has come.

    Attributes:
        state: ``proven``: no values that the card allows give another outcome; ``refuted``: some do, or it cannot be
            proven this way; ``open``: the time was over.
        looked_at: Boxes of values that were looked at.
        open_boxes: Boxes that are left.
        recourse: What may now be said instead of what was said before; None where nothing has changed.
    """

    state: State
    looked_at: int
    open_boxes: int
    recourse: Recourse | None = None


def prove_infeasible(
    package: ModelPackage,
    inputs: Mapping[str, Value],
    deadline: float,
    *,
    space: SearchSpace | None = None,
    report: Callable[[ProofProgress], None] = lambda _: None,
) -> ProofProgress:
    """Try to prove that no combination of changes gives another outcome, where the search left that open.

    Args:
        package: The verified package.
        inputs: The person's values.
        deadline: Moment of :func:`time.monotonic` at which to stop.
        space: Prepared once with :meth:`SearchSpace.of`; made anew if left out.
        report: Called now and then with the progress, from the same thread; what it raises ends the proof.

    Returns:
        How far the proof came, and the better answer if there is one: that nothing would have helped, or an example
        that the search had missed.

    Raises:
        InvalidInputError: If the inputs do not fit the card.
        CounterfactualError: If an example does not hold when it is run through rules and model again.
    """
    row = to_row(package.card.features, inputs)
    case = case_of(package, row, outcome_of_row(package, row), space)
    proof = Proof(case, case.ranges)
    while proof.advance(BOXES_AT_A_TIME) == "open" and time.monotonic() < deadline:
        report(ProofProgress(state=proof.state, looked_at=proof.looked_at, open_boxes=proof.open_boxes))
    recourse = None
    if proof.state == "proven" or proof.witness is not None:
        recourse = find_recourse(package, inputs, space, proof)
    return ProofProgress(state=proof.state, looked_at=proof.looked_at, open_boxes=proof.open_boxes, recourse=recourse)
