"""Random tables of terms and random linear pipelines: explained as all coalitions are, scored as the runtime does."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from explainer.attribution_methods.sums.linear import ExactLinear
from explainer.attribution_methods.sums.term_sums import TermSums
from models.onnx_linear import read_linear_model
from models.onnx_model import OnnxModel
from models.term_model import TermModel
from models.term_tables import Binning, CategoryBins, IntervalBins, TermTable, TermTables
from tests.conformance.checks_attribution import brute_force
from tests.unit.models.cards import card_with_features, feature_data

seeds = st.integers(0, 2**32 - 1)
N_CATEGORIES = 3


def random_terms(generator: np.random.Generator, n_features: int, n_terms: int) -> tuple[TermModel, np.ndarray]:
    """Make tables over numbers (even features) and categories (odd ones), and rows that meet cuts and miss values."""
    tables = []
    for _ in range(n_terms):
        size = min(n_features, int(generator.integers(1, 3)))
        features = tuple(generator.choice(n_features, size, replace=False).tolist())
        binnings: tuple[Binning, ...] = tuple(
            CategoryBins(tuple(generator.integers(0, 3, N_CATEGORIES).tolist()), 4, missing_bin=3)
            if feature % 2
            else IntervalBins(tuple(np.unique(generator.integers(-4, 5, 3) / 4).tolist()), has_missing=True)
            for feature in features
        )
        shape = (*(binning.n_bins for binning in binnings), 1)
        tables.append(TermTable(features=features, binnings=binnings, scores=generator.normal(size=shape)))
    rows = np.round(generator.normal(size=(16, n_features)) * 4) / 4
    rows[:, 1::2] = generator.integers(0, N_CATEGORIES, rows[:, 1::2].shape)
    rows[generator.random(rows.shape) < 0.1] = np.nan
    terms = TermTables(tables=tuple(tables), n_features=n_features)
    return TermModel(intercepts=generator.normal(size=1), terms=terms), rows


@settings(max_examples=40, deadline=None)
@given(seed=seeds, n_features=st.integers(1, 5), n_terms=st.integers(1, 8))
def test_contributions_of_terms_are_those_of_all_coalitions(seed: int, n_features: int, n_terms: int) -> None:
    generator = np.random.default_rng(seed)
    model, rows = random_terms(generator, n_features, n_terms)
    background, rows, weights = rows[:12], rows[12:], generator.uniform(0.01, 10, 12)
    computer = TermSums(model, background, weights)
    found = computer.contributions_of(rows)
    np.testing.assert_allclose(found, brute_force(model, background, weights, rows), rtol=0, atol=1e-9)
    for row, contributions in zip(rows, found, strict=True):
        matrix = computer.interactions_of(row).matrix
        np.testing.assert_allclose(matrix.sum(axis=1), contributions, rtol=0, atol=1e-9)


def random_pipeline(generator: np.random.Generator, n_numbers: int, n_words: int, n_classes: int) -> bytes:
    """Write imputer, scaler and one-hot encoders over one input per feature, and a linear classifier."""
    nodes: list[Any] = []
    inputs, parts, width = [], [], 0
    for place in range(n_numbers):
        name = f"n{place}"
        inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]))
        filled, scaled = f"{name}_filled", f"{name}_scaled"
        fill = {"imputed_value_floats": [float(generator.normal())], "replaced_value_float": float("nan")}
        nodes.append(helper.make_node("Imputer", [name], [filled], domain="ai.onnx.ml", **fill))
        scale = {"offset": [float(generator.normal())], "scale": [float(generator.uniform(0.1, 3))]}
        nodes.append(helper.make_node("Scaler", [filled], [scaled], domain="ai.onnx.ml", **scale))
        parts.append(scaled)
        width += 1
    for place in range(n_words):
        name = f"w{place}"
        inputs.append(helper.make_tensor_value_info(name, TensorProto.STRING, [None, 1]))
        words = [f"c{number}" for number in generator.permutation(N_CATEGORIES)]
        nodes.append(
            helper.make_node("OneHotEncoder", [name], [f"{name}_hot"], domain="ai.onnx.ml", cats_strings=words)
        )
        nodes.append(helper.make_node("Flatten", [f"{name}_hot"], [f"{name}_flat"], axis=1))
        parts.append(f"{name}_flat")
        width += N_CATEGORIES
    parts = [parts[place] for place in generator.permutation(len(parts))]
    nodes.append(helper.make_node("Concat", parts, ["table"], axis=1))
    n_sets = n_classes if n_classes > 2 else 1
    attributes: dict[str, Any] = {
        "classlabels_ints": list(range(n_classes)),
        "coefficients": generator.normal(size=n_sets * width).tolist(),
        "intercepts": generator.normal(size=n_sets).tolist(),
        "post_transform": "SOFTMAX" if n_classes > 2 else "LOGISTIC",
    }
    nodes.append(
        helper.make_node("LinearClassifier", ["table"], ["label", "scores"], domain="ai.onnx.ml", **attributes)
    )
    inputs = [inputs[place] for place in generator.permutation(len(inputs))]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, None])]
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    made = helper.make_model(helper.make_graph(nodes, "linear", inputs, outputs), opset_imports=opsets, ir_version=9)
    content: bytes = made.SerializeToString()
    return content


@settings(max_examples=25, deadline=None)
@given(seed=seeds, n_numbers=st.integers(1, 3), n_words=st.integers(0, 2), n_classes=st.integers(2, 3))
def test_linear_pipelines_score_as_the_runtime_and_are_explained_as_all_coalitions(
    seed: int, n_numbers: int, n_words: int, n_classes: int
) -> None:
    generator = np.random.default_rng(seed)
    content = random_pipeline(generator, n_numbers, n_words, n_classes)
    words = [{"value": f"c{n}", "label": {"de": f"c{n}", "en": f"c{n}"}} for n in range(N_CATEGORIES)]
    card = card_with_features(
        [feature_data(f"n{place}") for place in range(n_numbers)]
        + [feature_data(f"w{place}", "category", categories=words) for place in range(n_words)]
    )
    model, runtime = read_linear_model(content, card.features), OnnxModel(content, card)
    rows = np.column_stack(
        [generator.normal(size=(14, n_numbers)) * 3, generator.integers(0, N_CATEGORIES, (14, n_words))]
    ).astype(np.float64)
    rows[:, :n_numbers][generator.random((14, n_numbers)) < 0.1] = np.nan
    np.testing.assert_allclose(model.additive_score(rows), runtime.additive_score(rows), rtol=0, atol=1e-5)
    np.testing.assert_allclose(model.score(rows), runtime.score(rows), rtol=0, atol=2e-6)
    background, rows, weights = rows[:10], rows[10:], generator.uniform(0.01, 10, 10)
    for output in range(model.n_outputs):
        one = model.for_output(output)
        found = ExactLinear(one, background, weights).contributions_of(rows)
        np.testing.assert_allclose(found, brute_force(one, background, weights, rows), rtol=0, atol=1e-5)
