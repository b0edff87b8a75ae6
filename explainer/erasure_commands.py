"""Commands about what is held on a person: ``explainer erase | retention | export-subject``."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from explainer.app import build_service
from explainer.errors import SettingsError
from explainer.settings import load_settings
from explainer.transparency_log.private_file import create_private_file
from explainer.use_cases.apply_retention import apply_retention
from explainer.use_cases.erase import erase_decision, erase_person
from explainer.use_cases.export_subject import cards_of
from explainer.use_cases.export_subject import export_subject as gather_subject_data
from explainer.use_cases.service import Service
from models.errors import InputProblem, InvalidInputError
from public_pages.language_negotiation import LANGUAGES
from public_pages.subject_data_file import readable_copy

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
CaseSystemName = Annotated[
    str | None, typer.Option(help="Name of the case system, where several know this person's reference.")
]


def add_erasure_commands(app: typer.Typer) -> None:
    """Add the commands of this module to the command line."""
    app.command()(erase)
    app.command()(retention)
    app.command()(export_subject)


def _service() -> Service:
    # These commands explain nothing, so no model need be made ready.
    settings = load_settings(dict(os.environ))
    return build_service(settings.model_copy(update={"load_models": "when_needed"}))


def _as_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def erase(
    subject_reference: Annotated[str | None, typer.Argument(help="The case system's reference of the person.")] = None,
    *,
    decision: Annotated[str | None, typer.Option(help="Erase this one decision instead.")] = None,
    case_system: CaseSystemName = None,
    as_json: AsJson = False,
) -> None:
    """Erase a person's data, or one decision's, for good; the proof stays. Says which law forbids it, if one does."""
    if (subject_reference is None) == (decision is None):
        detail = "Give either the person's reference or --decision with the reference of a decision."
        raise InvalidInputError([InputProblem("", "one_of_two", detail)])
    service = _service()
    if decision is not None:
        erased = erase_decision(service, decision)
    else:
        erased = erase_person(service, str(subject_reference), case_system=case_system)
    if as_json:
        typer.echo(_as_text(asdict(erased)))
    else:
        typer.echo(f"Erased: {', '.join(erased.references)}. The log still proves that they were recorded.")
        for hold in erased.holds:
            typer.echo(f"Not erased: {hold.reference}: {hold.sentence}")
    if erased.holds:
        raise typer.Exit(1)


def export_subject(
    subject_reference: Annotated[str, typer.Argument(help="The case system's reference of the person.")],
    out: Annotated[Path, typer.Argument(help="Folder for the copy; it must not exist yet.")],
    *,
    case_system: CaseSystemName = None,
) -> None:
    """Write a copy of everything held about a person (GDPR Art. 15): JSON, and HTML to read in German and English."""
    service = _service()
    try:
        out.mkdir(mode=0o700)
    except OSError as error:
        raise SettingsError(f"The folder {out} cannot be made: {error.strerror}.") from error
    export = gather_subject_data(service, subject_reference, case_system=case_system)
    cards = cards_of(service, export)
    written = {"data.json": json.dumps(export, ensure_ascii=False, indent=2)}
    for language in LANGUAGES:
        written[f"data.{language}.html"] = readable_copy(service.settings, export, cards, language)
    for name, content in written.items():
        create_private_file(out / name, content.encode())
    typer.echo(f"Wrote {', '.join(written)} into {out}: {len(export['decisions'])} decision(s). Hand it over safely.")


def retention(*, as_json: AsJson = False) -> None:
    """Erase what has been kept long enough; run it every night. Running it again does nothing more."""
    done = apply_retention(_service())
    if as_json:
        typer.echo(_as_text(asdict(done)))
        return
    typer.echo(
        f"Erased {done.decisions} decisions and {done.explanations} explanations without a decision. "
        f"{done.held} decisions are old enough and had to stay. Deleted {done.sessions} ended sessions."
    )
    if done.repeated:
        typer.echo(f"{done.repeated} erased keys had come back with a restored copy; they are destroyed again.")
