"""The legal checklist as machine checks on the rendered document: what is not on the page does not count."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from explainer.errors import ChecklistError
from explainer.explanations.document import ChecklistResult, ExplanationDocument
from explainer.narration.checklist_checks import CHECKS
from explainer.narration.phrases import MalformedPhrasesError
from explainer.narration.rendered_text import RenderedText
from models.card import ModelCard
from models.words import Words
from models.yaml_document import SAFE_LOADER

CHECKLIST_FILE = Path(__file__).parent / "law" / "explanation_checklist.yaml"

Limb = Literal["role", "elements", "rights", "limits", "proof"]
Required = Literal["always", "if_procedure", "if_discretion", "if_withheld"]


@dataclass(frozen=True, kw_only=True)
class ChecklistItem:
    """One thing an explanation must hold.

    Attributes:
        id: Stable name.
        limb: Which part of the duty it belongs to.
        required: When it may not be missing.
        ref: Where the duty comes from.
        question: The item in words.
    """

    id: str
    limb: Limb
    required: Required
    ref: str
    question: Words


@cache
def checklist_items() -> tuple[ChecklistItem, ...]:
    """The items in the order of the law file; read once, because the file never changes while a process runs.

    Raises:
        MalformedPhrasesError: If the file names other items than there are checks.
    """
    content = yaml.load(CHECKLIST_FILE.read_text(encoding="utf-8"), SAFE_LOADER)  # noqa: S506 -- it is one of the safe loaders
    items = tuple(_item(entry) for entry in content["items"])
    if [item.id for item in items] != list(CHECKS):
        raise MalformedPhrasesError(f"{CHECKLIST_FILE.name} must list exactly these items: {', '.join(CHECKS)}.")
    return items


def evaluate_checklist(document: ExplanationDocument, card: ModelCard) -> dict[str, ChecklistResult]:
    """Check every item on a rendered document.

    Args:
        document: As it would be delivered; its own ``checklist`` is not looked at.
        card: Of the model version that was applied.

    Returns:
        Item id to verdict, in the order of the law file.
    """
    rendered = RenderedText(document, card)
    return {item.id: CHECKS[item.id](rendered) for item in checklist_items()}


def require_checklist(document: ExplanationDocument, card: ModelCard) -> None:
    """Refuse a document that leaves out anything the law asks for.

    Args:
        document: As it would be delivered.
        card: Of the model version that was applied.

    Raises:
        ChecklistError: Names every item that is not met.
    """
    verdicts = evaluate_checklist(document, card)
    refuse_unmet(verdicts)
    if document.checklist != verdicts:
        raise ChecklistError("The explanation is not shown because its checklist is not that of its text.")


def refuse_unmet(verdicts: Mapping[str, ChecklistResult]) -> None:
    """Refuse what the checklist found wanting.

    Args:
        verdicts: Item id to verdict, of the text as it would be delivered.

    Raises:
        ChecklistError: Names every item that is not met.
    """
    missing = [item for item in checklist_items() if verdicts[item.id] == "not_met"]
    if missing:
        raise ChecklistError("The explanation is not shown because it leaves out: " + _listed(missing))


def _listed(items: Iterable[ChecklistItem]) -> str:
    return " ".join(f"{item.id} ({item.question.en})" for item in items)


def _item(entry: dict[str, Any]) -> ChecklistItem:
    if entry["limb"] not in get_args(Limb) or entry["required"] not in get_args(Required):
        raise MalformedPhrasesError(f"{CHECKLIST_FILE.name}: {entry['id']} has an unknown limb or condition.")
    return ChecklistItem(
        id=entry["id"],
        limb=entry["limb"],
        required=entry["required"],
        ref=entry["ref"],
        question=Words(de=entry["de"], en=entry["en"]),
    )
