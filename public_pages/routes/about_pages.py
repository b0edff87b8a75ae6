"""What this service is, what happens with data, and how accessible the pages are."""

from fastapi import Request, Response

from explainer.use_cases.read_register import list_entries
from public_pages.page_contexts import AboutPage, AccessibilityPage, PrivacyPage
from public_pages.page_frame import ContactPoint
from public_pages.page_route import RendererOf, ServiceOf, page_router
from public_pages.register_view import contact_of

router = page_router()


@router.get("/about")
def about(request: Request, renderer: RendererOf) -> Response:
    """Say what this service is and how anyone can check it."""
    return renderer.response(request, AboutPage(page=renderer.page(request)))


@router.get("/privacy")
def privacy(request: Request, renderer: RendererOf) -> Response:
    """Say what happens with personal data."""
    return renderer.response(request, PrivacyPage(page=renderer.page(request)))


@router.get("/accessibility")
def accessibility(request: Request, service: ServiceOf, renderer: RendererOf) -> Response:
    """Say how accessible the pages are, and to whom a barrier can be reported."""
    page = renderer.page(request)
    contacts: dict[str, ContactPoint] = {}
    for published in list_entries(service):
        contact = contact_of(published.entry.card, page.language)
        contacts.setdefault(contact.name, contact)
    return renderer.response(request, AccessibilityPage(page=page, contacts=tuple(contacts.values())))
