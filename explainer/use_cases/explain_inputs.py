"""Explain inputs without a decision, for staff and case systems; logged like every explanation."""

from collections.abc import Mapping
from functools import partial

from explainer.decisions.decision import Role, Value
from explainer.explanations.background import background_ref_of
from explainer.explanations.document import Audience, ExplanationDocument, Language
from explainer.narration.document_builder import build_checked_document
from explainer.narration.facts import Facts
from explainer.use_cases.callers import CaseSystem, Staff
from explainer.use_cases.deliver_explanation import (
    DeliveredExplanation,
    ExplanationWish,
    checked_wish,
    prepare_without_decision,
)
from explainer.use_cases.find_interactions import interactions_for_audience
from explainer.use_cases.record_decision import register_version_in_force, version_of
from explainer.use_cases.service import Service
from models.errors import InvalidInputError
from models.features import problems_with


async def explain_inputs(
    service: Service,
    caller: CaseSystem | Staff,
    slug: str,
    inputs: Mapping[str, Value],
    *,
    language: Language,
    audience: Audience | None = None,
    purpose: str | None = None,
    legal_basis: str | None = None,
) -> DeliveredExplanation:
    """Explain what a model makes of some inputs; numbers and text are made in a thread, so that others are not held up.

    Args:
        service: The installation.
        caller: Who asks.
        slug: Name of the model.
        inputs: Feature name to value.
        language: In which language.
        audience: For whom; by default the caller's own.
        purpose: Why.
        legal_basis: On which legal basis.

    Returns:
        The explanation; its log entry has committed.

    Raises:
        InvalidInputError: With every problem of the inputs and of purpose and legal basis.
        UntrustworthyExplanationError: If it failed its own checks.
    """
    explain = partial(
        _checked_document,
        service,
        caller,
        slug,
        inputs,
        language=language,
        audience=audience,
        purpose=purpose,
        legal_basis=legal_basis,
    )
    wish, document, canonical, role = await service.calculations.result_of(explain)
    key_id = service.vault.new_key_id()
    key = await service.vault.new_key(key_id)
    prepared = prepare_without_decision(service, caller, wish, document, canonical, role=role, key_id=key_id, key=key)
    return prepared.delivered(await service.database.deliver(prepared.delivery))


def _checked_document(
    service: Service,
    caller: CaseSystem | Staff,
    slug: str,
    inputs: Mapping[str, Value],
    *,
    language: Language,
    audience: Audience | None,
    purpose: str | None,
    legal_basis: str | None,
) -> tuple[ExplanationWish, ExplanationDocument, bytes, Role]:
    model = service.model(slug)
    card = model.package.card
    problems = problems_with(card.features, inputs)
    try:
        wish = checked_wish(caller, audience=audience, language=language, purpose=purpose, legal_basis=legal_basis)
    except InvalidInputError as error:
        raise InvalidInputError([*error.problems, *problems]) from error
    if problems:
        raise InvalidInputError(problems)
    version = version_of(model)
    numbers = model.numbers_for(inputs)
    document = build_checked_document(
        Facts(
            id=service.random_bytes(16).hex(),
            produced_at=service.clock(),
            audience=wish.audience,
            language=wish.language,
            card=card,
            evaluation=model.package.evaluation,
            background=background_ref_of(model.package),
            model=version,
            register_version=register_version_in_force(service, slug),
            numbers=numbers,
            inputs=inputs,
            decision=None,
            superseded_by=None,
            base_url=service.settings.base_url,
            interactions=interactions_for_audience(model, inputs, numbers, wish.audience),
        )
    )
    return wish, document, document.canonical_bytes(), card.role
