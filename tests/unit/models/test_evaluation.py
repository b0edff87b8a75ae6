import json
from collections.abc import Callable
from typing import Any

import pytest

from models.errors import MalformedPackageError
from models.evaluation import CalibrationBin, Evaluation, parse_evaluation
from models.wilson import wilson_interval
from tests.unit.models.tree_models import WOHNGELD

CONTENT = (WOHNGELD / "evaluation.json").read_bytes()
EVALUATION = parse_evaluation(CONTENT)


def evaluation(change: Callable[[dict[str, Any]], object]) -> Evaluation:
    data = json.loads(CONTENT)
    change(data)
    return parse_evaluation(json.dumps(data).encode())


def _hide(part: dict[str, Any]) -> None:
    part.update(n=None, favourable_per_100=None, interval=None)


@pytest.mark.parametrize(("score", "position"), [(0.0, 0), (0.0999, 0), (0.1, 1), (0.95, 9), (1.0, 9)])
def test_every_score_falls_into_one_bin(score: float, position: int) -> None:
    assert EVALUATION.bin_for(score) is EVALUATION.calibration[position]


def test_a_bin_of_few_cases_tells_nothing() -> None:
    sparse = evaluation(lambda d: _hide(d["calibration"][3]))
    assert sparse.bin_for(0.35) is None
    assert sparse.bin_for(0.45) is not None


@pytest.mark.parametrize("score", [-0.1, 1.1])
def test_nothing_is_known_about_a_score_outside_all_bins(score: float) -> None:
    assert EVALUATION.bin_for(score) is None


def test_what_is_no_number_is_no_score() -> None:
    with pytest.raises(ValueError, match="a number"):
        EVALUATION.bin_for(float("nan"))


def _only_error(data: dict[str, Any]) -> None:
    for name in ("threshold", "accuracy", "auc", "confusion", "calibration"):
        del data[name]
    data["mean_absolute_error"] = 12.5


def test_what_was_not_measured_is_left_out() -> None:
    measured = evaluation(_only_error)
    assert measured.mean_absolute_error == 12.5
    assert measured.bin_for(1240.0) is None
    assert "mean_absolute_error" not in EVALUATION.model_dump()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d["calibration"][3].update(n=9), "fewer than 10"),
        (lambda d: d["calibration"][3].update(n=None), "left out"),
        (lambda d: d["calibration"][3].update(interval=[0, 100]), "Wilson interval"),
        (lambda d: d["calibration"][3].update(interval=d["calibration"][3]["interval"][::-1]), "Wilson interval"),
        (lambda d: d["calibration"][3].update(favourable_per_100=99.5), "Wilson interval"),
        (lambda d: d["groups"][0].update(n=3), "fewer than 10"),
        (lambda d: d["groups"][0].update(reason={"de": "a", "en": "b"}), "says why"),
        (lambda d: d["calibration"].pop(4), "without gap"),
        (lambda d: d["calibration"][0].update(low=0.1), "must rise"),
        (lambda d: d.pop("threshold"), "belong to scores with a threshold"),
        (lambda d: (_only_error(d), d.pop("mean_absolute_error")), "at least one"),
        (lambda d: d.update(accuracy=0.5), "does not follow"),
        (lambda d: d.update(n=d["n"] + 1), "do not add up"),
        (lambda d: d.update(surprise=1), "surprise"),
    ],
)
def test_an_evaluation_that_contradicts_itself_is_refused(change: Callable[[Any], object], sentence: str) -> None:
    with pytest.raises(MalformedPackageError, match=sentence):
        evaluation(change)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"null", b"[" * 100_000])
def test_nothing_but_a_malformed_package_error_comes_out_of_bad_bytes(content: bytes) -> None:
    with pytest.raises(MalformedPackageError):
        parse_evaluation(content)


def test_an_evaluation_survives_json() -> None:
    assert Evaluation.model_validate_json(EVALUATION.model_dump_json()) == EVALUATION


def test_intervals_may_be_rounded_to_whole_numbers_but_not_more() -> None:
    valid = {"low": 0, "high": 1, "n": 92, "favourable_per_100": 92, "interval": (85, 96)}
    assert CalibrationBin.model_validate(valid).interval == (85, 96)
    with pytest.raises(ValueError, match=r"runs from 85\.1 to 96\.3"):
        CalibrationBin.model_validate({**valid, "interval": (87, 96)})


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 11), (37, 100), (889, 889), (1, 5000)])
def test_wilsons_interval_is_the_one_of_others(successes: int, n: int) -> None:
    scipy_stats = pytest.importorskip("scipy.stats", reason="scipy comes with the development dependencies")
    theirs = scipy_stats.binomtest(successes, n).proportion_ci(confidence_level=0.95, method="wilson")
    assert wilson_interval(successes, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
