"""Peer: what a team writes in an afternoon, FastAPI around a cached shap.TreeExplainer; no log, no text, no rights.

The second argument chooses the game: ``path`` (path-dependent) or ``interventional`` (over 100 background rows).
"""

import argparse

import numpy as np
import shap
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


def explainer_of(file: str, game: str) -> shap.TreeExplainer:
    """Build the explainer once, over the shared trees."""
    shared = np.load(file, allow_pickle=False)
    trees = []
    for number in range(int(shared["n_trees"])):
        left, right, feature, threshold, value, cover = (
            shared[f"{name}_{number}"] for name in ("left", "right", "feature", "threshold", "value", "cover")
        )
        trees.append(
            {
                "children_left": left,
                "children_right": right,
                "children_default": left,
                "features": np.where(left < 0, -2, feature),
                "thresholds": threshold.astype(np.float64),
                "values": value.reshape(-1, 1),
                "node_sample_weight": cover,
            }
        )
    model = {"trees": trees, "internal_dtype": np.float64, "input_dtype": np.float32}
    model["base_offset"] = float(shared["base_value"])
    if game == "path":
        return shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    masker = shap.maskers.Independent(shared["background"], max_samples=len(shared["background"]))
    return shap.TreeExplainer(model, masker, feature_perturbation="interventional")


class Row(BaseModel):
    """One case."""

    values: list[float]


def application(explainer: shap.TreeExplainer) -> FastAPI:
    """One route that explains one row."""
    app = FastAPI()
    expected = float(np.ravel(explainer.expected_value)[0])

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/explain")
    async def explain(row: Row) -> dict[str, object]:
        contributions = explainer.shap_values(np.array([row.values]))[0]
        return {"expected_value": expected, "contributions": np.ravel(contributions).tolist()}

    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("game", choices=("path", "interventional"))
    parser.add_argument("port", type=int)
    given = parser.parse_args()
    uvicorn.run(
        application(explainer_of(given.file, given.game)), port=given.port, access_log=False, log_level="warning"
    )
