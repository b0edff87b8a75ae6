"""Peer: woodelf-explainer over the same trees and the same background.

Runs in an environment of its own and is told where the shared files lie. Then it answers lines "first last" with one
line of JSON each: how long it took to explain these rows in one call, and the values.
"""

import json
import sys
import time

import numpy as np
import pandas as pd
from woodelf import WoodelfExplainer
from woodelf.core.trees.decision_trees_ensemble import DecisionTreeNode, DecisionTreesEnsemble


def main() -> None:
    """Build the explainer once, then explain what is asked for."""
    shared = np.load(sys.argv[1], allow_pickle=False)
    trees = [tree_of(shared, number) for number in range(int(shared["n_trees"]))]
    names = [f"f{place}" for place in range(shared["rows"].shape[1])]
    background = pd.DataFrame(shared["background"].astype(np.float32), columns=names)
    rows = pd.DataFrame(shared["rows"].astype(np.float32), columns=names)
    explainer = WoodelfExplainer(DecisionTreesEnsemble(trees), background, feature_perturbation="interventional")
    for line in sys.stdin:
        first, last = map(int, line.split())
        begin, processor_begin = time.perf_counter(), time.process_time()
        values = explainer.shap_values(rows.iloc[first:last], verbose=False)
        seconds, processor_seconds = time.perf_counter() - begin, time.process_time() - processor_begin
        answer = {"seconds": seconds, "processor_seconds": processor_seconds}
        answer["values"] = np.asarray(values, dtype=np.float64).tolist()
        print(json.dumps(answer), flush=True)


def tree_of(shared: "np.lib.npyio.NpzFile", number: int) -> DecisionTreeNode:
    """Build one tree; woodelf sends values left that are below a threshold, not up to it."""
    left, right, feature, threshold, value, missing_left = (
        shared[f"{name}_{number}"] for name in ("left", "right", "feature", "threshold", "value", "missing_left")
    )
    above = np.nextafter(threshold, np.float32(np.inf))
    nodes = [
        DecisionTreeNode(
            feature_name=None if left[node] < 0 else f"f{feature[node]}",
            value=float(value[node] if left[node] < 0 else above[node]),
            right=None,
            left=None,
            nan_go_left=bool(missing_left[node]),
            index=node,
            cover=1.0,
        )
        for node in range(len(left))
    ]
    depth = np.zeros(len(left), dtype=int)
    for node, one in enumerate(nodes):
        if left[node] >= 0:
            one.left, one.right = nodes[left[node]], nodes[right[node]]
            one.left.parent = one.right.parent = one
            depth[left[node]] = depth[right[node]] = depth[node] + 1
    nodes[0].depth = int(depth.max())
    return nodes[0]


if __name__ == "__main__":
    main()
