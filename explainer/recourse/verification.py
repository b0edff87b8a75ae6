"""Proves a counterfactual: rules and model are run again on the changed values."""

from collections.abc import Mapping

from explainer.decisions.decision import Value
from explainer.errors import CounterfactualError
from explainer.explanations.counterfactual import Counterfactual
from explainer.explanations.model_outcome import outcome_of_row
from models.errors import InvalidInputError
from models.features import to_row
from models.package import ModelPackage


def verify_counterfactual(package: ModelPackage, inputs: Mapping[str, Value], counterfactual: Counterfactual) -> None:
    """Check that a counterfactual is true and may be shown.

    Args:
        package: The verified package.
        inputs: The person's values.
        counterfactual: What is claimed about them.

    Raises:
        CounterfactualError: If it starts from other values than the person's, changes a feature that must not be
            changed, gives values the card does not allow, or does not lead to the outcome and score it states.
        InvalidInputError: If the person's own values do not fit the card.
    """
    features = {feature.name: feature for feature in package.card.features}
    before = outcome_of_row(package, to_row(package.card.features, inputs))
    for change in counterfactual.changes:
        feature = features.get(change.feature)
        if feature is None or feature.protected or not (feature.actionable or feature.disputable):
            raise CounterfactualError(f"A counterfactual must not change '{change.feature}'.")
        if inputs[change.feature] != change.before:
            raise CounterfactualError(f"A counterfactual starts from another value of '{change.feature}'.")
    changed = {**inputs, **{change.feature: change.after for change in counterfactual.changes}}
    try:
        row = to_row(package.card.features, changed)
    except InvalidInputError as error:
        raise CounterfactualError(f"A counterfactual leads to values the card refuses: {error}") from error
    after = outcome_of_row(package, row)
    if after.outcome != counterfactual.outcome or after.outcome == before.outcome:
        raise CounterfactualError(
            f"A counterfactual promises '{counterfactual.outcome}' instead of '{before.outcome}'; rules and model give "
            f"'{after.outcome}'."
        )
    if not _same_score(after.score, counterfactual.score, package.score_tolerance):
        raise CounterfactualError(f"A counterfactual states the score {counterfactual.score}; it is {after.score}.")


def _same_score(one: float | None, other: float | None, tolerance: float) -> bool:
    if one is None or other is None:
        return one is other
    # Runtimes may add up a batch in another order than a single row, in 32 bits.
    return abs(one - other) <= tolerance
