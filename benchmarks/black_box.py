"""How near sampled contributions come to exact ones, ours and shap.PermutationExplainer's, for the same price."""

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.explaining_peer import ONE_THREAD
from benchmarks.peers import PEERS, peer_environment
from benchmarks.trained_models import trained_model
from explainer.attribution_methods.black_boxes.sampled_permutation import SampledPermutation, StoppingRule
from explainer.attribution_methods.forests.exact_forest import ExactForest
from models.forest import Forest

N_BACKGROUND = 100
N_ROWS = 6
PERMUTATIONS = (2, 10, 40)
NEVER_PRECISE_ENOUGH = 1e-12


def compare_black_box() -> None:
    """Print both sides' errors against the exact values of the trees, at equal numbers of evaluations of the model."""
    trained = trained_model("boosting_300x31")
    forest = trained.forest()
    background, rows = trained.rows[:N_BACKGROUND], trained.rows[N_BACKGROUND : N_BACKGROUND + N_ROWS]
    weights = np.ones(N_BACKGROUND)
    truth = ExactForest(forest, background, weights).contributions_of(rows)
    spread = forest.additive_score(background).std()
    theirs = _of_the_peer(forest, background, rows)
    print("300 trees of 31 leaves, 20 features, background 100, asked only for scores; errors as shares of the spread.")
    print(
        f"{'evaluations':>12} {'ours':>10} {'shap':>10} {'ratio':>8} {'ours, largest':>14} {'shap, largest':>14}",
        end="",
    )
    print(f" {'ours says':>10}")
    for permutations in PERMUTATIONS:
        # Each of the peer's permutations asks about 2 n + 1 coalitions, each with every background row.
        budget = permutations * (2 * forest.n_features + 1) * N_BACKGROUND
        rule = StoppingRule(target_share=NEVER_PRECISE_ENOUGH, max_evaluations=budget)
        computer = SampledPermutation(forest, background, weights, stopping=rule)
        sampled = [computer.sample(row) for row in rows]
        if max(one.evaluations for one in sampled) > budget:
            raise SystemExit("more evaluations than the peer was allowed")
        ours = np.array([one.contributions for one in sampled]) - truth
        other = np.array(theirs[str(permutations)]) - truth
        said = np.sqrt(np.mean(np.square([one.standard_errors for one in sampled])))
        ours_error, other_error = (np.sqrt(np.mean(error**2)) for error in (ours, other))
        print(
            f"{budget:>12,} {ours_error / spread:>10.2%} {other_error / spread:>10.2%} "
            f"{other_error / ours_error:>7.1f}x {np.abs(ours).max() / spread:>14.2%} "
            f"{np.abs(other).max() / spread:>14.2%} {said / spread:>10.2%}",
            flush=True,
        )


def _of_the_peer(forest: Forest, background: np.ndarray, rows: np.ndarray) -> dict[str, list[list[float]]]:
    arrays = {"n_trees": np.array(len(forest.trees)), "background": background, "rows": rows}
    arrays["base_value"] = np.array(forest.base_value)
    for number, tree in enumerate(forest.trees):
        for name in ("left", "right", "feature", "threshold", "value"):
            arrays[f"{name}_{number}"] = getattr(tree, name)
    with TemporaryDirectory() as folder:
        np.savez(Path(folder) / "forest.npz", **arrays)
        command = [peer_environment("shap_explainers"), PEERS / "shap_explainers" / "explain_by_permutation.py", folder]
        answer = subprocess.run(  # noqa: S603 -- our own script in the peer's environment
            [*command, *map(str, PERMUTATIONS)], check=True, capture_output=True, text=True, env=ONE_THREAD
        )
    result = json.loads(answer.stdout)
    if not np.allclose(result["scores"], forest.additive_score(rows), rtol=0, atol=1e-5):
        raise SystemExit("the peer explains another model")
    values: dict[str, list[list[float]]] = result["values"]
    return values
