"""The log over HTTP as C2SP tlog-tiles: checkpoint, tiles, keys."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from explainer.api.answers import PROBLEMS
from explainer.api.authentication import CallerOrNobody, ServiceArg
from explainer.transparency_log.tiles import TilePath
from explainer.use_cases.read_log import checkpoint, published_keys, tile

router = APIRouter(prefix="/log", tags=["log"], responses=PROBLEMS)

FOREVER = "public, max-age=31536000, immutable"


@router.get("/checkpoint", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def get_checkpoint(service: ServiceArg) -> Response:
    """The newest signed checkpoint (C2SP tlog-checkpoint)."""
    return Response(checkpoint(service), media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-cache"})


@router.get("/keys")
def get_keys(service: ServiceArg) -> JSONResponse:
    """Public keys of the log, as C2SP vkeys, with the tree sizes they sign; newest first."""
    return JSONResponse(published_keys(service))


@router.get(
    "/tile/{path:path}", response_class=Response, responses={200: {"content": {"application/octet-stream": {}}}}
)
def get_tile(service: ServiceArg, caller: CallerOrNobody, path: str) -> Response:
    """A tile of hashes or a bundle of entries (C2SP tlog-tiles); full tiles never change."""
    full_path = f"tile/{path}"
    content = tile(service, caller, full_path)
    wanted = TilePath.parse(full_path)
    public = not wanted.is_entry_bundle or service.settings.demo or service.settings.public_log_entries
    caching = FOREVER if wanted.is_full and public else "no-store" if not public else "no-cache"
    return Response(content, media_type="application/octet-stream", headers={"Cache-Control": caching})
