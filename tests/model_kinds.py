"""One small package of every kind a city may have: real files, made from numbers, with an original that is not ours.

The original of each kind is a few lines of plain Python that walk the same numbers; nothing of the product computes it.
"""

import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.manifest import write_manifest
from tests.unit.models.cards import card_bytes, card_data
from tests.unit.models.tree_models import Ensemble, Leaf, Split

Row = Sequence[float]
Numbers = NDArray[np.float64]

FEATURES: list[dict[str, Any]] = [
    {
        "name": "income_eur_month",
        "label": {"de": "Ihr Einkommen", "en": "Your income"},
        "public_label": {"de": "Einkommen", "en": "Income"},
        "kind": "number",
        "unit": {"de": "Euro im Monat", "en": "euros a month"},
        "minimum": 0,
        "maximum": 20000,
        "source": {"de": "Ihr Antrag", "en": "your application"},
        "public_source": {"de": "Antrag", "en": "application"},
        "actionable": {"direction": "either", "minimum": 0, "maximum": 4000, "step": 50},
    },
    {
        "name": "household_size",
        "label": {"de": "Personen im Haushalt", "en": "People in your household"},
        "public_label": {"de": "Personen im Haushalt", "en": "People in the household"},
        "kind": "integer",
        "minimum": 1,
        "maximum": 12,
        "source": {"de": "Ihr Antrag", "en": "your application"},
        "public_source": {"de": "Antrag", "en": "application"},
    },
    {
        "name": "home",
        "label": {"de": "So wohnen Sie", "en": "How you live"},
        "public_label": {"de": "Wohnform", "en": "Kind of home"},
        "kind": "category",
        "categories": [
            {"value": "rented", "label": {"de": "zur Miete", "en": "rented home"}},
            {"value": "owned", "label": {"de": "im Eigentum", "en": "own home"}},
            {"value": "shelter", "label": {"de": "in einer Unterkunft", "en": "shelter"}},
        ],
        "source": {"de": "Ihr Antrag", "en": "your application"},
        "public_source": {"de": "Antrag", "en": "application"},
    },
    {
        "name": "single_parent",
        "label": {"de": "Sie erziehen allein", "en": "You raise children alone"},
        "public_label": {"de": "Erzieht allein", "en": "Raises children alone"},
        "kind": "boolean",
        "source": {"de": "Ihr Antrag", "en": "your application"},
        "public_source": {"de": "Antrag", "en": "application"},
        "protected": True,
    },
]

INPUTS: Mapping[str, Any] = {
    "income_eur_month": 1480.0,
    "household_size": 3,
    "home": "shelter",
    "single_parent": True,
}

NUMBER = {"de": "Ihre Zahl", "en": "your number"}
MEANING = {"de": "Eine hohe Zahl heißt: viel Hilfe.", "en": "A high number means a lot of help."}
PROBABILITY = {"unit": "probability", "scale": 100, "label": NUMBER, "meaning": MEANING}
EUROS = {"unit": {"de": "Euro", "en": "euros"}, "label": NUMBER, "meaning": MEANING}
POINTS = {
    "unit": {"de": "Punkte", "en": "points"},
    "unit_one": {"de": "Punkt", "en": "point"},
    "label": NUMBER,
    "meaning": MEANING,
}


def _outcome(name: str, de: str, en: str, *, favourable: bool, rank: int | None = None) -> dict[str, Any]:
    words = {"de": de, "en": en}
    sentence = {"de": f"Das Ergebnis ist: {de}.", "en": f"The result is: {en}."}
    given = {} if rank is None else {"rank": rank}
    return {
        "id": name, "label": words, "decided": sentence, "suggested": sentence, "favourable": favourable, **given
    }  # fmt: skip


TWO_OUTCOMES = [
    _outcome("granted", "Zusage", "approval", favourable=True),
    _outcome("refused", "Absage", "refusal", favourable=False),
]
THREE_OUTCOMES = [
    _outcome("no_help", "keine Hilfe", "no help", favourable=False, rank=3),
    _outcome("some_help", "etwas Hilfe", "some help", favourable=True, rank=2),
    _outcome("full_help", "volle Hilfe", "full help", favourable=True, rank=1),
]
CLASSES = ["no_help", "some_help", "full_help"]


