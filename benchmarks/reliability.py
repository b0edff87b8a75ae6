"""What the reliability of a decision costs on top of its contributions, with a background of 1,000 rows."""

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.trained_models import trained_model
from explainer.attribution_methods.blocks.background_blocks import BlockContributions, split_background
from explainer.attribution_methods.blocks.choose_blocks import ComputerPerBlock, blocks_for_forest
from explainer.attribution_methods.choose import prepare_method
from explainer.attribution_methods.method_choice import DEFAULT_BUDGET_BYTES
from explainer.explanations.similar_cases import ComparisonGroup
from models.features import Feature
from models.scoring_model import Rows, Scores

MODELS = ("boosting_300x31", "boosting_315_features", "one_hot_boosting")
BACKGROUND_ROWS = 1000
CASES = 200
ROUNDS = 3

Ask = Callable[[NDArray[np.float64]], object]


def compare_reliability() -> None:
    """Print, for each model, what ten blocks and similar cases cost beside one explanation, in one run."""
    for name in MODELS:
        model = trained_model(name)
        forest, features = model.forest(), model.features()
        rows, weights = model.rows[:BACKGROUND_ROWS], np.ones(BACKGROUND_ROWS)
        cases = model.rows[BACKGROUND_ROWS : BACKGROUND_ROWS + CASES]
        prepared = prepare_method(forest, rows, weights, threads=1)
        begin = time.perf_counter()
        tables = blocks_for_forest(forest, rows, weights, budget_bytes=DEFAULT_BUDGET_BYTES).computer
        made_s = time.perf_counter() - begin
        split = split_background(rows, weights)
        if tables is None or split is None:
            raise RuntimeError(name)
        apart = ComputerPerBlock(
            lambda some, their, forest=forest: prepare_method(forest, some, their, threads=1).computer,  # type: ignore[misc]
            rows,
            weights,
            split,
        )
        contributions, blocks, each, similar = medians_ms(
            [
                lambda case, computer=prepared.computer: computer.contributions_of(case[np.newaxis]),  # type: ignore[misc]
                tables.contributions_of,
                apart.contributions_of,
                _group(features, rows, weights),
            ],
            cases,
        )
        print(
            f"{name}: contributions {contributions:.3f} ms; ten blocks {blocks:.3f} ms, {blocks / contributions:.1f} "
            f"of them, {each / blocks:.1f} times as fast as ten methods ({each:.3f} ms); "
            f"similar cases {similar:.3f} ms; tables {tables.memory_bytes / 2**20:.1f} MB, "
            f"those of ten methods {apart.memory_bytes / 2**20:.1f} MB, made in {made_s:.2f} s; "
            f"largest difference {_difference(tables, apart, cases):.1e}"
        )


def medians_ms(ways: Sequence[Ask], cases: Rows) -> list[float]:
    """Time ways in turns; for each the best round's median of one case, milliseconds."""
    best = [np.inf] * len(ways)
    for _ in range(ROUNDS):
        for number, ask in enumerate(ways):
            taken = []
            for case in cases:
                begin = time.perf_counter()
                ask(case)
                taken.append(time.perf_counter() - begin)
            best[number] = min(best[number], 1e3 * float(np.median(taken)))
    return [float(one) for one in best]


def _group(features: Sequence[Feature], rows: Rows, weights: Scores) -> Ask:
    group = ComparisonGroup(
        rows,
        weights,
        ["same"] * len(rows),
        features=features,
        spreads=[float(spread) or 1.0 for spread in rows.std(axis=0)],
        read=range(rows.shape[1]),
    )
    return lambda case: group.similar_to(case, "same")


def _difference(one: BlockContributions, other: BlockContributions, cases: Rows) -> float:
    return max(float(np.abs(one.contributions_of(case) - other.contributions_of(case)).max()) for case in cases)
