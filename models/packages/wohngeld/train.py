"""Rebuild the Wohngeld package from its table: model, background, reference rows, evaluation, manifest.

Run it from the folder that holds ``models/``::

    python -m models.packages.wohngeld.train [--data households.parquet] [--out FOLDER]

It needs the development dependencies (pandas, pyarrow, scikit-learn). Everything is seeded: on one machine the same
table gives the same bytes. What it learns is the law's own formula on made-up households, nothing about people.
"""

import argparse
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from models import manifest
from models.calibration import calibration_bins
from models.card import ModelCard, load_card
from models.evaluation import SMALLEST_PUBLISHED_GROUP, Confusion, Evaluation, GroupResult
from models.package import load_package
from models.scoring_model import Rows, Scores
from models.statutory_rules import fired_on_rows
from models.words import Words

FOLDER = Path(__file__).parent
SEED = 20_250_101
HELD_OUT_SHARE = 0.3
BACKGROUND_ROWS = 1000
REFERENCE_ROWS = 200
N_BINS = 10
MOST_WEIGHT_OF_RARE_SIZES = 5.0
EVALUATED_ON = date(2026, 11, 23)

MONOTONE = {"household_size": 1, "income_eur_month": -1, "gross_cold_rent_eur_month": 1, "rent_level": 1}
"""Features the trees may compare, and the direction in which each may move the score: the direction of the law.

Assets are not among them. Below the limit the law gives assets no effect, so any effect learned would be noise.
"""


@dataclass(frozen=True)
class Households:
    """Households that pass the statutory rule.

    Attributes:
        rows: Raw rows in the card's order, shape (n, 5).
        entitled: Whether the law's formula gives at least 10 euros a month, shape (n,).
    """

    rows: Rows
    entitled: NDArray[np.bool_]


def read_households(path: Path, card: ModelCard) -> Households:
    """Read the table and leave out households that the statutory rule decides.

    Args:
        path: Parquet file with the card's features and ``entitled``.
        card: The card.

    Returns:
        The households.
    """
    import pandas as pd  # noqa: PLC0415 - only training needs it, not the service

    table = pd.read_parquet(path)
    rows = table[list(card.feature_names)].to_numpy(dtype=np.float64)
    decided_by_rule = np.logical_or.reduce([fired_on_rows(rule, card.features, rows) for rule in card.rules])
    return Households(rows=rows[~decided_by_rule], entitled=table["entitled"].to_numpy(dtype=bool)[~decided_by_rule])


def range_problems(card: ModelCard, rows: Rows) -> list[str]:
    """Say where the card's ranges are not the ranges of the rows the trees compare."""
    problems = []
    for index, feature in enumerate(card.features):
        low, high = rows[:, index].min(), rows[:, index].max()
        if feature.name in MONOTONE and (feature.minimum, feature.maximum) != (low, high):
            problems.append(f"card.yaml: {feature.name} ranges from {low:g} to {high:g} in the table.")
    return problems


