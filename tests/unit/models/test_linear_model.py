"""Linear models and tables of points, and linear ONNX held against onnxruntime and scikit-learn."""

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from models.errors import MalformedPackageError, ModelFeaturesMismatchError, UnsupportedModelError
from models.linear_model import CategoryPoints, IntervalPoints, LinearModel, PointsTable
from models.onnx_linear import read_linear_model

ROWS = np.round(np.random.default_rng(1).normal(size=(50, 3)) * 64) / 64
SCALER = {"offset": [1.0, -2.0, 0.5], "scale": [0.5, 2.0, 4.0]}


def linear_onnx(kind: str = "LinearClassifier", *, scaler: dict[str, list[float]] | None = None, **more: Any) -> bytes:
    attributes: dict[str, Any] = {"coefficients": [0.5, -1.0, 0.25], "intercepts": [0.125], **more}
    if kind == "LinearClassifier":
        attributes = {"classlabels_ints": [0, 1], "post_transform": "LOGISTIC", **attributes}
    outputs = ["label", "scores"] if kind == "LinearClassifier" else ["scores"]
    nodes = [helper.make_node(kind, ["scaled" if scaler else "rows"], outputs, domain="ai.onnx.ml", **attributes)]
    if scaler:
        nodes.insert(0, helper.make_node("Scaler", ["rows"], ["scaled"], domain="ai.onnx.ml", **scaler))
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, None])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    content: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    return content


def run(onnx_bytes: bytes, rows: np.ndarray[Any, Any], output: str = "scores") -> np.ndarray[Any, Any]:
    session = ort.InferenceSession(onnx_bytes, providers=["CPUExecutionProvider"])
    scores = session.run([output], {session.get_inputs()[0].name: rows.astype(np.float32)})[0]
    return np.asarray(scores, dtype=np.float64).reshape(len(rows), -1)[:, -1]


TWO_ROWS = {"coefficients": [-0.5, 1.0, -0.25, 0.5, -1.0, 0.25], "intercepts": [-0.125, 0.125]}
FORMS = {
    "one row of coefficients": linear_onnx(),
    "two rows": linear_onnx(**TWO_ROWS),
    "two rows, softmax": linear_onnx(**TWO_ROWS, post_transform="SOFTMAX"),
    "two rows, raw": linear_onnx(**TWO_ROWS, post_transform="NONE"),
    "scaled": linear_onnx(scaler=SCALER),
    "scaled by one number": linear_onnx(scaler={"offset": [1.5], "scale": [0.25]}),
    "regressor": linear_onnx("LinearRegressor"),
    "regressor, scaled": linear_onnx("LinearRegressor", scaler=SCALER),
}


@pytest.mark.parametrize("form", FORMS)
def test_linear_onnx_scores_as_the_runtime_does(form: str) -> None:
    np.testing.assert_allclose(read_linear_model(FORMS[form]).score(ROWS), run(FORMS[form], ROWS), rtol=0, atol=2e-6)


def test_scaler_that_is_forgotten_would_be_caught() -> None:
    without = read_linear_model(FORMS["one row of coefficients"]).score(ROWS)
    assert np.abs(without - run(FORMS["scaled"], ROWS)).max() > 0.1


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_scaled_pipelines_of_scikit_learn_are_read(kind: str) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is a development dependency")
    from skl2onnx import to_onnx
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    generator = np.random.default_rng(2)
    rows = generator.normal([10, 1000, 0], [1, 300, 5], (200, 3))
    target = rows @ [1.0, 0.01, -0.5] + generator.normal(size=200)
    if kind == "classifier":
        original = make_pipeline(StandardScaler(), linear_model.LogisticRegression()).fit(rows, target > 20)
        expected = original.predict_proba(rows)[:, 1]
    else:
        original = make_pipeline(StandardScaler(), linear_model.LinearRegression()).fit(rows, target)
        expected = original.predict(rows)
    options = {id(original): {"zipmap": False}} if kind == "classifier" else None
    converted = to_onnx(original, rows[:1].astype(np.float32), options=options).SerializeToString()
    np.testing.assert_allclose(read_linear_model(converted).score(rows), expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (linear_onnx(classlabels_ints=[0, 1, 2], coefficients=[1.0] * 9, intercepts=[0.0] * 3), "3 classes"),
        (linear_onnx(post_transform="PROBIT"), "post transform PROBIT"),
        (linear_onnx("LinearRegressor", post_transform="LOGISTIC"), "runtimes may skip it"),
        (linear_onnx("LinearRegressor", targets=2, coefficients=[1.0] * 6, intercepts=[0.0] * 2), "2 targets"),
    ],
)
def test_other_linear_onnx_is_refused_by_name(content: bytes, said: str) -> None:
    with pytest.raises(UnsupportedModelError, match=said):
        read_linear_model(content)


