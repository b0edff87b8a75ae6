"""Peer: a scikit-learn pipeline's own ``transform`` of a one-row table and a cached shap.LinearExplainer, timed.

Runs in an environment of its own and is told where the shared file lies; prints one line of JSON. The pipeline is the
one that was exported: same steps, and the numbers it learned are put in. Its probabilities prove that it is the same.
"""

import argparse
import json
import time

import numpy as np
import pandas as pd
import shap
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

N_NUMBERS = 8


def main() -> None:
    """Build pipeline and explainer once, explain the rows one by one, print the median time and the values."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    shared = np.load(parser.parse_args().file, allow_pickle=False)
    names = shared["feature_names"].tolist()
    background, rows = as_frame(shared["background"], names), as_frame(shared["rows"], names)
    pipeline = same_pipeline(shared, background)
    columns, classifier = pipeline.named_steps["columns"], pipeline.named_steps["classifier"]
    table = columns.transform(background)
    explainer = shap.LinearExplainer(classifier, shap.maskers.Independent(table, max_samples=len(table)))
    if not np.isclose(explainer.expected_value, classifier.decision_function(table).mean(), rtol=0, atol=1e-9):
        raise SystemExit("the peer does not use the whole background")
    cases = [rows.iloc[[place]] for place in range(len(rows))]
    explainer.shap_values(columns.transform(cases[0]))
    seconds, values, processor_begin = [], [], time.process_time()
    for case in cases:
        begin = time.perf_counter()
        values.append(explainer.shap_values(columns.transform(case)))
        seconds.append(time.perf_counter() - begin)
    processor_seconds = (time.process_time() - processor_begin) / len(cases)
    result = {
        "median_seconds": float(np.median(seconds)),
        "processor_seconds": processor_seconds,
        "probabilities": pipeline.predict_proba(rows)[:, 1].tolist(),
        "values": np.vstack(values).tolist(),
    }
    print(json.dumps(result))


def as_frame(raw: np.ndarray, names: list[str]) -> pd.DataFrame:
    """Spell raw rows as the pipeline was trained on: numbers in 32 bits, categories as text."""
    frame = pd.DataFrame(raw[:, :N_NUMBERS].astype(np.float32), columns=names[:N_NUMBERS])
    for place, name in enumerate(names[N_NUMBERS:], start=N_NUMBERS):
        frame[name] = np.char.add("c", raw[:, place].astype(int).astype(str)).astype(object)
    return frame


def same_pipeline(shared: dict[str, np.ndarray], background: pd.DataFrame) -> Pipeline:
    """Fit the steps, so that they are complete, and put in what the exported pipeline had learned."""
    names = list(background.columns)
    words = OneHotEncoder(categories=[sorted(f"c{k}" for k in range(count)) for count in shared["category_counts"]])
    numbers = StandardScaler()
    steps = [("numbers", numbers, names[:N_NUMBERS]), ("words", words, names[N_NUMBERS:])]
    columns = ColumnTransformer(steps, sparse_threshold=0)
    pipeline = Pipeline([("columns", columns), ("classifier", LogisticRegression(max_iter=1000))])
    pipeline.fit(background, np.arange(len(background)) % 2)
    scaler, classifier = columns.named_transformers_["numbers"], pipeline.named_steps["classifier"]
    scaler.mean_, scaler.scale_ = shared["offset"], 1 / shared["scale"]
    classifier.coef_, classifier.intercept_ = shared["coefficients"][np.newaxis], shared["intercept"]
    return pipeline


if __name__ == "__main__":
    main()
