"""The command line: ``explainer serve | demo | migrate | explain | models | log | staff | case-system``."""

import json
import logging
import os
import secrets
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from rich.console import Console
from rich.progress import Progress

from explainer.api.access_log import write_lines_as_they_are
from explainer.app import build_service, create_app, log_key_holder, open_database, package_folders, prepared_models
from explainer.backup import back_up, back_up_keys, restore, serving
from explainer.erasure_commands import add_erasure_commands
from explainer.errors import SettingsError
from explainer.explain_command import explain
from explainer.key_service_command import key_service
from explainer.model_commands import models_app
from explainer.settings import Settings, load_settings
from explainer.storage.database import listed_log_keys
from explainer.transparency_log.log_key import LogKeyFiles
from explainer.transparency_log.signer_process import SignerServer
from explainer.transparency_log.verify import (
    NotVerifiedError,
    fetcher_for,
    is_bundle,
    opener_for,
    verify_bundle,
    verify_log,
)
from explainer.use_cases.grant_access import add_case_system, add_staff
from explainer.use_cases.records import LogKeyRecord
from explainer.use_cases.replay_explanation import ids_to_replay, replay_explanation
from explainer.use_cases.rotate_log_key import begin_key_rotation, end_key_rotation
from explainer.use_cases.write_bundle import write_bundle
from models.catalogue import Catalogue
from models.errors import KlarbescheidError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
log_app = typer.Typer(no_args_is_help=True, help="The accountability log.")
staff_app = typer.Typer(no_args_is_help=True, help="The embedded staff list.")
case_system_app = typer.Typer(no_args_is_help=True, help="Case systems that record decisions.")
app.add_typer(models_app, name="models")
app.add_typer(log_app, name="log")
app.add_typer(staff_app, name="staff")
app.add_typer(case_system_app, name="case-system")
add_erasure_commands(app)
app.command()(key_service)
app.command()(explain)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def main() -> None:
    """Run the command line; our own errors become one sentence, never a stack trace."""
    try:
        app()
    except KlarbescheidError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(1)


def _own_keys() -> Sequence[LogKeyRecord]:
    keys = listed_log_keys(_settings().database_url)
    if not keys:
        raise SettingsError("There is no log key yet; it is made at the first start.")
    return keys


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error


def _settings() -> Settings:
    return load_settings(dict(os.environ))


@app.command()
def serve() -> None:
    """Serve the city's installation; settings come from EXPLAINER_* (docs/reference/settings.md)."""
    settings = _settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    write_lines_as_they_are()
    with serving(settings):
        uvicorn.run(create_app(settings), host=settings.host, port=settings.port, access_log=False, server_header=False)


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    folder: Annotated[Path, typer.Option(help="Where the demo city keeps its data.")] = Path("var/demo"),
) -> None:
    """Serve a demo city with decisions to look at; starting again keeps its data."""
    # The demo city brings its cases, and with them the model's runtime: the service itself starts without.
    from explainer.demo.run_demo import run_demo  # noqa: PLC0415

    run_demo(folder, port=port)


@app.command()
def migrate() -> None:
    """Bring the database up to date and publish the register, without serving."""
    service = build_service(_settings().model_copy(update={"load_models": "at_start"}))
    typer.echo(f"Ready. Usable models: {', '.join(sorted(service.usable_packages)) or 'none'}.")


