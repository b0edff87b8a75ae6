"""Exact attributions against shap, woodelf and plain prediction, each in one run; about five minutes on two cores."""

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime

from benchmarks.explaining_peer import ExplainingPeer, explaining_peer
from benchmarks.synthetic_forests import deep_forest
from benchmarks.trained_models import TrainedModel, trained_model
from explainer.attribution_methods.choose import PreparedMethod, prepare_method
from explainer.attribution_methods.table_cache import TableCache
from models.forest import Forest

MANY = 10_000
MEGABYTE = 2**20
HEADING = (
    f"{'':<44}{'ours ms':>10}{'peer ms':>10}{'ratio':>9}{'wanted':>9}  {'met':<4}{'difference':>11}{'MB':>7}  method"
)


def compare_attribution() -> None:
    """Print how our exact values compare with peers, in time and in value."""
    print(
        "Exact interventional Shapley values on one thread. Ours and the peer take turns; ms: median wall time of one"
    )
    print("call; ratio: of processor times, which other work on the machine moves less; difference: largest, in value.")
    boosting, wide = trained_model("boosting_300x31"), trained_model("boosting_315_features")
    print("\nOne row, against a cached shap.TreeExplainer that uses the whole background\n" + HEADING)
    compare_rows("300 trees of 31 leaves", boosting.forest(), boosting.rows, n_background=100, n_rows=40, wanted=25)
    compare_rows("300 trees of 31 leaves", boosting.forest(), boosting.rows, n_background=1000, n_rows=15, wanted=200)
    compare_rows("500 trees, 315 features", wide.forest(), wide.rows, n_background=100, n_rows=30, wanted=50)
    for depth in (12, 16):
        synthetic = deep_forest(depth)
        for n_background, n_rows, wanted in ((100, 20, 15), (1000, 7, 35)):
            name = f"random forest 200 x depth {depth}"
            rows = synthetic.rows
            compare_rows(name, synthetic.forest, rows, n_background=n_background, n_rows=n_rows, wanted=wanted)
    print("\nOne raw row with its preprocessing, against onnxruntime's prediction alone")
    compare_with_prediction(trained_model("one_hot_boosting"))
    print(f"\n{MANY:,} rows in one call, rows a second; peers explain as many rows as named")
    compare_batches(boosting, n_background=100, shap_rows=200, wanted=(70, 4))
    compare_batches(boosting, n_background=1000, shap_rows=20, wanted=(70, None))
    print("\nA restart, 300 trees of 31 leaves, background 1,000")
    compare_restarts(boosting)


def compare_rows(name: str, forest: Forest, rows: np.ndarray, *, n_background: int, n_rows: int, wanted: float) -> None:
    """Let both explain the same rows one by one, in turns.

    Args:
        name: What is measured.
        forest: The trees.
        rows: The first are the background, with equal weights; the last are explained.
        n_background: Background rows.
        n_rows: Rows to explain.
        wanted: Ratio that is aimed at.
    """
    background, explained = rows[:n_background], rows[-n_rows:]
    prepared = prepare_method(forest, background, np.ones(n_background), threads=1)
    ours, theirs, differences = [], [], []
    with explaining_peer("shap_tree_explainer", forest, background, explained) as peer:
        for number in range(n_rows):
            row = explained[number : number + 1]
            prepared.computer.contributions_of(rows[:1])  # another row, so that only the code is warm after waiting
            ours.append(seconds_of(lambda row=row: prepared.computer.contributions_of(row)))
            answer = peer.explain(number, number + 1)
            theirs.append((answer.seconds, answer.processor_seconds))
            differences.append(np.abs(prepared.computer.contributions_of(row) - answer.values).max())
    fast, slow = np.median(ours, axis=0), np.median(theirs, axis=0)
    ratio = slow[1] / fast[1]
    print(
        f"{f'{name}, background {n_background:,}':<44}{fast[0] * 1e3:>10.3f}{slow[0] * 1e3:>10.2f}{ratio:>8.1f}x"
        f"{wanted:>8.0f}x  {met(ratio >= wanted):<4}{max(differences):>11.1e}"
        f"{prepared.choice.memory_bytes / MEGABYTE:>7.1f}  {prepared.choice.name}",
        flush=True,
    )


def compare_with_prediction(model: TrainedModel, *, wanted: float = 2.5) -> None:
    """Explain raw rows, texts and all, and predict the same rows by onnxruntime alone, in turns."""
    forest = model.forest()
    background, explained = model.rows[:100], model.rows[-400:]
    prepared = prepare_method(forest, background, np.ones(100), threads=1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.onnx_bytes, options, providers=["CPUExecutionProvider"])
    ours, theirs = [], []
    for row in explained[:, np.newaxis]:
        tables = inputs_of(model, row[0])
        ours.append(seconds_of(lambda row=row: prepared.computer.contributions_of(row)))
        theirs.append(seconds_of(lambda tables=tables: session.run(None, tables)))
    sums = prepared.computer.contributions_of(explained).sum(axis=1) + prepared.computer.expected_value
    gap = np.abs(sums - forest.additive_score(explained)).max()
    fast, slow = np.median(theirs, axis=0)[0], np.median(ours, axis=0)[0]
    print(
        f"150 trees behind one-hot and scaler, 12 features: explained in {slow * 1e6:.1f} us, predicted in "
        f"{fast * 1e6:.1f} us: {slow / fast:.2f} times (wanted: at most {wanted}; met: {met(slow / fast <= wanted)}); "
        f"sums miss the score by {gap:.1e}; {prepared.choice.name}",
        flush=True,
    )


