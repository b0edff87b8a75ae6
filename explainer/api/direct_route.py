"""The address that people's letters lead to is answered before the framework looks for a route.

Finding the route, opening exit stacks and solving dependencies that this address does not have takes longer than
reading and unsealing its answer. It stands inside of everything that holds for all requests: access log, limit of
bodies, security headers. The framework knows the same endpoint as a route of its own, from which the OpenAPI document
is written.
"""

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from explainer.api.problem_details import http_problem, problem_of, problem_response
from models.errors import KlarbescheidError

BEFORE, AFTER = "/api/v1/decisions/", "/explanations"


class DirectRoute:
    """Answers ``POST /api/v1/decisions/{reference}/explanations``, and hands on everything else.

    Args:
        app: The application inside.
        endpoint: Answers such a request, given with the reference.
    """

    def __init__(self, app: ASGIApp, *, endpoint: Callable[[Request, str], Awaitable[Response]]) -> None:
        self._app = app
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        reference = _reference_in(scope)
        if reference is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        scope["path_params"] = {"reference": reference}
        try:
            response = await self._endpoint(request, reference)
        except KlarbescheidError as error:
            response = problem_response(problem_of(error))
        except HTTPException as error:
            response = http_problem(error)
        await response(scope, receive, send)


def _reference_in(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] != "POST" or scope.get("root_path"):
        return None
    path: str = scope["path"]
    if not path.startswith(BEFORE) or not path.endswith(AFTER):
        return None
    reference = path[len(BEFORE) : -len(AFTER)]
    return reference if reference and "/" not in reference else None
