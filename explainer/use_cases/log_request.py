"""Logs requests for an explanation that are not answered at once; the others are logged with their answer."""

from explainer.decisions.decision import ModelVersion
from explainer.errors import ErasedError
from explainer.transparency_log.log_entry import LogEvent
from explainer.use_cases.callers import Caller
from explainer.use_cases.decision_vault import OpenKey
from explainer.use_cases.deliver_explanation import ExplanationWish, basis_slug
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.records import Deliverable
from explainer.use_cases.service import Service


def log_request(service: Service, caller: Caller, wish: ExplanationWish, decision: Deliverable) -> None:
    """Log a request whose text must be made first: whatever becomes of the making, that it was asked for is known.

    Args:
        service: The installation.
        caller: Who asks.
        wish: What is asked for.
        decision: The decision.
    """
    with service.database.writing() as work:
        write_log_entry(
            service,
            work,
            LogEvent.EXPLANATION_REQUESTED,
            caller=caller,
            model=_version_of(decision),
            role=decision.role,
            basis=basis_slug(caller),
            private={"decision": decision.reference, "purpose": [wish.purpose, wish.legal_basis]},
            key_id=decision.key_id,
        )


def key_or_refusal(service: Service, caller: Caller, decision: Deliverable) -> OpenKey:
    """Read the key of a decision; where the data were erased, that somebody asked for them is logged.

    Args:
        service: The installation.
        caller: Who asks, proven.
        decision: The decision.

    Returns:
        The key.

    Raises:
        ErasedError: If the data were erased. The entry does not commit to the decision: there is no key any more under
            which that could be sealed.
    """
    try:
        return service.vault.key(decision.key_id)
    except ErasedError as error:
        with service.database.writing() as work:
            write_log_entry(
                service,
                work,
                LogEvent.EXPLANATION_REFUSED,
                caller=caller,
                model=_version_of(decision),
                role=decision.role,
                basis=basis_slug(caller),
                outcome=error.code,
            )
        raise


def _version_of(decision: Deliverable) -> ModelVersion:
    return ModelVersion(slug=decision.model_slug, version=decision.model_version, sha256=decision.model_sha256)
