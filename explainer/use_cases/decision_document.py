"""The document of one decision, built from what was recorded and checked against the law's list."""

from contextlib import suppress
from typing import TYPE_CHECKING, get_args

from explainer.decisions.decision import Decision
from explainer.errors import UntrustworthyExplanationError
from explainer.explanations.background import background_ref_of
from explainer.explanations.document import Audience, ExplanationDocument, Language
from explainer.explanations.interactions import CaseInteractions
from explainer.explanations.numbers import ExplanationNumbers
from explainer.narration.document_builder import build_checked_document
from explainer.narration.facts import Facts
from explainer.use_cases.kept_documents import fingerprint_of_facts, keep
from explainer.use_cases.records import KeptDocumentRecord
from explainer.use_cases.service import Service

if TYPE_CHECKING:
    from models.package import ModelPackage


def document_of(
    service: Service,
    decision: Decision,
    numbers: ExplanationNumbers,
    package: "ModelPackage",
    *,
    audience: Audience,
    language: Language,
    superseded_by: str | None,
    interactions: CaseInteractions | None = None,
) -> ExplanationDocument:
    """Explain a decision for one audience in one language.

    Args:
        service: The installation.
        decision: The decision, opened.
        numbers: Its numbers.
        package: The model version that took part.
        audience: For whom.
        language: In which language.
        superseded_by: Reference of its successor, or None.
        interactions: What details did together, for audiences that are told.

    Returns:
        A document that holds everything the law asks for.

    Raises:
        UntrustworthyExplanationError: If it does not, or the facts do not belong together.
    """
    return build_checked_document(
        Facts(
            id=service.random_bytes(16).hex(),
            produced_at=service.clock(),
            audience=audience,
            language=language,
            card=package.card,
            evaluation=package.evaluation,
            background=background_ref_of(package),
            model=decision.model,
            register_version=decision.register_version,
            numbers=numbers,
            inputs=decision.private.inputs,
            decision=decision,
            superseded_by=superseded_by,
            base_url=service.settings.base_url,
            interactions=interactions,
        )
    )


def documents_for_subject(
    service: Service,
    decision: Decision,
    numbers: ExplanationNumbers,
    package: "ModelPackage",
    *,
    key_id: str,
    numbers_mark: bytes | None,
    superseded_by: str | None = None,
) -> list[KeptDocumentRecord]:
    """What the person will be told, written and checked now; other audiences' texts are written when first asked for.

    A text that fails its checks is left out: whoever asks for it meets the same failure, and a caseworker is told.

    Args:
        service: The installation.
        decision: The decision, opened.
        numbers: Its numbers.
        package: The model version that took part.
        key_id: Key of the person's data.
        numbers_mark: What tells these numbers, sealed, from others of this decision.
        superseded_by: Reference of its successor, or None.

    Returns:
        One record to insert for each language.
    """
    facts = fingerprint_of_facts(
        service,
        model_sha256=decision.model.sha256,
        numbers_mark=numbers_mark,
        status=decision.status.value,
        superseded_by=superseded_by,
    )
    kept = []
    for language in get_args(Language):
        with suppress(UntrustworthyExplanationError):
            document = document_of(
                service, decision, numbers, package, audience="subject", language=language, superseded_by=superseded_by
            )
            kept.append(keep(service, document, decision.private, facts=facts, key_id=key_id)[0])
    return kept
