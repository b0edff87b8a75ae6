"""The command that explains on the terminal: ``explainer explain MODEL INPUT.json``."""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from explainer.api.json_body import parse_json
from explainer.app import build_service
from explainer.errors import SettingsError
from explainer.explanations.document import Audience, ExplanationDocument, Language
from explainer.settings import load_settings
from explainer.use_cases.callers import Staff
from explainer.use_cases.explain_inputs import explain_inputs
from models.errors import InputProblem, InvalidInputError

OPERATOR = Staff(staff_id="command_line", user="command_line", roles=frozenset({"caseworker"}))
"""Who asks at the command line: whoever may read the installation's secrets."""


def explain(  # noqa: PLR0917 -- Typer reads the options from here
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    inputs: Annotated[Path, typer.Argument(metavar="INPUT.json", help="One object: feature to value.")],
    language: Annotated[Language, typer.Option(help="Language of the text.")] = "de",
    audience: Annotated[Audience, typer.Option(help="For whom it is written.")] = "caseworker",
    purpose: Annotated[str | None, typer.Option(help="Why you ask; it stands in the log.")] = None,
    legal_basis: Annotated[str | None, typer.Option(help="On which legal basis; it stands in the log.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Explain what a model makes of some inputs, without a decision; logged like every explanation."""
    sent = _inputs_of(inputs)
    # Of all models only this one is made ready.
    service = build_service(load_settings(dict(os.environ)).model_copy(update={"load_models": "when_needed"}))
    try:
        asked = explain_inputs(
            service,
            OPERATOR,
            model,
            sent,
            language=language,
            audience=audience,
            purpose=purpose,
            legal_basis=legal_basis,
        )
        delivered = asyncio.run(asked)
        card = service.model(model).package.card
    except InvalidInputError as error:
        _tell_problems(error.problems, as_json=as_json)
        raise typer.Exit(1) from error
    finally:
        service.database.dispose()
    if as_json:
        typer.echo(delivered.canonical.decode())
        return
    # Here and not above: the service itself never draws.
    from rich.console import Console  # noqa: PLC0415

    from explainer.terminal_explanation import print_explanation  # noqa: PLC0415

    print_explanation(Console(), ExplanationDocument.model_validate_json(delivered.canonical), card)


def _inputs_of(path: Path) -> dict[str, Any]:
    try:
        sent = parse_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    except InvalidInputError as error:
        raise SettingsError(f"{path} cannot be used. {error}") from error
    if not isinstance(sent, dict):
        raise SettingsError(f'{path} must hold one object with a value for each feature, such as {{"rent": 620}}.')
    return sent


def _tell_problems(problems: Sequence[InputProblem], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"errors": [vars(problem) for problem in problems]}, ensure_ascii=False))
        return
    for problem in problems:
        typer.echo(f"Error: {problem.detail}", err=True)
