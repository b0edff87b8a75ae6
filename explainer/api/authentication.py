"""Who is calling the API: a case system, staff or an auditor by Bearer token, a subject by access code."""

import hmac
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.concurrency import run_in_threadpool

from explainer.errors import CsrfError, NotAllowedError, NotSignedInError
from explainer.use_cases.callers import Caller, CaseSystem, Staff, Subject
from explainer.use_cases.grant_access import caller_with_bearer_token
from explainer.use_cases.open_session import COOKIE_NAMES, check_access_code, check_code_for_explanation, session_of
from explainer.use_cases.service import Service

MAX_HEADER_LENGTH = 500


async def service_of(request: Request) -> Service:
    """The installation this application serves."""
    service = request.app.state.service
    if not isinstance(service, Service):
        raise TypeError("the application was built without a service")
    return service


ServiceArg = Annotated[Service, Depends(service_of)]


def caller_or_nobody(
    request: Request,
    service: ServiceArg,
    authorization: Annotated[str | None, Header(max_length=MAX_HEADER_LENGTH)] = None,
    x_csrf_token: Annotated[str | None, Header(max_length=MAX_HEADER_LENGTH)] = None,
) -> Caller | None:
    """Who calls, or None where neither ``Authorization`` nor a staff session with its CSRF token was sent.

    Raises:
        NotSignedInError: If a key or token was sent that nobody has, or the session has ended.
        BadAccessCodeError: If reference or access code are wrong.
        CsrfError: If the CSRF token is not the one of the session.
    """
    if authorization is None:
        # A cookie alone proves nothing: browsers send it along with requests that other sites make.
        return None if x_csrf_token is None else _staff_in_session(request, service, x_csrf_token)
    scheme, _, credential = authorization.partition(" ")
    credential = credential.strip()
    if scheme.lower() == "bearer" and credential:
        return caller_with_bearer_token(service, credential)
    reference = request.path_params.get("reference")
    if scheme.lower() == "accesscode" and credential and isinstance(reference, str):
        return check_access_code(service, reference, credential)
    if scheme.lower() == "accesscode" and "explanation_id" in request.path_params:
        return check_code_for_explanation(service, request.path_params["explanation_id"], credential)
    raise NotSignedInError("Send 'Authorization: Bearer <key or token>' or 'Authorization: AccessCode <code>'.")


def _staff_in_session(request: Request, service: Service, csrf: str) -> Caller:
    session = session_of(service, request.cookies.get(COOKIE_NAMES["staff"], ""), "staff")
    if session is None:
        raise NotSignedInError("There is no staff session, or it has ended.")
    if not hmac.compare_digest(session.csrf.encode(), csrf.encode()):
        raise CsrfError("The CSRF token is not the one of this session; load the page again.")
    return session.caller


def access_code_of(request: Request) -> str | None:
    """The access code that was sent, or None where somebody else than a subject is asking."""
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    code = credential.strip()
    return code if scheme.lower() == "accesscode" and 0 < len(code) <= MAX_HEADER_LENGTH else None


def staff_calling(request: Request, service: Service) -> Staff:
    """Who calls where no access code was sent, for a route that reads its headers itself.

    Raises:
        NotSignedInError: If nobody is signed in.
        NotAllowedError: For case systems.
        CsrfError: If the CSRF token is not the one of the session.
    """
    headers = request.headers
    caller = caller_or_nobody(request, service, headers.get("authorization"), headers.get("x-csrf-token"))
    if caller is None:
        raise NotSignedInError("Send 'Authorization: Bearer <key or token>' or 'Authorization: AccessCode <code>'.")
    if not isinstance(caller, Staff):
        raise NotAllowedError("A case system cannot ask for a person's explanation.")
    return caller


async def case_system_or_staff_calling(request: Request, service: Service) -> CaseSystem | Staff:
    """Who calls, for a route that reads its headers itself; subjects are refused.

    Raises:
        NotSignedInError: If nobody is signed in.
        NotAllowedError: For subjects.
        CsrfError: If the CSRF token is not the one of the session.
    """
    headers = request.headers
    sent = (request, service, headers.get("authorization"), headers.get("x-csrf-token"))
    caller = (
        caller_or_nobody(*sent) if service.database.reads_at_once else await run_in_threadpool(caller_or_nobody, *sent)
    )
    return await case_system_or_staff(await some_caller(caller))


WHO_ASKS: dict[str, Any] = {
    "parameters": [
        {
            "name": name,
            "in": "header",
            "required": False,
            "schema": {"anyOf": [{"type": "string", "maxLength": MAX_HEADER_LENGTH}, {"type": "null"}]},
        }
        for name in ("authorization", "x-csrf-token")
    ]
}
"""What the OpenAPI document says about who asks, for a route that reads its headers itself."""


async def some_caller(caller: Annotated[Caller | None, Depends(caller_or_nobody)]) -> Caller:
    """Who calls; nobody is refused."""
    if caller is None:
        raise NotSignedInError("Send 'Authorization: Bearer <key or token>' or 'Authorization: AccessCode <code>'.")
    return caller


async def case_system(caller: Annotated[Caller, Depends(some_caller)]) -> CaseSystem:
    """A case system; everybody else is refused."""
    if not isinstance(caller, CaseSystem):
        raise NotAllowedError("Only case systems may do this.")
    return caller


async def case_system_or_staff(caller: Annotated[Caller, Depends(some_caller)]) -> CaseSystem | Staff:
    """A case system or staff; subjects are refused."""
    if isinstance(caller, Subject):
        raise NotAllowedError("Only case systems and staff may do this.")
    return caller


CallerOrNobody = Annotated[Caller | None, Depends(caller_or_nobody)]
SomeCaller = Annotated[Caller, Depends(some_caller)]
CaseSystemArg = Annotated[CaseSystem, Depends(case_system)]
CaseSystemOrStaff = Annotated[CaseSystem | Staff, Depends(case_system_or_staff)]