def with_threshold(score: Mapping[str, Any], additive_unit: str, threshold: float) -> dict[str, Any]:
    """What a card says about a score with a threshold."""
    return {
        "score": score,
        "additive_unit": additive_unit,
        "threshold": threshold,
        "outcomes": TWO_OUTCOMES,
        "outcome_at_or_above": "granted",
        "outcome_below": "refused",
    }


def with_classes(score: Mapping[str, Any], additive_unit: str) -> dict[str, Any]:
    """What a card says about several classes."""
    return {
        "score": score,
        "additive_unit": additive_unit,
        "outcomes": THREE_OUTCOMES,
        "outcome_of_class": CLASSES,
    }


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind of model.

    Attributes:
        slug: Name of its package.
        outcome_part: What its card says about score and outcome.
        content: The file that holds the model.
        original: The original model's additive scores of a row: one, or one for each class.
        link: From these to the scores.
        model_file: Name of the file.
        units: What a page writes behind the number, in German and English; empty for probabilities.
        evaluation: What was measured.
        n_more: Features besides the four.
    """

    slug: str
    outcome_part: Mapping[str, Any]
    content: bytes
    original: Callable[[Row], list[float]]
    link: Callable[[list[float]], list[float]]
    model_file: str = "model.onnx"
    units: tuple[str, str] = ("", "")
    evaluation: Mapping[str, Any] = field(default_factory=lambda: {"accuracy": 0.9})
    n_more: int = 0

    @property
    def features(self) -> list[dict[str, Any]]:
        """The card's features: the four above and some more numbers."""
        more = [{**FEATURES[1], "name": f"more_{number}", "minimum": 0} for number in range(self.n_more)]
        return [*FEATURES, *more]

    @property
    def inputs(self) -> dict[str, Any]:
        """The case that is explained."""
        return {**INPUTS, **{f"more_{number}": number % 3 for number in range(self.n_more)}}

    def row_of(self, inputs: Mapping[str, Any]) -> list[float]:
        """Give inputs as the original reads them."""
        homes = [category["value"] for category in FEATURES[2]["categories"]]
        numbers = {**inputs, "home": homes.index(inputs["home"])}
        return [float(np.float32(numbers[feature["name"]])) for feature in self.features]

    @property
    def classes(self) -> list[str]:
        """Outcome ids of the classes; empty where there is a threshold."""
        return list(self.outcome_part.get("outcome_of_class", ()))

    def scores_of(self, rows: Numbers) -> Numbers:
        """The original's scores, shape (n,) or (n, n_classes)."""
        scores = np.array([self.link(self.original(row)) for row in rows.astype(np.float32).tolist()])
        return scores if self.classes else scores[:, 0]

    def rows(self, n_rows: int, *, seed: int) -> Numbers:
        """Make raw rows of households."""
        more = np.random.default_rng(seed + 100).integers(0, 4, (n_rows, self.n_more))
        return np.column_stack([some_rows(n_rows, seed=seed), more])

    def card(self, **changes: Any) -> dict[str, Any]:
        """Its card as data."""
        base = {key: value for key, value in card_data().items() if key not in OUTCOME_FIELDS}
        name = {"de": f"Programm {self.slug}", "en": f"Program {self.slug}"}
        features = {"features": self.features, "rules": [], "limits": []}
        return {**base, **features, "slug": self.slug, "name": name, "role": "suggests", **self.outcome_part, **changes}

    def write(self, parent: Path, **changes: Any) -> Path:
        """Write the package.

        Args:
            parent: Folder that holds packages.
            changes: Fields of the card that differ; ``model`` for other bytes of the model, ``reference`` for other
                arrays.

        Returns:
            The package's folder.
        """
        model, reference_changes = changes.pop("model", self.content), changes.pop("reference", {})
        folder = parent / self.slug
        folder.mkdir(parents=True)
        background, reference = self.rows(200, seed=1), self.rows(60, seed=2)
        card = self.card(**changes)
        (folder / "card.yaml").write_bytes(card_bytes(card))
        (folder / self.model_file).write_bytes(model)
        words = {f"origin_{language}": np.array(text) for language, text in ORIGIN.items()}
        _savez(folder / "background.npz", rows=background, weights=np.linspace(1, 3, len(background)),
               name=np.array("made-up"), mean_score_gap=np.array(0.01), **words)  # fmt: skip
        classes = {"classes": np.array(self.classes)} if self.classes else {}
        arrays = {"rows": reference, "scores": self.scores_of(reference), **classes, **reference_changes}
        _savez(folder / "reference.npz", **arrays)
        evaluation = {
            "schema_name": "evaluation/1", "model_version": card["version"], "as_of": "2026-10-01", "n": 400,
            "threshold": card.get("threshold"), "groups": [], "about": ORIGIN, **self.evaluation,
        }  # fmt: skip
        (folder / "evaluation.json").write_text(json.dumps(evaluation), encoding="utf-8")
        write_manifest(folder)
        return folder


