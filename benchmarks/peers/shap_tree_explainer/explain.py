"""Peer: a cached shap.TreeExplainer over the same trees and the same background.

Runs in an environment of its own and is told where the shared files lie. Then it answers lines "first last" with one
line of JSON each: how long it took to explain these rows in one call, and the values.
"""

import json
import sys
import time

import numpy as np
import shap


def main() -> None:
    """Build the explainer once, then explain what is asked for."""
    shared = np.load(sys.argv[1], allow_pickle=False)
    trees = []
    for number in range(int(shared["n_trees"])):
        tree = {name: shared[f"{name}_{number}"] for name in ("left", "right", "feature", "threshold", "value")}
        leaf = tree["left"] < 0
        default = np.where(shared[f"missing_left_{number}"], tree["left"], tree["right"])
        trees.append(
            {
                "children_left": tree["left"],
                "children_right": tree["right"],
                "children_default": np.where(leaf, -1, default),
                "features": np.where(leaf, -2, tree["feature"]),
                "thresholds": tree["threshold"].astype(np.float64),
                "values": tree["value"].reshape(-1, 1),
                "node_sample_weight": np.ones(len(leaf)),
            }
        )
    background, rows = shared["background"], shared["rows"]
    model = {
        "trees": trees,
        "internal_dtype": np.float64,
        "input_dtype": np.float32,
        "base_offset": float(shared["base_value"]),
    }
    masker = shap.maskers.Independent(background, max_samples=len(background))
    explainer = shap.TreeExplainer(model, masker, feature_perturbation="interventional")
    if len(explainer.data) != len(background):
        raise SystemExit("the peer does not use the whole background")
    explainer.shap_values(rows[:1])
    for line in sys.stdin:
        first, last = map(int, line.split())
        begin, processor_begin = time.perf_counter(), time.process_time()
        values = explainer.shap_values(rows[first:last])
        seconds, processor_seconds = time.perf_counter() - begin, time.process_time() - processor_begin
        answer = {"seconds": seconds, "processor_seconds": processor_seconds}
        answer["values"] = np.reshape(values, (last - first, rows.shape[1])).tolist()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
