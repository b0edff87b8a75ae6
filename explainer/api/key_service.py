"""The key service: keeps wrapped keys for several machines; it never sees a key, and nothing else is served here."""

import base64
import hmac
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from explainer.api.body_limit import BodyLimit
from explainer.transparency_log.key_file import KeyFile

MAX_NAMES = 1000
MAX_BODY_BYTES = 1_000_000
_UNAUTHORISED = 401

Name = Annotated[str, Field(min_length=1, max_length=64)]
Wrapped = Annotated[str, Field(max_length=200)]


class Names(BaseModel):
    """Names of keys."""

    model_config = ConfigDict(extra="forbid")
    names: list[Name] = Field(max_length=MAX_NAMES)


class Offered(BaseModel):
    """Wrapped keys by name, in Base64."""

    model_config = ConfigDict(extra="forbid")
    keys: dict[Name, Wrapped] = Field(max_length=MAX_NAMES)


class Check(BaseModel):
    """What shows which master key wraps the keys, in Base64."""

    model_config = ConfigDict(extra="forbid")
    wrapped: Wrapped


def key_service_application(keys: KeyFile, token: str) -> FastAPI:
    """Build the key service.

    Args:
        keys: The file it keeps.
        token: What every caller must present.

    Returns:
        The application: ``POST /keys/find``, ``/keep``, ``/destroy`` and ``/check``, ``GET /healthz``.
    """

    def allowed(request: Request) -> None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), token.encode()):
            raise HTTPException(_UNAUTHORISED, "This needs the token of the key service.")

    app = FastAPI(title="Klarbescheid key service", openapi_url=None)

    @app.get("/healthz")
    def healthz() -> Mapping[str, str]:
        return {"status": "ok"}

    @app.post("/keys/find", dependencies=[Depends(allowed)])
    def find(asked: Names) -> Mapping[str, Mapping[str, str | None]]:
        found = {name: keys.find(name) for name in asked.names}
        return {"keys": {name: _encoded(row[0]) for name, row in found.items() if row is not None}}

    @app.post("/keys/keep", dependencies=[Depends(allowed)])
    def keep(offered: Offered) -> Mapping[str, Mapping[str, str | None]]:
        kept = keys.keep({name: base64.b64decode(wrapped) for name, wrapped in offered.keys.items()})
        return {"keys": {name: _encoded(wrapped) for name, wrapped in kept.items()}}

    @app.post("/keys/destroy", dependencies=[Depends(allowed)])
    def destroy(asked: Names) -> Mapping[str, int]:
        return {"destroyed": keys.destroy(asked.names)}

    @app.post("/keys/check", dependencies=[Depends(allowed)])
    def check(offered: Check) -> Mapping[str, str | None]:
        return {"wrapped": _encoded(keys.keep_check(base64.b64decode(offered.wrapped)))}

    app.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES)
    return app


def _encoded(wrapped: bytes | None) -> str | None:
    return None if wrapped is None else base64.b64encode(wrapped).decode()
