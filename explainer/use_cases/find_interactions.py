"""Find what two details of a case did together, for those who read it: caseworkers and auditors, when they ask."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from explainer.decisions.decision import Value
from explainer.explanations.document import Audience
from explainer.explanations.interactions import CaseInteractions
from explainer.explanations.numbers import ExplanationNumbers

if TYPE_CHECKING:
    from explainer.use_cases.explained_model import ExplainedModel


def interactions_for_audience(
    model: "ExplainedModel", inputs: Mapping[str, Value], numbers: ExplanationNumbers, audience: Audience
) -> CaseInteractions | None:
    """Find interactions where they are told.

    Args:
        model: The model version that the numbers belong to.
        inputs: Feature name to value.
        numbers: Of this case, as they were computed or kept.
        audience: Who reads the explanation.

    Returns:
        The interactions or why there are none; None for subjects, and where a rule decided before the score.
    """
    if audience == "subject" or numbers.score_numbers is None:
        return None
    return model.interactions_of(inputs, numbers.score_numbers)
