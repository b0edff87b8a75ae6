"""The one table from our errors to HTTP, as RFC 9457 problem details."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from explainer import errors
from explainer.use_cases.moments import utc_text
from models import errors as model_errors
from models.errors import KlarbescheidError

MEDIA_TYPE = "application/problem+json"

STATUS_OF: dict[type[KlarbescheidError], tuple[int, str]] = {
    model_errors.InvalidInputError: (422, "The request cannot be used as it is."),
    model_errors.ModelNotFoundError: (404, "There is no such model here."),
    model_errors.ModelUnusableError: (503, "This model did not pass its verification and is not used."),
    errors.NotFoundError: (404, "Not found."),
    errors.ConflictError: (409, "The request contradicts what is recorded."),
    errors.BadAccessCodeError: (403, "Reference or code is wrong."),
    errors.NotSignedInError: (401, "A valid key or token is needed."),
    errors.CsrfError: (403, "The form has expired."),
    errors.AccessRefusedError: (403, "Not allowed."),
    errors.ErasedError: (410, "The data were erased; the proof remains."),
    errors.UntrustworthyExplanationError: (
        503,
        "The explanation failed its own checks and is not shown.",
    ),
    errors.VerificationError: (422, "What was sent cannot be verified."),
    errors.SealingError: (500, "Sealed data could not be opened."),
    errors.TracesNotTakenError: (503, "The register of processings did not answer."),
    errors.LogIntegrityError: (503, "The log does not hold; nothing is recorded until it is mended."),
    errors.SettingsError: (500, "The service is not set up correctly."),
}
"""The nearest class in the error tree decides; a test requires every error class to find one."""


def status_and_title(error: KlarbescheidError) -> tuple[int, str]:
    """HTTP status and title for an error.

    Args:
        error: Any of ours.

    Returns:
        Of the nearest class in the tree that has an entry in the table.
    """
    for ancestor in type(error).__mro__:
        if ancestor in STATUS_OF:
            return STATUS_OF[ancestor]
    raise TypeError(f"{type(error).__name__} has no entry in the table")


def problem_of(error: KlarbescheidError) -> dict[str, Any]:
    """Problem details of an error (RFC 9457 section 3)."""
    status, title = status_and_title(error)
    problem: dict[str, Any] = {"type": error.code, "title": title, "status": status, "detail": str(error)}
    if isinstance(error, model_errors.InvalidInputError):
        problem["detail"] = f"{len(error.problems)} problem(s), listed in 'errors'."
        problem["errors"] = [
            {"pointer": found.pointer, "code": found.code, "detail": found.detail} for found in error.problems
        ]
    if isinstance(error, errors.UntrustworthyExplanationError) and error.answer_by is not None:
        problem["answer_by"] = error.answer_by.isoformat()
    if isinstance(error, errors.ErasedError) and error.erased_at is not None:
        problem["erased_at"] = utc_text(error.erased_at)
    return problem


def problem_response(problem: dict[str, Any]) -> JSONResponse:
    """Answer with problem details."""
    headers = {"Cache-Control": "no-store"}
    if problem["status"] == 401:  # noqa: PLR2004 -- RFC 9110 section 11.6.1: a 401 names the scheme
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(problem, status_code=problem["status"], media_type=MEDIA_TYPE, headers=headers)


def http_problem(error: HTTPException) -> JSONResponse:
    """Answer with what an HTTP error says, such as that there is no such address or the body is too large."""
    slug = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}.get(error.status_code, "http_error")
    response = problem_response(
        {"type": slug, "title": str(error.detail), "status": error.status_code, "detail": str(error.detail)}
    )
    response.headers.update(error.headers or {})
    return response


def unexpected_problem() -> JSONResponse:
    """Answer where something went wrong on our side; nothing is said about what."""
    return problem_response(
        {
            "type": "unexpected",
            "title": "Something went wrong on our side.",
            "status": 500,
            "detail": "Nothing was recorded. Try again later.",
        }
    )


def add_problem_details(app: FastAPI) -> None:
    """Answer every error below ``/api`` and ``/log`` with problem details.

    Args:
        app: The application of the API.
    """

    @app.exception_handler(KlarbescheidError)
    def _ours(_request: Request, error: KlarbescheidError) -> JSONResponse:
        return problem_response(problem_of(error))

    @app.exception_handler(RequestValidationError)
    def _not_valid(_request: Request, error: RequestValidationError) -> JSONResponse:
        found = [
            {
                "pointer": "/" + "/".join(str(part) for part in item["loc"][1:]),
                "code": str(item["type"]),
                "detail": f"{item['msg']}.",
            }
            for item in error.errors()
        ]
        return problem_response(
            {
                "type": model_errors.InvalidInputError.code,
                "title": STATUS_OF[model_errors.InvalidInputError][1],
                "status": 422,
                "detail": f"{len(found)} problem(s), listed in 'errors'.",
                "errors": found,
            }
        )

    @app.exception_handler(Exception)
    def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
        return unexpected_problem()

    @app.exception_handler(HTTPException)
    def _http(_request: Request, error: HTTPException) -> JSONResponse:
        return http_problem(error)
