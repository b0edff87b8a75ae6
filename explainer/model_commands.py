"""``explainer models new | add | schema``: from a table and a model file to a verified package."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from explainer.errors import SettingsError
from explainer.settings import load_settings

models_app = typer.Typer(no_args_is_help=True, help="The city's model packages.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@models_app.command("new")
def new_card(
    data: Annotated[Path, typer.Argument(help="Table of cases with a line of column names: .csv or .parquet.")],
    target: Annotated[str, typer.Option(help="Column that the model predicts.")],
    out: Annotated[Path, typer.Option(help="File to write; an existing one is never overwritten.")] = Path("card.yaml"),
) -> None:
    """Draft a card.yaml from data; what only a person knows is left open and marked."""
    from models.conversion.tables import read_columns  # noqa: PLC0415 - no other command drafts
    from models.drafting.card_draft import draft_card  # noqa: PLC0415
    from models.unfinished import TO_FILL_IN, unfinished_places  # noqa: PLC0415
    from models.yaml_document import read_yaml  # noqa: PLC0415

    draft = draft_card(read_columns(data), target, data.name)
    n_open = len(unfinished_places(read_yaml(draft.encode(), out.name)))
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(draft)
    except FileExistsError as error:
        raise SettingsError(f"{out} exists already and is not overwritten: name another file with --out.") from error
    except OSError as error:
        raise SettingsError(f"{out} cannot be written: {error.strerror}.") from error
    typer.echo(f"Wrote {out}. {n_open} places say {TO_FILL_IN} and wait for a person.")


@models_app.command("schema")
def card_schema() -> None:
    """Print the JSON Schema of card.yaml, for editors that check and complete it."""
    from models.card_schema import card_schema_text  # noqa: PLC0415 - no other command describes cards

    typer.echo(card_schema_text(), nl=False)


@models_app.command("add")
def add_model(  # noqa: PLR0917 - Typer reads options from parameters
    model: Annotated[
        Path,
        typer.Argument(
            help="The model: .onnx, .skops, LightGBM .txt, XGBoost .json/.ubj, CatBoost .cbm, scorecard .yaml, term"
            " tables .json. Pickles are never opened."
        ),
    ],
    card: Annotated[Path, typer.Option(help="The filled-in card.yaml.")],
    background: Annotated[
        Path, typer.Option(help="Whom explanations compare with: .csv, .parquet or .npz. People are grouped.")
    ],
    reference: Annotated[
        Path, typer.Option(help="Cases with the original model's scores in the column 'score': .csv or .parquet.")
    ],
    into: Annotated[
        Path | None,
        typer.Option(help="Folder of packages; the first of EXPLAINER_PACKAGE_FOLDERS, or 'packages', if left out."),
    ] = None,
    evaluation: Annotated[Path | None, typer.Option(help="An evaluation.json, if there is one.")] = None,
    make_background: Annotated[
        int | None, typer.Option(min=1, help="Group the people of the background into at most so many groups.")
    ] = None,
    *,
    complete_enumeration: Annotated[
        bool,
        typer.Option(
            "--complete-enumeration", help="The background is about nobody: all possible cases, or made-up ones."
        ),
    ] = False,
    generated: Annotated[
        bool, typer.Option("--generated", help="The background was generated from people; needs --people.")
    ] = False,
    people: Annotated[
        Path | None, typer.Option(help="The people generated rows were made from; read and not kept.")
    ] = None,
    mean_score: Annotated[
        float | None, typer.Option(help="For centres made elsewhere: the mean score of the people they stand for.")
    ] = None,
    keep_reference: Annotated[
        bool, typer.Option("--keep-reference", help="The reference rows are about nobody: keep them in the package.")
    ] = False,
    trust: Annotated[
        list[str] | None, typer.Option(help="A type in a skops file that you have looked at; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Convert a model, verify it against the original's scores, and write a package; else write nothing."""
    # Converting loads readers that no other command needs.
    from models.conversion.add_package import PackageSources, add_package  # noqa: PLC0415
    from models.conversion.background import USUAL_GROUPS, BackgroundSource  # noqa: PLC0415

    if generated and complete_enumeration:
        raise SettingsError("Say either --complete-enumeration or --generated: they exclude each other.")
    kind = "generated" if generated else "complete_enumeration" if complete_enumeration else "people"
    added = add_package(
        PackageSources(
            model=model,
            card=card,
            background=BackgroundSource(
                path=background,
                kind=kind,  # type: ignore[arg-type]  # one of the three words above
                n_groups=make_background or USUAL_GROUPS,
                people=people,
                mean_score=mean_score,
            ),
            reference=reference,
            evaluation=evaluation,
            keep_reference=keep_reference,
            trusted=tuple(trust or ()),
            today=datetime.now(UTC).date(),
        ),
        into or _folder_of_packages(),
    )
    package = added.package
    facts = {
        "slug": package.card.slug,
        "version": package.card.version,
        "sha256": package.sha256,
        "folder": str(added.folder),
        "read_from": added.read_from,
        "reference_rows": added.n_reference_rows,
        "largest_difference": added.largest_difference,
        "background_rows": len(package.background.rows),
        "background_mean_score_gap": package.background.mean_score_gap,
        "older_version": None if added.older_version is None else str(added.older_version),
    }
    if as_json:
        typer.echo(json.dumps(facts))
        return
    typer.echo(f"Added {facts['slug']} {facts['version']} ({facts['read_from']}) in {facts['folder']}.")
    typer.echo(
        f"Original, runtime and our own reading agree in {added.n_reference_rows} cases; the largest difference of "
        f"scores is {added.largest_difference:.2g}."
    )
    typer.echo(
        f"The background has {facts['background_rows']} rows; their mean score lies "
        f"{package.background.mean_score_gap:+.3g} from that of those they stand for."
    )
    if added.older_version is not None:
        typer.echo(f"The version before lies in {added.older_version}; its decisions stay explainable.")


def _folder_of_packages() -> Path:
    folders = load_settings({"EXPLAINER_DEMO": "true", **dict(os.environ)}).package_folders
    return folders[0] if folders else Path("packages")