@app.command()
def replay(
    ids: Annotated[list[str], typer.Argument(help="Numbers of explanations, or references of decisions.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Check stored explanations: their bytes against the log, exactly, and their numbers against the stored model."""
    service = build_service(_settings())
    wanted = dict.fromkeys(found for one in ids for found in ids_to_replay(service, one))
    replays = [replay_explanation(service, one) for one in wanted]
    if as_json:
        typer.echo(json.dumps([{**asdict(one), "holds": one.holds} for one in replays]))
    else:
        for one in replays:
            typer.echo(f"{one.id}: {'holds' if one.holds else 'DOES NOT HOLD'}")
            for finding in one.findings:
                typer.echo(f"  {finding.check}: {finding.sentence}")
            typer.echo(f"  engine: {one.engine_then or 'none'} then, {one.engine_now or 'none'} now")
            typer.echo(f"  templates: {one.texts_then or 'not noted'} then, {one.texts_now} now")
    if not all(one.holds for one in replays):
        raise typer.Exit(1)


@app.command("backup")
def backup(folder: Annotated[Path, typer.Argument(help="A new folder.")]) -> None:
    """Copy the database while the service runs; no key is in the copy."""
    made = back_up(_settings(), folder)
    typer.echo(f"Copied to {folder}: a log of {made.checkpoint.splitlines()[1]} entries. It holds no keys.")


@app.command("backup-keys")
def backup_keys(
    folder: Annotated[Path, typer.Argument(help="A new folder, apart from the other backup.")],
) -> None:
    """Copy the keys of persons and of the log; keep the copy apart, and only for a short time."""
    back_up_keys(_settings(), folder)
    typer.echo(f"Keys copied to {folder}. Delete this copy when the next one is made: erased people live on in it.")


@app.command("restore")
def restore_backup(
    folder: Annotated[Path, typer.Argument(help="What backup or backup-keys made.")],
    *,
    new_epoch: Annotated[
        bool, typer.Option("--new-epoch", help="The copy is older than what was released: go on as a new log.")
    ] = False,
) -> None:
    """Put a backup back; an older log never silently takes the place of a newer one."""
    restored = restore(_settings(), folder, new_epoch=new_epoch)
    if restored.kind == "keys":
        typer.echo("The keys are back. What was erased since is erased again at the next start.")
    else:
        typer.echo(f"The database is back with {restored.entries} log entries.")
    if restored.new_origin is not None:
        typer.echo(
            f"{restored.lost} released entries are lost. The log goes on as {restored.new_origin}; publish its key:"
        )
        vkey()


@models_app.command("check")
def check_models(slugs: Annotated[list[str] | None, typer.Argument()] = None, *, as_json: AsJson = False) -> None:
    """Verify model packages: files, card, and that runtime, our tree reader and the original agree."""
    settings = load_settings({"EXPLAINER_DEMO": "true", **dict(os.environ)})
    catalogue = Catalogue.load(package_folders(settings))
    _, refused = prepared_models(settings.model_copy(update={"load_models": "at_start"}), catalogue)
    failures = {**catalogue.failures, **{catalogue.versions[key].folder.name: error for key, error in refused.items()}}
    found = dict.fromkeys(catalogue.packages, "usable") | {name: str(error) for name, error in failures.items()}
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
    address: Annotated[
        str | None, typer.Argument(help="Address, folder or bundle of the log; this installation's own when left out.")
    ] = None,
    vkey: Annotated[
        str | None, typer.Argument(help="Public key of the log; this installation's own when left out.")
    ] = None,
    old: Annotated[Path | None, typer.Option(help="A checkpoint you kept earlier.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with a personal token, where entries are for auditors only.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Check a log as an outsider: signature, every entry, every tile, and that nothing you saw before was changed."""
    token = _read(token_file).decode().strip() if token_file else None
    old_checkpoint = _read(old) if old else None
    place = address or f"{_settings().base_url}/log"
    # Retired keys too: an older checkpoint may be signed by one of them.
    key = vkey or " ".join(record.vkey for record in _own_keys())
    try:
        verified = verify_log(fetcher_for(place, token=token), key, old_checkpoint)
        open_file = opener_for(place)
        files = verify_bundle(open_file, key) if open_file is not None and is_bundle(open_file) else 0
    except NotVerifiedError as error:
        typer.echo(json.dumps({"ok": False, "problem": str(error)}) if as_json else f"NOT VERIFIED: {error}")
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps({"ok": True, "tree_size": verified.tree_size, "root_hash": verified.root_hash.hex()}))
    else:
        typer.echo(f"Verified: all {verified.tree_size} entries are in the tree that the checkpoint signs.")
        if files:
            typer.echo(f"Verified: the {files} files of the bundle, its receipts and its disclosed values.")


@log_app.command("bundle")
def bundle(
    out: Annotated[Path, typer.Argument(help="The zip file to write.")],
    disclose: Annotated[
        list[int] | None, typer.Option(help="Position of an entry whose sealed part is disclosed; may be repeated.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Write the whole log as a zip file that auditors check without us; that it was written is logged."""
    service = build_service(_settings())
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Writing the log")
        written = write_bundle(
            service,
            out,
            disclose=disclose or (),
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        typer.echo(json.dumps({"file": str(out), **asdict(written)}))
    else:
        typer.echo(f"{out} holds all {written.tree_size} entries in {written.files} files.")


@log_app.command("vkey")
def vkey() -> None:
    """Print the public key of this installation's log; both, one on a line, while a key is being replaced."""
    for key in _own_keys():
        if key.to_size is None:
            typer.echo(key.vkey)


@log_app.command("rotate-key")
def rotate_key(
    *, finish: Annotated[bool, typer.Option("--finish", help="End the overlap: the older key signs no more.")] = False
) -> None:
    """Replace the log's key: checkpoints carry both signatures until the replacement is finished."""
    settings = _settings()
    service = build_service(settings)
    if finish:
        typer.echo(f"Retired, keep it published for old checkpoints: {end_key_rotation(service)}")
    else:
        typer.echo(f"New key, publish it: {begin_key_rotation(service, log_key_holder(settings))}")
        typer.echo("Both keys sign now. When everybody has the new one: explainer log rotate-key --finish")


@log_app.command("signer")
def signer(
    socket: Annotated[Path, typer.Argument(help="Unix socket to make; EXPLAINER_LOG_SIGNER_SOCKET names it.")],
    folder: Annotated[Path, typer.Argument(help="Folder with the log's key files; made when it is missing.")],
) -> None:
    """Hold the log's keys in this process, and sign what the service asks for; ends with Ctrl+C."""
    with SignerServer(socket, LogKeyFiles(folder, secrets.token_bytes)) as server, suppress(KeyboardInterrupt):
        typer.echo(f"Signing for whoever may open {socket}.")
        server.serve_forever()


@log_app.command("begin-anchors")
def begin_anchors() -> None:
    """Begin a new anchor file where the old one is lost; only if this database is surely the newest there was."""
    typer.echo(f"The log's memory begins anew with {open_database(_settings()).begin_memory()} entries.")


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