OUTCOME_FIELDS = ("score", "additive_unit", "threshold", "outcomes", "outcome_at_or_above", "outcome_below")
ORIGIN = {"de": "Erfundene Haushalte.", "en": "Made-up households."}


def some_rows(n_rows: int, *, seed: int) -> Numbers:
    """Make raw rows of households."""
    generator = np.random.default_rng(seed)
    return np.column_stack(
        [
            generator.integers(0, 80, n_rows) * 50.0,
            generator.integers(1, 9, n_rows),
            generator.integers(0, 3, n_rows),
            generator.integers(0, 2, n_rows),
        ]
    ).astype(np.float64)


def identity(additive: list[float]) -> list[float]:
    """Scores that are their additive scores."""
    return additive


def logistic(additive: list[float]) -> list[float]:
    """Probabilities out of log-odds."""
    return [1 / (1 + math.exp(-value)) for value in additive]


def softmax(additive: list[float]) -> list[float]:
    """Shares out of class scores."""
    powers = [math.exp(value - max(additive)) for value in additive]
    return [power / sum(powers) for power in powers]


def _savez(path: Path, **arrays: Any) -> None:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    path.write_bytes(stream.getvalue())


def _split(feature: int, threshold: float, low: "Split | Leaf | Sequence[float]", high: Any) -> Split:
    def as_node(node: Any) -> Split | Leaf:
        return node if isinstance(node, (Split, Leaf)) else Leaf(tuple(float(weight) for weight in node))

    return Split(feature, "BRANCH_LEQ", threshold, as_node(low), as_node(high))


def sum_of_leaves(trees: Sequence[Split | Leaf], base: Sequence[float]) -> Callable[[Row], list[float]]:
    """The original of a forest: walk each tree and add up."""

    def score(row: Row) -> list[float]:
        total = list(base)
        for tree in trees:
            node = tree
            while isinstance(node, Split):
                node = node.yes if row[node.feature] <= node.threshold else node.no
            total = [one + float(np.float32(weight)) for one, weight in zip(total, node.weights, strict=True)]
        return total

    return score


LOG_ODDS_TREES = (
    _split(0, 1500, _split(1, 2, [0.4], [1.3]), _split(2, 0.5, [-0.9], [-0.3])),
    _split(3, 0.5, [-0.2], _split(0, 2200, [0.7], [0.1])),
)
EUROS_TREES = (
    _split(0, 1500, _split(1, 2, [180.5], [415.25]), _split(2, 0.5, [-120], [-60.75])),
    _split(3, 0.5, [-35], _split(0, 2200, [90.5], [12.25])),
)
CLASS_SCORE_TREES = (
    _split(
        0, 1500, _split(1, 2, [-0.4, 0.5, 0.2], [-1.1, 0.1, 0.9]), _split(2, 0.5, [1.2, 0.0, -0.8], [0.4, 0.3, -0.5])
    ),
    _split(3, 0.5, [0.2, 0.0, -0.1], _split(0, 2200, [-0.3, 0.1, 0.6], [0.1, 0.2, 0.0])),
)
VOTE_TREES = (
    _split(
        0, 1500, _split(1, 2, [0.1, 0.25, 0.15], [0.05, 0.1, 0.35]), _split(2, 0.5, [0.4, 0.05, 0.05], [0.2, 0.2, 0.1])
    ),
    _split(3, 0.5, [0.25, 0.2, 0.05], _split(0, 2200, [0.05, 0.15, 0.3], [0.15, 0.25, 0.1])),
)

