"""Look for longer than a person waits for what would have led to another result, and keep the better answer."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from explainer.explanations.numbers import ExplanationNumbers
from explainer.explanations.stored_numbers import numbers_to_bytes
from explainer.use_cases.decision_document import documents_for_subject
from explainer.use_cases.explain_decision import numbers_of
from explainer.use_cases.kept_documents import mark_of
from explainer.use_cases.read_decisions import LoadedDecision, load_decision
from explainer.use_cases.service import Service

if TYPE_CHECKING:
    from explainer.recourse.infeasibility import ProofProgress
    from models.package import ModelPackage

LOG = logging.getLogger("klarbescheid.proofs")

Improvement = Literal["proven", "example found", "still open", "nothing to improve"]


def improve_recourse(
    service: Service, reference: str, *, seconds: float, report: Callable[["ProofProgress"], None]
) -> Improvement:
    """Try to prove that no combination of changes would have helped, where the search left that open.

    Whoever asks while it runs is told what was known before. The better numbers are kept in one transaction together
    with the texts that tell them, and only if nobody has changed the numbers meanwhile: a job that is lost, or done
    twice by two processes, leaves nothing half-written.

    Args:
        service: The installation.
        reference: The decision.
        seconds: How long to try.
        report: Called now and then with the progress; what it raises ends the job, and nothing is kept.

    Returns:
        What has become of it.

    Raises:
        ErasedError: If the person's data were erased.
        KlarbescheidError: If decision, model version or numbers cannot be used.
    """
    from explainer.recourse.infeasibility import prove_infeasible  # noqa: PLC0415 -- only processes with models load it

    loaded = load_decision(service, reference)
    if loaded.record.sealed_numbers is None:
        return "nothing to improve"
    version = loaded.decision.model
    model = service.model_of_version(version.slug, version.sha256)
    numbers = numbers_of(service, loaded, model)
    if not numbers.recourse.is_left_open:
        return "nothing to improve"
    begin = time.monotonic()
    progress = prove_infeasible(
        model.package, loaded.decision.private.inputs, begin + seconds, space=model.search_space, report=report
    )
    LOG.info(
        "%s: %s after %d boxes and %.1f s, %d boxes left",
        version.slug,
        progress.state,
        progress.looked_at,
        time.monotonic() - begin,
        progress.open_boxes,
    )
    better = progress.recourse
    if better is None or better == numbers.recourse:
        return "still open"
    if not _keep(service, loaded, replace(numbers, recourse=better), model.package):
        return "nothing to improve"
    return "proven" if better.none is not None else "example found"


def _keep(service: Service, loaded: LoadedDecision, better: ExplanationNumbers, package: "ModelPackage") -> bool:
    """Keep numbers and texts; False where other numbers stand there meanwhile."""
    record, known = loaded.record, loaded.record.sealed_numbers
    if known is None:
        return False
    # A key that exists and none that is made: nothing new is sealed about somebody whose data were erased.
    key = service.vault.key(record.key_id)
    sealed = key.seal(numbers_to_bytes(better), context=f"numbers:{record.reference}")
    documents = documents_for_subject(
        service,
        loaded.decision,
        better,
        package,
        key_id=record.key_id,
        numbers_mark=mark_of(sealed),
        superseded_by=loaded.superseded_by,
    )
    with service.database.writing() as work:
        if not work.decisions.replace_numbers(record.reference, known=known, better=sealed):
            return False
        for document in documents:
            work.kept_documents.add(document)
    return True
