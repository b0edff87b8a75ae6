"""Reads ``terms.json``: an explainable boosting machine as plain tables, in a format anybody can write.

``docs/reference/term-tables.md`` describes it. It is data and nothing else; a pickled model is never opened.
"""

import itertools
import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.errors import MalformedPackageError
from models.features import Feature
from models.term_model import MAX_FEATURES_PER_TERM, TermModel
from models.term_tables import NO_BIN, Binning, CategoryBins, IntervalBins, TermTable, TermTables

MAX_BYTES = 64_000_000
"""Larger files are refused."""

MAX_PROBLEMS = 50
"""So many problems are listed; a wrong program may write thousands alike."""

Text = Annotated[str, Field(min_length=1, max_length=1000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class _Axis(_Part):
    feature: Text
    cuts: list[float] | None = None
    categories: list[Text] | None = None
    missing: bool = False
    unknown: bool = False

    @property
    def n_bins(self) -> int:
        named = len(self.cuts or []) + 1 if self.categories is None else len(self.categories)
        return named + self.missing + self.unknown


class _Term(_Part):
    axes: Annotated[list[_Axis], Field(min_length=1)]
    scores: list[Any]


class _File(_Part):
    format: Literal["klarbescheid-terms/1"]
    link: Literal["logistic", "identity", "softmax"]
    intercepts: Annotated[list[float], Field(min_length=1)]
    terms: Annotated[list[_Term], Field(min_length=1)]


def read_term_file(content: bytes, features: Sequence[Feature], name: str = "terms.json") -> TermModel:
    """Read a sum of terms.

    Args:
        content: The file.
        features: The card's features; categories are coded by their position there.
        name: What error sentences call the file.

    Returns:
        The model over raw features.

    Raises:
        MalformedPackageError: If the file contradicts itself or the card; every problem is listed.
    """
    if len(content) > MAX_BYTES:
        raise MalformedPackageError(f"{name} is larger than {MAX_BYTES} bytes.")
    twins = _names_given_twice(content)
    try:
        file = _File.model_validate_json(content)
    except ValidationError as error:
        problems = twins + [f"{_place(one['loc'])}: {one['msg']}." for one in error.errors(include_url=False)]
        raise _malformed(name, problems) from error
    problems = twins + [
        f"terms.{number}: {problem}"
        for number, term in enumerate(file.terms)
        for problem in _problems_of(term, features, len(file.intercepts))
    ]
    if file.link == "softmax" and len(file.intercepts) == 1:
        problems.append("link: 'softmax' needs one intercept for each class; for two classes use 'logistic'.")
    if problems:
        raise _malformed(name, problems)
    positions = {feature.name: position for position, feature in enumerate(features)}
    return TermModel(
        intercepts=np.array(file.intercepts),
        terms=TermTables(
            tables=tuple(_table(term, features, positions, len(file.intercepts)) for term in file.terms),
            n_features=len(features),
        ),
        link=file.link,
    )


def _names_given_twice(content: bytes) -> list[str]:
    """List names that stand twice in one object: parsers keep one of the two values and say nothing."""
    twins: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        counts = Counter(name for name, _ in pairs)
        twins.extend(
            f"'{name[:80]}' stands twice in the object of {', '.join(counts)[:200]}: keep the one that is meant."
            for name, count in counts.items()
            if count > 1
        )

    try:
        json.loads(content, object_pairs_hook=look)
    except (ValueError, RecursionError):
        return []  # what is no JSON is told by the parser that reads it
    return twins


def _place(location: Sequence[int | str]) -> str:
    return ".".join(str(part) for part in location)[:200] or "the file"


def _malformed(name: str, problems: list[str]) -> MalformedPackageError:
    shown = problems[:MAX_PROBLEMS]
    return MalformedPackageError(f"{name} has {len(problems)} problem(s): " + " ".join(shown), problems=shown)


def _problems_of(term: _Term, features: Sequence[Feature], n_outputs: int) -> list[str]:
    names = [axis.feature for axis in term.axes]
    if len(names) > MAX_FEATURES_PER_TERM:
        return [f"it is over {len(names)} features; terms over one or two can be explained exactly."]
    problems = [f"'{names[0]}' is given twice."] if len(set(names)) != len(names) else []
    known = {feature.name: feature for feature in features}
    for axis in term.axes:
        if axis.feature not in known:
            problems.append(f"the card does not know the feature '{axis.feature}'.")
        else:
            problems += [f"'{axis.feature}' {problem}" for problem in _problems_of_axis(axis, known[axis.feature])]
    shape = [axis.n_bins for axis in term.axes] + ([n_outputs] if n_outputs > 1 else [])
    if not _has_shape(term.scores, shape):
        sizes = " x ".join(map(str, shape))
        problems.append(f"its scores must be {sizes} finite numbers, nested as the bins (and outputs) are listed.")
    return problems


def _problems_of_axis(axis: _Axis, feature: Feature) -> list[str]:
    if (axis.cuts is None) == (axis.categories is None):
        return ["needs either cuts or categories."]
    if axis.categories is None:
        problems = [] if feature.kind != "category" else ["is a category in the card, so it needs categories."]
        if any(low >= high for low, high in itertools.pairwise(axis.cuts or [])):
            problems.append("has cuts that do not rise.")
        if axis.unknown:
            problems.append("has cuts, and then no number is unknown; leave 'unknown' out.")
        return problems
    values = _values_of(feature)
    if not values:
        return [f"is a {feature.kind} in the card, so it needs cuts."]
    problems = ["lists a category twice."] if len(set(axis.categories)) != len(axis.categories) else []
    strange = [value for value in axis.categories if value not in values]
    if strange:
        problems.append(f"lists '{strange[0][:80]}', which is no category of the card.")
    absent = [value for value in values if value not in axis.categories]
    if absent and not axis.unknown:
        problems.append(f"says nothing about the category '{absent[0][:80]}' and has no bin for unknown ones.")
    return problems


def _values_of(feature: Feature) -> tuple[str, ...]:
    if feature.kind == "boolean":
        return ("false", "true")
    return tuple(category.value for category in feature.categories)


def _has_shape(scores: Any, shape: Sequence[int]) -> bool:
    if not shape:
        return isinstance(scores, (int, float)) and not isinstance(scores, bool) and abs(scores) <= sys.float_info.max
    return isinstance(scores, list) and len(scores) == shape[0] and all(_has_shape(one, shape[1:]) for one in scores)


def _table(term: _Term, features: Sequence[Feature], positions: dict[str, int], n_outputs: int) -> TermTable:
    scores = np.array(term.scores, dtype=np.float64)
    own = tuple(positions[axis.feature] for axis in term.axes)
    return TermTable(
        features=own,
        binnings=tuple(_binning(axis, features[place]) for axis, place in zip(term.axes, own, strict=True)),
        scores=scores if n_outputs > 1 else scores[..., np.newaxis],
    )


def _binning(axis: _Axis, feature: Feature) -> Binning:
    if axis.categories is None:
        return IntervalBins(tuple(axis.cuts or ()), has_missing=axis.missing)
    n_named = len(axis.categories)
    unknown = axis.n_bins - 1 if axis.unknown else NO_BIN
    places = {value: place for place, value in enumerate(axis.categories)}
    return CategoryBins(
        bin_of_category=tuple(places.get(value, unknown) for value in _values_of(feature)),
        n_bins=axis.n_bins,
        missing_bin=n_named if axis.missing else NO_BIN,
    )
