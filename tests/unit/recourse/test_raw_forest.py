"""Trees behind encoders and scalers become trees over raw features, to the last number, and so proofs reach them."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from explainer.decisions.decision import Value
from explainer.errors import CounterfactualError
from explainer.explanations.model_outcome import outcome_of_row, outcomes_of_rows
from explainer.recourse import action_set, raw_forest
from explainer.recourse.action_set import SearchSpace
from explainer.recourse.raw_forest import raw_forest_of
from explainer.recourse.search import find_recourse
from models.features import Feature, from_row
from models.forest import Forest, read_forest
from models.onnx_model import OnnxModel
from models.package import ModelPackage
from tests.conformance.small_forests import behind_preprocessing, random_forest
from tests.conformance.small_packages import feature, small_package
from tests.conformance.small_pipelines import Pipeline, one_hot_pipeline, random_pipeline

Rows = NDArray[np.float64]


def with_limits(features: tuple[Feature, ...]) -> tuple[Feature, ...]:
    """Let the card say that there are at most three children."""
    limits = {"minimum": 0.0, "maximum": 3.0}
    return tuple(one.model_copy(update=limits) if one.name == "children" else one for one in features)


def rows_at_every_change(raw: Forest, pipeline: Pipeline) -> Rows:
    """Put each threshold, and the 32-bit numbers beside it, into rows that real people could have."""
    generator = np.random.default_rng(7)
    rows = [pipeline.rows]
    for position, one in enumerate(with_limits(pipeline.card.features)):
        if one.kind == "number":
            splits = np.unique(np.concatenate([t.threshold[~t.is_leaf & (t.feature == position)] for t in raw.trees]))
            values = np.concatenate(
                [np.nextafter(splits, np.float32(-np.inf)), splits, np.nextafter(splits, np.float32(np.inf))]
            )
            changed = pipeline.rows[generator.integers(len(pipeline.rows), size=len(values))].copy()
            changed[:, position] = values
            rows.append(changed)
    return np.concatenate(rows)


def largest_difference(pipeline: Pipeline) -> float:
    features = with_limits(pipeline.card.features)
    forest = read_forest(pipeline.content, features)
    raw = raw_forest_of(forest, features, pipeline.rows[0])
    assert raw is not None
    assert raw.encoding is None
    rows = rows_at_every_change(raw, pipeline)
    return float(np.abs(raw.additive_score(rows) - forest.additive_score(rows)).max())


@pytest.mark.parametrize("seed", range(12))
def test_random_pipelines_are_written_anew_to_the_last_number(seed: int) -> None:
    assert largest_difference(random_pipeline(seed)) < 1e-12


def test_a_number_that_divides_one_step_too_low_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = raw_forest._Questions._of_ordered

    def one_lower(self: Any, column: int, feature: int, thresholds: Any) -> Any:
        questions = right(self, column, feature, thresholds)
        assert questions is not None
        lower = np.float32(-np.inf)
        return [
            replace(one, ends=tuple(float(np.nextafter(np.float32(end), lower)) for end in one.ends))
            for one in questions
        ]

    monkeypatch.setattr(raw_forest._Questions, "_of_ordered", one_lower)
    assert largest_difference(one_hot_pipeline()) > 1e-3


def test_a_category_whose_ranges_are_mixed_up_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = raw_forest._listed

    def mixed_up(one: Feature) -> Rows | None:
        values = listed(one)
        return None if values is None else np.where(values == 0, values.max(), values)

    monkeypatch.setattr(raw_forest, "_listed", mixed_up)
    assert largest_difference(one_hot_pipeline()) > 1e-3


def test_where_a_number_goes_another_way_there_is_no_such_forest() -> None:
    features = [feature(name) for name in ("one", "two", "three")]
    behind = behind_preprocessing(random_forest(np.random.default_rng(1), n_features=7, n_trees=3, depth=3))
    assert raw_forest_of(behind, features, np.zeros(3)) is None
    pipeline = one_hot_pipeline()
    without_limits = pipeline.card.features
    assert raw_forest_of(read_forest(pipeline.content, without_limits), without_limits, pipeline.rows[0]) is None


def test_a_forest_that_would_be_too_large_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_forest, "MAX_NODES", 50)
    pipeline = one_hot_pipeline()
    features = with_limits(pipeline.card.features)
    assert raw_forest_of(read_forest(pipeline.content, features), features, pipeline.rows[0]) is None


def package_of(pipeline: Pipeline, threshold: float) -> ModelPackage:
    """Make a package in which people may change housing, status, and the number of children."""
    plain = random_forest(np.random.default_rng(1), n_features=5, n_trees=1, depth=1)
    features = []
    for one in with_limits(pipeline.card.features):
        changed = {**one.model_dump(), "disputable": False}
        if one.name in ("housing", "status"):
            changed["actionable"] = {"categories": [category.value for category in one.categories]}
        elif one.name == "children":
            changed["actionable"] = {"direction": "either", "minimum": 0, "maximum": 3, "step": 1}
        features.append(Feature.model_validate(changed))
    package = small_package(
        [feature(one.name) for one in features],
        Forest(base_value=0.0, trees=plain.trees, n_features=5),
        pipeline.rows,
        threshold=threshold,
    )
    card = package.card.model_copy(update={"features": tuple(features)})
    model = OnnxModel(pipeline.content, card)
    return replace(package, card=card, model=model, reading=read_forest(pipeline.content, card.features))


def fewest_changes(package: ModelPackage, row: Rows, now: str) -> int | None:
    names = package.card.feature_names
    options = {names.index("status"): range(2), names.index("housing"): range(4), names.index("children"): range(4)}
    for size in (1, 2, 3):
        for positions in itertools.combinations(options, size):
            values = np.array(list(itertools.product(*(options[one] for one in positions))), dtype=np.float64)
            rows = np.tile(row, (len(values), 1))
            rows[:, positions] = values
            if any(one.outcome != now for one in outcomes_of_rows(package, rows)):
                return size
    return None


def wrong_claims(package: ModelPackage) -> tuple[int, int]:
    """Count answers that brute force contradicts or that leave open what is true, and proofs that nothing helps."""
    wrong = nothing_helps = 0
    space = SearchSpace.of(package)
    for row in package.background.rows[:60]:
        inputs: dict[str, Value] = from_row(package.card.features, row)
        truth = fewest_changes(package, row, outcome_of_row(package, row).outcome)
        try:
            found = find_recourse(package, inputs, space)
        except CounterfactualError:
            wrong += 1
            continue
        if found.none is not None:
            wrong += found.none.proven != (truth is None)
            nothing_helps += found.none.proven
        else:
            first = found.counterfactuals[0]
            wrong += len(first.changes) != truth or not first.fewest_changes_proven
    return wrong, nothing_helps


@pytest.mark.parametrize("threshold", [0.8, 0.95])
def test_what_is_proven_behind_encoders_is_what_brute_force_finds(threshold: float) -> None:
    wrong, nothing_helps = wrong_claims(package_of(one_hot_pipeline(), threshold))
    assert wrong == 0
    assert nothing_helps > 0


def test_a_proof_over_a_forest_that_is_written_wrongly_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    package = package_of(one_hot_pipeline(), 0.8)
    write = raw_forest_of

    def shifted(*args: object) -> Forest | None:
        written = write(*args)  # type: ignore[arg-type]
        assert written is not None
        return replace(written, base_value=written.base_value - 1.5)

    monkeypatch.setattr(action_set, "raw_forest_of", shifted)
    assert SearchSpace.of(package).cells is None, "held against real people at load"
    monkeypatch.setattr(action_set.np, "allclose", lambda *_, **__: True)
    assert wrong_claims(package)[0] > 0
