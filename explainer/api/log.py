"""The log over HTTP as C2SP tlog-tiles: checkpoint, tiles, keys."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from explainer.api.answers import PROBLEMS
from explainer.api.authentication import CallerOrNobody, ServiceArg
from explainer.transparency_log.tiles import TilePath
from explainer.use_cases.callers import Caller
from explainer.use_cases.read_log import checkpoint, is_first_epoch, published_keys, tile
from explainer.use_cases.service import Service

router = APIRouter(prefix="/log", tags=["log"], responses=PROBLEMS)

FOREVER = "public, max-age=31536000, immutable"


@router.get("/checkpoint", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def get_checkpoint(service: ServiceArg) -> Response:
    """The newest signed checkpoint (C2SP tlog-checkpoint)."""
    return Response(checkpoint(service), media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-cache"})


@router.get("/epochs/{number}/checkpoint", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def get_checkpoint_of_epoch(service: ServiceArg, number: int) -> Response:
    """The newest signed checkpoint of one epoch: 1 is the log's first, and each restore began a further one."""
    content = checkpoint(service, epoch=number - 1)
    return Response(content, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-cache"})


@router.get("/keys")
def get_keys(service: ServiceArg) -> JSONResponse:
    """Public keys of the log, as C2SP vkeys, with the tree sizes they sign; newest first."""
    return JSONResponse(published_keys(service))


@router.get(
    "/tile/{path:path}", response_class=Response, responses={200: {"content": {"application/octet-stream": {}}}}
)
def get_tile(service: ServiceArg, caller: CallerOrNobody, path: str) -> Response:
    """A tile of hashes or a bundle of entries (C2SP tlog-tiles); full tiles never change."""
    # Under this address another log can follow after a restore: then its tiles are not those that were kept for ever.
    return _tile_response(service, caller, path, epoch=None, for_ever=is_first_epoch(service))


@router.get(
    "/epochs/{number}/tile/{path:path}",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def get_tile_of_epoch(service: ServiceArg, caller: CallerOrNobody, number: int, path: str) -> Response:
    """A tile of hashes or a bundle of entries of one epoch; full tiles never change."""
    return _tile_response(service, caller, path, epoch=number - 1, for_ever=True)


def _tile_response(
    service: Service, caller: Caller | None, path: str, *, epoch: int | None, for_ever: bool
) -> Response:
    full_path = f"tile/{path}"
    content = tile(service, caller, full_path, epoch=epoch)
    wanted = TilePath.parse(full_path)
    public = not wanted.is_entry_bundle or service.settings.demo or service.settings.public_log_entries
    caching = FOREVER if for_ever and wanted.is_full and public else "no-store" if not public else "no-cache"
    return Response(content, media_type="application/octet-stream", headers={"Cache-Control": caching})
