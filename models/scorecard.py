"""Reads a scorecard: the table of points that an office keeps on paper, as a file that both can read.

::

    base_points: 10
    features:
      - feature: income_eur_month
        points:
          - {below: 1000, points: 30}
          - {below: 2000, points: 12}
          - {points: 0}
      - feature: home
        points:
          - {is: rented, points: 5}
          - {is: owned, points: 0}
"""

from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.card import ModelCard
from models.errors import MalformedPackageError
from models.features import Feature, FeatureName
from models.linear_model import CategoryPoints, IntervalPoints, PointsTable
from models.yaml_document import YamlDocument, read_yaml

NAME = "scorecard.yaml"

Points = Annotated[float, Field(strict=True)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Line(_Part):
    """Points for values below a limit, for one value, or for all others."""

    below: Points | None = None
    is_: str | bool | None = Field(default=None, alias="is")
    points: Points


class _Table(_Part):
    feature: FeatureName
    points: tuple[_Line, ...] = Field(min_length=1)


class _Scorecard(_Part):
    base_points: Points = 0.0
    features: tuple[_Table, ...] = Field(min_length=1)


class _Problems:
    """Collects what is wrong, with lines."""

    def __init__(self, document: YamlDocument) -> None:
        self._document = document
        self.sentences: list[str] = []

    def add(self, location: tuple[int | str, ...], sentence: str) -> None:
        where = ".".join(str(part) for part in location) or "the scorecard"
        self.sentences.append(f"line {self._document.line_of(location)}: {where}: {sentence}.")

    def raise_any(self) -> None:
        if self.sentences:
            raise MalformedPackageError(
                f"{NAME} has {len(self.sentences)} problem(s): " + " ".join(self.sentences), problems=self.sentences
            )


def parse_scorecard(content: bytes, card: ModelCard) -> PointsTable:
    """Read a scorecard.

    Args:
        content: UTF-8 YAML as above: for numbers lines with rising limits ``below`` and a last line without, for
            categories and yes-or-no one line for each value.
        card: Its features, all of which the scorecard must list; where its contributions are log-odds, so are the
            points.

    Returns:
        The table of points, in the order of the card's features.

    Raises:
        MalformedPackageError: If it breaks any rule; names every problem with its line.
    """
    document = read_yaml(content, NAME)
    problems = _Problems(document)
    try:
        scorecard = _Scorecard.model_validate(document.data)
    except ValidationError as error:
        for problem in error.errors():
            problems.add(problem["loc"], problem["msg"].removeprefix("Value error, "))
        problems.raise_any()
        raise  # not reached: a validation error always has a problem
    places: dict[str, int] = {}
    for number, table in enumerate(scorecard.features):
        places.setdefault(table.feature, number)
        if table.feature not in card.feature_names:
            problems.add(("features", number, "feature"), f"the card has no feature '{table.feature}'")
        elif places[table.feature] != number:
            problems.add(("features", number, "feature"), f"'{table.feature}' is listed twice")
    missing = [name for name in card.feature_names if name not in places]
    if missing:
        problems.add(("features",), f"there are no points for {', '.join(missing)}")
    problems.raise_any()
    tables = [
        _points_of(one, scorecard.features[places[one.name]], places[one.name], problems) for one in card.features
    ]
    problems.raise_any()
    return PointsTable(
        intercept=scorecard.base_points,
        tables=tuple(table for table in tables if table is not None),
        link="logistic" if card.additive_unit == "log_odds" else "identity",
    )


def _points_of(
    feature: Feature, table: _Table, number: int, problems: _Problems
) -> IntervalPoints | CategoryPoints | None:
    place = ("features", number, "points")
    if feature.kind in ("category", "boolean"):
        return _by_value(feature, table, place, problems)
    return _by_interval(table, place, problems)


def _by_interval(table: _Table, place: tuple[int | str, ...], problems: _Problems) -> IntervalPoints | None:
    before = len(problems.sentences)
    *limited, last = table.points
    for index, line in enumerate(table.points):
        if line.is_ is not None:
            problems.add((*place, index), "numbers have points by 'below', not by 'is'")
    if last.below is not None:
        problems.add((*place, len(limited)), "the last line is for all other values and has no 'below'")
    limits = [line.below for line in limited if line.below is not None]
    if len(limits) != len(limited):
        problems.add(place, "every line but the last needs a limit 'below'")
    elif any(low >= high for low, high in pairwise(limits)):
        problems.add(place, "the limits 'below' must rise from line to line")
    if len(problems.sentences) > before:
        return None
    return IntervalPoints(limits=tuple(limits), points=tuple(line.points for line in table.points))


def _by_value(
    feature: Feature, table: _Table, place: tuple[int | str, ...], problems: _Problems
) -> CategoryPoints | None:
    before = len(problems.sentences)
    values: list[Any] = [False, True] if feature.kind == "boolean" else [one.value for one in feature.categories]
    points: dict[Any, float] = {}
    for index, line in enumerate(table.points):
        if line.below is not None or line.is_ is None or line.is_ not in values:
            known = "true, false" if feature.kind == "boolean" else ", ".join(values)
            problems.add((*place, index), f"each line needs 'is' with one of these values: {known}")
        elif line.is_ in points:
            problems.add((*place, index), f"'{line.is_}' is listed twice")
        else:
            points[line.is_] = line.points
    left_out = [str(value).lower() if feature.kind == "boolean" else value for value in values if value not in points]
    if left_out and len(problems.sentences) == before:
        problems.add(place, f"there are no points for {', '.join(left_out)}")
    if len(problems.sentences) > before:
        return None
    return CategoryPoints(points=tuple(points[value] for value in values))
