"""A drafted card says what the data say, and leaves to people what only people know."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from explainer.cli import app
from models.card import ModelCard, parse_card
from models.card_schema import card_schema_text
from models.drafting.card_draft import draft_card
from models.drafting.suspected_traits import cramers_v, suspicions_of
from models.errors import MalformedPackageError
from models.unfinished import TO_FILL_IN

ROOT = Path(__file__).parents[3]
N = 200


def table(**changes: Any) -> dict[str, list[Any]]:
    generator = np.random.default_rng(5)
    age = generator.integers(18, 90, N)
    columns: dict[str, list[Any]] = {
        "case_number": [f"A-{number}" for number in range(N)],
        "income_eur": np.round(generator.normal(1500, 300, N), 2).tolist(),
        "age": age.tolist(),
        "years_insured": (age - 17 + generator.integers(0, 3, N)).tolist(),
        "mileage": generator.integers(0, 1000, N).tolist(),
        "district": generator.choice(["Nord", "Süd"], N).tolist(),
        "has_car": generator.choice(["yes", "no"], N).tolist(),
        "grade": [None if number % 10 == 0 else int(number % 4) for number in range(N)],
        "granted": generator.choice([0, 1], N).tolist(),
    }
    return {**columns, **changes}


def filled_in(draft: str) -> str:
    """Fill in everything as a hurried person would."""
    answers = {
        "in_use_since": "2026-01-31", "status": "pilot", "domain": "generic", "role": "sorts", "procedure": "none",
        "discretion": "false", "is_ai": "true", "risk_class": "limited", "email": "a@city.example", "threshold": "7",
    }  # fmt: skip
    for field, answer in answers.items():
        draft = re.sub(rf"^(\s*{field}): {TO_FILL_IN}$", rf"\1: {answer}", draft, flags=re.MULTILINE)
    draft = re.sub(rf"^(\s*protected): {TO_FILL_IN}$", r"\1: true", draft, flags=re.MULTILINE)
    draft = re.sub(rf"favourable: {TO_FILL_IN}", "favourable: true", draft, count=1)
    draft = re.sub(rf"favourable: {TO_FILL_IN}", "favourable: false", draft)
    return draft.replace(TO_FILL_IN, "Something.")


def feature(draft: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in yaml.safe_load(draft)["features"] if one["name"] == name)
    return found


@pytest.fixture(scope="module")
def draft() -> str:
    return draft_card(table(), "granted", "cases.csv")


def test_types_ranges_and_categories_come_from_the_data(draft: str) -> None:
    income = feature(draft, "income_eur")
    values = table()["income_eur"]
    assert (income["kind"], income["decimals"]) == ("number", 2)
    assert (income["minimum"], income["maximum"]) == (min(values), max(values))
    assert feature(draft, "age")["kind"] == "integer"
    assert feature(draft, "has_car")["kind"] == "boolean"
    assert [one["value"] for one in feature(draft, "district")["categories"]] == ["Nord", "Süd"]


def test_units_sources_and_the_meaning_of_missing_values_are_left_open(draft: str) -> None:
    both = {"de": TO_FILL_IN, "en": TO_FILL_IN}
    assert feature(draft, "income_eur")["unit"] == both
    assert feature(draft, "income_eur")["source"] == both
    assert feature(draft, "grade")["may_be_missing"] == both
    assert "20 of 200 values are missing" in draft
    assert "may_be_missing" not in feature(draft, "age")


def test_nobody_is_told_what_people_could_change(draft: str) -> None:
    assert not any("actionable" in one for one in yaml.safe_load(draft)["features"])


def test_suspected_traits_and_proxies_are_asked_about(draft: str) -> None:
    for name in ("age", "district", "years_insured"):
        assert feature(draft, name)["protected"] == TO_FILL_IN, name
    for name in ("mileage", "income_eur", "has_car"):
        assert "protected" not in feature(draft, name), name
    assert "goes together with 'age'" in draft


def test_a_column_like_a_file_number_is_left_out_and_named(draft: str) -> None:
    assert "case_number" not in [one["name"] for one in yaml.safe_load(draft)["features"]]
    assert "# left out: 'case_number'" in draft


def test_everything_open_is_listed_at_once_with_its_line(draft: str) -> None:
    with pytest.raises(MalformedPackageError) as refused:
        parse_card(draft.encode())
    lines = draft.splitlines()
    problems = refused.value.problems
    assert len(problems) == sum(line.count(TO_FILL_IN) for line in lines if not line.lstrip().startswith("#"))
    for problem in problems:
        number = int(re.match(r"line (\d+): ", problem).group(1))  # type: ignore[union-attr]
        assert TO_FILL_IN in lines[number - 1]
        assert problem.endswith("still to be filled in.")


def test_mistakes_are_listed_beside_what_is_open(draft: str) -> None:
    wrong = draft.replace("threshold: 0.5", "threshold: high")
    with pytest.raises(MalformedPackageError) as refused:
        parse_card(wrong.encode())
    assert any("threshold: Input should be a valid number" in problem for problem in refused.value.problems)
    assert any("name.de: still to be filled in" in problem for problem in refused.value.problems)


@pytest.mark.parametrize(
    ("target", "outcomes"),
    [
        ([0, 1] * 100, ["class_0", "class_1"]),
        (["refused", "granted"] * 100, ["granted", "refused"]),
        (["c", "a", "b", "a"] * 50, ["a", "b", "c"]),
        ([number * 1.5 for number in range(200)], ["high", "low"]),
    ],
)
def test_a_filled_in_draft_is_a_card(target: list[Any], outcomes: list[str]) -> None:
    card = parse_card(filled_in(draft_card(table(granted=target), "granted", "cases.csv")).encode())
    assert [outcome.id for outcome in card.outcomes] == outcomes
    assert card.feature_names == ("income_eur", "age", "years_insured", "mileage", "district", "has_car", "grade")


def test_cramers_v_is_1_for_copies_and_0_for_strangers() -> None:
    first = np.array([0, 0, 1, 1, 2, 2] * 50)
    assert cramers_v(first, first) == pytest.approx(1)
    assert cramers_v(first, np.array([0, 1] * 150)) == pytest.approx(0)


def test_short_words_count_only_alone() -> None:
    found = suspicions_of({name: [1, 2] for name in ("wage", "age_years", "mileage", "Sex", "unisex")})
    assert set(found) >= {"age_years", "Sex"}
    assert not {"wage", "mileage", "unisex"} & {name for name, why in found.items() if "sounds" in why[0].reason}


def test_an_existing_card_is_never_overwritten(tmp_path: Path) -> None:
    data, card = tmp_path / "cases.csv", tmp_path / "card.yaml"
    data.write_text("a;b;y\n1;2;0\n3;4;1\n2;2;1\n", encoding="utf-8")
    command = ["models", "new", str(data), "--target", "y", "--out", str(card)]
    assert CliRunner().invoke(app, command).exit_code == 0
    card.write_text("mine", encoding="utf-8")
    assert "exists already" in str(CliRunner().invoke(app, command).exception)
    assert card.read_text(encoding="utf-8") == "mine"


def test_the_published_schema_is_the_card_s() -> None:
    published = ROOT / "docs" / "reference" / "card.schema.json"
    assert published.read_text(encoding="utf-8") == card_schema_text()
    assert set(ModelCard.model_fields) == set(yaml.safe_load(card_schema_text())["properties"])
