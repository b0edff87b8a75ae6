"""The demo city's applications: generated households from the model's own reference rows, and what persons decided.

Nobody in here exists. Reference rows are generated households (the package says so); a few rows are put together for
the cases a newcomer should see: a statutory rule, special circumstances, a departure, a case close to the threshold.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from explainer.decisions.decision import Value
from explainer.explanations.model_outcome import lead_of
from models.features import from_row
from models.package import ModelPackage

MODEL = "wohngeld"
DECISIONS = 44
DEPARTURES = 4
SEED = 20_250_101
SATURDAY = 5

SOURCES = {"rent_level": "die amtliche Liste der Mietstufen"}
REMEDY = {
    "kind": "Widerspruch",
    "text": "Sie können Widerspruch einlegen, schriftlich oder persönlich im Amt für Wohnen.",
}
REASONS = {
    ("granted", False): "Wir haben die Unterlagen geprüft. Nach der Formel des Wohngeldgesetzes besteht ein Anspruch.",
    ("refused", False): "Wir haben die Unterlagen geprüft. Nach der Formel des Wohngeldgesetzes besteht kein Anspruch.",
    ("granted", True): "Nach der Formel des Gesetzes besteht ein Anspruch. Das Programm hatte das anders geschätzt.",
    ("refused", True): "Nach der Formel des Gesetzes besteht kein Anspruch. Das Programm hatte das anders geschätzt.",
}
RULE_REASONS = (
    "Das Vermögen ist erheblich. Es liegt über den Beträgen, die für das Gesetz gelten. Kontoauszüge liegen vor."
)
CIRCUMSTANCES = (
    "Ich pflege seit März meine Mutter zu Hause. Mein Lohn ist dadurch stark gesunken. "
    "Das steht noch nicht in meinem Steuerbescheid."
)

RICH_HOUSEHOLD: dict[str, Value] = {
    "household_size": 2,
    "income_eur_month": 1450.0,
    "gross_cold_rent_eur_month": 720.0,
    "rent_level": 4,
    "assets_eur": 184000.0,
}
CARING_HOUSEHOLD: dict[str, Value] = {
    "household_size": 2,
    "income_eur_month": 2150.0,
    "gross_cold_rent_eur_month": 690.0,
    "rent_level": 3,
    "assets_eur": 5200.0,
}
WAITING_HOUSEHOLD: dict[str, Value] = {
    "household_size": 1,
    "income_eur_month": 1180.0,
    "gross_cold_rent_eur_month": 510.0,
    "rent_level": 4,
    "assets_eur": 1900.0,
}


@dataclass(frozen=True)
class DemoCase:
    """One case as the demo's case system sends it.

    Attributes:
        application: What is sent, without the person's decision.
        outcome: What the person decided; None follows the program, ``other`` departs from it.
        waits: Whether nobody has decided yet.
        reasons: The person's reasons, or None for the usual ones.
    """

    application: dict[str, Any]
    outcome: str | None = None
    waits: bool = False
    reasons: str | None = None


def demo_cases(package: ModelPackage, *, now: datetime) -> Iterator[DemoCase]:
    """Make the demo's cases, the same in every demo city but for their dates.

    Args:
        package: The installed Wohngeld package.
        now: Current time; cases were decided in the six weeks before.

    Yields:
        At least 40 cases.
    """
    chooser = random.Random(SEED)  # noqa: S311 -- the same demo everywhere, nothing secret in it
    rows = package.reference_rows
    lead = lead_of(package.card, package.reference_scores, {package.card.outcomes[0].id})
    # Persons decide otherwise where the program was unsure, so those are the cases in which they do so here.
    unsure = set(np.argsort(np.abs(lead), kind="stable")[:DEPARTURES].tolist())
    others = [index for index in range(len(rows)) if index not in unsure]
    order = [*sorted(unsure), *chooser.sample(others, DECISIONS - DEPARTURES)]
    chooser.shuffle(order)
    for number, index in enumerate(order):
        inputs = from_row(package.card.features, rows[index])
        decided_at = now - timedelta(
            days=DECISIONS + 1 - number, hours=chooser.randrange(1, 8), minutes=chooser.randrange(60)
        )
        yield DemoCase(
            application=_application(number, inputs, decided_at), outcome="other" if index in unsure else None
        )
    soon = now - timedelta(hours=3)
    yield DemoCase(application=_application(DECISIONS, RICH_HOUSEHOLD, soon), outcome="refused", reasons=RULE_REASONS)
    caring = _application(DECISIONS + 1, CARING_HOUSEHOLD, None) | {"special_circumstances": CIRCUMSTANCES}
    yield DemoCase(application=caring, waits=True)
    yield DemoCase(application=_application(DECISIONS + 2, WAITING_HOUSEHOLD, None), waits=True)


def _application(number: int, inputs: dict[str, Value], decided_at: datetime | None) -> dict[str, Any]:
    as_of = (decided_at - timedelta(days=20)).date().isoformat() if decided_at else None
    application: dict[str, Any] = {
        "model": MODEL,
        "case_reference": f"WG-{2026}-{4100 + number}",
        "subject_reference": f"demo-person-{number + 1:03d}",
        "inputs": inputs,
        "sources": {name: {"source": SOURCES.get(name, "Ihr Antrag auf Wohngeld"), "as_of": as_of} for name in inputs},
        "unused_inputs": ["Name", "Anschrift", "Bankverbindung"],
        "decided_by": "person",
    }
    if decided_at is not None:
        until = _next_working_day((decided_at + timedelta(days=33)).date()).isoformat()
        application |= {"decided_at": decided_at.isoformat(), "remedy": {**REMEDY, "until": until}}
    return application


def _next_working_day(day: date) -> date:
    # No deadline ends on a weekend; public holidays are left out here.
    return day + timedelta(days=max(0, 7 - day.weekday())) if day.weekday() >= SATURDAY else day
