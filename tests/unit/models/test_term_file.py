"""Tables of terms: what they say about values, and that a file tells everything that is wrong with it at once."""

import copy
import json
from typing import Any

import numpy as np
import pytest

from models.errors import MalformedPackageError, ModelFeaturesMismatchError, UnsupportedModelError
from models.term_file import read_term_file
from models.term_model import TermModel, check_terms
from models.term_tables import CategoryBins, IntervalBins, TermTable, TermTables
from tests.unit.models.cards import card_with_features, feature_data

HOUSING = [{"value": value, "label": {"de": value, "en": value}} for value in ("rent", "own", "shelter")]
FEATURES = card_with_features(
    [feature_data("income"), feature_data("housing", "category", categories=HOUSING), feature_data("ill", "boolean")]
).features
FILE: dict[str, Any] = {
    "format": "klarbescheid-terms/1",
    "link": "logistic",
    "intercepts": [0.5],
    "terms": [
        {"axes": [{"feature": "income", "cuts": [1000, 2000.0], "missing": True}], "scores": [1.0, 2, 3.0, -7.0]},
        {
            "axes": [
                {"feature": "housing", "categories": ["own", "rent"], "missing": True, "unknown": True},
                {"feature": "ill", "categories": ["false", "true"]},
            ],
            "scores": [[0.0, 10.0], [20.0, 30.0], [40.0, 50.0], [60.0, 70.0]],
        },
    ],
}


def read(data: Any) -> TermModel:
    return read_term_file(json.dumps(data).encode(), FEATURES)


def changed(*path: int | str, to: Any) -> dict[str, Any]:
    data: Any = copy.deepcopy(FILE)
    place = data
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = to
    return dict(data)


def test_scores_are_looked_up_by_bin() -> None:
    rows = np.array([[999.9, 0, 0], [1000, 1, 1], [1999, 2, 0], [2000, np.nan, 1], [np.nan, 0, 1]], dtype=float)
    model = read(FILE)
    assert model.terms.scores_of(rows)[:, :, 0].tolist() == [[1, 20], [2, 10], [2, 60], [3, 50], [-7, 30]]
    assert model.additive_score(rows).tolist() == [21.5, 12.5, 62.5, 53.5, 23.5]
    assert model.score(rows[:1]).tolist() == pytest.approx([1.0])
    assert model.terms.features_of_terms == ((0,), (1, 2))
    check_terms(model.terms, rows, ("income", "housing", "ill"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([1.0, 3.0, 0.0], "the value 3 of feature 1"),
        ([1.0, 0.5, 0.0], "the value 0.5 of feature 1"),
        ([1.0, -1.0, 0.0], "the value -1 of feature 1"),
        ([1.0, np.inf, 0.0], "the value inf of feature 1"),
        ([1.0, 0.0, np.nan], "a missing value of feature 2"),
    ],
)
def test_values_without_a_bin_are_refused_by_name(row: list[float], said: str) -> None:
    with pytest.raises(ModelFeaturesMismatchError, match=said):
        read(FILE).score(np.array([row]))


def test_several_outputs_have_scores_of_their_own() -> None:
    data = {
        **FILE,
        "link": "softmax",
        "intercepts": [0.0, 1.0],
        "terms": [{"axes": [{"feature": "income", "cuts": [5.0]}], "scores": [[1.0, 2.0], [3.0, 5.0]]}],
    }
    model = read(data)
    rows = np.array([[1.0, 0, 0], [5.0, 0, 0]])
    assert model.additive_score(rows).tolist() == [[1, 3], [3, 6]]
    np.testing.assert_allclose(model.score(rows).sum(axis=1), 1)
    assert model.for_output(1).additive_score(rows).tolist() == [3, 6]
    assert model.for_output(1).link == "identity"
    with pytest.raises(ModelFeaturesMismatchError, match="no output 2"):
        model.for_output(2)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (changed("format", to="klarbescheid-terms/2"), "format"),
        (changed("link", to="probit"), "link"),
        (changed("intercepts", to=[]), "intercepts"),
        (changed("intercepts", to=["1"]), "intercepts.0"),
        (changed("link", to="softmax"), "needs one intercept for each class"),
        (changed("terms", to=[]), "terms"),
        (changed("terms", 0, "axes", 0, "feature", to="rent"), "terms.0: the card does not know the feature 'rent'"),
        (changed("terms", 0, "axes", 0, "cuts", to=[2.0, 1.0]), "'income' has cuts that do not rise"),
        (changed("terms", 0, "axes", 0, "unknown", to=True), "leave 'unknown' out"),
        (changed("terms", 0, "axes", 0, "extra", to=1), "terms.0.axes.0.extra"),
        (changed("terms", 0, "axes", 0, to={"feature": "income"}), "needs either cuts or categories"),
        (changed("terms", 0, "axes", 0, to={"feature": "income", "categories": ["a"]}), "so it needs cuts"),
        (changed("terms", 0, "scores", to=[1.0, 2.0]), "terms.0: its scores must be 4 finite numbers"),
        (changed("terms", 0, "scores", to=[1.0, 2.0, 3.0, True]), "its scores must be 4 finite numbers"),
        (changed("terms", 0, "scores", to=[1.0, 2.0, 3.0, 10**400]), "its scores must be 4 finite numbers"),
        (changed("terms", 1, "scores", 2, to=[1.0]), "terms.1: its scores must be 4 x 2 finite numbers"),
        (changed("terms", 1, "axes", 0, to={"feature": "housing", "cuts": [1.0]}), "so it needs categories"),
        (changed("terms", 1, "axes", 0, "categories", to=["own", "own"]), "lists a category twice"),
        (changed("terms", 1, "axes", 0, "categories", to=["own", "tent"]), "'tent', which is no category of the card"),
        (changed("terms", 1, "axes", 0, "unknown", to=False), "says nothing about the category 'shelter'"),
        (changed("terms", 1, "axes", 1, "categories", to=["false"]), "says nothing about the category 'true'"),
        (changed("terms", 1, "axes", to=[FILE["terms"][0]["axes"][0]] * 2), "'income' is given twice"),
        (changed("terms", 1, "axes", to=[FILE["terms"][0]["axes"][0]] * 3), "over 3 features"),
    ],
)
def test_files_that_are_wrong_are_refused_with_the_place(data: Any, said: str) -> None:
    read(FILE)
    with pytest.raises(MalformedPackageError, match=said):
        read(data)


