"""Whether the process is up, and whether it can serve."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from explainer.api.answers import Health
from explainer.api.authentication import ServiceArg
from explainer.use_cases.check_health import readiness

router = APIRouter(tags=["health"])


@router.get("/healthz", response_model=Health)
def get_health() -> JSONResponse:
    """The process is up."""
    return JSONResponse({"status": "ok", "models": {}})


@router.get("/readyz", response_model=Health, responses={503: {"model": Health}})
def get_readiness(service: ServiceArg) -> JSONResponse:
    """The database answers and at least one model is usable."""
    ready = readiness(service)
    status = "ok" if ready.ready else "not_ready"
    return JSONResponse({"status": status, "models": dict(ready.models)}, status_code=200 if ready.ready else 503)
