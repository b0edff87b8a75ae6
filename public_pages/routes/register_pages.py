"""The public register of algorithms."""

from typing import Annotated

from fastapi import Query, Request, Response

from explainer.use_cases.read_register import entry_history, list_entries, read_entry
from public_pages.page_contexts import RegisterEntryPage, RegisterListPage
from public_pages.page_route import RendererOf, ServiceOf, page_router
from public_pages.register_view import what_weighs

router = page_router()


@router.get("/register")
def register_list(request: Request, service: ServiceOf, renderer: RendererOf) -> Response:
    """List every algorithm the city uses."""
    return renderer.response(
        request, RegisterListPage(page=renderer.page(request), entries=tuple(list_entries(service)))
    )


@router.get("/register/{slug}")
def register_entry(
    slug: str,
    request: Request,
    service: ServiceOf,
    renderer: RendererOf,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """Show one entry, in its newest version or in the one asked for."""
    published = read_entry(service, slug, version)
    return renderer.response(
        request,
        RegisterEntryPage(
            page=renderer.page(request),
            published=published,
            history=tuple(entry_history(service, slug)),
            weighs=what_weighs(published.entry, renderer.language(request)),
        ),
    )
