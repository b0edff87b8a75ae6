"""Linear models and tables of points, and linear ONNX held against onnxruntime and scikit-learn."""

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from models.encoding import Encoding, check_encoding
from models.errors import MalformedPackageError, ModelFeaturesMismatchError, UnsupportedModelError
from models.linear_model import CategoryPoints, IntervalPoints, LinearModel, PointsTable
from models.onnx_linear import read_linear_model
from models.onnx_model import OnnxModel
from tests.unit.models.cards import card_with_numbers
from tests.unit.models.tree_models import Ensemble, Leaf

ROWS = np.round(np.random.default_rng(1).normal(size=(50, 3)) * 64) / 64
SCALER = {"offset": [1.0, -2.0, 0.5], "scale": [0.5, 2.0, 4.0]}


def linear_onnx(
    kind: str = "LinearClassifier",
    *,
    scaler: dict[str, list[float]] | None = None,
    normalizer: str | None = None,
    behind: str | None = None,
    **more: Any,
) -> bytes:
    attributes: dict[str, Any] = {"coefficients": [0.5, -1.0, 0.25], "intercepts": [0.125], **more}
    if kind == "LinearClassifier":
        attributes = {"classlabels_ints": [0, 1], "post_transform": "LOGISTIC", **attributes}
    scores = "raw_scores" if normalizer or behind else "scores"
    outputs = ["label", scores] if kind == "LinearClassifier" else [scores]
    nodes = [helper.make_node(kind, ["scaled" if scaler else "rows"], outputs, domain="ai.onnx.ml", **attributes)]
    if scaler:
        nodes.insert(0, helper.make_node("Scaler", ["rows"], ["scaled"], domain="ai.onnx.ml", **scaler))
    if normalizer:
        nodes.append(helper.make_node("Normalizer", [scores], ["scores"], domain="ai.onnx.ml", norm=normalizer))
    if behind:
        nodes.append(helper.make_node(behind, [scores], ["scores"]))
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, None])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    content: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    return content


