"""Whether contributions are right: every framework's real export against brute force over all coalitions, and shap."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.coalition_oracle import RuntimeScores, WalkedScores, shapley_values
from benchmarks.exported_models import ExportedModel, exported_models
from explainer.attribution_methods.black_boxes.exact_enumeration import ExactEnumeration
from explainer.attribution_methods.forests.compiled_leaf_tables import CompiledLeafTables
from explainer.attribution_methods.forests.deep_forest import DeepForest
from explainer.attribution_methods.forests.exact_forest import ExactForest
from explainer.attribution_methods.method import AttributionComputer
from models.errors import ModelUnusableError, UnsupportedModelError
from models.forest import Forest, read_forest
from models.scoring_model import Rows, Scores

N_TREES = 100
N_EXPLAINED = 3
GATE = 1e-6
"""Largest error of a contribution that is allowed, in the additive unit."""

RUNTIME_GATE = 1e-5
"""Same where onnxruntime adds up in 32 bits, times the sum over trees of the largest |leaf| (docs/reference)."""

EXPECTED_REFUSALS: Mapping[str, str] = {
    "ada_boost": "exactly one tree ensemble",
    "calibrated_random_forest": "exactly one tree ensemble",
    "isolation_forest": "exactly one tree ensemble",
    "lightgbm_random_forest_binary": "changed by Concat",
    "xgboost_counts": "changed by Mul",
    "catboost_from_average": "runtime",
    "catboost_counts": "framework",
    "hist_gradient_boosting_categories": "framework",
    "hist_gradient_boosting_counts": "framework",
    "lightgbm_one_against_rest": "framework",
    "lightgbm_random_forest_of_few": "framework",
    "random_forest_missing": "framework",
    "scaled_whole_numbers": "framework",
}
"""Models that must be refused, and a part of the reason; see docs/reference/benchmarks-correctness.md."""

METHODS: Mapping[str, Callable[[Forest, Rows, Scores], AttributionComputer]] = {
    "leaf tables": ExactForest,
    "compiled leaf tables": CompiledLeafTables,
    "deep forest": DeepForest,
    "every coalition": ExactEnumeration,
}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was found out about one model; differences are the largest ones, in the additive unit but for scores.

    Attributes:
        n_outputs: Scores per row.
        framework: Difference between the framework's scores and those of the trees we read.
        runtime: Difference between onnxruntime's additive scores and ours.
        brute_force: Difference between our contributions and brute force over the trees in 64 bits; over all methods.
        runtime_brute_force: Same, asked of onnxruntime, which adds up in 32 bits.
        shap: Difference to shap's contributions; None where there are none.
        methods: How many methods apply.
        refused: Why it is not explained, or empty.
    """

    n_outputs: int = 0
    framework: float = np.nan
    runtime: float = np.nan
    brute_force: float = np.nan
    runtime_brute_force: float = np.nan
    shap: float | None = None
    methods: int = 0
    refused: str = ""


def compare_correctness() -> None:
    """Print one line for each model; say at the end whether all are as they should be."""
    print(
        f"Largest error of a contribution: {N_TREES} trees, 8 raw features, {N_EXPLAINED} rows, background of 60 rows."
    )
    heading = f"{'model':<36}{'framework':<22}{'exporter':<20}{'outputs':>8}{'methods':>8}"
    print(f"{heading}{'framework':>11}{'runtime':>10}{'brute 64':>10}{'brute 32':>10}{'shap':>10}  verdict")
    surprises = []
    for exported in exported_models(N_TREES):
        found = compare(exported)
        verdict = verdict_on(exported.name, found)
        if not verdict.startswith(("exact", "refused")):
            surprises.append(exported.name)
        numbers = (found.framework, found.runtime, found.brute_force, found.runtime_brute_force, found.shap)
        columns = "".join(f"{'-' if n is None or np.isnan(n) else f'{n:.1e}':>10}" for n in numbers)
        facts = f"{exported.name:<36}{exported.framework:<22}{exported.exporter:<20}"
        print(f"{facts}{found.n_outputs or '-':>8}{found.methods or '-':>8} {columns}  {verdict}", flush=True)
    print(f"Not as they should be: {', '.join(surprises) or 'none'}.")


