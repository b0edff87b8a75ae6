"""Peer: DiCE's random search, as it comes, over the same model in onnxruntime with the same limits.

Runs in an environment of its own and is told where the shared files lie; prints one line of JSON.
"""

import argparse
import contextlib
import io
import json
import time
import warnings

import dice_ml
import numpy as np
import onnxruntime
import pandas as pd


class Scorer:
    """The model behind the two methods that DiCE calls; yes-or-no columns come as text."""

    classes_ = np.array([0, 1])

    def __init__(self, path: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Give the probabilities of both classes."""
        rows = frame.to_numpy(dtype=np.float32)
        return self._session.run(None, {self._input: rows})[-1]

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Give the class."""
        return (self.predict_proba(frame)[:, 1] >= 0.5).astype(int)  # noqa: PLR2004 -- half


def main() -> None:
    """Build the explainer once and ask about one person after the other."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    shared = np.load(f"{folder}/shared.npz", allow_pickle=False)
    people, yes_or_no = shared["people"], shared["yes_or_no"].tolist()
    names = [f"f{column}" for column in range(people.shape[1])]
    background = frame_of(shared["background"], names, yes_or_no)
    background["outcome"] = (shared["background_scores"] >= 0.5).astype(int)  # noqa: PLR2004 -- half
    numbers = [name for column, name in enumerate(names) if column not in yes_or_no]
    data = dice_ml.Data(dataframe=background, continuous_features=numbers, outcome_name="outcome")
    explainer = dice_ml.Dice(
        data, dice_ml.Model(model=Scorer(f"{folder}/model.onnx"), backend="sklearn"), method="random"
    )
    seconds, processor_seconds, found = [], [], []
    for row in people:
        question = frame_of(row[np.newaxis], names, yes_or_no)
        limits = permitted(shared, row, names)
        begin, processor_begin = time.perf_counter(), time.process_time()
        changed = ask(explainer, question, [names[column] for column in shared["changeable"]], limits)
        seconds.append(time.perf_counter() - begin)
        processor_seconds.append(time.process_time() - processor_begin)
        found.append(None if changed is None else changed[names].astype(float).to_numpy()[0].tolist())
    print(json.dumps({"seconds": seconds, "processor_seconds": processor_seconds, "found": found}))


def ask(explainer: object, question: pd.DataFrame, changeable: list, limits: dict) -> pd.DataFrame | None:
    """Ask for one counterfactual; DiCE writes to the screen and raises where it finds none."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            answer = explainer.generate_counterfactuals(
                question,
                total_CFs=1,
                desired_class=0,
                features_to_vary=changeable,
                permitted_range=limits,
                random_seed=0,
                verbose=False,
            )
        except dice_ml.utils.exception.UserConfigValidationException:
            return None
    return answer.cf_examples_list[0].final_cfs_df


def permitted(shared: dict, row: np.ndarray, names: list) -> dict:
    """Give the limits of one person; what may only rise begins at the person's own value."""
    limits = {}
    for column in shared["changeable"].tolist():
        low, high = float(shared["low"][column]), float(shared["high"][column])
        low = float(row[column]) if column in shared["rising"] else low
        high = float(row[column]) if column in shared["falling"] else high
        if column in shared["yes_or_no"]:
            limits[names[column]] = [str(value) for value in (0, 1) if low <= value <= high]
        elif low < high:
            limits[names[column]] = [low, high]
    return limits


def frame_of(rows: np.ndarray, names: list, yes_or_no: list) -> pd.DataFrame:
    """Make a table; DiCE takes text for categories."""
    columns = {
        name: rows[:, column].astype(int).astype(str) if column in yes_or_no else rows[:, column].astype(float)
        for column, name in enumerate(names)
    }
    return pd.DataFrame(columns)


if __name__ == "__main__":
    main()