_POINTS: dict[str, Any] = {
    "base_points": 10,
    "features": [
        {
            "feature": "income_eur_month",
            "points": [{"below": 1000, "points": 30}, {"below": 2000, "points": 12.5}, {"points": 0}],
        },
        {
            "feature": "home",
            "points": [{"is": "owned", "points": 0}, {"is": "rented", "points": 4}, {"is": "shelter", "points": 9}],
        },
        {"feature": "single_parent", "points": [{"is": True, "points": 6}, {"is": False, "points": 0}]},
        {"feature": "household_size", "points": [{"below": 3, "points": 1}, {"points": 5}]},
    ],
}


def scorecard(**changes: Any) -> bytes:
    """Write the scorecard, with other base points if wanted."""
    return yaml.safe_dump({**_POINTS, **changes}, sort_keys=False).encode()


def _points(scale: float = 1.0) -> Callable[[Row], list[float]]:
    def score(row: Row) -> list[float]:
        income, persons, home, alone = row
        points = 30 if income < 1000 else 12.5 if income < 2000 else 0
        return [scale * (10 + points + (4, 0, 9)[int(home)] + 6 * alone + (1 if persons < 3 else 5))]

    return score


FOREST_OF_LOG_ODDS = Kind(
    slug="forest_log_odds",
    outcome_part=with_threshold(PROBABILITY, "log_odds", 0.5),
    content=Ensemble(trees=LOG_ODDS_TREES, n_features=4).to_onnx(),
    original=sum_of_leaves(LOG_ODDS_TREES, [0.0]),
    link=logistic,
)
FOREST_OF_EUROS = Kind(
    slug="forest_euros",
    outcome_part=with_threshold(EUROS, "score", 400.5),
    content=Ensemble(
        trees=EUROS_TREES, n_features=4, classifier=False, post_transform="NONE", base_values=(250.0,)
    ).to_onnx(),
    original=sum_of_leaves(EUROS_TREES, [250.0]),
    link=identity,
    units=("Euro", "euros"),
    evaluation={"mean_absolute_error": 37.5, "accuracy": 0.88},
)


def _with_exponential(content: bytes) -> bytes:
    """Put an Exp behind the trees: the model then gives the logarithm of a count."""
    model = onnx.load_model_from_string(content)
    model.graph.node[-1].output[0] = "logarithm"
    model.graph.node.append(helper.make_node("Exp", ["logarithm"], ["scores"]))
    changed: bytes = model.SerializeToString()
    return changed


FOREST_OF_LOGARITHMS = Kind(
    slug="forest_logarithms",
    outcome_part=with_threshold(POINTS, "log_score", 2.5),
    content=_with_exponential(
        Ensemble(trees=LOG_ODDS_TREES, n_features=4, classifier=False, post_transform="NONE").to_onnx()
    ),
    original=sum_of_leaves(LOG_ODDS_TREES, [0.0]),
    link=lambda additive: [math.exp(value) for value in additive],
    units=("Punkte", "points"),
    evaluation={"mean_absolute_error": 0.75},
)
FOREST_OF_CLASS_SCORES = Kind(
    slug="forest_class_scores",
    outcome_part=with_classes(PROBABILITY, "class_score"),
    content=Ensemble(trees=CLASS_SCORE_TREES, n_features=4, n_outputs=3, post_transform="SOFTMAX").to_onnx(),
    original=sum_of_leaves(CLASS_SCORE_TREES, [0.0, 0.0, 0.0]),
    link=softmax,
)
FOREST_OF_VOTES = Kind(
    slug="forest_votes",
    outcome_part=with_classes(PROBABILITY, "score"),
    content=Ensemble(trees=VOTE_TREES, n_features=4, n_outputs=3, post_transform="NONE").to_onnx(),
    original=sum_of_leaves(VOTE_TREES, [0.0, 0.0, 0.0]),
    link=identity,
)
SCORECARD = Kind(
    slug="scorecard_points",
    outcome_part=with_threshold(POINTS, "score", 40),
    content=scorecard(),
    original=_points(),
    link=identity,
    model_file="scorecard.yaml",
    units=("Punkte", "points"),
    evaluation={"mean_absolute_error": 3.25},
)


