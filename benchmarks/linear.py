"""A linear pipeline explained from the raw row, against scikit-learn's transform and shap's linear explainer."""

import json
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx

from benchmarks.explaining_peer import ONE_THREAD
from benchmarks.peers import PEERS, peer_environment
from benchmarks.trained_models import TrainedModel, trained_model
from explainer.attribution_methods.sums.linear import ExactLinear
from models.linear_model import LinearModel
from models.onnx_linear import read_linear_model

N_BACKGROUND = 1000
N_ROWS = 500
ROUNDS = 5
SAME_MODEL = 1e-5
"""Largest difference of the peer's probabilities from the original framework's: the export rounds to 32 bits."""


def compare_linear() -> None:
    """Print how long one raw row takes, ours and the peer's alternating, and how far the values lie apart."""
    trained = trained_model("linear_pipeline")
    model = read_linear_model(trained.onnx_bytes, trained.features())
    background, rows = trained.rows[:N_BACKGROUND], trained.rows[N_BACKGROUND : N_BACKGROUND + N_ROWS]
    computer = ExactLinear(model, background, np.ones(N_BACKGROUND))
    peer = peer_environment("shap_explainers")
    ours, theirs = [], []
    with TemporaryDirectory() as folder:
        file = Path(folder) / "shared.npz"
        np.savez(file, background=background, rows=rows, **_learned(trained, model))
        command = [peer, PEERS / "shap_explainers" / "explain_linear.py", file]
        for _ in range(ROUNDS):
            ours.append(_times(computer, rows))
            answer = subprocess.run(command, check=True, capture_output=True, text=True, env=ONE_THREAD)  # noqa: S603 -- our own script in the peer's environment
            result = json.loads(answer.stdout)
            theirs.append((result["median_seconds"], result["processor_seconds"]))
    expected = trained.scores[N_BACKGROUND : N_BACKGROUND + N_ROWS]
    if np.abs(np.array(result["probabilities"]) - expected).max() > SAME_MODEL:
        raise SystemExit("the peer explains another model")
    difference = np.abs(_by_feature(np.array(result["values"]), model) - computer.contributions_of(rows)).max()
    fast, slow = np.min(ours, axis=0), np.min(theirs, axis=0)
    print("Linear pipeline of 12 raw features, one raw row, one thread, against transform and shap.LinearExplainer.")
    print(
        f"{'background':>12} {'ours ms':>10} {'peer ms':>10} {'ratio':>8} {'of processor times':>20} {'difference':>12}"
    )
    print(
        f"{N_BACKGROUND:>12} {fast[0] * 1e3:>10.4f} {slow[0] * 1e3:>10.3f} {slow[0] / fast[0]:>7.0f}x "
        f"{fast[1] * 1e3:>10.4f} {slow[1] * 1e3:>10.3f} {slow[1] / fast[1]:>7.0f}x {difference:>12.1e}",
        flush=True,
    )


def _times(computer: ExactLinear, rows: np.ndarray) -> tuple[float, float]:
    """Give the median wall time of one row and the mean processor time, which a coarse clock can only tell of many."""
    seconds, processor_begin = [], time.process_time()
    for row in rows:
        begin = time.perf_counter()
        computer.contributions_of(row[np.newaxis])
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds)), (time.process_time() - processor_begin) / len(rows)


def _learned(trained: TrainedModel, model: LinearModel) -> dict[str, np.ndarray]:
    """Read out of the exported file what the pipeline learned."""
    nodes = onnx.load_model_from_string(trained.onnx_bytes).graph.node
    scaler = next(node for node in nodes if node.op_type == "Scaler")
    numbers = {one.name: np.array(one.floats, dtype=np.float64) for one in scaler.attribute}
    return {
        "offset": numbers["offset"],
        "scale": numbers["scale"],
        "coefficients": model.coefficients[0],
        "intercept": model.intercepts,
        "category_counts": trained.category_counts[trained.category_counts > 0],
        "feature_names": np.array(trained.feature_names),
    }


def _by_feature(of_columns: np.ndarray, model: LinearModel) -> np.ndarray:
    """Add up the peer's values of the columns of each raw feature: of a linear model that is exact."""
    owners = model.encoding.feature_of_column
    return np.stack([of_columns[:, owners == feature].sum(axis=1) for feature in range(model.n_features)], axis=1)
