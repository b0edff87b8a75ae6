"""What the register says about a model in general: the kernel's own numbers, computed once for each model version."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from explainer.app import build_service
from explainer.attribution_methods.black_boxes.exact_enumeration import ExactEnumeration
from explainer.attribution_methods.black_boxes.sampled_permutation import SampledPermutation
from explainer.attribution_methods.method_choice import MethodName
from explainer.demo.run_demo import demo_settings
from explainer.register.entry import RegisterEntry, entry_of
from explainer.register.overview import FeatureOverview, Overview
from explainer.use_cases import summarise_model
from explainer.use_cases.explained_model import ExplainedModel
from explainer.use_cases.read_register import entry_history, read_entry
from explainer.use_cases.service import Service
from explainer.use_cases.summarise_model import overview_of, round_values
from models.features import Feature
from models.package import load_package
from public_pages.explanation_view import FULL_WIDTH, MIN_WIDTH
from public_pages.labels import label_of
from public_pages.language_negotiation import LANGUAGES
from public_pages.register_view import what_weighs
from tests.conformance.small_forests import Split, forest
from tests.conformance.small_packages import feature, small_package
from tests.model_kinds import KINDS, Kind

Numbers = NDArray[np.float64]

FEATURES = [
    feature("income"),
    feature("home", "category", categories=("rented", "own")),
    feature("child", "boolean"),
    feature("ignored", "integer"),
]
TREES = forest(
    Split(0, 1000.0, 2.0, Split(1, 0.5, -1.0, -3.0)),
    Split(2, 0.5, -0.5, 0.5),
    n_features=4,
)


def a_model() -> ExplainedModel:
    generator = np.random.default_rng(3)
    rows = np.column_stack(
        [
            generator.uniform(0, 3000, 250),
            generator.integers(0, 2, 250),
            generator.integers(0, 2, 250),
            generator.integers(0, 9, 250),
        ]
    ).astype(np.float64)
    return ExplainedModel.prepare(small_package(FEATURES, TREES, rows, weights=generator.uniform(0.1, 5, 250)))


MODEL = a_model()


def said(overview: Overview | None) -> dict[str, FeatureOverview]:
    assert overview is not None
    return {one.feature: one for one in overview.features}


def check_sizes_are_weighted_means_of_contributions(overview: Overview | None) -> None:
    """Every coalition is asked about, by another method than the one that made the overview."""
    background = MODEL.package.background
    exact = ExactEnumeration(MODEL.package.model, background.rows, background.weights)
    sizes = np.average(np.abs(exact.contributions_of(background.rows)), axis=0, weights=background.weights)
    for one, size in zip(FEATURES, sizes, strict=True):
        assert said(overview)[one.name].importance == pytest.approx(size, abs=1e-5)
        assert said(overview)[one.name].share == pytest.approx(size / sizes.sum(), abs=1e-5)


def check_means_are_those_of_the_runtime(overview: Overview | None) -> None:
    background = MODEL.package.background
    for position, code in ((0, float), (1, ["rented", "own"].index), (2, float)):
        drawn = said(overview)[FEATURES[position].name].mean_scores
        assert drawn
        for mean in drawn:
            everywhere = background.rows.copy()
            everywhere[:, position] = code(mean.value)  # type: ignore[operator]
            expected = np.average(MODEL.package.model.score(everywhere), weights=background.weights)
            assert mean.score == pytest.approx(expected, abs=1e-6)


CHECKS = (check_sizes_are_weighted_means_of_contributions, check_means_are_those_of_the_runtime)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_overview_holds_the_kernels_numbers(check: Callable[[Overview | None], None]) -> None:
    check(overview_of(MODEL))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_overview_that_forgets_the_weights_is_caught(check: Callable[[Overview | None], None]) -> None:
    package = MODEL.package
    background = replace(package.background, weights=np.ones(250))
    twin = ExplainedModel.prepare(replace(package, background=background))
    with pytest.raises(AssertionError):
        check(overview_of(twin))


def test_strongest_come_first_with_strength_and_direction() -> None:
    overview = overview_of(MODEL)
    assert overview is not None
    assert overview.features[0].feature == "income"
    assert {one.feature: one.direction for one in overview.features} == {
        "income": "falling",
        "home": "none",
        "child": "rising",
        "ignored": "none",
    }
    assert sum(one.share for one in overview.features) == pytest.approx(1, abs=1e-5)
    ignored = said(overview)["ignored"]
    assert (ignored.importance, ignored.share, ignored.strength) == (0, 0, "negligible")
    assert (overview.rows, overview.additive_unit, overview.score_unit) == (250, "log_odds", "probability")


def test_values_are_those_case_systems_send() -> None:
    drawn = said(overview_of(MODEL))
    assert [mean.value for mean in drawn["home"].mean_scores] == ["rented", "own"]
    assert [mean.value for mean in drawn["child"].mean_scores] == [False, True]
    assert drawn["ignored"].mean_scores == (), "what counts hardly at all gets no drawing"


def test_deep_forests_are_looked_at_row_by_row_only_so_far() -> None:
    choice = replace(MODEL.method_choice, name=MethodName.DEEP_FOREST)
    deep = replace(MODEL, methods=(replace(MODEL.methods[0], choice=choice),))
    overview = overview_of(deep)
    assert overview is not None
    assert overview.rows == 200


def test_model_that_is_only_asked_for_scores_says_why_there_is_no_overview() -> None:
    background = MODEL.package.background
    asked = ExactEnumeration(MODEL.package.model, background.rows, background.weights)
    overview = overview_of(replace(MODEL, methods=(replace(MODEL.methods[0], computer=asked),)))
    assert (overview.features, overview.rows, overview.none_because) == ((), 0, "takes_too_long")
    assert Overview.model_validate_json(overview.model_dump_json()) == overview


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_every_kind_of_model_has_an_overview_that_pages_can_show(tmp_path: Path, kind: Kind) -> None:
    kind.write(tmp_path)
    model = ExplainedModel.prepare(load_package(tmp_path / kind.slug))
    overview = overview_of(model)
    only_asked = isinstance(model.computer, ExactEnumeration | SampledPermutation)
    assert bool(overview.features) != only_asked
    if kind.classes and not only_asked:
        check_importances_are_means_over_the_classes(model, overview)
    entry = entry_of(model.package, overview)
    assert RegisterEntry.model_validate_json(entry.canonical_bytes()).overview == overview
    for language in LANGUAGES:
        weighs = what_weighs(entry, language)
        assert weighs is not None
        assert len(weighs.influences) == len(overview.features)
        for one in weighs.influences:
            assert label_of("overall_direction", one.direction) != one.direction, "it has words"
            assert all(bar.width >= MIN_WIDTH and 0 <= bar.start <= FULL_WIDTH - bar.width + 0.01 for bar in one.bars)
            assert not (kind.classes and one.bars), "several results have no one number to draw"


def check_importances_are_means_over_the_classes(model: ExplainedModel, overview: Overview) -> None:
    background, names = model.package.background, model.package.card.feature_names
    sizes = [
        np.abs(prepared.computer.contributions_of(background.rows)).T @ background.weights / background.weights.sum()
        for prepared in model.methods
    ]
    expected = dict(zip(names, np.mean(sizes, axis=0), strict=True))
    assert {one.feature: one.importance for one in overview.features} == pytest.approx(expected, abs=1e-5)
    assert {one.direction for one in overview.features} == {"none"}
    assert expected != pytest.approx(dict(zip(names, sizes[0], strict=True)), abs=1e-5), "classes must differ here"


@pytest.mark.parametrize(
    ("one", "values", "expected"),
    [
        (feature("rent"), np.linspace(312.3, 987.6, 500), [310, 420, 540, 650, 760, 880, 990]),
        (feature("rent"), np.linspace(12.3, 4987.6, 4), [0, 1700, 3300, 5000]),
        (feature("rent", minimum=320.0, maximum=950.0), np.linspace(312.3, 987.6, 3), [320, 650, 950]),
        (feature("size", "integer"), np.array([1.4, 2.2, 2.6, np.nan]), [1, 2, 3]),
        (feature("level", decimals=2), np.array([0.004, 0.011, 0.5]), [0, 0.01, 0.5]),
        (feature("home", "category", categories=("a", "b", "c")), np.array([2.0, 0.0, 2.0]), [0, 2]),
        (
            feature("town", "category", categories=tuple("abcdefghij")),
            np.array([0, 1, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, np.nan]),
            [3, 4, 5, 6, 7, 8, 9],
        ),
        (feature("same"), np.array([7.0, 7.0]), [7]),
        (feature("missing"), np.array([np.nan, np.nan]), []),
        (feature("change"), np.array([-0.001, 250.0]), [0, 250]),
    ],
)
def test_values_are_round_and_within_the_card(one: Feature, values: Numbers, expected: list[float]) -> None:
    found = round_values(one, values, np.ones(len(values)))
    assert found.tolist() == pytest.approx(expected)
    assert not np.signbit(found).any()


def test_entries_without_overview_keep_the_bytes_they_were_published_with() -> None:
    content = entry_of(MODEL.package, None).canonical_bytes()
    assert b"overview" not in content
    assert RegisterEntry.model_validate_json(content).canonical_bytes() == content


def test_entry_with_overview_reads_back_to_the_same_bytes() -> None:
    content = entry_of(MODEL.package, overview_of(MODEL)).canonical_bytes()
    assert b'"overview"' in content
    assert RegisterEntry.model_validate_json(content).canonical_bytes() == content
    assert entry_of(MODEL.package, overview_of(a_model())).canonical_bytes() == content, "computed again, the same"


@pytest.mark.parametrize("wrong", ["order", "twice"])
def test_overviews_that_contradict_themselves_cannot_be_made(wrong: str) -> None:
    overview = overview_of(MODEL)
    assert overview is not None
    content: dict[str, Any] = json.loads(overview.model_dump_json())
    features = content["features"]
    content["features"] = features[::-1] if wrong == "order" else [features[0], *features]
    with pytest.raises(ValidationError, match=r"strongest feature|listed twice"):
        Overview.model_validate(content)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Service]]:
    started: list[Service] = []

    def start() -> Service:
        started.append(build_service(demo_settings(tmp_path / "city", port=8000)))
        return started[-1]

    yield start
    for service in started:
        service.database.dispose()


def test_second_start_reads_the_overview_it_published(
    start: Callable[[], Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_entry(start(), "wohngeld")
    assert first.entry.overview is not None

    def computes_again(_model: ExplainedModel) -> None:
        raise AssertionError("the overview is published already")

    monkeypatch.setattr(summarise_model, "overview_of", computes_again)
    service = start()
    assert read_entry(service, "wohngeld").sha256 == first.sha256
    assert len(entry_history(service, "wohngeld")) == 1


@pytest.mark.parametrize("computed_by", [None, "overview/0"])
def test_entry_of_an_earlier_version_of_the_service_is_published_again_with_the_overview(
    start: Callable[[], Service], monkeypatch: pytest.MonkeyPatch, computed_by: str | None
) -> None:
    def as_before(model: ExplainedModel) -> Overview | None:
        made = overview_of(model)
        return made.model_copy(update={"method": computed_by}) if computed_by and made else None

    with monkeypatch.context() as patch:
        patch.setattr(summarise_model, "overview_of", as_before)
        start()
    service = start()
    assert len(entry_history(service, "wohngeld")) == 2
    newest, before = read_entry(service, "wohngeld"), read_entry(service, "wohngeld", 1)
    assert newest.entry.overview is not None
    assert newest.entry.overview.method == "overview/1"
    assert (before.entry.overview is None) == (computed_by is None)


def test_bars_of_numbers_below_nought_end_at_nought(tmp_path: Path) -> None:
    kind = next(kind for kind in KINDS if kind.slug == "linear_euros")
    kind.write(tmp_path)
    model = ExplainedModel.prepare(load_package(tmp_path / kind.slug))
    overview = overview_of(model)
    weighs = what_weighs(entry_of(model.package, overview), "en")
    assert weighs is not None
    assert weighs.lowest < 0 < weighs.highest
    nought = 100 * -weighs.lowest / (weighs.highest - weighs.lowest)
    strongest = zip(overview.features[0].mean_scores, weighs.influences[0].bars, strict=True)
    ends = {mean.score < 0: bar.start + bar.width if mean.score < 0 else bar.start for mean, bar in strongest}
    assert ends == {True: pytest.approx(nought, abs=0.2), False: pytest.approx(nought, abs=0.2)}
