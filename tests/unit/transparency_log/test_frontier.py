"""The right edge of a tree leads to the same roots as all of its leaves."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from explainer.transparency_log.frontier import Frontier
from explainer.transparency_log.merkle import root_of

HASHES = [sha256(b"%d" % number).digest() for number in range(600)]


@given(st.integers(0, 300), st.integers(0, 300))
def test_appending_to_the_frontier_gives_the_root_over_all_leaves(before: int, more: int) -> None:
    frontier = Frontier(0, ()).with_leaves(HASHES[:before])
    grown = frontier.with_leaves(HASHES[before : before + more])
    assert grown.size == before + more
    assert grown.root() == root_of(HASHES[: before + more])
    assert len(grown.roots) == (before + more).bit_count()
    assert frontier.root() == root_of(HASHES[:before]), "the frontier before is unchanged"


def test_a_frontier_of_other_leaves_has_another_root() -> None:
    assert Frontier(0, ()).with_leaves(HASHES[:7]).root() != Frontier(0, ()).with_leaves(HASHES[1:8]).root()
