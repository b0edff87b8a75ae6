import math

import pytest

from explainer.explanations.strength import DEFAULT_CUTOFFS, Yardstick, additive_distance
from models.card import StrengthCutoffs
from tests.conformance.small_packages import feature, small_card


@pytest.mark.parametrize(
    ("contribution", "word"),
    [(8.0, "strong"), (-8.0, "strong"), (7.9, "clear"), (3.0, "clear"), (2.9, "slight"), (0.8, "slight"),
     (0.79, "negligible"), (0.0, "negligible")],
)  # fmt: skip
def test_words_follow_the_share_of_the_typical_spread(contribution: float, word: str) -> None:
    assert Yardstick(spread=10.0, distance_to_threshold=100.0).strength_of(contribution) == word


def test_an_effect_that_alone_tips_the_result_is_never_called_slight() -> None:
    assert Yardstick(spread=10.0, distance_to_threshold=1.0).strength_of(-1.0) == "clear"
    assert Yardstick(spread=10.0, distance_to_threshold=1.01).strength_of(-1.0) == "slight"


def test_an_effect_within_the_noise_stays_negligible_however_close_the_threshold_is() -> None:
    assert Yardstick(spread=10.0, distance_to_threshold=0.0).strength_of(0.1) == "negligible"


def test_where_all_scores_are_equal_nothing_has_strength() -> None:
    assert Yardstick(spread=0.0, distance_to_threshold=0.0).strength_of(0.0) == "negligible"


def test_a_card_can_set_its_own_cutoffs() -> None:
    own = StrengthCutoffs(strong=0.5, clear=0.4, slight=0.3)
    assert Yardstick(spread=10.0, distance_to_threshold=100.0, cutoffs=own).strength_of(5.0) == "strong"
    assert DEFAULT_CUTOFFS.strong > own.strong


def test_distance_to_the_threshold_is_measured_in_log_odds() -> None:
    assert additive_distance(small_card([feature("one")], threshold=0.5), [0.25]) == 0.25
    assert additive_distance(small_card([feature("one")], threshold=0.9), [0.0]) == pytest.approx(math.log(9))
