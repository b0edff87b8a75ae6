import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explainer.errors import AdditivityError, UntrustworthyExplanationError
from explainer.explanations.attribution import Attribution, AttributionMethod
from explainer.explanations.counterfactual import Change, Counterfactual, NoCounterfactual, Recourse
from explainer.explanations.numbers import ExplanationNumbers, ScoreNumbers
from explainer.explanations.reliability import CalibratedCount, Reliability
from explainer.explanations.similar_cases import SimilarCases
from explainer.explanations.stability import Stability
from explainer.explanations.stored_numbers import numbers_from_bytes, numbers_to_bytes

METHOD = AttributionMethod(name="by_hand", exact=True, engine_version="0")
REFUSED = ExplanationNumbers(
    input_digest="ab" * 32,
    model_sha256="cd" * 32,
    background_sha256="ef" * 32,
    score_numbers=None,
    rules_fired=(("assets", True), ("other", False)),
    recourse=Recourse(counterfactuals=(), none=NoCounterfactual(reason="nothing_actionable", proven=True)),
)


def numbers(*contributions: float, after: float | str | bool = 900) -> ExplanationNumbers:
    """Make numbers whose parts add up, with a change of every kind of value."""
    changes = (Change(feature="income", before=1200.5, after=after), Change(feature="ö", before="a", after="ß"))
    return ExplanationNumbers(
        input_digest="ab" * 32,
        model_sha256="cd" * 32,
        background_sha256="ef" * 32,
        score_numbers=ScoreNumbers(
            score=0.1 + 0.2,
            attribution=Attribution(
                contributions=contributions,
                expected_value=1 / 3,
                additive_score=1 / 3 + sum(contributions),
                leaf_scale=max([1.0, *map(abs, contributions)]),
                method=METHOD,
            ),
            strengths=("slight",) * len(contributions),
            reliability=Reliability(
                calibrated=CalibratedCount(
                    favourable_per_100=92.4, low_per_100=85.0, high_per_100=96.3, n=92, as_of="2026-01-31"
                ),
                distance_to_threshold=-0.2,
                near_threshold=False,
                outside_background=("income",),
                background_gap=1e-17,
            ),
        ),
        rules_fired=(),
        recourse=Recourse(
            counterfactuals=(
                Counterfactual(changes=changes, score=None, outcome="granted", fewest_changes_proven=True),
            ),
            none=None,
        ),
    )


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6))
def test_numbers_come_back_bit_for_bit(contributions: list[float]) -> None:
    written = numbers(*contributions)
    read = numbers_from_bytes(numbers_to_bytes(written))
    assert read == written
    assert repr(read) == repr(written)


@pytest.mark.parametrize("after", [1, 1.0, True, "1"])
def test_kinds_of_values_are_kept_apart(after: float | str | bool) -> None:
    read = numbers_from_bytes(numbers_to_bytes(numbers(0.5, after=after)))
    assert type(read.recourse.counterfactuals[0].changes[0].after) is type(after)


def test_numbers_of_a_case_decided_by_a_rule_come_back() -> None:
    assert numbers_from_bytes(numbers_to_bytes(REFUSED)) == REFUSED


def test_bytes_are_canonical() -> None:
    raw = numbers_to_bytes(numbers(0.1, -0.2))
    assert raw == json.dumps(json.loads(raw), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def changed(path: str, value: Any) -> bytes:
    """Write numbers with one value replaced, canonically."""
    content = json.loads(numbers_to_bytes(numbers(0.1, -0.2)))
    part = content
    *way, last = path.split(".")
    for step in way:
        part = part[step]
    part[last] = value
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_stored_contributions_that_were_changed_are_refused() -> None:
    with pytest.raises(AdditivityError):
        numbers_from_bytes(changed("numbers.score_numbers.attribution.contributions", [0.1, -0.201]))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"format":"explanation-numbers/1"}',
        changed("format", "explanation-numbers/2"),
        changed("numbers.surprise", 1),
        changed("numbers.input_digest", 5),
        changed("numbers.score_numbers.score", "0.5"),
        changed("numbers.score_numbers.strengths", ["slight"]),
        changed("numbers.score_numbers.strengths", ["slight", "enormous"]),
        changed("numbers.recourse.counterfactuals", []),
        numbers_to_bytes(REFUSED) + b" ",
        numbers_to_bytes(REFUSED).replace(b":", b": ", 1),
    ],
)
def test_anything_else_is_refused_with_our_error(raw: bytes) -> None:
    with pytest.raises(UntrustworthyExplanationError, match="cannot be read"):
        numbers_from_bytes(raw)


def test_whole_numbers_where_fractions_belong_are_written_as_fractions() -> None:
    reliability = replace(numbers(0.5).score_numbers.reliability, background_gap=0)
    written = replace(numbers(0.5), score_numbers=replace(numbers(0.5).score_numbers, reliability=reliability))
    assert numbers_from_bytes(numbers_to_bytes(written)) == written


def test_reason_why_sampling_stopped_comes_back() -> None:
    exact = numbers(0.5)
    assert b"stopped_because" not in numbers_to_bytes(exact), "bytes kept from before the field came must stay readable"
    assert exact.score_numbers is not None
    sampled = replace(METHOD, exact=False, standard_error=0.01, stopped_because="budget_used")
    attribution = replace(exact.score_numbers.attribution, method=sampled)
    written = replace(exact, score_numbers=replace(exact.score_numbers, attribution=attribution))
    assert numbers_from_bytes(numbers_to_bytes(written)) == written


def test_numbers_from_before_similar_cases_and_stability_are_still_read() -> None:
    raw = numbers_to_bytes(numbers(0.1, -0.2))
    assert b"similar" not in raw
    assert b"stability" not in raw
    read = numbers_from_bytes(raw)
    assert read.score_numbers is not None
    assert (read.score_numbers.reliability.similar, read.score_numbers.reliability.stability) == (None, None)


def test_similar_cases_and_stability_come_back_and_are_checked_again() -> None:
    scored = numbers(0.1, -0.2).score_numbers
    assert scored is not None
    reliability = replace(
        scored.reliability,
        similar=SimilarCases(rows=20, weight=40.0, same_outcome_per_100=85.0, distance=1 / 3, usual_distance=2.0),
        stability=Stability(blocks=10, same_top_reason=9, spreads=(0.1, 0.2)),
    )
    written = replace(numbers(0.1, -0.2), score_numbers=replace(scored, reliability=reliability))
    raw = numbers_to_bytes(written)
    assert numbers_from_bytes(raw) == written
    for right, wrong in ((b'"rows":20', b'"rows":9'), (b'"same_top_reason":9', b'"same_top_reason":11')):
        with pytest.raises(UntrustworthyExplanationError):
            numbers_from_bytes(raw.replace(right, wrong))
    with pytest.raises(UntrustworthyExplanationError):
        numbers_from_bytes(raw.replace(b'"spreads":[0.1,0.2]', b'"spreads":[0.1]'))
