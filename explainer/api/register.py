"""The register over HTTP, for anyone."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from explainer.api.answers import PROBLEMS, RegisterAnswer, RegisterEntryAnswer
from explainer.api.authentication import ServiceArg
from explainer.use_cases.moments import utc_text
from explainer.use_cases.read_register import PublishedEntry, entry_history, list_entries, read_entry

router = APIRouter(prefix="/api/v1/register", tags=["register"], responses=PROBLEMS)


@router.get("", response_model=RegisterAnswer)
def get_register(service: ServiceArg) -> JSONResponse:
    """List every algorithm the city has published."""
    base_url = service.settings.base_url
    return JSONResponse({"entries": [_item(published, base_url) for published in list_entries(service)]})


@router.get("/{slug}", response_model=RegisterEntryAnswer)
def get_register_entry(
    service: ServiceArg, slug: str, version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None
) -> JSONResponse:
    """One entry, in its newest or any earlier version."""
    published = read_entry(service, slug, version)
    versions = [
        {"version": kept.version, "published_at": utc_text(kept.published_at), "sha256": kept.sha256}
        for kept in entry_history(service, slug)
    ]
    answer = {
        "slug": slug,
        "version": published.version,
        "published_at": utc_text(published.published_at),
        "sha256": published.sha256,
        "running": published.running,
        "live_numbers": {
            "decisions": published.counts.decisions,
            "departed": published.counts.departed,
            "diverted": published.counts.diverted,
            "explanations": published.counts.explanations,
        },
        "versions": versions,
        "entry": json.loads(published.entry.canonical_bytes()),
    }
    return JSONResponse(answer, headers={"ETag": f'W/"{published.sha256}"'})


def _item(published: PublishedEntry, base_url: str) -> dict[str, Any]:
    card = published.entry.card
    return {
        "slug": card.slug,
        "name": {"de": card.name.de, "en": card.name.en},
        "purpose": {"de": card.purpose.de, "en": card.purpose.en},
        "status": card.status,
        "role": card.role,
        "version": published.version,
        "published_at": utc_text(published.published_at),
        "sha256": published.sha256,
        "url": f"{base_url}/register/{card.slug}",
    }
