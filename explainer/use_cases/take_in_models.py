"""Take in model packages that were added while the service runs: verified first, then current, published and logged."""

import logging

from explainer.use_cases.publish_register import register_models
from explainer.use_cases.service import Service
from models.errors import ModelUnusableError

LOG = logging.getLogger("klarbescheid.models")


def take_in_new_models(service: Service) -> list[str]:
    """Look for added packages and let those that pass their verification score from now on.

    A package that does not pass is refused and logged, and the version before stays current. Decisions made with an
    older version are explained with that version.

    Args:
        service: The installation.

    Returns:
        Names and versions that became current, such as ``wohngeld 2026.2``.
    """
    taken: list[str] = []
    if service.installed is None:
        return taken
    for package in service.installed.newcomers():
        try:
            service.explained_versions[package.card.slug, package.sha256]  # verifies and prepares
        except ModelUnusableError as error:
            LOG.warning("%s %s is not taken in: %s", package.card.slug, package.card.version, error)
            continue
        service.installed.make_current(package)
        taken.append(f"{package.card.slug} {package.card.version}")
    if taken:
        LOG.info("Taken in: %s", ", ".join(taken))
        register_models(service)
    return taken
