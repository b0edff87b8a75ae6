"""The JSON application: every route below ``/api`` and ``/log``, and the health checks."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.routing import Match

from explainer.api import decisions, explanations, health, log, register
from explainer.api.direct_route import DirectRoute
from explainer.api.problem_details import add_problem_details, problem_response
from explainer.use_cases.service import Service

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def api_application(service: Service, *, lifespan: Lifespan | None = None) -> FastAPI:
    """Build the JSON application.

    Args:
        service: The installation.
        lifespan: What to do around serving.

    Returns:
        The application; pages are mounted onto it elsewhere.
    """
    app = FastAPI(
        title="Klarbescheid",
        version="1",
        summary="Why did the city decide this, and can I check the answer?",
        openapi_url="/api/openapi.json",
        docs_url=None,  # the interactive pages load scripts from strangers
        redoc_url=None,
        # Addresses hold references of decisions; nobody who collects traces or metrics may see them.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        lifespan=lifespan,
    )
    app.state.service = service
    add_problem_details(app)
    app.add_middleware(DirectRoute, endpoint=explanations.post_explanation)
    for part in (explanations, decisions, register, log, health):
        app.include_router(part.router)

    @app.api_route("/api/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
    def nothing_here(request: Request, rest: str) -> JSONResponse:
        del rest
        if any(route.matches({**request.scope, "path": request.url.path})[0] is Match.PARTIAL for route in app.routes):
            raise HTTPException(405, "This address does not know this method.")
        return problem_response(
            {"type": "not_found", "title": "Not found.", "status": 404, "detail": "The API has no such address."}
        )

    return app
