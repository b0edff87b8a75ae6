"""Computes the numbers of a delivered explanation again and holds them against what was said."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from explainer.decisions.decision import Value
from explainer.explanations.attribution import RELATIVE_ADDITIVITY_TOLERANCE
from explainer.explanations.document import ExplanationDocument
from explainer.explanations.document_bytes import QUANTUM_DIGITS
from explainer.explanations.numbers import ExplanationNumbers

if TYPE_CHECKING:
    from explainer.use_cases.explained_model import ExplainedModel

_QUANTUM = 10.0**-QUANTUM_DIGITS


@dataclass(frozen=True, kw_only=True)
class ReplayedNumbers:
    """What came of computing anew.

    Attributes:
        tolerance: Largest difference that counts as the same, in the additive unit: what rounding may do, and for
            sampled contributions three standard errors of each of two samplings.
        largest_difference: The largest there was, in the same unit.
        engine_version: Version of the code that computed now; None where a rule decided before the score.
        differences: What is not the same, each in one sentence; none when all is.
    """

    tolerance: float
    largest_difference: float
    engine_version: str | None
    differences: tuple[str, ...]


def replay_numbers(
    document: ExplanationDocument, model: "ExplainedModel", inputs: Mapping[str, Value]
) -> ReplayedNumbers:
    """Compute the numbers again from the inputs with the stored model version.

    Args:
        document: What was delivered.
        model: The model version it names, verified when it was loaded.
        inputs: The inputs of the case.

    Returns:
        What came of it.
    """
    numbers = model.numbers_for(inputs)
    scored = numbers.score_numbers
    attribution = scored.attribution if scored is not None else None
    sampled = 2 * 3 * (attribution.method.standard_error or 0.0) if attribution is not None else 0.0
    tolerance = (
        (attribution.tolerance if attribution is not None else RELATIVE_ADDITIVITY_TOLERANCE) + sampled + _QUANTUM
    )
    differences = list(_other_facts(document, model, inputs, numbers))
    largest = 0.0
    for what, said, now in _pairs(document, model, numbers):
        if said is None or now is None:
            if said is not now:
                differences.append(f"{what}: the document says {said}, computed anew it is {now}.")
            continue
        difference = abs(said - now)
        largest = max(largest, difference)
        if not difference <= tolerance:
            differences.append(f"{what}: the document says {said!r}, computed anew it is {now!r}.")
    differences += _other_examples(document, model, inputs, tolerance)
    return ReplayedNumbers(
        tolerance=tolerance,
        largest_difference=largest,
        engine_version=attribution.method.engine_version if attribution is not None else None,
        differences=tuple(differences),
    )


def _pairs(
    document: ExplanationDocument, model: "ExplainedModel", numbers: ExplanationNumbers
) -> Iterator[tuple[str, float | None, float | None]]:
    scored, said = numbers.score_numbers, document.score
    attribution = scored.attribution if scored is not None else None
    yield "Score", said.value if said else None, scored.score if scored else None
    yield "Additive score", said.additive_value if said else None, attribution.additive_score if attribution else None
    yield "Expected value", document.expected_value, attribution.expected_value if attribution else None
    yield "Additivity gap", document.additivity_gap, attribution.additivity_gap if attribution else None
    yield "Additivity tolerance", document.additivity_tolerance, attribution.tolerance if attribution else None
    yield "Threshold", document.threshold, model.package.card.threshold
    for one, now in zip(said.of_classes if said else (), scored.class_scores if scored else (), strict=False):
        yield f"Score of {one.outcome}", one.value, now
    named = {part.feature: part.contribution for part in document.contributions}
    features = model.package.card.features
    anew = dict(zip((one.name for one in features), attribution.contributions, strict=True)) if attribution else {}
    for feature in sorted(named.keys() | anew.keys()):
        yield f"Contribution of {feature}", named.get(feature), anew.get(feature)


def _other_facts(
    document: ExplanationDocument, model: "ExplainedModel", inputs: Mapping[str, Value], numbers: ExplanationNumbers
) -> Iterator[str]:
    fired = {rule.id: rule.fired for rule in document.rules}
    if fired != dict(numbers.rules_fired):
        yield "The statutory rules that apply are others than the document says."
    program = model.outcome_of(inputs).outcome
    said = document.decision.model_outcome if document.decision is not None else document.outcome
    if program != said:
        yield f"The program's outcome is {program}, the document says {said}."
    if document.background.sha256 != numbers.background_sha256:
        yield "The document names another comparison group."
    for part in document.contributions:
        if part.feature not in inputs or inputs[part.feature] != part.value:
            yield f"The document gives another value of {part.feature} than was recorded."
    scored = numbers.score_numbers
    if (document.method is None) is not (scored is None):
        yield "Only one of document and computation has a score."
    elif document.method is not None and scored is not None and document.method.name != scored.attribution.method.name:
        yield f"The contributions were computed with {document.method.name}, now with {scored.attribution.method.name}."


def _other_examples(
    document: ExplanationDocument, model: "ExplainedModel", inputs: Mapping[str, Value], tolerance: float
) -> Iterator[str]:
    for example in (*document.counterfactuals, *document.disputed):
        if any(inputs.get(change.feature) != change.from_ for change in example.changes):
            yield "An example calculation begins with another value than was recorded."
            continue
        outcome = model.outcome_of({**inputs, **{change.feature: change.to for change in example.changes}})
        if outcome.outcome != example.outcome:
            yield f"An example calculation says {example.outcome}, computed anew it is {outcome.outcome}."
        elif example.score is not None and outcome.score is not None and abs(example.score - outcome.score) > tolerance:
            yield f"An example calculation says {example.score!r}, computed anew it is {outcome.score!r}."
