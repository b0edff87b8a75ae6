"""Whether this installation can serve."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from explainer.use_cases.service import Service


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """Whether requests can be answered.

    Attributes:
        ready: Whether the log can be read and continued, and at least one model is usable.
        models: Model to ``usable`` or the code of what is wrong with it.
        log_problem: Why the log is read-only, with how to go on; None while it can be continued.
        witnesses: Witness to ``cosigned`` or what is wrong; says nothing about being ready.
    """

    ready: bool
    models: Mapping[str, str]
    log_problem: str | None = None
    witnesses: Mapping[str, str] = field(default_factory=dict)


def readiness(service: Service) -> Readiness:
    """Read the log once and report every model.

    Args:
        service: The installation.

    Returns:
        The state; a broken database raises instead.
    """
    with service.database.reading() as work:
        work.log.checkpoint()
    models = dict.fromkeys(service.usable_packages, "usable")
    models |= {slug: failure.code for slug, failure in service.failures.items()}
    problem = log_problem(service)
    return Readiness(
        ready=bool(service.usable_packages) and problem is None,
        models=models,
        log_problem=problem,
        witnesses=service.witness_states,
    )


def log_problem(service: Service) -> str | None:
    """Why the log is read-only, with how to go on.

    Args:
        service: The installation.

    Returns:
        A sentence for the operator, or None while the log can be continued.
    """
    return service.database.read_only_reason
