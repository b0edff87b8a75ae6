"""The bundled housing benefit model, explained row by row."""

import numpy as np
import pytest

from explainer.explanations.stored_numbers import numbers_from_bytes, numbers_to_bytes
from explainer.use_cases.explained_model import ExplainedModel
from models.catalogue import bundled_packages_folder
from models.features import from_row
from models.package import load_package

ROWS = 60


@pytest.fixture(scope="module")
def model() -> ExplainedModel:
    return ExplainedModel.prepare(load_package(bundled_packages_folder() / "wohngeld"))


def test_every_background_row_adds_up_to_the_runtime_s_score(model: ExplainedModel) -> None:
    package = model.package
    rows = package.background.rows
    sums = model.computer.contributions_of(rows).sum(axis=1) + model.computer.expected_value
    tolerance = 1e-5 * max(1.0, model.computer.leaf_scale)
    assert np.abs(sums - package.model.additive_score(rows)).max() <= tolerance


def test_numbers_of_both_outcomes_are_checked_and_can_be_stored(model: ExplainedModel) -> None:
    package = model.package
    rows = package.background.rows[:: len(package.background.rows) // ROWS]
    outcomes = set()
    for row in rows:
        inputs = from_row(package.card.features, row)
        numbers = model.numbers_for(inputs)
        outcomes.add(model.outcome_of(inputs).outcome)
        assert numbers.score_numbers is not None
        assert numbers.recourse.counterfactuals, "income alone can tip every one of these cases"
        assert numbers_from_bytes(numbers_to_bytes(numbers)) == numbers
    assert outcomes == {"granted", "refused"}


def test_wealth_above_the_limit_is_decided_by_the_rule_and_can_only_be_disputed(model: ExplainedModel) -> None:
    inputs = {
        "household_size": 1,
        "income_eur_month": 900,
        "gross_cold_rent_eur_month": 500,
        "rent_level": 3,
        "assets_eur": 100_000,
    }
    numbers = model.numbers_for(inputs)
    assert numbers.score_numbers is None
    assert numbers.rules_fired == (("assets_above_limit", True),)
    assert numbers.recourse.none is not None
    assert numbers.recourse.none.reason == "nothing_actionable"
    assert ("assets_eur", 60_000) in {
        (change.feature, change.after) for found in numbers.recourse.disputed for change in found.changes
    }
