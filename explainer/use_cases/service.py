"""What every use case works with: passed as an argument, built once in ``explainer.app``."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from explainer.settings import Settings
from explainer.use_cases.decision_vault import Vault
from explainer.use_cases.explained_model import ExplainedModel
from explainer.use_cases.stores import Database
from models.catalogue import Catalogue

RandomBytes = Callable[[int], bytes]


@dataclass(frozen=True, kw_only=True)
class Service:
    """One running installation.

    Attributes:
        settings: Its settings.
        database: Opens units of work.
        catalogue: Which model packages are installed, and which of them cannot be used.
        explained_versions: Every usable package, current or older, ready to explain, by slug and SHA-256.
        vault: Seals and opens what is personal.
        server_key: 32 bytes for HMACs over access codes and tokens.
        log_vkey: Public key of the log as a C2SP vkey.
        clock: Current time, UTC.
        random_bytes: Source of randomness.
    """

    settings: Settings
    database: Database
    catalogue: Catalogue
    explained_versions: Mapping[tuple[str, str], ExplainedModel]
    vault: Vault
    server_key: bytes
    log_vkey: str
    clock: Callable[[], datetime]
    random_bytes: RandomBytes = secrets.token_bytes

    @property
    def explained_models(self) -> Mapping[str, ExplainedModel]:
        """The current version of every usable model, by slug."""
        return {
            slug: self.explained_versions[slug, package.sha256] for slug, package in self.catalogue.packages.items()
        }

    def model(self, slug: str) -> ExplainedModel:
        """The current version of a model.

        Args:
            slug: Name of the model.

        Returns:
            The model, ready to score and explain.

        Raises:
            ModelNotFoundError: If no such model is installed.
            ModelUnusableError: If it is installed and did not pass its verification.
        """
        return self.explained_versions[slug, self.catalogue.get(slug).sha256]

    def model_of_version(self, slug: str, sha256: str) -> ExplainedModel:
        """The model version a decision was made with, never today's in its place.

        Args:
            slug: Name of the model.
            sha256: Identity of the package.

        Returns:
            The model, ready to explain.

        Raises:
            ModelNotFoundError: If this version is no longer installed.
            ModelUnusableError: If it did not pass its verification.
        """
        package = self.catalogue.get_version(slug, sha256)
        return self.explained_versions[slug, package.sha256]
