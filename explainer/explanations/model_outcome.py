"""What model and statutory rules together make of a case."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.card import ModelCard
from models.statutory_rules import StatutoryRule, fired_on_rows

if TYPE_CHECKING:
    from models.package import ModelPackage


@dataclass(frozen=True, kw_only=True)
class ModelOutcome:
    """What the program arrives at for one case.

    Attributes:
        outcome: Outcome id.
        score: The model's score in the card's score unit; None where a rule decided before it.
        fired_rules: Statutory rule id to whether its condition holds: first the rules before the score, then those
            after it, both in card order.
        deciding_rule: Id of the rule that gave the outcome; None where the score did.
    """

    outcome: str
    score: float | None
    fired_rules: tuple[tuple[str, bool], ...]
    deciding_rule: str | None


def outcome_of_row(package: "ModelPackage", row: NDArray[np.float64]) -> ModelOutcome:
    """Run rules and model on one case, as the law orders them.

    Of several rules that fire, the first one decides: rules before the score, in card order, keep the model from being
    asked at all; rules after the score, in card order, overrule it.

    Args:
        package: The verified package.
        row: Raw row, shape (n_features,).

    Returns:
        Outcome, score and rules.
    """
    card, rows = package.card, row[np.newaxis]
    fired = {rule.id: bool(fired_on_rows(rule, card.features, rows)[0]) for rule in rules_in_order(card)}
    deciding = next((rule for rule in rules_in_order(card) if fired[rule.id]), None)
    score = None
    if deciding is None or deciding.when == "after_score":
        score = float(package.model.score(rows)[0])
    if deciding is not None:
        outcome = deciding.outcome
    else:
        outcome = card.outcome_at_or_above if score is not None and score >= card.threshold else card.outcome_below
    return ModelOutcome(
        outcome=outcome,
        score=score,
        fired_rules=tuple(fired.items()),
        deciding_rule=deciding.id if deciding else None,
    )


def rules_in_order(card: ModelCard) -> tuple[StatutoryRule, ...]:
    """Give the rules in the order in which they are asked: before the score, then after it."""
    return tuple(sorted(card.rules, key=lambda rule: rule.when != "before_score"))


def reaches_outcome(
    card: ModelCard, rows: NDArray[np.float64], scores: NDArray[np.float64], outcome: str
) -> NDArray[np.bool_]:
    """Say for many cases at once whether they arrive at one outcome.

    Args:
        card: The model's card.
        rows: Raw rows, shape (n_rows, n_features).
        scores: The model's scores of these rows, shape (n_rows,); where a rule decides they do not matter.
        outcome: Outcome id.

    Returns:
        Shape (n_rows,).
    """
    reached: NDArray[np.bool_] = (scores >= card.threshold) == (outcome == card.outcome_at_or_above)
    # The first rule that fires decides, so the last one is asked first and the others overwrite it.
    for rule in reversed(rules_in_order(card)):
        reached = np.where(fired_on_rows(rule, card.features, rows), rule.outcome == outcome, reached)
    return reached
