"""The command ``explainer key-service``: keeps wrapped keys for several machines that serve one city."""

import secrets
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from explainer.api.key_service import key_service_application
from explainer.transparency_log.key_file import KeyFile
from explainer.transparency_log.key_service_client import read_token
from explainer.transparency_log.private_file import create_private_file

KEYS_FILE = "wrapped_keys.db"
TOKEN_FILE = "token"  # noqa: S105 -- the name of a file


def key_service(
    folder: Annotated[Path, typer.Argument(help="Folder for the keys and the token; made when it is missing.")],
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8100,
) -> None:
    """Serve wrapped keys to the machines of one city; the first start makes the token that they need."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    token_file = folder / TOKEN_FILE
    if create_private_file(token_file, secrets.token_urlsafe(32).encode()):
        typer.echo(f"Made the token {token_file}; give each machine a copy, mode 0600.")
    application = key_service_application(KeyFile(folder / KEYS_FILE), read_token(token_file))
    uvicorn.run(application, host=host, port=port, access_log=False, server_header=False)