def _as_onnx(
    nodes: Sequence[onnx.NodeProto], n_features: int, n_scores: int, *, label: int | None, **constants: Any
) -> bytes:
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, n_scores])]
    if label is not None:
        outputs.insert(0, helper.make_tensor_value_info("label", label, [None]))
    stored = [
        numpy_helper.from_array(value if value.dtype == np.int64 else value.astype(np.float32), name)
        for name, value in constants.items()
    ]
    rows = helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, n_features])
    graph = helper.make_graph(list(nodes), "model", [rows], outputs, stored)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    content: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return content


def linear_onnx(operator: str, coefficients: Numbers, intercepts: Sequence[float], **attributes: Any) -> bytes:
    """Write a linear model."""
    is_classifier = operator == "LinearClassifier"
    outputs = ["label", "scores"] if is_classifier else ["scores"]
    node = helper.make_node(
        operator, ["rows"], outputs, domain="ai.onnx.ml",
        coefficients=[float(one) for one in coefficients.ravel()], intercepts=list(intercepts), **attributes,
    )  # fmt: skip
    n_scores = len(attributes.get("classlabels_ints", attributes.get("classlabels_strings", [0])))
    label = TensorProto.STRING if "classlabels_strings" in attributes else TensorProto.INT64
    return _as_onnx([node], coefficients.shape[-1], n_scores, label=label if is_classifier else None)


def weighted_sums(coefficients: Numbers, intercepts: Sequence[float]) -> Callable[[Row], list[float]]:
    """The original of a linear model; of two mirrored classes the second."""
    table = np.atleast_2d(np.asarray(coefficients, dtype=np.float32)).astype(float)

    def score(row: Row) -> list[float]:
        return [float(np.float32(base)) + math.fsum(a * b for a, b in zip(weights, row, strict=True))
                for weights, base in zip(table, intercepts, strict=True)]  # fmt: skip

    return score


ONE_LINE = np.array([-0.0012, 0.25, 0.4, 0.5])
LINES = np.array([[0.001, -0.2, -0.1, -0.3], [0.0001, 0.1, 0.05, 0.1], [-0.0009, 0.2, 0.3, 0.4]])
EURO_LINE = np.array([-0.2, 55.5, 20.25, 40.0])

LINEAR_LOG_ODDS = Kind(
    slug="linear_log_odds",
    outcome_part=with_threshold(PROBABILITY, "log_odds", 0.5),
    content=linear_onnx(
        "LinearClassifier", np.stack([-ONE_LINE, ONE_LINE]), [-0.3, 0.3], post_transform="LOGISTIC",
        classlabels_ints=[0, 1],
    ),
    original=weighted_sums(ONE_LINE, [0.3]),
    link=logistic,
)  # fmt: skip
LINEAR_EUROS = Kind(
    slug="linear_euros",
    outcome_part=with_threshold(EUROS, "score", 200),
    content=linear_onnx("LinearRegressor", EURO_LINE, [310.5]),
    original=weighted_sums(EURO_LINE, [310.5]),
    link=identity,
    units=("Euro", "euros"),
    evaluation={"mean_absolute_error": 41.0},
)
LINEAR_CLASSES = Kind(
    slug="linear_classes",
    outcome_part=with_classes(PROBABILITY, "class_score"),
    content=linear_onnx(
        "LinearClassifier", LINES, [-0.2, 0.1, 0.6], post_transform="SOFTMAX", classlabels_ints=[0, 1, 2]
    ),
    original=weighted_sums(LINES, [-0.2, 0.1, 0.6]),
    link=softmax,
)

TERMS: dict[str, Any] = {
    "format": "klarbescheid-terms/1",
    "link": "logistic",
    "intercepts": [-0.2],
    "terms": [
        {"axes": [{"feature": "income_eur_month", "cuts": [1000.0, 1500.0, 2500.0]}], "scores": [0.9, 0.4, -0.1, -1.2]},
        {"axes": [{"feature": "home", "categories": ["rented", "owned", "shelter"]}], "scores": [0.1, -0.4, 0.6]},
        {
            "axes": [
                {"feature": "household_size", "cuts": [3.0]},
                {"feature": "single_parent", "categories": ["false", "true"]},
            ],
            "scores": [[-0.2, 0.1], [0.05, 0.7]],
        },
    ],
}


