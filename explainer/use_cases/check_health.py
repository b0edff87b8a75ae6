"""Whether this installation can serve."""

from collections.abc import Mapping
from dataclasses import dataclass

from explainer.use_cases.service import Service


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """Whether requests can be answered.

    Attributes:
        ready: Whether the log can be read and at least one model is usable.
        models: Model to ``usable`` or the code of what is wrong with it.
    """

    ready: bool
    models: Mapping[str, str]


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
    return Readiness(ready=bool(service.usable_packages), models=models)
