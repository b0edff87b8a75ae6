"""Counterfactuals against treecf and DiCE: the same trees, the same people, the same things they could change."""

import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.counterfactual_models import EIGHT_LEVERS, MODEL_B, MODEL_D, Levers, package_with
from benchmarks.peers import PEERS, peer_environment
from benchmarks.trained_models import trained_model
from explainer.recourse.action_set import SearchSpace
from explainer.recourse.infeasibility import prove_infeasible
from explainer.recourse.search import find_recourse
from models.features import from_row, to_row
from models.package import ModelPackage

PEOPLE = {"treecf": 100, "dice": 12}
ROUNDS = {"treecf": 3, "dice": 2}
HARD = 0.95
"""From this score on a person is far from the other outcome."""

PROOF_SECONDS = 10.0
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

Rows = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What one program answered about several people.

    Attributes:
        seconds: Shape (n_people,), wall time, best of the rounds.
        processor_seconds: Shape (n_people,), processor time, best of the rounds.
        changed: Shape (n_people, n_features), the changed rows; the person's own row where nothing was found.
    """

    seconds: NDArray[np.float64]
    processor_seconds: NDArray[np.float64]
    changed: Rows


def compare_counterfactuals() -> None:
    """Print how our counterfactuals compare with those of treecf and DiCE, and how often none is proven."""
    print("Towards a score below 0.5, one thread, in one run, peers alternating with ours; best of the rounds.")
    print("Ours: as the service does it, up to three options, each run again through onnxruntime.")
    print("ms: wall time; ratios: of median wall times and of median processor times.")
    print(
        f"{'model':<22}{'program':<19}{'people':>7}{'p50 ms':>9}{'p95 ms':>9}{'mean ms':>9}{'CPU mean':>9}"
        f"{'ratios':>11}{'valid':>7}{'actionable':>11}{'changes':>9}{'cost':>7}"
    )
    for levers in (MODEL_B, MODEL_D):
        compare(levers)
    print()
    count_proofs()


def compare(levers: Levers) -> None:
    """Ask ours and both peers about the same people.

    Args:
        levers: The model, and what people could change.
    """
    package, rows = package_with(levers)
    space = SearchSpace.of(package)
    people = rows[package.model.score(rows) >= package.card.threshold]
    for peer, title in (("treecf", "treecf, genetic"), ("dice", "DiCE, random")):
        some = people[: PEOPLE[peer]]
        ours, theirs = [], []
        with TemporaryDirectory() as folder:
            _share(package, levers, space, some, Path(folder))
            for _ in range(ROUNDS[peer]):
                ours.append(ask_ours(package, space, some))
                theirs.append(ask_peer(peer, some, Path(folder)))
        mine, other = _best(ours), _best(theirs)
        wall = float(np.median(other.seconds) / np.median(mine.seconds))
        processor = float(np.median(other.processor_seconds) / np.median(mine.processor_seconds))
        _print(space, levers, some, f"ours beside {peer}", mine)
        _print(space, levers, some, title, other, ratios=f"{wall:.0f}x {processor:.0f}x")


def ask_ours(package: ModelPackage, space: SearchSpace, people: Rows) -> Answers:
    """Search as the service does."""
    seconds, processor_seconds, changed = [], [], []
    find_recourse(package, from_row(package.card.features, people[0]), space)
    for row in people:
        inputs = from_row(package.card.features, row)
        begin, processor_begin = time.perf_counter(), time.thread_time()
        found = find_recourse(package, inputs, space)
        seconds.append(time.perf_counter() - begin)
        processor_seconds.append(time.thread_time() - processor_begin)
        best = found.counterfactuals[0].changes if found.counterfactuals else ()
        changed.append(to_row(package.card.features, {**inputs, **{one.feature: one.after for one in best}}))
    return Answers(seconds=np.array(seconds), processor_seconds=np.array(processor_seconds), changed=np.array(changed))


def ask_peer(peer: str, people: Rows, folder: Path) -> Answers:
    """Let a peer search in its own environment."""
    command = [peer_environment(peer), PEERS / peer / "search.py", folder]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, env=ONE_THREAD)  # noqa: S603 -- our own script in the peer's environment
    result = json.loads(answer.stdout.splitlines()[-1])
    changed = [row if found is None else found for row, found in zip(people, result["found"], strict=True)]
    return Answers(
        seconds=np.array(result["seconds"]),
        processor_seconds=np.array(result["processor_seconds"]),
        changed=np.array(changed, dtype=np.float64),
    )


def count_proofs() -> None:
    """Count for people who can change little how often it is proven that nothing would have helped."""
    package, rows = package_with(EIGHT_LEVERS)
    space = SearchSpace.of(package)
    people = rows[package.model.score(rows) > HARD][:100]
    found = proven = 0
    open_ones = []
    seconds = []
    for row in people:
        inputs = from_row(package.card.features, row)
        begin = time.perf_counter()
        none = find_recourse(package, inputs, space).none
        seconds.append(time.perf_counter() - begin)
        found += none is None
        proven += none is not None and none.proven
        if none is not None and not none.proven:
            open_ones.append(inputs)
    print(f"Model B, 8 features to change, {len(people)} people with a score above {HARD}:")
    print(f"found for {found}, proven that nothing helps for {proven} at once, {len(open_ones)} left open;", end=" ")
    print(f"p50 {np.median(seconds) * 1e3:.1f} ms, p95 {np.percentile(seconds, 95) * 1e3:.1f} ms.")
    later = []
    for inputs in open_ones:
        begin = time.monotonic()
        state = prove_infeasible(package, inputs, begin + PROOF_SECONDS, space=space).state
        later.append((state, time.monotonic() - begin))
    proven_later = [took for state, took in later if state == "proven"]
    refuted = sum(state == "refuted" for state, _ in later)
    slowest = max(proven_later, default=0.0)
    print(
        f"Of these within {PROOF_SECONDS:.0f} s: {len(proven_later)} proven (the slowest in {slowest:.1f} s),", end=" "
    )
    print(f"{refuted} have a combination that helps, {len(later) - refuted - len(proven_later)} still open.")


def _share(package: ModelPackage, levers: Levers, space: SearchSpace, people: Rows, folder: Path) -> None:
    arrays = {"n_trees": np.array(len(package.forest.trees)), "base_value": np.array(package.forest.base_value)}
    for number, tree in enumerate(package.forest.trees):
        for name in ("left", "right", "feature", "threshold", "value"):
            arrays[f"{name}_{number}"] = getattr(tree, name)
    background = package.background.rows
    for name in ("changeable", "rising", "falling", "yes_or_no"):
        arrays[name] = np.array(getattr(levers, name), dtype=np.int64)
    arrays |= {"people": people, "background": background, "spreads": np.array(space.spreads)}
    arrays |= {"low": background.min(axis=0), "high": background.max(axis=0)}
    arrays["background_scores"] = package.model.score(background)
    np.savez(folder / "shared.npz", **arrays)
    (folder / "model.onnx").write_bytes(trained_model(levers.name).onnx_bytes)


def _best(answers: Sequence[Answers]) -> Answers:
    return Answers(
        seconds=np.min([one.seconds for one in answers], axis=0),
        processor_seconds=np.min([one.processor_seconds for one in answers], axis=0),
        changed=answers[0].changed,
    )


def _print(space: SearchSpace, levers: Levers, people: Rows, title: str, answers: Answers, *, ratios: str = "") -> None:
    package = space.package
    valid = package.model.score(answers.changed) < package.card.threshold
    differs = np.abs(answers.changed - people) > 1e-9  # noqa: PLR2004 -- the dust of binary fractions is no change
    actionable = valid & _is_actionable(levers, space, people, answers.changed)
    spreads = np.array(space.spreads)
    spreads[list(levers.yes_or_no)] = 1.0
    cost = (np.abs(answers.changed - people) / spreads).sum(axis=1)
    milliseconds = answers.seconds * 1e3
    print(
        f"{levers.name:<22}{title:<19}{len(people):>7}{np.median(milliseconds):>9.2f}"
        f"{np.percentile(milliseconds, 95):>9.2f}{milliseconds.mean():>9.2f}"
        f"{answers.processor_seconds.mean() * 1e3:>9.2f}{ratios:>11}{valid.sum():>7}"
        f"{actionable.sum():>11}{differs[valid].sum(axis=1).mean():>9.2f}{cost[valid].mean():>7.2f}",
        flush=True,
    )


def _is_actionable(levers: Levers, space: SearchSpace, people: Rows, changed: Rows) -> NDArray[np.bool_]:
    """Say whose changes the card allows."""
    dust = 1e-9
    moved = changed - people
    frozen = np.setdiff1d(np.arange(people.shape[1]), levers.changeable)
    allowed: NDArray[np.bool_] = (np.abs(moved[:, frozen]) <= dust).all(axis=1)
    allowed &= (moved[:, list(levers.rising)] >= -dust).all(axis=1)
    allowed &= (moved[:, list(levers.falling)] <= dust).all(axis=1)
    allowed &= np.isin(changed[:, list(levers.yes_or_no)], (0, 1)).all(axis=1)
    low, high = (np.array([values[end] for values in space.background_values]) for end in (0, -1))
    within = (np.abs(moved) <= dust) | ((changed >= low - dust) & (changed <= high + dust))
    return allowed & within.all(axis=1)
