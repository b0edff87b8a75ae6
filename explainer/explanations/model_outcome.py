"""What model and statutory rules together make of a case."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.card import ModelCard
from models.outcomes import more_favourable
from models.statutory_rules import StatutoryRule, fired_on_rows

if TYPE_CHECKING:
    from models.package import ModelPackage


@dataclass(frozen=True, kw_only=True)
class ModelOutcome:
    """What the program arrives at for one case.

    Attributes:
        outcome: Outcome id.
        score: The model's score in the card's score unit; None where a rule decided before it. For several classes
            that of ``of_outcome``.
        fired_rules: Statutory rule id to whether its condition holds: first the rules before the score, then those
            after it, both in card order.
        deciding_rule: Id of the rule that gave the outcome; None where the score did.
        of_outcome: For several classes the outcome with the highest score, whether or not a rule overruled it.
        class_scores: For several classes the score of each, in the order of the card's classes.
    """

    outcome: str
    score: float | None
    fired_rules: tuple[tuple[str, bool], ...]
    deciding_rule: str | None
    of_outcome: str | None = None
    class_scores: tuple[float, ...] = ()


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
    return outcomes_of_rows(package, row[np.newaxis])[0]


def outcomes_of_rows(package: "ModelPackage", rows: NDArray[np.float64]) -> tuple[ModelOutcome, ...]:
    """Run rules and model on several cases; see :func:`outcome_of_row`.

    Args:
        package: The verified package.
        rows: Raw rows, shape (n_rows, n_features).

    Returns:
        One for each row.
    """
    card = package.card
    rules = rules_in_order(card)
    fired = [fired_on_rows(rule, card.features, rows).tolist() for rule in rules]
    fired_of_rows = list(zip(*fired, strict=True)) if rules else [()] * len(rows)
    deciding = [next((rule for rule, fires in zip(rules, one, strict=True) if fires), None) for one in fired_of_rows]
    asked = [place for place, rule in enumerate(deciding) if rule is None or rule.when == "after_score"]
    by_score: dict[int, tuple[str, float, tuple[float, ...]]] = {}
    if asked:
        scores = package.model.score(rows if len(asked) == len(rows) else rows[asked])
        of_classes = [tuple(one) for one in scores.tolist()] if card.outcome_of_class else [()] * len(asked)
        best = scores.max(axis=1).tolist() if card.outcome_of_class else scores.ravel().tolist()
        by_score = dict(zip(asked, zip(outcomes_by_score(card, scores), best, of_classes, strict=True), strict=True))
    outcomes = []
    for place, rule in enumerate(deciding):
        its_outcome, score, class_scores = by_score.get(place, ("", None, ()))
        names = (one.id for one in rules)
        outcomes.append(
            ModelOutcome(
                outcome=its_outcome if rule is None else rule.outcome,
                score=score,
                fired_rules=tuple(zip(names, fired_of_rows[place], strict=True)),
                deciding_rule=None if rule is None else rule.id,
                of_outcome=its_outcome if class_scores else None,
                class_scores=class_scores,
            )
        )
    return tuple(outcomes)


def outcomes_by_score(card: ModelCard, scores: NDArray[np.float64]) -> list[str]:
    """Say which outcomes follow from scores where no rule applies.

    Args:
        card: The model's card.
        scores: Shape (n_rows,), or (n_rows, n_classes) for several classes: then the class with the highest score
            counts, of equal ones the first.

    Returns:
        One outcome id for each row.
    """
    if card.outcome_of_class:
        return [card.outcome_of_class[position] for position in np.argmax(scores, axis=1)]
    return [card.outcome_of_score(float(score)).id for score in scores]


def outcomes_looked_for(card: ModelCard, outcome: str) -> frozenset[str]:
    """Say which outcomes a person with one outcome may want to know about.

    Args:
        card: The model's card.
        outcome: What the program arrived at.

    Returns:
        All that are more favourable; where there is none, all others.
    """
    others = frozenset(other.id for other in card.outcomes if other.id != outcome)
    return more_favourable(card.outcomes, outcome) or others


def lead_of(card: ModelCard, scores: NDArray[np.float64], outcomes: Collection[str]) -> NDArray[np.float64]:
    """Say how far scores lie on the side of some outcomes.

    Args:
        card: The model's card.
        scores: Shape (n_rows,), or (n_rows, n_classes) for several classes.
        outcomes: Outcome ids: some of the card's, but not all.

    Returns:
        Shape (n_rows,), in the score unit: with a threshold the distance from it; for several classes the best score
        of these outcomes minus the best of the others. Negative on the other side.
    """
    if card.threshold is not None:
        return (scores - card.threshold) * (1 if card.outcome_at_or_above in outcomes else -1)
    inside = np.array([outcome in outcomes for outcome in card.outcome_of_class])
    lead: NDArray[np.float64] = scores[:, inside].max(axis=1) - scores[:, ~inside].max(axis=1)
    return lead


def reached_by_score(card: ModelCard, scores: NDArray[np.float64], outcomes: Collection[str]) -> NDArray[np.bool_]:
    """Say which scores lead to one of some outcomes where no rule applies; arguments as :func:`lead_of`."""
    if card.threshold is not None:
        upper: NDArray[np.bool_] = scores >= card.threshold
        return upper if card.outcome_at_or_above in outcomes else ~upper
    inside = np.array([outcome in outcomes for outcome in card.outcome_of_class])
    reached: NDArray[np.bool_] = inside[np.argmax(scores, axis=1)]
    return reached


def rules_in_order(card: ModelCard) -> tuple[StatutoryRule, ...]:
    """Give the rules in the order in which they are asked: before the score, then after it."""
    return tuple(sorted(card.rules, key=lambda rule: rule.when != "before_score"))


def reaches_outcome(
    card: ModelCard, rows: NDArray[np.float64], scores: NDArray[np.float64], outcomes: Collection[str]
) -> NDArray[np.bool_]:
    """Say for many cases at once whether they arrive at one of some outcomes.

    Args:
        card: The model's card.
        rows: Raw rows, shape (n_rows, n_features).
        scores: The model's scores of these rows, shape (n_rows,) or (n_rows, n_classes); where a rule decides they do
            not matter.
        outcomes: Outcome ids.

    Returns:
        Shape (n_rows,).
    """
    reached = reached_by_score(card, scores, outcomes)
    # The first rule that fires decides, so the last one is asked first and the others overwrite it.
    for rule in reversed(rules_in_order(card)):
        reached = np.where(fired_on_rows(rule, card.features, rows), rule.outcome in outcomes, reached)
    return reached