def test_names_that_stand_twice_are_refused_with_all_other_problems() -> None:
    content = json.dumps(FILE).encode()
    assert content.count(b'"link"') == 1
    twice = content.replace(b'"link"', b'"link": "identity", "link"', 1).replace(b'"cuts"', b'"cuts": [1], "cuts"', 1)
    with pytest.raises(MalformedPackageError) as refusal:
        read_term_file(twice, FEATURES)
    assert len(refusal.value.problems) == 2
    assert "'cuts' stands twice in the object of" in str(refusal.value)
    assert "'link' stands twice in the object of" in str(refusal.value)
    wrong = twice.replace(b'"cuts": [1], ', b'"cuts": [1], "cut": 3, ', 1)
    with pytest.raises(MalformedPackageError, match="'link' stands twice") as refusal:
        read_term_file(wrong, FEATURES)
    assert len(refusal.value.problems) == 3


def test_all_problems_are_told_at_once() -> None:
    data = changed("terms", 0, "axes", 0, "cuts", to=[2.0, 1.0])
    data["terms"][1]["axes"][0]["categories"] = ["own", "tent"]
    data["terms"][1]["scores"] = []
    with pytest.raises(MalformedPackageError) as caught:
        read(data)
    assert len(caught.value.problems) == 3
    assert "terms.json has 3 problem(s)" in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff\xfe", b"{" * 100_000, b'{"intercepts": [NaN]}', b"\x80\x04\x95.", b" " * 64_000_001]
)
def test_files_that_are_no_such_json_are_refused(content: bytes) -> None:
    with pytest.raises(MalformedPackageError, match=r"terms\.json"):
        read_term_file(content, FEATURES)


ONE = TermTable(features=(0,), binnings=(IntervalBins((0.0,)),), scores=np.zeros((2, 1)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: IntervalBins((1.0, 1.0)),
        lambda: IntervalBins((np.nan,)),
        lambda: CategoryBins((), 0),
        lambda: CategoryBins((0, 2), 2),
        lambda: CategoryBins((0, 1), 2, missing_bin=2),
        lambda: TermTable(features=(0,), binnings=(IntervalBins((0.0,)),), scores=np.zeros((3, 1))),
        lambda: TermTable(features=(0,), binnings=(IntervalBins((0.0,)),), scores=np.full((2, 1), np.nan)),
        lambda: TermTable(features=(0, 1), binnings=(IntervalBins((0.0,)),), scores=np.zeros((2, 1))),
        lambda: TermTables(tables=(), n_features=1),
        lambda: TermModel(intercepts=np.zeros(2), terms=TermTables(tables=(ONE,), n_features=1)),
        lambda: TermModel(intercepts=np.array([np.inf]), terms=TermTables(tables=(ONE,), n_features=1)),
        lambda: TermModel(intercepts=np.zeros(1), terms=TermTables(tables=(ONE,), n_features=0)),
    ],
)
def test_tables_that_contradict_themselves_are_refused(make: Any) -> None:
    with pytest.raises(MalformedPackageError):
        make()


def test_terms_that_read_more_than_they_say_or_look_at_neighbours_are_caught() -> None:
    rows = np.random.default_rng(1).normal(size=(20, 2))

    class Claims:
        n_features, n_outputs, features_of_terms = 2, 1, ((0,),)

        def __init__(self, kind: str) -> None:
            self.kind = kind

        def for_output(self, _output: int) -> "Claims":
            return self

        def scores_of(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            parts = {"own": rows[:, 0], "both": rows[:, 0] * rows[:, 1], "centred": rows[:, 0] - rows[:, 0].mean()}
            return np.asarray(parts[self.kind].reshape(-1, 1, 1))

    check_terms(Claims("own"), rows, ("a", "b"))
    with pytest.raises(UnsupportedModelError, match="should depend on 'a' alone also changes with 'b'"):
        check_terms(Claims("both"), rows, ("a", "b"))
    with pytest.raises(UnsupportedModelError, match="other cases"):
        check_terms(Claims("centred"), rows, ("a", "b"))


def test_terms_over_three_features_are_no_term_model() -> None:
    three = TermTable(features=(0, 1, 2), binnings=(IntervalBins(()),) * 3, scores=np.zeros((1, 1, 1, 1)))
    with pytest.raises(UnsupportedModelError, match="one or two"):
        TermModel(intercepts=np.zeros(1), terms=TermTables(tables=(three,), n_features=3))