def run(onnx_bytes: bytes, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Give all columns of the scores, shape (n_rows, n_columns)."""
    session = ort.InferenceSession(onnx_bytes, providers=["CPUExecutionProvider"])
    scores = session.run(["scores"], {session.get_inputs()[0].name: rows.astype(np.float32)})[0]
    return np.asarray(scores, dtype=np.float64).reshape(len(rows), -1)


THREE_ROWS: dict[str, Any] = {
    "classlabels_ints": [0, 1, 2],
    "coefficients": [-0.5, 1.0, -0.25, 0.5, -1.0, 0.25, 0.125, 0.0, -2.0],
    "intercepts": [-0.125, 0.125, 0.5],
}
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
    "regressor of log-odds": linear_onnx("LinearRegressor", behind="Sigmoid"),
    "regressor of counts": linear_onnx("LinearRegressor", behind="Exp", coefficients=[0.125, -0.25, 0.0625]),
    "regressor, turned round": linear_onnx("LinearRegressor", behind="Neg"),
    "two classes, shares of their sum": linear_onnx(normalizer="L1"),
}
FORMS_OF_SEVERAL_OUTPUTS = {
    "three classes, raw": linear_onnx(**THREE_ROWS, post_transform="NONE"),
    "three classes, softmax": linear_onnx(**THREE_ROWS, post_transform="SOFTMAX"),
    "three classes, each against the others": linear_onnx(**THREE_ROWS),
    "three classes, shares of their sum": linear_onnx(**THREE_ROWS, normalizer="L1"),
    "three classes, scaled": linear_onnx(**THREE_ROWS, scaler=SCALER),
    "two targets": linear_onnx("LinearRegressor", targets=2, **TWO_ROWS),
}


@pytest.mark.parametrize("form", FORMS)
def test_linear_onnx_scores_as_the_runtime_does(form: str) -> None:
    found = read_linear_model(FORMS[form]).score(ROWS)
    np.testing.assert_allclose(found, run(FORMS[form], ROWS)[:, -1], rtol=0, atol=2e-6)


@pytest.mark.parametrize("form", FORMS_OF_SEVERAL_OUTPUTS)
def test_linear_onnx_of_several_outputs_scores_as_the_runtime_does(form: str) -> None:
    content = FORMS_OF_SEVERAL_OUTPUTS[form]
    model = read_linear_model(content)
    np.testing.assert_allclose(model.score(ROWS), run(content, ROWS), rtol=0, atol=2e-6)
    each = [model.for_output(output).additive_score(ROWS) for output in range(model.n_outputs)]
    np.testing.assert_array_equal(np.stack(each, axis=1), model.additive_score(ROWS))
    with pytest.raises(ModelFeaturesMismatchError, match="one must be chosen"):
        model.parts_of(ROWS)
    with pytest.raises(ModelFeaturesMismatchError, match="no output 3"):
        model.for_output(3)


@pytest.mark.parametrize("form", [*FORMS, *FORMS_OF_SEVERAL_OUTPUTS])
def test_additive_scores_of_runtime_and_reader_agree(form: str) -> None:
    content = {**FORMS, **FORMS_OF_SEVERAL_OUTPUTS}[form]
    runtime, ours = OnnxModel(content, card_with_numbers(3)), read_linear_model(content)
    np.testing.assert_allclose(ours.additive_score(ROWS), runtime.additive_score(ROWS), rtol=0, atol=1e-5)
    np.testing.assert_allclose(ours.score(ROWS), runtime.score(ROWS), rtol=0, atol=2e-6)


def test_scaler_that_is_forgotten_would_be_caught() -> None:
    without = read_linear_model(FORMS["one row of coefficients"]).score(ROWS)
    assert np.abs(without - run(FORMS["scaled"], ROWS)[:, -1]).max() > 0.1


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
        (linear_onnx(post_transform="PROBIT"), "post transform PROBIT"),
        (linear_onnx("LinearRegressor", post_transform="LOGISTIC"), "runtimes may skip it"),
        (linear_onnx(post_transform="SOFTMAX"), "post transform SOFTMAX"),
        (linear_onnx(classlabels_ints=[7]), "1 classes"),
        (linear_onnx(normalizer="MAX"), "changed by Normalizer"),
        (linear_onnx("LinearRegressor", normalizer="L1"), "Normalizer behind a LinearRegressor"),
        (linear_onnx("LinearRegressor", targets=2, **TWO_ROWS, behind="Exp"), "Exp behind a LinearRegressor with 2"),
        (linear_onnx(post_transform="NONE", behind="Sigmoid"), "Sigmoid is read only behind a LinearRegressor"),
        (linear_onnx(post_transform="NONE", normalizer="L1"), "anything but probabilities"),
        (linear_onnx(coefficients=[1.0] * 6, intercepts=[0.0, 1.0], normalizer="L1"), "anything but probabilities"),
        (Ensemble(trees=(Leaf((1.0,)),), n_features=1).to_onnx(), "tree ensemble, not a linear model"),
    ],
)
def test_other_linear_onnx_is_refused_by_name(content: bytes, said: str) -> None:
    with pytest.raises(UnsupportedModelError, match=said):
        read_linear_model(content)


@pytest.mark.parametrize(
    "content",
    [
        b"no onnx",
        linear_onnx(**{**TWO_ROWS, "coefficients": [1.0] * 5}),
        linear_onnx(coefficients=[1.0] * 4),
        linear_onnx("LinearRegressor", targets=0),
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
        lambda: LinearModel(intercepts=np.array([np.nan]), coefficients=np.ones((1, 2))),
        lambda: LinearModel(intercepts=np.zeros(1), coefficients=np.array([[1.0, np.inf]])),
        lambda: LinearModel(intercepts=np.zeros(1), coefficients=np.zeros((1, 0))),
        lambda: LinearModel(intercepts=np.zeros(2), coefficients=np.zeros((1, 2))),
        lambda: LinearModel(
            intercepts=np.zeros(1), coefficients=np.zeros((1, 2)), encoding=Encoding.of_raw_features(3)
        ),
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
        LinearModel(intercepts=np.zeros(1), coefficients=np.ones((1, 3))).score(rows)


@pytest.mark.parametrize(
    ("model", "row", "said"),
    [
        (
            PointsTable(intercept=0.0, tables=(CategoryPoints(points=(1.0, 2.0)),)),
            [2.0],
            "the value 2 of feature 0",
        ),
        (
            PointsTable(intercept=0.0, tables=(IntervalPoints(limits=(), points=(1.0,)),)),
            [np.nan],
            "a missing value of feature 0",
        ),
        (read_linear_model(FORMS["regressor"]), [0.0, np.nan, 0.0], "a missing value of feature 1"),
        (read_linear_model(FORMS["scaled"]), [0.0, 0.0, np.inf], "the value inf of feature 2"),
    ],
)
def test_values_the_model_says_nothing_about_are_refused_by_name(model: Any, row: list[float], said: str) -> None:
    with pytest.raises(ModelFeaturesMismatchError, match=said):
        model.score(np.array([row]))
    with pytest.raises(ModelFeaturesMismatchError, match=said):
        model.parts_of(np.array([row]))


def test_linear_pipeline_over_named_inputs_scores_as_scikit_learn_does() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is a development dependency")
    from tests.conformance.small_pipelines import linear_pipeline

    pipeline = linear_pipeline()
    model = read_linear_model(pipeline.content, pipeline.card.features)
    np.testing.assert_allclose(model.score(pipeline.rows), pipeline.scores, rtol=0, atol=1e-5)
    assert model.encoding is not None
    check_encoding(model.encoding, pipeline.rows, pipeline.card.feature_names)
    assert model.score(pipeline.rows[:0]).shape == (0, 3)
    with pytest.raises(ModelFeaturesMismatchError, match="reads text"):
        read_linear_model(pipeline.content, pipeline.card.feature_names)
