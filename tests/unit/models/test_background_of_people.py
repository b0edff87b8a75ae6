"""No row of a background stands for fewer than ten people, and none of them can be found in it."""

from pathlib import Path

import numpy as np
import pytest

from models.conversion.background import BackgroundSource, make_background
from models.conversion.groups_of_people import FEWEST_PEOPLE, group_people
from models.conversion.nearest_records import refuse_copies
from models.errors import MalformedPackageError, RowsOfPeopleError
from models.features import Feature
from models.scoring_model import Rows, Scores
from tests.unit.models.native_cards import FEATURES, write_table

CARD = tuple(Feature.model_validate(feature) for feature in FEATURES)
IS_CATEGORY = np.array([feature.kind == "category" for feature in CARD])


def people(count: int, seed: int = 3) -> Rows:
    generator = np.random.default_rng(seed)
    return np.column_stack(
        [
            generator.normal(1500, 400, count).astype(np.float32),
            generator.normal(0, 1, count).astype(np.float32),
            generator.integers(0, 5, count),
            generator.choice(6, count, p=[0.5, 0.3, 0.1, 0.06, 0.03, 0.01]),
        ]
    ).astype(np.float64)


def score(rows: Rows) -> Scores:
    chances: Scores = 1 / (1 + np.exp(-(rows[:, 0] - 1500) / 300 + 0.5 * rows[:, 2] - (rows[:, 3] == 2)))
    return chances


@pytest.mark.parametrize("count", [10, 19, 20, 57, 3000])
@pytest.mark.parametrize("n_groups", [1, 7, 1000])
def test_every_group_holds_at_least_ten_people_and_together_all(count: int, n_groups: int) -> None:
    groups = group_people(people(count), np.full(count, 2.0), CARD, score, n_groups)
    assert groups.sizes.min() >= FEWEST_PEOPLE
    assert groups.sizes.sum() == count
    assert groups.weights.sum() == pytest.approx(2.0 * count)
    assert len(groups.sizes) <= n_groups


def test_centres_are_values_that_a_case_can_have() -> None:
    rows = people(500)
    centres = group_people(rows, np.ones(500), CARD, score, 40).rows
    assert np.all(centres[:, 2:] == np.round(centres[:, 2:]))
    assert np.all((centres >= rows.min(axis=0)) & (centres <= rows.max(axis=0)))


def test_the_mean_score_stays_close_and_its_distance_is_told(tmp_path: Path) -> None:
    rows = people(3000)
    path = write_table(tmp_path / "people.csv", rows)
    background = make_background(BackgroundSource(path=path), CARD, score)
    mean = np.average(score(background.rows), weights=background.weights)
    assert background.mean_score_gap == pytest.approx(mean - score(rows).mean(), abs=1e-6)
    assert abs(background.mean_score_gap) < 0.005
    assert "3.000 Menschen" in background.origin.de
    assert "3,000 people" in background.origin.en


def test_missing_values_form_groups_of_their_own() -> None:
    rows = people(400)
    rows[:200, 0] = np.nan
    centres = group_people(rows, np.ones(400), CARD, lambda r: np.where(np.isnan(r[:, 0]), 0.9, 0.1), 30)
    missing = np.isnan(centres.rows[:, 0])
    assert centres.weights[missing].sum() == pytest.approx(200)


def test_fewer_than_ten_people_are_refused() -> None:
    with pytest.raises(RowsOfPeopleError, match="9 people"):
        group_people(people(9), np.ones(9), CARD, score, 5)


def test_centres_made_elsewhere_say_how_many_people_they_stand_for(tmp_path: Path) -> None:
    path = write_table(tmp_path / "centres.csv", people(30), {"persons": [10] * 29 + [9]})
    with pytest.raises(RowsOfPeopleError, match="the first is row 30"):
        make_background(BackgroundSource(path=path, mean_score=0.4), CARD, score)
    path = write_table(tmp_path / "centres.csv", people(30), {"persons": [12] * 30})
    with pytest.raises(MalformedPackageError, match="--mean-score"):
        make_background(BackgroundSource(path=path), CARD, score)
    background = make_background(BackgroundSource(path=path, mean_score=0.4), CARD, score)
    assert background.mean_score_gap == pytest.approx(score(people(30)).mean() - 0.4, abs=1e-4)


def test_weights_of_people_are_no_licence_to_keep_their_rows(tmp_path: Path) -> None:
    path = write_table(tmp_path / "people.csv", people(50), {"weight": [250.0] * 50})
    background = make_background(BackgroundSource(path=path), CARD, score)
    assert len(background.rows) <= 5
    assert background.weights.sum() == pytest.approx(250 * 50)


def test_copies_and_near_copies_are_refused_and_fresh_rows_are_not() -> None:
    real, fresh = people(600), people(300, seed=8)
    refuse_copies(fresh, real, IS_CATEGORY)
    with pytest.raises(RowsOfPeopleError, match="the first is row 3"):
        refuse_copies(np.vstack([fresh[:2], real[:1]]), real, IS_CATEGORY)
    near = real[:200] + np.array([0.01, 0.0001, 0, 0])
    with pytest.raises(RowsOfPeopleError, match="copies with little noise"):
        refuse_copies(near, real, IS_CATEGORY)


def test_generated_rows_need_the_people_they_were_made_from(tmp_path: Path) -> None:
    generated = write_table(tmp_path / "generated.csv", people(300, seed=8))
    real = write_table(tmp_path / "people.csv", people(600))
    with pytest.raises(RowsOfPeopleError, match="--people"):
        make_background(BackgroundSource(path=generated, kind="generated"), CARD, score)
    made = make_background(BackgroundSource(path=generated, kind="generated", people=real), CARD, score)
    assert len(made.rows) == 300
    assert "600 people" in made.origin.en
