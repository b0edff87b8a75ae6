"""What every use case works with: passed as an argument, built once in ``explainer.app``."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from explainer.settings import Settings
from explainer.transparency_log.erasure_list import ErasureList
from explainer.use_cases.calculations import Calculations
from explainer.use_cases.decision_vault import Vault
from explainer.use_cases.finding_aid import FindingAid
from explainer.use_cases.refused_attempts import RefusedAttempts
from explainer.use_cases.stores import Database
from models.catalogue import Catalogue
from models.errors import ModelUnusableError
from models.growing_catalogue import GrowingCatalogue
from models.listed_package import ListedPackage

if TYPE_CHECKING:
    from explainer.use_cases.explained_model import ExplainedModel
    from explainer.use_cases.proof_jobs import ProofJobs

RandomBytes = Callable[[int], bytes]


@dataclass(frozen=True, kw_only=True)
class Service:
    """One running installation.

    Attributes:
        settings: Its settings.
        database: Opens units of work.
        catalogue: Which model packages are installed, and which of them cannot be used.
        explained_versions: Every installed package, current or older, ready to explain, by slug and SHA-256; looking
            one up may take seconds the first time, and raises where it does not pass its verification.
        refused_versions: Versions that did not pass their verification when they were first needed, and why.
        installed: Looks for packages that were added since the start; none where nobody looks.
        vault: Seals and opens what is personal.
        erasures: List of what was erased, outside database and key store.
        server_key: 32 bytes for HMACs over access codes and tokens.
        clock: Current time, UTC.
        random_bytes: Source of randomness.
        witness_states: What came of asking each witness last; see ``use_cases.ask_witnesses``.
        calculations: Does what takes longer than an event loop may be held up.
        finding_aid: Where entries of the log are looked for.
        refused_attempts: How many were not let in since this process started.
        proof_jobs: Takes longer proofs; None where none are wanted.
    """

    settings: Settings
    database: Database
    catalogue: Catalogue
    explained_versions: Mapping[tuple[str, str], "ExplainedModel"]
    refused_versions: Mapping[tuple[str, str], ModelUnusableError] = field(default_factory=dict)
    installed: GrowingCatalogue | None = None
    vault: Vault
    erasures: ErasureList
    server_key: bytes
    clock: Callable[[], datetime]
    random_bytes: RandomBytes = os.urandom
    calculations: Calculations = field(default_factory=Calculations)
    witness_states: dict[str, str] = field(default_factory=dict)
    finding_aid: FindingAid = field(default_factory=FindingAid)
    refused_attempts: RefusedAttempts = field(default_factory=RefusedAttempts)
    proof_jobs: "ProofJobs | None" = None

    @property
    def log_vkey(self) -> str:
        """Public key of the log as a C2SP vkey; the newer one while a key is being replaced."""
        return self.database.log_vkey

    @property
    def usable_packages(self) -> Mapping[str, ListedPackage]:
        """The current version of every model that has not been refused, by slug."""
        return {
            slug: package
            for slug, package in self.catalogue.packages.items()
            if (slug, package.sha256) not in self.refused_versions
        }

    @property
    def failures(self) -> Mapping[str, ModelUnusableError]:
        """Models and versions that cannot be used, by the name of their folder, and why."""
        refused = {
            self.catalogue.versions[key].folder.name: error
            for key, error in self.refused_versions.items()
            if key in self.catalogue.versions
        }
        return {**self.catalogue.failures, **refused}

    def model(self, slug: str) -> "ExplainedModel":
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

    def package_of_version(self, slug: str, sha256: str) -> ListedPackage:
        """The package of a model version, without preparing it.

        Args:
            slug: Name of the model.
            sha256: Identity of the package.

        Returns:
            The package, as it was listed at the start.

        Raises:
            ModelNotFoundError: If this version is no longer installed.
            ModelUnusableError: If it did not pass its verification.
        """
        package = self.catalogue.get_version(slug, sha256)
        refused = self.refused_versions.get((slug, sha256))
        if refused is not None:
            raise refused.with_traceback(None)
        return package

    def model_of_version(self, slug: str, sha256: str) -> "ExplainedModel":
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
        return self.explained_versions[slug, self.package_of_version(slug, sha256).sha256]
