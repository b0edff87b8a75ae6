import numpy as np
import pytest

from explainer.explanations.similar_cases import MIN_ROWS, ComparisonGroup, SimilarCases
from tests.conformance.small_packages import feature

INCOME, HOME, CHILD = (
    feature("income"),
    feature("home", "category", categories=("rented", "own")),
    feature("child", "boolean"),
)
FEATURES = [INCOME, HOME, CHILD]
SPREADS = (100.0, 1.0, 1.0)


def group_of(rows: list[list[float]], outcomes: list[str], **changes: object) -> ComparisonGroup:
    weights = changes.pop("weights", np.ones(len(rows)))
    given = {"features": FEATURES, "spreads": SPREADS, "read": (0, 1, 2), **changes}
    return ComparisonGroup(np.array(rows), weights, outcomes, **given)  # type: ignore[arg-type]


def two_camps() -> ComparisonGroup:
    """Fifty cases with low income that are refused and fifty with high income of which ten are."""
    low = [[100.0 + one, 0.0, 0.0] for one in range(50)]
    high = [[5000.0 + one, 0.0, 0.0] for one in range(50)]
    return group_of(low + high, ["refused"] * 60 + ["granted"] * 40)


def test_the_nearest_cases_are_counted_by_their_outcome() -> None:
    found = two_camps().similar_to(np.array([110.0, 0.0, 0.0]), "granted")
    assert found is not None
    assert (found.same_outcome_per_100, found.rows) == (0, 11), "a tie at the edge belongs to it"
    assert two_camps().similar_to(np.array([110.0, 0.0, 0.0]), "refused").same_outcome_per_100 == 100  # type: ignore[union-attr]


def test_counts_are_by_weight() -> None:
    rows = [[float(one), 0.0, 0.0] for one in range(200)]
    weights = np.where(np.arange(200) % 2 == 0, 3.0, 1.0)
    outcomes = ["granted" if one % 2 == 0 else "refused" for one in range(200)]
    found = group_of(rows, outcomes, weights=weights).similar_to(np.array([100.0, 0.0, 0.0]), "granted")
    assert found is not None
    assert found.rows >= MIN_ROWS
    assert found.same_outcome_per_100 == pytest.approx(75, abs=4)
    assert found.weight == pytest.approx(2 * found.rows, abs=2)


def test_another_category_counts_like_one_typical_spread() -> None:
    rows = [[0.0, 0.0, 0.0]] * 30
    group = group_of(rows, ["granted"] * 30, weights=np.full(30, 5.0))
    for away in ([100.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]):
        found = group.similar_to(np.array(away), "granted")
        assert found is not None
        assert found.distance == pytest.approx(1)


def test_features_the_model_does_not_read_do_not_count() -> None:
    group = group_of([[0.0, 0.0, 0.0]] * 30, ["granted"] * 30, read=(1, 2))
    found = group.similar_to(np.array([9999.0, 0.0, 0.0]), "granted")
    assert found is not None
    assert found.distance == 0


def test_a_combination_nobody_has_is_rare_although_every_value_is_usual() -> None:
    generator = np.random.default_rng(1)
    first = generator.normal(0, 1, 500)
    rows = np.column_stack([first, first + generator.normal(0, 0.05, 500)])
    group = ComparisonGroup(
        rows, np.full(500, 12.0), ["granted"] * 500, features=[INCOME, INCOME], spreads=(1.0, 1.0), read=(0, 1)
    )
    usual, rare = group.similar_to(np.array([1.0, 1.0]), "granted"), group.similar_to(np.array([1.5, -1.5]), "granted")
    assert usual is not None
    assert rare is not None
    assert not usual.rare
    assert rare.rare
    assert rows.min() < -1.5 < 1.5 < rows.max()


def test_about_one_of_a_hundred_cases_of_the_background_itself_is_rare() -> None:
    generator = np.random.default_rng(2)
    rows = generator.normal(size=(600, 2))
    group = ComparisonGroup(
        rows, np.full(600, 10.0), ["granted"] * 600, features=[INCOME, INCOME], spreads=(1.0, 1.0), read=(0, 1)
    )
    found = [group.similar_to(row, "granted") for row in rows]
    assert 1 <= sum(one is not None and one.rare for one in found) <= 8


def test_order_of_rows_does_not_matter() -> None:
    generator = np.random.default_rng(3)
    rows, weights = generator.normal(size=(300, 3)) * 100, generator.uniform(1, 5, 300)
    outcomes = generator.choice(["granted", "refused"], 300)
    order = generator.permutation(300)
    case = np.array([10.0, 0.0, 0.0])
    one = ComparisonGroup(rows, weights, list(outcomes), features=FEATURES, spreads=SPREADS, read=(0,))
    other = ComparisonGroup(
        rows[order], weights[order], list(outcomes[order]), features=FEATURES, spreads=SPREADS, read=(0,)
    )
    first, second = one.similar_to(case, "granted"), other.similar_to(case, "granted")
    assert first is not None
    assert second is not None
    assert first.rows == second.rows
    assert first.same_outcome_per_100 == pytest.approx(second.same_outcome_per_100)


@pytest.mark.parametrize("n_rows", [1, 10, 20])
def test_a_background_without_many_cases_has_no_similar_ones(n_rows: int) -> None:
    rows = [[100.0 * one, 0.0, 0.0] for one in range(n_rows)]
    assert group_of(rows, ["granted"] * n_rows).similar_to(np.array([0.0, 0.0, 0.0]), "granted") is None


@pytest.mark.parametrize(
    "changes", [{"rows": 9}, {"weight": 9.5}, {"same_outcome_per_100": 101.0}, {"distance": float("nan")}]
)
def test_fewer_than_ten_cases_are_never_told(changes: dict[str, float]) -> None:
    valid = {"rows": 10, "weight": 10.0, "same_outcome_per_100": 50.0, "distance": 1.0, "usual_distance": 2.0}
    assert not SimilarCases(**valid).rare  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="imilar cases"):
        SimilarCases(**{**valid, **changes})  # type: ignore[arg-type]