@pytest.mark.parametrize(
    "content",
    [
        b"no onnx",
        linear_onnx(scaler={"offset": [1.0, 2.0], "scale": [1.0, 2.0]}),
        linear_onnx(**{**TWO_ROWS, "coefficients": [1.0] * 5}),
    ],
)
def test_malformed_linear_onnx_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedPackageError):
        read_linear_model(content)


def test_interval_begins_at_its_limit() -> None:
    table = IntervalPoints(limits=(18.0, 65.0), points=(0.0, 10.0, 25.0), missing=-5.0)
    found = table.of(np.array([17.999, 18.0, 64.9, 65.0, np.inf, -np.inf, np.nan]))
    assert found.tolist() == [0, 10, 10, 25, 25, 0, -5]


def test_values_the_table_says_nothing_about_have_no_points() -> None:
    assert np.isnan(IntervalPoints(limits=(), points=(1.0,)).of(np.array([np.nan]))).all()
    assert np.isnan(CategoryPoints(points=(1.0, 2.0)).of(np.array([np.nan, 2.0, -1.0, 0.5, np.inf]))).all()
    assert CategoryPoints(points=(1.0, 2.0), missing=7.0).of(np.array([0.0, 1.0, np.nan])).tolist() == [1, 2, 7]


def test_scorecard_adds_up_points() -> None:
    card = PointsTable(
        intercept=100.0,
        tables=(IntervalPoints(limits=(3.0,), points=(0.0, 40.0)), CategoryPoints(points=(5.0, -5.0))),
    )
    rows = np.array([[3.0, 1.0], [2.0, 0.0]])
    assert card.score(rows).tolist() == card.additive_score(rows).tolist() == [135, 105]


@pytest.mark.parametrize(
    "make",
    [
        lambda: LinearModel(intercept=np.nan, coefficients=np.ones(2)),
        lambda: LinearModel(intercept=0.0, coefficients=np.array([1.0, np.inf])),
        lambda: LinearModel(intercept=0.0, coefficients=np.zeros(0)),
        lambda: PointsTable(intercept=0.0, tables=()),
        lambda: PointsTable(intercept=np.inf, tables=(CategoryPoints(points=(1.0,)),)),
        lambda: IntervalPoints(limits=(1.0,), points=(1.0,)),
        lambda: IntervalPoints(limits=(1.0, 1.0), points=(1.0, 2.0, 3.0)),
        lambda: IntervalPoints(limits=(np.nan,), points=(1.0, 2.0)),
        lambda: CategoryPoints(points=()),
        lambda: CategoryPoints(points=(1.0,), missing=np.nan),
    ],
)
def test_tables_that_contradict_themselves_are_refused(make: Any) -> None:
    with pytest.raises(MalformedPackageError):
        make()


@pytest.mark.parametrize("rows", [np.zeros((1, 2)), np.zeros(3)])
def test_rows_of_another_width_are_refused(rows: np.ndarray[Any, Any]) -> None:
    with pytest.raises(ModelFeaturesMismatchError):
        LinearModel(intercept=0.0, coefficients=np.ones(3)).score(rows)
