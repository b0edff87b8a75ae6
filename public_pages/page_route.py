"""The edge of every page: what a route gets, and how its errors become pages."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from explainer.use_cases.service import Service
from models.errors import KlarbescheidError
from public_pages.error_answers import http_error_answer, invalid_form_answer, refusal_answer
from public_pages.rendering import PageRenderer


def service_of(request: Request) -> Service:
    """The installation that the application was built for."""
    return cast("Service", request.app.state.service)


def renderer_of(request: Request) -> PageRenderer:
    """The page renderer of the application."""
    return cast("PageRenderer", request.app.state.page_renderer)


ServiceOf = Annotated[Service, Depends(service_of)]
RendererOf = Annotated[PageRenderer, Depends(renderer_of)]


class PageRoute(APIRoute):
    """A route that answers our errors with a page and leaves the JSON API's way of answering alone."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the route so that no error leaves it as JSON."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except KlarbescheidError as error:
                return refusal_answer(renderer_of(request), request, error)
            except RequestValidationError:
                return invalid_form_answer(renderer_of(request), request)
            except HTTPException as error:
                return http_error_answer(renderer_of(request), request, error)

        return answer


def page_router() -> APIRouter:
    """Make a router for pages: HTML errors, and nothing in the API's schema."""
    return APIRouter(route_class=PageRoute, include_in_schema=False)
