"""Start page with its three doors."""

from fastapi import Request, Response

from public_pages.page_contexts import HomePage
from public_pages.page_route import RendererOf, page_router

router = page_router()


@router.get("/")
def home(request: Request, renderer: RendererOf) -> Response:
    """Show the start page."""
    return renderer.response(request, HomePage(page=renderer.page(request)))