def verdict_on(name: str, found: Comparison) -> str:
    """Say in a few words whether the model is explained exactly, refused as it must be, or neither.

    Args:
        name: The model.
        found: What was found out.

    Returns:
        Begins with "exact" or "refused" if all is as it should be.
    """
    expected = EXPECTED_REFUSALS.get(name)
    if found.refused:
        right = expected is not None and expected in found.refused
        return f"{'refused' if right else 'REFUSED UNEXPECTEDLY'}: {found.refused}"
    if expected is not None:
        return "EXPLAINED, BUT MUST BE REFUSED"
    errors = [found.brute_force, *([] if found.shap is None else [found.shap])]
    return "exact" if all(error <= GATE for error in errors) else "NOT EXACT"


def compare(exported: ExportedModel, n_explained: int = N_EXPLAINED) -> Comparison:
    """Read a model and hold it against its framework, the runtime, brute force and shap.

    Args:
        exported: The model.
        n_explained: Rows whose contributions are computed.

    Returns:
        What was found out.
    """
    try:
        forest = read_forest(exported.content, exported.features())
    except ModelUnusableError as error:
        return Comparison(refused=str(error))
    ours = forest.additive_score(exported.rows).reshape(len(exported.rows), -1)
    score_difference = _largest(forest.score(exported.rows).reshape(ours.shape) - exported.scores)
    runtime = RuntimeScores(exported.content, exported.category_counts)
    runtime_difference = _largest(runtime(exported.rows) - ours)
    found = Comparison(n_outputs=forest.n_outputs, framework=score_difference, runtime=runtime_difference)
    scale = max(1.0, forest.sum_of_largest_leaves)
    if not score_difference <= GATE * scale:
        return _refused(found, f"scores are not the framework's, {score_difference:.2g} off")
    if not runtime_difference <= RUNTIME_GATE * scale:
        hint = "; the file has base_values" if forest.has_base_values else ""
        return _refused(found, f"the runtime's sums are not the trees', {runtime_difference:.2g} off{hint}")
    rows, background = exported.rows[:n_explained], exported.background
    truth = true_contributions(WalkedScores(exported.content, exported.category_counts), rows, background)
    of_runtime = true_contributions(runtime, rows, background)
    by_method = contributions_by_method(forest, rows, background)
    by_shap = exported.shap_values
    return Comparison(
        n_outputs=forest.n_outputs,
        framework=score_difference,
        runtime=runtime_difference,
        brute_force=max(_largest(values - truth) for values in by_method.values()),
        runtime_brute_force=max(_largest(values - of_runtime) for values in by_method.values()),
        shap=None if by_shap is None else max(_largest(v - by_shap[:n_explained]) for v in by_method.values()),
        methods=len(by_method),
    )


def true_contributions(
    score: RuntimeScores | WalkedScores, rows: NDArray[np.float64], background: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give contributions by brute force, shape (n_rows, n_features, n_outputs)."""
    return np.array([shapley_values(score, row, background) for row in rows])


def contributions_by_method(
    forest: Forest, rows: NDArray[np.float64], background: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Give contributions by every method that applies to a forest.

    Args:
        forest: The trees.
        rows: Raw rows, shape (n_rows, n_features).
        background: Raw rows, shape (m, n_features), equal weights.

    Returns:
        Method to contributions, shape (n_rows, n_features, n_outputs).
    """
    found = {}
    weights = np.ones(len(background))
    outputs = [forest.for_output(output) for output in range(forest.n_outputs)]
    for name, method in METHODS.items():
        try:
            computers = [method(one, background, weights) for one in outputs]
        except UnsupportedModelError:
            continue  # most methods do not know columns made from raw features
        found[name] = np.stack([computer.contributions_of(rows) for computer in computers], axis=2)
    return found


def _refused(found: Comparison, reason: str) -> Comparison:
    return Comparison(n_outputs=found.n_outputs, framework=found.framework, runtime=found.runtime, refused=reason)


def _largest(differences: NDArray[np.float64]) -> float:
    return float(np.abs(differences).max())