def _term_scores(row: Row) -> list[float]:
    income, persons, home, alone = row
    of_income = 0.9 if income < 1000 else 0.4 if income < 1500 else -0.1 if income < 2500 else -1.2
    together = ((-0.2, 0.1), (0.05, 0.7))[persons >= 3][int(alone)]
    return [-0.2 + of_income + (0.1, -0.4, 0.6)[int(home)] + together]


TERMS_WITH_PAIRS = Kind(
    slug="terms_with_pairs",
    outcome_part=with_threshold(PROBABILITY, "log_odds", 0.5),
    content=json.dumps(TERMS).encode(),
    original=_term_scores,
    link=logistic,
    model_file="terms.json",
)


def _network(n_features: int, n_scores: int, seed: int) -> tuple[Numbers, Numbers]:
    generator = np.random.default_rng(seed)
    inner = generator.normal(0, 0.8, (n_features, 5))
    inner[0] /= 1000  # incomes are large numbers
    return inner.astype(np.float32).astype(float), generator.normal(0, 1.5, (5, n_scores)).astype(np.float32).astype(
        float
    )


def network_onnx(inner: Numbers, outer: Numbers, ending: str) -> bytes:
    """Write a small neural network: nothing in it is trees, sums or terms."""
    nodes = [
        helper.make_node("MatMul", ["rows", "inner"], ["sums"]),
        helper.make_node("Tanh", ["sums"], ["bent"]),
        helper.make_node("MatMul", ["bent", "outer"], ["together"]),
        helper.make_node(ending, ["together"], ["scores"]),
    ]
    return _as_onnx(nodes, len(inner), outer.shape[1], label=None, inner=inner, outer=outer)


def network_that_looks_at_neighbours() -> bytes:
    """Write a graph that compares each case with the mean of all cases it is given."""
    nodes = [
        helper.make_node("MatMul", ["rows", "weights"], ["sums"]),
        helper.make_node("ReduceMean", ["sums", "axes"], ["mean"]),
        helper.make_node("Sub", ["sums", "mean"], ["difference"]),
        helper.make_node("Sigmoid", ["difference"], ["scores"]),
    ]
    return _as_onnx(nodes, 4, 1, label=None, weights=ONE_LINE[:, np.newaxis], axes=np.array([0]))


def network(
    inner: Numbers, outer: Numbers, ending: Callable[[list[float]], list[float]]
) -> Callable[[Row], list[float]]:
    """The original of such a network; its additive score is its score."""

    def score(row: Row) -> list[float]:
        bent = [math.tanh(math.fsum(a * b for a, b in zip(row, column, strict=True))) for column in inner.T]
        return ending([math.fsum(a * b for a, b in zip(bent, column, strict=True)) for column in outer.T])

    return score


_NETWORK, _CLASS_NETWORK, _WIDE_NETWORK = _network(4, 1, 3), _network(4, 3, 8), _network(14, 1, 6)

BLACK_BOX = Kind(
    slug="black_box",
    outcome_part=with_threshold(PROBABILITY, "score", 0.12),
    content=network_onnx(*_NETWORK, "Sigmoid"),
    original=network(*_NETWORK, logistic),
    link=identity,
)
BLACK_BOX_OF_CLASSES = Kind(
    slug="black_box_classes",
    outcome_part=with_classes(PROBABILITY, "score"),
    content=network_onnx(*_CLASS_NETWORK, "Softmax"),
    original=network(*_CLASS_NETWORK, softmax),
    link=identity,
)
WIDE_BLACK_BOX = Kind(
    slug="wide_black_box",
    outcome_part=with_threshold(POINTS, "score", -2.5),
    content=network_onnx(*_WIDE_NETWORK, "Identity"),
    original=network(*_WIDE_NETWORK, identity),
    link=identity,
    units=("Punkte", "points"),
    evaluation={"mean_absolute_error": 0.5},
    n_more=10,
)

KINDS = (
    FOREST_OF_LOG_ODDS,
    FOREST_OF_EUROS,
    FOREST_OF_LOGARITHMS,
    FOREST_OF_CLASS_SCORES,
    FOREST_OF_VOTES,
    LINEAR_LOG_ODDS,
    LINEAR_EUROS,
    LINEAR_CLASSES,
    SCORECARD,
    TERMS_WITH_PAIRS,
    BLACK_BOX,
    BLACK_BOX_OF_CLASSES,
    WIDE_BLACK_BOX,
)
