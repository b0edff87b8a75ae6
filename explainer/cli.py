"""The command line: ``explainer serve | demo | migrate | models | log | staff | case-system``."""

import json
import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from explainer.app import build_service, create_app, package_folders
from explainer.demo.run_demo import run_demo
from explainer.errors import VerificationError
from explainer.settings import Settings, load_settings
from explainer.transparency_log.verify import folder_fetcher, url_fetcher, verify_log
from explainer.use_cases.grant_access import add_case_system, add_staff
from models.catalogue import Catalogue
from models.errors import KlarbescheidError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
models_app = typer.Typer(no_args_is_help=True, help="The city's model packages.")
log_app = typer.Typer(no_args_is_help=True, help="The accountability log.")
staff_app = typer.Typer(no_args_is_help=True, help="The embedded staff list.")
case_system_app = typer.Typer(no_args_is_help=True, help="Case systems that record decisions.")
app.add_typer(models_app, name="models")
app.add_typer(log_app, name="log")
app.add_typer(staff_app, name="staff")
app.add_typer(case_system_app, name="case-system")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def main() -> None:
    """Run the command line; our own errors become one sentence, never a stack trace."""
    try:
        app()
    except KlarbescheidError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(1)


def _settings() -> Settings:
    return load_settings(dict(os.environ))


@app.command()
def serve() -> None:
    """Serve the city's installation; settings come from EXPLAINER_* (docs/reference/settings.md)."""
    settings = _settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, access_log=False, server_header=False)


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    folder: Annotated[Path, typer.Option(help="Where the demo city keeps its data.")] = Path("var/demo"),
) -> None:
    """Serve a demo city with decisions to look at; starting again keeps its data."""
    run_demo(folder, port=port)


@app.command()
def migrate() -> None:
    """Bring the database up to date and publish the register, without serving."""
    service = build_service(_settings())
    typer.echo(f"Ready. Usable models: {', '.join(sorted(service.explained_models)) or 'none'}.")


@models_app.command("check")
def check_models(slugs: Annotated[list[str] | None, typer.Argument()] = None, *, as_json: AsJson = False) -> None:
    """Verify model packages: files, card, and that runtime, our tree reader and the original agree."""
    catalogue = Catalogue.load(package_folders(Settings(demo=True)))
    found = dict.fromkeys(catalogue.packages, "usable") | {
        slug: str(error) for slug, error in catalogue.failures.items()
    }
    chosen = {slug: state for slug, state in found.items() if not slugs or slug in slugs}
    missing = sorted(set(slugs or []) - set(found))
    if as_json:
        typer.echo(json.dumps(chosen | dict.fromkeys(missing, "not installed")))
    else:
        for slug, state in chosen.items():
            typer.echo(f"{slug}: {state}")
        for slug in missing:
            typer.echo(f"{slug}: not installed")
    if missing or any(state != "usable" for state in chosen.values()):
        raise typer.Exit(1)


@log_app.command("verify")
def verify(
    address: Annotated[str, typer.Argument(help="Address or folder of the log, e.g. http://127.0.0.1:8000/log.")],
    vkey: Annotated[str, typer.Argument(help="Public key of the log.")],
    old: Annotated[Path | None, typer.Option(help="A checkpoint you kept earlier.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with a personal token, where entries are for auditors only.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Check a log as an outsider: signature, every entry, every tile, and that nothing you saw before was changed."""
    try:
        token = token_file.read_text(encoding="utf-8").strip() if token_file else None
        fetch = url_fetcher(address, token=token) if "://" in address else folder_fetcher(Path(address))
        verified = verify_log(fetch, vkey, old.read_bytes() if old else None)
    except VerificationError as error:
        typer.echo(json.dumps({"ok": False, "problem": str(error)}) if as_json else f"NOT VERIFIED: {error}")
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps({"ok": True, "tree_size": verified.tree_size, "root_hash": verified.root_hash.hex()}))
    else:
        typer.echo(f"Verified: all {verified.tree_size} entries are in the tree that the checkpoint signs.")


@log_app.command("vkey")
def vkey() -> None:
    """Print the public key of this installation's log."""
    typer.echo(build_service(_settings()).log_vkey)


@staff_app.command("add")
def staff_add(
    user: str,
    role: Annotated[list[str], typer.Option(help="caseworker, supervisor, auditor, administrator …")],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)],
) -> None:
    """Add a member of staff or an auditor; prints the personal token once."""
    granted = add_staff(build_service(_settings()), user, password, role)
    typer.echo(f"Personal token of {granted.user} (shown once): {granted.token}")


@case_system_app.command("add")
def case_system_add(name: str) -> None:
    """Give a case system an API key; prints it once."""
    typer.echo(f"API key of {name} (shown once): {add_case_system(build_service(_settings()), name)}")


if __name__ == "__main__":
    main()