def fit(rows: Rows, entitled: NDArray[np.bool_], card: ModelCard, max_iter: int = 150) -> Any:
    """Fit gradient-boosted trees that can only move in the law's direction.

    Args:
        rows: Raw rows, shape (n, 5).
        entitled: Shape (n,).
        card: Names the columns.
        max_iter: Number of trees.

    Returns:
        A fitted ``HistGradientBoostingClassifier`` over the columns of :data:`MONOTONE`.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - only training needs it

    model = HistGradientBoostingClassifier(
        max_iter=max_iter,
        learning_rate=0.1,
        max_leaf_nodes=15,
        min_samples_leaf=20,
        l2_regularization=1.0,
        monotonic_cst=list(MONOTONE.values()),
        early_stopping=False,
        random_state=SEED,
    )
    return model.fit(rows[:, _columns(card)], entitled, sample_weight=_weights_of_rare_sizes(rows, card))


def _weights_of_rare_sizes(rows: Rows, card: ModelCard) -> Scores:
    """Let large households, of which there are few, count up to five times, so that they are not learned worse.

    Chosen, like the other settings, by cross-validation within the households to learn from: it halves or better the
    share of entitled households of 7 people that would wrongly get the full check.
    """
    sizes = rows[:, card.feature_names.index("household_size")].astype(int)
    counts = np.bincount(sizes)
    average = len(sizes) / np.count_nonzero(counts)
    weights: Scores = np.clip(average / counts[sizes], 1.0, MOST_WEIGHT_OF_RARE_SIZES)
    return weights


def original_scores(model: Any, rows: Rows, card: ModelCard) -> Scores:
    """Score rows with the original model, shape (n,), 0 to 1."""
    return np.asarray(model.predict_proba(rows[:, _columns(card)])[:, 1], dtype=np.float64)


def to_onnx(model: Any, card: ModelCard) -> bytes:
    """Write the trees as ONNX.

    The baseline is added to the leaves of the first tree instead of being written as ``base_values``: onnxruntime 1.32
    misreads two of them for two classes. Thresholds are rounded down to float32, which is exact for every input that
    is itself a float32 number.

    Args:
        model: What :func:`fit` gave.
        card: Names the columns.

    Returns:
        The ONNX model: input ``rows`` of shape (n, 5), outputs ``label`` and ``probabilities``.
    """
    columns = _columns(card)
    nodes: dict[str, Any] = {
        name: []
        for name in (
            "nodes_treeids",
            "nodes_nodeids",
            "nodes_featureids",
            "nodes_modes",
            "nodes_values",
            "nodes_truenodeids",
            "nodes_falsenodeids",
            "nodes_missing_value_tracks_true",
        )
    }
    leaves: dict[str, Any] = {"class_treeids": [], "class_nodeids": [], "class_ids": [], "class_weights": []}
    baseline = float(model._baseline_prediction[0, 0])  # noqa: SLF001 - scikit-learn has no public access to it
    for tree_id, (predictor,) in enumerate(model._predictors):  # noqa: SLF001 - nor to the trees
        for node_id, node in enumerate(predictor.nodes):
            is_leaf = bool(node["is_leaf"])
            described = (
                tree_id,
                node_id,
                0 if is_leaf else columns[int(node["feature_idx"])],
                "LEAF" if is_leaf else "BRANCH_LEQ",
                0.0 if is_leaf else _rounded_down(float(node["num_threshold"])),
                0 if is_leaf else int(node["left"]),
                0 if is_leaf else int(node["right"]),
                0 if is_leaf else int(node["missing_go_to_left"]),
            )
            for values, value in zip(nodes.values(), described, strict=True):
                values.append(value)
            if is_leaf:
                weight = float(node["value"]) + (baseline if tree_id == 0 else 0.0)
                # A single column of weights means the second class, whatever its number.
                for values, value in zip(leaves.values(), (tree_id, node_id, 0, weight), strict=True):
                    values.append(value)
    ensemble = helper.make_node(
        "TreeEnsembleClassifier",
        ["rows"],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        post_transform="LOGISTIC",
        classlabels_int64s=[0, 1],
        **nodes,
        **leaves,
    )
    graph = helper.make_graph(
        [ensemble],
        card.slug,
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, len(card.features)])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2]),
        ],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    model_proto = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model_proto)
    content: bytes = model_proto.SerializeToString(deterministic=True)
    return content


def background_positions(rows: Rows, scores: Scores, card: ModelCard) -> tuple[NDArray[np.int64], Scores]:
    """Choose rows that stand for all households.

    Households are sorted by size and rent level; each such group gets its share of the rows. Within a group,
    households are put in order of their score and cut into slices of equal length; the one whose score is nearest to
    the slice's mean stands for it.

    Args:
        rows: All households, shape (n, 5).
        scores: Their scores, shape (n,).
        card: Names the columns.

    Returns:
        Positions of the chosen rows, and how many households each stands for.
    """
    size, level = card.feature_names.index("household_size"), card.feature_names.index("rent_level")
    strata = np.unique(rows[:, [size, level]], axis=0, return_inverse=True)[1].reshape(-1)
    counts = np.bincount(strata)
    exact = BACKGROUND_ROWS * counts / counts.sum()
    shares = np.maximum(1, np.floor(exact)).astype(int)
    for stratum in np.argsort(shares - exact, kind="stable")[: max(0, BACKGROUND_ROWS - shares.sum())]:
        shares[stratum] += 1
    positions, weights = [], []
    for stratum, share in enumerate(shares):
        members = np.flatnonzero(strata == stratum)
        ordered = members[np.argsort(scores[members], kind="stable")]
        for part in np.array_split(ordered, min(share, len(ordered))):
            positions.append(part[np.argmin(np.abs(scores[part] - scores[part].mean()))])
            weights.append(float(len(part)))
    return np.array(positions, dtype=np.int64), np.array(weights)


def evaluate(rows: Rows, entitled: NDArray[np.bool_], scores: Scores, card: ModelCard, as_of: date) -> Evaluation:
    """Count on held-out households how often the score agrees with the law's formula.

    Args:
        rows: Held-out households, shape (n, 5).
        entitled: What the formula says, shape (n,).
        scores: What the model says, shape (n,).
        card: Threshold, version and columns.
        as_of: Day of the evaluation.

    Returns:
        The evaluation.
    """
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - only training needs it

    favourable = np.array([card.outcome_of_score(float(score)).favourable for score in scores])
    confusion = Confusion(
        favourable_confirmed=int(np.sum(favourable & entitled)),
        favourable_wrong=int(np.sum(favourable & ~entitled)),
        unfavourable_confirmed=int(np.sum(~favourable & ~entitled)),
        unfavourable_wrong=int(np.sum(~favourable & entitled)),
    )
    n = len(rows)
    german_n = f"{n:,}".replace(",", ".")
    return Evaluation(
        schema_name="evaluation/1",
        model_version=card.version,
        as_of=as_of,
        n=n,
        threshold=card.threshold,
        accuracy=round(confusion.agreeing / n, 6),
        auc=round(float(roc_auc_score(entitled, scores)), 6),
        confusion=confusion,
        calibration=calibration_bins(scores, entitled, N_BINS),
        groups=tuple(
            _group_result(name, int(value), rows[:, card.feature_names.index(name)] == value, favourable, entitled)
            for name in ("household_size", "rent_level")
            for value in np.unique(rows[:, card.feature_names.index(name)])
        ),
        about=Words(
            de=(
                "Wir haben die Zahl mit der Formel des Gesetzes verglichen. Dafür gab es "
                f"{german_n} erfundene Haushalte, an denen das Programm nicht gelernt hat. "
                "Die Auswertung sagt nicht, wie gut das Programm bei echten Anträgen ist."
            ),
            en=(
                "We compared the number with the formula in the law. For this there were "
                f"{n:,} made-up households that the program did not learn from. "
                "The evaluation does not say how good the program is on real applications."
            ),
        ),
    )


def build(data: Path, out: Path, as_of: date) -> str:
    """Write the package.

    Args:
        data: The table.
        out: Folder of the package; its ``card.yaml`` is kept.
        as_of: Day of the evaluation.

    Returns:
        The package's identity.
    """
    card = load_card(out / manifest.CARD)
    households = read_households(data, card)
    problems = range_problems(card, households.rows)
    if problems:
        sys.exit("\n".join(problems))
    order = np.random.default_rng(SEED).permutation(len(households.rows))
    held_out, learned = np.split(order, [round(HELD_OUT_SHARE * len(order))])
    model = fit(households.rows[learned], households.entitled[learned], card)
    scores = original_scores(model, households.rows, card)
    (out / manifest.MODEL).write_bytes(to_onnx(model, card))
    _write_background(out, households.rows, scores, card)
    by_score = np.argsort(scores, kind="stable")
    chosen = by_score[np.linspace(0, len(by_score) - 1, REFERENCE_ROWS).astype(int)]
    np.savez(out / manifest.REFERENCE, rows=households.rows[chosen], scores=scores[chosen])
    rows, entitled = households.rows[held_out], households.entitled[held_out]
    evaluation = evaluate(rows, entitled, scores[held_out], card, as_of)
    (out / manifest.EVALUATION).write_text(evaluation.model_dump_json(indent=2) + "\n", encoding="utf-8")
    identity = manifest.write_manifest(out)
    load_package(out)
    print(f"{len(learned)} households to learn from, {evaluation.n} held out.")
    print(f"Accuracy {evaluation.accuracy:.4f}, AUC {evaluation.auc:.5f}. Package {identity}.")
    return identity


def _write_background(out: Path, rows: Rows, scores: Scores, card: ModelCard) -> None:
    positions, weights = background_positions(rows, scores, card)
    np.savez(
        out / manifest.BACKGROUND,
        rows=rows[positions],
        weights=weights,
        name=np.array("generated-households"),
        origin_de=np.array(
            f"{len(positions)} erfundene Haushalte. Sie stehen für alle erfundenen Haushalte, deren Vermögen unter der "
            "Grenze liegt. Kein Haushalt gehört zu einem echten Menschen."
        ),
        origin_en=np.array(
            f"{len(positions)} made-up households. They stand for all made-up households with wealth below the limit. "
            "No household belongs to a real person."
        ),
        mean_score_gap=np.array(float(np.average(scores[positions], weights=weights) - scores.mean())),
    )


def _group_result(
    feature: str,
    value: int,
    members: NDArray[np.bool_],
    favourable: NDArray[np.bool_],
    entitled: NDArray[np.bool_],
) -> GroupResult:
    if feature == "household_size":
        people = ("1 Person", "1 person") if value == 1 else (f"{value} Personen", f"{value} people")
        group = Words(de=f"Haushalte mit {people[0]}", en=f"Households of {people[1]}")
    else:
        group = Words(de=f"Mietstufe {value}", en=f"Rent level {value}")
    n = int(members.sum())
    if n < SMALLEST_PUBLISHED_GROUP:
        reason = Words(de="Das sind weniger als 10 Haushalte.", en="These are fewer than 10 households.")
        return GroupResult(feature=feature, group=group, reason=reason)
    really = members & entitled
    return GroupResult(
        feature=feature,
        group=group,
        n=n,
        agreement=round(float(np.mean(favourable[members] == entitled[members])), 4),
        favourable=round(float(np.mean(entitled[members])), 4),
        scored_favourable=round(float(np.mean(favourable[members])), 4),
        wrongly_unfavourable=round(float(np.mean(~favourable[really])), 4) if really.any() else None,
    )


def _columns(card: ModelCard) -> list[int]:
    return [card.feature_names.index(name) for name in MONOTONE]


def _rounded_down(threshold: float) -> float:
    """Give the largest float32 number that is not above the threshold: the same split for float32 inputs."""
    rounded = np.float32(threshold)
    # Compared as Python floats: NumPy would compare a float32 with a float in 32 bits and see no difference.
    return float(np.nextafter(rounded, np.float32(-np.inf)) if float(rounded) > threshold else rounded)


def main() -> None:
    """Read the arguments and build the package."""
    parser = argparse.ArgumentParser(description="Rebuild the Wohngeld package from its table.")
    parser.add_argument("--data", type=Path, default=FOLDER / "data" / "households.parquet", help="the table")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the package, with its card.yaml")
    parser.add_argument("--as-of", type=date.fromisoformat, default=EVALUATED_ON, help="day of the evaluation")
    arguments = parser.parse_args()
    build(arguments.data, arguments.out, arguments.as_of)


if __name__ == "__main__":
    main()
