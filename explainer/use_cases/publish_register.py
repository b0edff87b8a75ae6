"""Publish what runs: every verified model has a public entry whose newest version describes exactly this package."""

from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

from explainer.register.entry import RegisterEntry, entry_of
from explainer.register.overview import OVERVIEW_METHOD, Overview
from explainer.transparency_log.log_entry import LogEvent
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.record_decision import version_of
from explainer.use_cases.records import PublicationRecord
from explainer.use_cases.service import Service
from models.errors import ModelUnusableError
from models.listed_package import ListedPackage

if TYPE_CHECKING:
    from explainer.use_cases.explained_model import ExplainedModel


class _PublishedMeanwhileError(Exception):
    """Another process published the same version: this unit of work is given up."""


def register_models(service: Service) -> None:
    """Log models that are new or refused, and publish entries that changed; run at every start.

    Args:
        service: The installation.
    """
    if service.database.read_only_reason is not None:
        return
    for slug, package in service.usable_packages.items():
        with service.database.reading() as work:
            latest = work.publications.latest(slug)
        if service.settings.load_models == "when_needed" and _is_described(latest, package):
            continue
        try:
            model = service.model(slug)
        except ModelUnusableError:
            continue  # noted among the failures, and logged below
        entry = entry_of(model.package, _kept_overview(latest, model) or _overview_of(model))
        content, digest = entry.canonical_bytes(), entry.digest()
        version = version_of(model)
        if latest is not None and latest.sha256 == digest:
            continue
        with suppress(_PublishedMeanwhileError), service.database.writing() as work:
            # The entry takes the writers' lock: what is read after it, no other process can be just changing.
            write_log_entry(
                service, work, LogEvent.MODEL_REGISTERED, caller=None, model=version, role=model.package.card.role
            )
            latest = work.publications.latest(slug)
            if latest is not None and latest.sha256 == digest:
                raise _PublishedMeanwhileError
            number = latest.version + 1 if latest else 1
            write_log_entry(
                service,
                work,
                LogEvent.REGISTER_PUBLISHED,
                caller=None,
                model=version,
                outcome=f"version_{number}",
                private={"explanation": digest},
            )
            work.publications.add(
                PublicationRecord(
                    slug=slug, version=number, published_at=service.clock(), sha256=digest, content=content
                )
            )
    log_refused_models(service)


def _is_described(latest: PublicationRecord | None, package: ListedPackage) -> bool:
    """Whether the published entry describes this very package, as this version of the program describes packages.

    An identity stands for card, model, background and evaluation, so none of them need be loaded to know.
    """
    if latest is None:
        return False
    entry = RegisterEntry.model_validate_json(latest.content)
    return (
        entry.model_sha256 == package.sha256
        and entry.digest() == latest.sha256
        and entry.overview is not None
        and entry.overview.method == OVERVIEW_METHOD
    )


def _overview_of(model: "ExplainedModel") -> Overview:
    # Summarising loads methods that a process with nothing to publish never needs.
    from explainer.use_cases.summarise_model import overview_of  # noqa: PLC0415

    return overview_of(model)


def _kept_overview(latest: PublicationRecord | None, model: "ExplainedModel") -> Overview | None:
    """The overview that is published already, if it is that of this model; computing it takes longer than a start."""
    if latest is None:
        return None
    entry = RegisterEntry.model_validate_json(latest.content)
    kept = entry.overview
    if kept is None or kept.method != OVERVIEW_METHOD or entry.model_sha256 != model.package.sha256:
        return None
    return kept


def log_refused_models(service: Service) -> None:
    """Log every model that cannot be used, once for each reason.

    Args:
        service: The installation.
    """
    if service.database.read_only_reason is not None:
        return
    for name, error in service.failures.items():
        mark = sha256(f"model.refused\n{name}\n{error}".encode()).digest()
        with service.database.writing() as work:
            if work.access.was_noted(mark):
                continue
            write_log_entry(service, work, LogEvent.MODEL_REFUSED, caller=None, outcome=error.code)
            work.access.note(mark, at=service.clock())
