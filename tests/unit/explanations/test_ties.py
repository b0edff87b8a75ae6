from hypothesis import given
from hypothesis import strategies as st

from explainer.explanations.ties import in_order, tie_tolerance

sizes = st.lists(st.floats(-3, 3), min_size=1, max_size=8)


def test_the_stronger_one_comes_first_whatever_its_sign() -> None:
    assert in_order([0.1, -2.0, 1.0], 0.0005) == ((1,), (2,), (0,))


def test_equal_ones_share_a_place_in_the_order_of_the_card() -> None:
    assert in_order([0.5, 1.0004, -1.0, 0.5001], 0.0005) == ((1, 2), (0, 3))


def test_small_differences_do_not_add_up_along_a_chain() -> None:
    assert in_order([1.0, 0.9996, 0.9992], 0.0005) == ((0, 1), (2,))


def test_what_nobody_can_tell_apart_is_a_tie() -> None:
    assert tie_tolerance(1e-5, None) == 0.0005, "half of the last digit that is read"
    assert tie_tolerance(1e-5, 0.02) == 0.02
    assert tie_tolerance(0.3, 0.02) == 0.3


@given(sizes, st.floats(0, 1))
def test_every_contribution_has_one_place(contributions: list[float], tolerance: float) -> None:
    groups = in_order(contributions, tolerance)
    assert sorted(one for group in groups for one in group) == list(range(len(contributions)))
    strongest = [max(abs(contributions[one]) for one in group) for group in groups]
    assert strongest == sorted(strongest, reverse=True)


@given(sizes)
def test_renamed_features_keep_their_groups(contributions: list[float]) -> None:
    turned = in_order(contributions[::-1], 0.01)
    last = len(contributions) - 1
    assert [sorted(last - one for one in group) for group in turned] == [
        list(group) for group in in_order(contributions, 0.01)
    ]
