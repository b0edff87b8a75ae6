"""Whether the process is up, and whether it can serve."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from explainer.api.answers import Health
from explainer.api.authentication import ServiceArg
from explainer.use_cases.check_health import log_problem, readiness

router = APIRouter(tags=["health"])


@router.get("/healthz", response_model=Health)
def get_health(service: ServiceArg) -> JSONResponse:
    """The process is up; ``read_only`` where the log must not be continued, with what the operator can do."""
    problem = log_problem(service)
    status = "ok" if problem is None else "read_only"
    return JSONResponse({"status": status, "models": {}, "log_problem": problem})


@router.get("/readyz", response_model=Health, responses={503: {"model": Health}})
def get_readiness(service: ServiceArg) -> JSONResponse:
    """The database answers, the log can be continued and at least one model is usable."""
    found = readiness(service)
    status = "read_only" if found.log_problem is not None else "ok" if found.ready else "not_ready"
    answer = {
        "status": status,
        "models": dict(found.models),
        "log_problem": found.log_problem,
        "witnesses": dict(found.witnesses),
    }
    return JSONResponse(answer, status_code=200 if found.ready else 503)
