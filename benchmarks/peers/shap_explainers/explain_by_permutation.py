"""Peer: shap.PermutationExplainer over a model that is only asked for scores, at given numbers of evaluations.

Runs in an environment of its own. The model is our trees, run by shap's own compiled code, so that both sides ask the
same function; prints one line of JSON.
"""

import argparse
import json
from typing import Any

import numpy as np
import shap


def main() -> None:
    """Explain every row with every number of permutations, print the values."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("permutations", type=int, nargs="+")
    arguments = parser.parse_args()
    shared = np.load(f"{arguments.folder}/forest.npz", allow_pickle=False)
    model, background, rows = as_model(shared), shared["background"], shared["rows"]
    masker = shap.maskers.Independent(background, max_samples=len(background))
    values = {}
    for permutations in arguments.permutations:
        explainer = shap.PermutationExplainer(model.predict, masker, seed=0)
        evaluations = permutations * (2 * rows.shape[1] + 1)
        values[str(permutations)] = explainer(rows, max_evals=evaluations, silent=True).values.tolist()
    print(json.dumps({"values": values, "scores": model.predict(rows).tolist()}))


def as_model(shared: dict[str, np.ndarray]) -> Any:
    """Make the trees a model of shap."""
    trees = []
    for number in range(int(shared["n_trees"])):
        tree = {name: shared[f"{name}_{number}"] for name in ("left", "right", "feature", "threshold", "value")}
        leaf = tree["left"] < 0
        trees.append(
            {
                "children_left": tree["left"],
                "children_right": tree["right"],
                "children_default": np.where(leaf, -1, tree["left"]),
                "features": np.where(leaf, -2, tree["feature"]),
                "thresholds": tree["threshold"].astype(np.float64),
                "values": tree["value"].reshape(-1, 1),
                "node_sample_weight": np.ones(len(leaf)),
            }
        )
    whole = {
        "trees": trees,
        "internal_dtype": np.float64,
        "input_dtype": np.float32,
        "base_offset": float(shared["base_value"]),
    }
    return shap.TreeExplainer(whole, shared["background"], feature_perturbation="interventional").model


if __name__ == "__main__":
    main()
