"""A scorecard is read as an office writes it, and every mistake is told with its line."""

import numpy as np
import pytest

from models.card import ModelCard
from models.errors import MalformedPackageError
from models.scorecard import parse_scorecard
from tests.model_kinds import SCORECARD, some_rows

CARD = ModelCard.model_validate(SCORECARD.card())

TEXT = """\
base_points: 10
features:
  - feature: income_eur_month
    points:
      - {below: 1000, points: 30}
      - {below: 2000, points: 12.5}
      - {points: 0}
  - feature: household_size
    points:
      - {below: 3, points: 1}
      - {points: 5}
  - feature: home
    points:
      - {is: owned, points: 0}
      - {is: rented, points: 4}
      - {is: shelter, points: 9}
  - feature: single_parent
    points:
      - {is: true, points: 6}
      - {is: false, points: 0}
"""


def test_points_are_looked_up_and_added() -> None:
    rows = some_rows(100, seed=5)
    np.testing.assert_array_equal(parse_scorecard(TEXT.encode(), CARD).score(rows), SCORECARD.scores_of(rows))


def test_a_value_equal_to_a_limit_counts_above_it() -> None:
    table = parse_scorecard(TEXT.encode(), CARD)
    below, at = (table.score(np.array([[income, 1.0, 1.0, 0.0]]))[0] for income in (999.99, 1000.0))
    assert (below, at) == (41, 23.5)


def test_points_in_log_odds_become_probabilities() -> None:
    probability = {"unit": "probability", "scale": 100, "label": SCORECARD.card()["score"]["label"],
                   "meaning": SCORECARD.card()["score"]["meaning"]}  # fmt: skip
    card = ModelCard.model_validate(SCORECARD.card(score=probability, additive_unit="log_odds", threshold=0.5))
    table = parse_scorecard(TEXT.encode(), card)
    rows = some_rows(10, seed=5)
    np.testing.assert_allclose(table.score(rows), 1 / (1 + np.exp(-table.additive_score(rows))), rtol=1e-15)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("feature: home", "feature: house", "line 12: features.2.feature: the card has no feature 'house'"),
        ("feature: home", "feature: household_size", "'household_size' is listed twice"),
        (
            "  - feature: single_parent\n    points:\n",
            "  - feature: home\n    points:\n",
            "for single_parent",
        ),
        ("{below: 2000, points: 12.5}", "{below: 900, points: 12.5}", "must rise from line to line"),
        ("{below: 2000, points: 12.5}", "{points: 12.5}", "every line but the last needs a limit"),
        ("      - {points: 0}\n", "", "line 6: features.0.points.1: the last line is for all other values"),
        (
            "{below: 1000, points: 30}",
            "{is: rented, points: 30}",
            "line 5: features.0.points.0: numbers have points",
        ),
        ("{is: rented, points: 4}", "{is: hired, points: 4}", "line 15: features.2.points.1: each line needs 'is'"),
        ("{is: rented, points: 4}", "{is: owned, points: 4}", "line 15: features.2.points.1: 'owned' is listed twice"),
        ("      - {is: rented, points: 4}\n", "", "there are no points for rented"),
        ("      - {is: false, points: 0}\n", "", "there are no points for false"),
        ("{is: true, points: 6}", "{below: 1, points: 6}", "with one of these values: true, false"),
        ("points: 12.5", "points: many", "line 6: features.0.points.1.points"),
        ("points: 12.5", "points: .inf", "line 6: features.0.points.1.points"),
        ("base_points: 10", "base_points: 10\nbonus: 3", "line 2: bonus"),
        ("base_points: 10\nfeatures:", "base_points: 10\nfeatures: []\nrest:", "features"),
        (TEXT, "- 1", "scorecard.yaml"),
    ],
)
def test_a_mistake_is_told_with_its_line(old: str, new: str, sentence: str) -> None:
    assert old in TEXT
    with pytest.raises(MalformedPackageError, match=sentence.replace(".", r"\.")):
        parse_scorecard(TEXT.replace(old, new).encode(), CARD)


@pytest.mark.parametrize("content", [b"", b"\xff", b"a: [", b"null", b"1", b"features: {}", b"a: &x 1\nb: *x"])
def test_nothing_but_a_malformed_package_error_comes_out_of_bad_bytes(content: bytes) -> None:
    with pytest.raises(MalformedPackageError):
        parse_scorecard(content, CARD)
