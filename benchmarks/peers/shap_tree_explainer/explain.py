"""Peer: a cached shap.TreeExplainer over the same trees and the same background, timed one row at a time.

Runs in an environment of its own and is told where the shared files lie; prints one line of JSON.
"""

import argparse
import json
import time

import numpy as np
import shap


def main() -> None:
    """Build the explainer once, explain the rows one by one, print the median time and the values."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--together", action="store_true", help="explain all rows in one call")
    arguments = parser.parse_args()
    shared = np.load(f"{arguments.folder}/forest.npz", allow_pickle=False)
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
    parts = [rows] if arguments.together else [row[np.newaxis] for row in rows]
    seconds, processor_seconds, values = [], [], []
    for part in parts:
        begin, processor_begin = time.perf_counter(), time.process_time()
        values.append(explainer.shap_values(part))
        seconds.append(time.perf_counter() - begin)
        processor_seconds.append(time.process_time() - processor_begin)
    result = {
        "median_seconds": float(np.median(seconds)),
        "median_processor_seconds": float(np.median(processor_seconds)),
        "values": np.vstack([np.reshape(part, (-1, rows.shape[1])) for part in values]).tolist(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
