"""Peer: treecf's genetic search, as it comes, over the same trees with the same limits.

Runs in an environment of its own and is told where the shared files lie; prints one line of JSON.
"""

import argparse
import json
import time
import warnings

import numpy as np
from treecf import Explainer, Freeze, Monotone, Range, Target
from treecf.ir.model import EnsembleIR, Link, Node, SplitOp, Tree

BELOW = float(np.nextafter(0.5, 0))
MISSING_LEFT = True
"""No value is missing here, so it does not matter."""


def main() -> None:
    """Build the explainer once and ask about one person after the other."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    shared = np.load(f"{folder}/shared.npz", allow_pickle=False)
    people = shared["people"]
    names = [f"f{column}" for column in range(people.shape[1])]
    changeable = set(shared["changeable"].tolist())
    constraints = [Freeze(name) for column, name in enumerate(names) if column not in changeable]
    constraints += [
        Range(names[column], float(shared["low"][column]), float(shared["high"][column])) for column in changeable
    ]
    constraints += [Monotone(names[column], "increase") for column in shared["rising"].tolist()]
    constraints += [Monotone(names[column], "decrease") for column in shared["falling"].tolist()]
    yes_or_no = set(shared["yes_or_no"].tolist()) & changeable
    explainer = Explainer(
        model(shared, names),
        constraints=constraints,
        normalizers=shared["spreads"],
        value_policy={names[column]: "integer" for column in yes_or_no},
    )
    target = Target.probability(range=(0.0, BELOW))
    explainer.explain(people[0], target, seed=0)
    seconds, processor_seconds, found = [], [], []
    for row in people:
        begin, processor_begin = time.perf_counter(), time.process_time()
        answer = explainer.explain(row, target, seed=0)
        seconds.append(time.perf_counter() - begin)
        processor_seconds.append(time.process_time() - processor_begin)
        changed = getattr(answer, "x_cf", None)
        found.append(None if changed is None else np.asarray(changed, dtype=np.float64).tolist())
    print(json.dumps({"seconds": seconds, "processor_seconds": processor_seconds, "found": found}))


def model(shared: dict, names: list) -> EnsembleIR:
    """Put the shared trees into treecf's own form."""
    trees = []
    for number in range(int(shared["n_trees"])):
        left, right, feature, threshold, value = (
            shared[f"{name}_{number}"].tolist() for name in ("left", "right", "feature", "threshold", "value")
        )
        nodes = [
            Node(place, None, None, None, None, None, None, value[place])
            if left[place] < 0
            else Node(
                place, feature[place], threshold[place], SplitOp.LE, MISSING_LEFT, left[place], right[place], None
            )
            for place in range(len(left))
        ]
        trees.append(Tree(tuple(nodes)))
    return EnsembleIR(tuple(trees), float(shared["base_value"]), Link.SIGMOID, len(names), tuple(names), {})


if __name__ == "__main__":
    main()
