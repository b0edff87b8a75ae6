"""Explain inputs without a decision, for staff and case systems; logged like every explanation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from explainer.decisions.decision import Role, Value
from explainer.explanations.background import background_ref_of
from explainer.explanations.document import Audience, ExplanationDocument, Language
from explainer.narration.document_builder import build_checked_document
from explainer.narration.facts import Facts
from explainer.transparency_log.group_commit import GroupCommit
from explainer.use_cases.callers import CaseSystem, Staff, actor_of
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

MAX_TOGETHER = 16
"""Questions that are calculated one after the other before their answers are logged together."""


@dataclass(frozen=True, kw_only=True)
class _Question:
    service: Service
    caller: CaseSystem | Staff
    slug: str
    inputs: Mapping[str, Value]
    language: Language
    audience: Audience | None
    purpose: str | None
    legal_basis: str | None


@dataclass(frozen=True, kw_only=True)
class _Answer:
    wish: ExplanationWish
    document: ExplanationDocument
    canonical: bytes
    role: Role


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
    """Explain what a model makes of some inputs; numbers and text are made in threads, so that others are not held up.

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
    question = _Question(
        service=service,
        caller=caller,
        slug=slug,
        inputs=inputs,
        language=language,
        audience=audience,
        purpose=purpose,
        legal_basis=legal_basis,
    )
    answer = await _CALCULATING.keep(question)
    key_id = service.vault.key_id_for(None, answer.document.id, owner=actor_of(caller))
    key = await service.vault.new_key(key_id)
    prepared = prepare_without_decision(
        service,
        caller,
        answer.wish,
        answer.document,
        answer.canonical,
        role=answer.role,
        key_id=key_id,
        key=key,
    )
    return prepared.delivered(await service.database.deliver(prepared.delivery))


def _answers_to(questions: Sequence[_Question]) -> list[_Answer | Exception]:
    return [_answer_or_refusal(question) for question in questions]


def _answer_or_refusal(question: _Question) -> _Answer | Exception:
    try:
        return _answer_to(question)
    except Exception as error:  # noqa: BLE001 -- it is told to the one who asked, and to nobody else
        return error


def _answer_to(question: _Question) -> _Answer:
    service, inputs = question.service, question.inputs
    model = service.model(question.slug)
    card = model.package.card
    problems = problems_with(card.features, inputs)
    try:
        wish = checked_wish(
            question.caller,
            audience=question.audience,
            language=question.language,
            purpose=question.purpose,
            legal_basis=question.legal_basis,
        )
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
            register_version=register_version_in_force(service, question.slug),
            numbers=numbers,
            inputs=inputs,
            decision=None,
            superseded_by=None,
            base_url=service.settings.base_url,
            interactions=interactions_for_audience(model, inputs, numbers, wish.audience),
        )
    )
    return _Answer(wish=wish, document=document, canonical=document.canonical_bytes(), role=card.role)


_CALCULATING = GroupCommit[_Question, _Answer](_answers_to, max_batch=MAX_TOGETHER)
"""Calculates in one thread, because most of it holds Python's lock, and two threads take a third more time to fight for
it. Questions that wait are answered together, so that their keys and log entries share one wait for the disk each."""
