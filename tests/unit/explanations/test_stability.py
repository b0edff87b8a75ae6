import numpy as np
import pytest

from explainer.errors import UntrustworthyExplanationError
from explainer.explanations.attribution import Attribution, AttributionMethod
from explainer.explanations.stability import Stability, stability_of

METHOD = AttributionMethod(name="by_hand", exact=True, engine_version="0")
SHARES = np.full(10, 0.1)


def attribution_of(*contributions: float) -> Attribution:
    return Attribution(
        contributions=contributions,
        expected_value=0.0,
        additive_score=float(np.sum(contributions)),
        leaf_scale=1.0,
        method=METHOD,
    )


def blocks_around(*contributions: float, wobble: float = 0.0) -> np.ndarray:
    """Ten blocks whose mean are the contributions; the first feature swings up and down by ``wobble``."""
    blocks = np.tile(contributions, (10, 1))
    blocks[::2, 0] += wobble
    blocks[1::2, 0] -= wobble
    return blocks


def test_top_reason_that_never_changes_is_the_same_in_all_blocks() -> None:
    found = stability_of(attribution_of(2.0, 1.0), blocks_around(2.0, 1.0), SHARES, rounding=0)
    assert (found.same_top_reason, found.blocks, found.spreads) == (10, 10, (0.0, 0.0))
    assert found.certain


def test_blocks_in_which_another_reason_leads_do_not_count() -> None:
    found = stability_of(attribution_of(2.0, 1.0), blocks_around(2.0, 1.0, wobble=1.5), SHARES, rounding=0)
    assert found.same_top_reason == 5
    assert not found.certain
    assert found.spreads[0] == pytest.approx(np.std([3.5, 0.5] * 5, ddof=1))


def test_the_same_feature_in_the_other_direction_is_another_reason() -> None:
    found = stability_of(attribution_of(0.5, 0.1), blocks_around(0.5, 0.1, wobble=2.0), SHARES, rounding=0)
    assert found.same_top_reason == 5


def test_tied_top_reasons_are_one_top_reason() -> None:
    blocks = blocks_around(1.0, -1.0, wobble=0.2)
    assert stability_of(attribution_of(1.0, -1.0), blocks, SHARES, rounding=0).same_top_reason == 10
    assert (
        stability_of(
            attribution_of(1.0, -0.9), blocks_around(1.0, -0.9, wobble=0.2), SHARES, rounding=0
        ).same_top_reason
        == 5
    )


def test_spreads_are_weighted() -> None:
    shares = np.array([0.55, *[0.05] * 9])
    blocks = np.zeros((10, 1))
    blocks[0] = 1.0
    found = stability_of(attribution_of(0.55), blocks, shares, rounding=0)
    assert found.spreads[0] == pytest.approx(np.sqrt(0.55 * 0.45 * 10 / 9))


@pytest.mark.parametrize("off", [1e-3, -1e-3, float("nan")])
def test_contributions_that_are_not_the_mean_of_the_blocks_are_refused(off: float) -> None:
    blocks = blocks_around(2.0, 1.0)
    blocks[:, 1] += off
    with pytest.raises(UntrustworthyExplanationError, match="number 2"):
        stability_of(attribution_of(2.0, 1.0), blocks, SHARES, rounding=0)


def test_rounding_of_the_tables_is_allowed() -> None:
    blocks = blocks_around(2.0, 1.0) + 5e-4
    assert stability_of(attribution_of(2.0, 1.0), blocks, SHARES, rounding=1e-3).same_top_reason == 10


@pytest.mark.parametrize(("same", "certain"), [(10, True), (8, True), (7, False), (0, False)])
def test_the_top_reason_is_called_certain_from_eight_of_ten_blocks_on(same: int, *, certain: bool) -> None:
    assert Stability(blocks=10, same_top_reason=same, spreads=()).certain is certain


@pytest.mark.parametrize(
    "changes", [{"same_top_reason": 11}, {"blocks": 1, "same_top_reason": 1}, {"spreads": (-1.0,)}]
)
def test_counts_that_cannot_be_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"top reason|spread"):
        Stability(**{"blocks": 10, "same_top_reason": 9, "spreads": (0.1,), **changes})  # type: ignore[arg-type]