def inputs_of(model: TrainedModel, row: np.ndarray) -> dict[str, np.ndarray]:
    """Make what a caller of onnxruntime would hand over."""
    tables = {}
    for name, count, value in zip(model.feature_names, model.category_counts, row, strict=True):
        tables[name] = np.array([[f"c{int(value)}"]], dtype=object) if count else np.array([[value]], dtype=np.float32)
    return tables


def compare_batches(
    model: TrainedModel, *, n_background: int, shap_rows: int, wanted: tuple[float, float | None]
) -> None:
    """Explain many rows in one call, on one thread and on two; peers fewer, so that nobody waits for an hour."""
    forest, background = model.forest(), model.rows[:n_background]
    explained = model.rows[-MANY:]
    one, two = (batch_method(forest, background, threads) for threads in (1, 2))
    one.computer.contributions_of(explained)
    rates = [MANY / seconds_of(lambda: one.computer.contributions_of(explained))[1] for _ in range(2)]
    with explaining_peer("shap_tree_explainer", forest, background, explained) as peer:
        shap_rate, shap_difference = peer_rate(peer, shap_rows, one, explained)
    rates += [MANY / seconds_of(lambda: one.computer.contributions_of(explained))[1] for _ in range(2)]
    ours = float(np.median(rates))
    alternating = [
        [seconds_of(lambda method=method: method.computer.contributions_of(explained))[0] for method in (one, two)]
        for _ in range(3)
    ]
    gain = float(np.median([single / double for single, double in alternating]))
    print(
        f"background {n_background:,}: ours {ours:,.0f}; shap {shap_rate:,.1f} ({shap_rows} rows): "
        f"{ours / shap_rate:.0f}x, wanted {wanted[0]}x, met: {met(ours / shap_rate >= wanted[0])}, "
        f"difference {shap_difference:.1e}; "
        f"two threads {gain:.2f} times as fast as one, {two.choice.memory_bytes / MEGABYTE:.1f} MB",
        flush=True,
    )
    if wanted[1] is not None:
        with explaining_peer("woodelf", forest, background, explained) as peer:
            rate, difference = peer_rate(peer, MANY, one, explained)
        print(
            f"background {n_background:,}: ours {ours:,.0f}; woodelf-explainer {rate:,.0f} ({MANY:,} rows): "
            f"{ours / rate:.1f}x, wanted {wanted[1]}x, met: {met(ours / rate >= wanted[1])}, "
            f"difference {difference:.1e}",
            flush=True,
        )


def batch_method(forest: Forest, background: np.ndarray, threads: int) -> PreparedMethod:
    """Prepare a method for many rows."""
    return prepare_method(forest, background, np.ones(len(background)), many_rows=True, threads=threads)


def peer_rate(peer: ExplainingPeer, n_rows: int, ours: PreparedMethod, explained: np.ndarray) -> tuple[float, float]:
    """Rows a second of processor time, and the largest difference to our values."""
    answer = peer.explain(0, n_rows)
    difference = np.abs(ours.computer.contributions_of(explained[:n_rows]) - answer.values).max()
    return n_rows / answer.processor_seconds, float(difference)


def compare_restarts(model: TrainedModel) -> None:
    """Prepare the method with tables made anew, and with tables that were kept."""
    forest, background = model.forest(), model.rows[:1000]
    ones = np.ones(len(background))
    prepare_method(forest, background, ones, threads=1)  # compiled before, so that tables alone are measured
    with TemporaryDirectory() as folder:
        cache = TableCache(Path(folder))
        prepare_method(forest, background, ones, threads=1, cache=cache)
        made, kept = [], []
        for _ in range(3):
            made.append(seconds_of(lambda: prepare_method(forest, background, ones, threads=1))[0])
            kept.append(seconds_of(lambda: prepare_method(forest, background, ones, threads=1, cache=cache))[0])
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    print(
        f"tables made anew {np.median(made):.2f} s, tables kept on disk {np.median(kept):.2f} s, "
        f"{np.median(made) / np.median(kept):.1f} times as quick; {size / MEGABYTE:.0f} MB on disk",
        flush=True,
    )


def seconds_of(call: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor time of one call."""
    begin, processor_begin = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - begin, time.process_time() - processor_begin


def met(reached: bool) -> str:
    """Say whether an aim was reached."""
    return "yes" if reached else "no"
