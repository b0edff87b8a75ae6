"""One explanation on the terminal: its text, and its contributions as bars with their unit."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from explainer.explanations.document import Contribution, ExplanationDocument
from explainer.narration.number_words import NumberWords
from explainer.narration.phrases import phrases_in
from models.card import ModelCard

HALF_WIDTH = 14
"""Signs for the longest bar."""

DECIMALS = 3
"""Digits of a contribution, as staff read them in the text."""

MAX_WIDTH = 110
"""Longer lines are hard to read, columns."""

_EIGHTHS = " ▏▎▍▌▋▊▉"


def print_explanation(console: Console, document: ExplanationDocument, card: ModelCard) -> None:
    """Print an explanation.

    Args:
        console: Where to; colours are left out where it is no terminal.
        document: The explanation.
        card: Of its model.
    """
    console.width = min(console.width, MAX_WIDTH)
    console.print(Panel(Text(document.text.title, style="bold"), expand=True))
    for section in document.text.sections:
        console.print(Text(f"\n{section.heading}", style="bold"))
        for paragraph in section.paragraphs:
            console.print(Padding(Text(paragraph), (0, 0, 0, 2)))
        if section.id == "factors" and document.contributions:
            console.print(Padding(_bars(document, card), (1, 0, 0, 2)))


def _bars(document: ExplanationDocument, card: ModelCard) -> RenderableType:
    """A line for each contribution, strongest first: to the left what lowered the score, to the right what raised."""
    phrases = phrases_in(document.language)
    voice = phrases.voice_for("caseworker")
    numbers = NumberWords(phrases, voice)
    if card.additive_unit == "score" and not isinstance(card.score.unit, str):
        unit = card.score.unit(document.language)
    else:
        unit = voice.say(f"unit.{document.unit}")
    largest = max(abs(one.contribution) for one in document.contributions) or 1.0
    table = Table.grid(padding=(0, 1), pad_edge=False)
    table.add_column(ratio=3, overflow="fold")
    table.add_column(ratio=2, overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for one in document.contributions:
        left, right = _bar(one, largest)
        shown = f"{numbers.signed(one.contribution, DECIMALS)} {unit}"
        table.add_row(one.label, one.value_text, Text(left, style="cyan"), Text(f"│{right}", style="yellow"), shown)
    return Group(table)


def _bar(contribution: Contribution, largest: float) -> tuple[str, str]:
    share = abs(contribution.contribution) / largest * HALF_WIDTH
    if contribution.contribution < 0:
        # Blocks grow from the left, so a bar to the left has whole signs only.
        return ("█" * max(1, round(share))).rjust(HALF_WIDTH), " " * HALF_WIDTH
    whole, rest = int(share), int((share - int(share)) * len(_EIGHTHS))
    bar = "█" * whole + (_EIGHTHS[rest] if rest else "")
    if contribution.contribution > 0:
        bar = bar or _EIGHTHS[1]
    return " " * HALF_WIDTH, bar.ljust(HALF_WIDTH)
